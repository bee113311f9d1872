//! Waiting: spin for a while, then sleep on a futex, never past a deadline.
//!
//! | file | what |
//! |---|---|
//! | [`terms`] | what a caller says of how a call waits |
//! | [`deadline`] | what a call on its way has left; the monotonic clock |
//! | [`spin`] | polling |
//! | [`habit`] | whether that pays, and for how long |
//! | [`signals`] | signals during a poll |
//! | [`interrupts`] | what ends the waits of a handle from within its process |
//! | [`futex`] | sleeping on the low half of a word and waking those who do |
//! | [`eventfd`] | signals for those who wait with epoll |
//! | [`thread`] | a thread that sleeps for one who waits with epoll |

pub(crate) mod deadline;
pub(crate) mod eventfd;
pub(crate) mod futex;
pub(crate) mod habit;
pub(crate) mod interrupts;
mod signals;
pub(crate) mod spin;
mod terms;
pub(crate) mod thread;

pub(crate) use deadline::{Deadline, NOW};
pub(crate) use interrupts::Interrupts;
pub(crate) use spin::{Polled, Spinners};
pub use terms::{Timeout, Wait};
