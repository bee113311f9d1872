//! The examples in Rust, run as a person runs them. Those in C are run by `tests/c/examples.rs`.
//!
//! | file | what |
//! |---|---|
//! | `demo` | a tree of files read by clients in three languages, while servers come and go |
//! | `top` | a channel shown as it is |
//! | `async_client` | tasks of one thread |

mod async_client;
#[path = "../support/channel.rs"]
mod channel;
mod demo;
#[path = "../support/mod.rs"]
mod support;
mod top;
#[path = "../support/top_scene.rs"]
mod top_scene;
