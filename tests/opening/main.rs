//! Creating, connecting and attaching: what becomes of it, and each reason why nothing becomes of it.
//!
//! | file | what |
//! |---|---|
//! | `creating` | processes that create the same channel at once |
//! | `bad_input` | names, files, descriptors and options that can't be had |
//! | `bad_header` | headers that this version does not write |
//! | `bad_system` | what the system refuses |
//! | `fuzz` | headers changed at random, from those in `corpus/` |

mod bad_header;
mod bad_input;
mod bad_system;
#[path = "../support/child.rs"]
mod child;
mod creating;
#[path = "../support/format.rs"]
mod format;
mod fuzz;
#[path = "../support/payload.rs"]
mod payload;
