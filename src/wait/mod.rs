//! Waiting: spin for a while, then sleep on a futex, never past a deadline.
//!
//! | file | what |
//! |---|---|
//! | [`deadline`] | how long a call may take; the monotonic clock |
//! | [`spin`] | polling with a budget in nanoseconds that learns |
//! | [`futex`] | sleeping on the low half of a word and waking those who do |
//! | [`eventfd`] | signals for those who wait with epoll |

pub(crate) mod deadline;
pub(crate) mod eventfd;
pub(crate) mod futex;
pub(crate) mod spin;

pub(crate) use deadline::Deadline;
pub use deadline::Timeout;
pub(crate) use spin::Spinner;
