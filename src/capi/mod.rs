//! The C interface. Every function checks its arguments, calls the Rust API and turns the result into a code; there is
//! no logic here. `include/shmrr.h` is generated from these files, so their comments are the manual that a C programmer
//! reads: a paragraph, then what is returned, then each error.
//!
//! | file | what |
//! |---|---|
//! | [`constants`] | kinds, roles, flags, what handlers return |
//! | [`types`] | structures |
//! | [`convert`] | arguments in, codes out |
//! | [`structures`] | structures of callers of other versions |
//! | [`result`] | what came back, in an `rr_result` |
//! | [`open`] | opening and freeing handles |
//! | [`ending`] | ending waits: stopping, interrupting, waking |
//! | [`serve`] | taking requests, replying |
//! | [`serve_in_place`] | the same without copies, in batches |
//! | [`handler`] | a loop around a handler |
//! | [`call`] | sending requests, collecting replies |
//! | [`call_msg`] | the same by general forms: messages, results, waits |
//! | [`call_in_place`] | the same without copies |
//! | [`integers`] | channels of integers |
//! | [`hand_on`] | adopting and detaching requests |
//! | [`channel`] | geometry, statistics, identity |
//! | [`admin`] | who is attached; clearing, recovering; removing the path |
//! | [`notify`] | eventfds |
//! | [`poll`] | waiting without taking, and with epoll |
//! | [`library`] | versions, errors, defaults |

// What stands in brackets in the functions' texts is a family of codes that the header explains, and no link.
#![allow(rustdoc::broken_intra_doc_links)]
// Whether a pointer argument may be null, and what it must point to, stands in each function's text.
#![allow(clippy::missing_safety_doc, clippy::not_unsafe_ptr_arg_deref, missing_docs)]

mod constants;
mod convert;
mod result;
mod structures;
mod types;

// The blank lines keep rustfmt from sorting these: the header has their order.
mod open;

mod ending;

mod serve;

mod serve_in_place;

mod handler;

mod call;

mod call_msg;

mod call_in_place;

mod integers;

mod hand_on;

mod channel;

mod admin;

mod notify;

mod poll;

mod library;
