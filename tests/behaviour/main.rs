//! What calls do: by their Rust names, and what C promises alike by both.
//!
//! | file | what |
//! |---|---|
//! | `administration` | what an operator does to a channel |
//! | `faces` | what both interfaces promise, written once and run through either |
//! | `in_place` | loans, views and buffers for replies as values |
//! | `many_slots` | the largest channel |
//! | `notification` | eventfds |
//! | `serve` | the loop around a handler |
//! | `types` | what a Rust program can do with the types of this crate |
//! | `waits` | times at which waits end, words by which they are ended |

mod administration;
#[path = "../support/channel.rs"]
mod channel;
#[path = "../support/child.rs"]
mod child;
#[cfg(feature = "capi")]
mod faces;
mod in_place;
mod many_slots;
mod notification;
mod serve;
mod types;
mod waits;
