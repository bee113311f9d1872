//! Sleeping on the low half of a word in shared memory, and waking those who do.
//!
//! A sandbox may refuse futex(2). Then a process sleeps by the clock, a millisecond at a time, and looks at the word in
//! between: it notices late what others do, and costs little. It can't wake others either.

use super::deadline::{now, timespec};
use rustix::io::Errno;
use rustix::thread::futex::{Flags, wait_bitset, wake};
use rustix::thread::{ClockId, clock_nanosleep_absolute};
use std::num::NonZeroU32;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicU32, AtomicU64};

/// How long a process sleeps by the clock between two looks at the word, at first and at most.
const SLICE_MIN: i64 = 50_000;
const SLICE_MAX: i64 = 1_000_000;

/// How a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slept {
    /// Woken; look again.
    Woken,
    /// The word had changed already; look again.
    Changed,
    /// The time came.
    Until,
    /// A signal handler ran.
    Interrupted,
    /// The system lets this process sleep in no way.
    Refused(Errno),
}

/// Sleeps while the low half of `word` is `expected`, until `until` on the monotonic clock.
pub(crate) fn sleep(word: &AtomicU64, expected: u32, until: i64) -> Slept {
    let any = NonZeroU32::MAX;
    match wait_bitset(low_half(word), Flags::empty(), expected, Some(&timespec(until)), any) {
        Err(Errno::TIMEDOUT) => Slept::Until,
        Err(Errno::INTR) => Slept::Interrupted,
        Ok(()) => Slept::Woken,
        Err(Errno::AGAIN) => Slept::Changed,
        Err(_) => sleep_by_clock(word, expected, until),
    }
}

#[cold]
fn sleep_by_clock(word: &AtomicU64, expected: u32, until: i64) -> Slept {
    let mut slice = SLICE_MIN;
    loop {
        // SeqCst: as the kernel's look, it comes after the announcement.
        if word.load(SeqCst) as u32 != expected {
            return Slept::Woken;
        }
        let now = now();
        if now >= until {
            return Slept::Until;
        }
        match clock_nanosleep_absolute(ClockId::Monotonic, &timespec(until.min(now + slice))) {
            Ok(()) => slice = (2 * slice).min(SLICE_MAX),
            Err(Errno::INTR) => return Slept::Interrupted,
            Err(refused) => return Slept::Refused(refused),
        }
    }
}

/// Wakes up to `count` sleepers. False if there was none.
#[cold]
pub(crate) fn wake_up(word: &AtomicU64, count: u32) -> bool {
    wake(low_half(word), Flags::empty(), count) != Ok(0)
}

fn low_half(word: &AtomicU64) -> &AtomicU32 {
    // SAFETY: the low half of a little-endian word, aligned; only the kernel accesses it by this address.
    unsafe { AtomicU32::from_ptr(word.as_ptr().cast()) }
}
