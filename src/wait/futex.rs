//! Sleeping on the low half of a word in shared memory, and waking those who do.

use super::deadline::timespec;
use rustix::io::Errno;
use rustix::thread::futex::{Flags, wait_bitset, wake};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, AtomicU64};

/// How a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slept {
    /// Woken, or the word had changed already; look again.
    Woken,
    /// The time came.
    Until,
    /// A signal handler ran.
    Interrupted,
}

/// Sleeps while the low half of `word` is `expected`, until `until` on the monotonic clock.
pub(crate) fn sleep(word: &AtomicU64, expected: u32, until: i64) -> Slept {
    let any = NonZeroU32::MAX;
    match wait_bitset(low_half(word), Flags::empty(), expected, Some(&timespec(until)), any) {
        Err(Errno::TIMEDOUT) => Slept::Until,
        Err(Errno::INTR) => Slept::Interrupted,
        // EAGAIN: the word had changed. Any other error is a kernel that refuses; the callers look again and see to
        // their deadlines.
        Ok(()) | Err(_) => Slept::Woken,
    }
}

/// Wakes up to `count` sleepers.
#[cold]
pub(crate) fn wake_up(word: &AtomicU64, count: u32) {
    let _ = wake(low_half(word), Flags::empty(), count);
}

fn low_half(word: &AtomicU64) -> &AtomicU32 {
    // SAFETY: the low half of a little-endian word, aligned; only the kernel accesses it by this address.
    unsafe { AtomicU32::from_ptr(word.as_ptr().cast()) }
}
