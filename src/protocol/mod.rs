//! The protocol: what the words of a channel mean and how they may change.
//!
//! Pure transitions over references to atomics, without I/O, waiting or payloads, so that the same code runs in shared
//! memory, on the heap and under loom. A request is created, travels and ends like this; each arrow is one atomic
//! operation on one word:
//!
//! ```text
//! client                        ring                     server
//!  allocate  reply FREE→PENDING
//!  queue     request →QUEUED
//!  publish                      cell: old lap→this lap
//!                                                        find    walk the ring to the oldest QUEUED request
//!                                                        claim   request QUEUED→CLAIMED
//!                                                        reply   reply PENDING→READY
//!  collect   reply READY→FREE
//! ```
//!
//! | file | what |
//! |---|---|
//! | [`word`] | the two traits that say where the words live |
//! | [`state`] | the bits of each word, and who may change them to what |
//! | [`slot`] | transitions of one slot |
//! | [`passing`] | a request changes hands: adopted by another server, detached from its client |
//! | [`listing`] | a client that looks for all that is done, and is told of it by a bit |
//! | [`clearing`] | a request of somebody else's is ended |
//! | [`allocate`] | which slot a new request takes; spare slots |
//! | [`ring`], [`cell`] | the order of requests |
//! | [`doorbell`] | who sleeps and must be woken |
//! | [`arming`] | a program that waits with epoll, and the thread that sleeps for it |
//! | `heap`, `models`, `wraps`, `stops` | for tests: words on the heap; loom models; counters that wrap, and stops |

pub(crate) mod allocate;
pub(crate) mod arming;
pub(crate) mod cell;
pub(crate) mod clearing;
pub(crate) mod doorbell;
pub(crate) mod listing;
pub(crate) mod passing;
pub(crate) mod ring;
pub(crate) mod slot;
pub(crate) mod state;
pub(crate) mod word;

#[cfg(test)]
pub(crate) mod heap;
#[cfg(test)]
pub(crate) mod models;
#[cfg(test)]
mod stops;
#[cfg(test)]
mod wraps;

pub(crate) use state::{Id, Participant};
pub(crate) use word::Memory;
