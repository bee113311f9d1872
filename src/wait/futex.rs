//! Sleeping on the low half of a word in shared memory, and waking those who do.
//!
//! A sandbox may refuse futex(2). Then a process sleeps by the clock, a millisecond at a time, and looks at the word in
//! between: it notices late what others do, and costs little. It can't wake others either.

use super::deadline::{now, timespec};
use rustix::io::Errno;
use rustix::thread::futex::{Flags, wait_bitset, wake, wake_bitset};
use rustix::thread::{ClockId, clock_nanosleep_absolute};
use rustix::time::Timespec;
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

/// By what sleepers on one word are told apart: [`wake_only`] wakes those who share a bit, and [`wake_up`] any.
#[derive(Clone, Copy)]
pub(crate) struct Bits(NonZeroU32);

impl Bits {
    /// Of those who are told apart by nothing.
    pub const ORDINARY: Self = Self(NonZeroU32::MIN);

    /// Of the threads of a handle of this number: one of 15, so that some handles share one, and are woken for each
    /// other at times.
    pub fn of_handle(number: u16) -> Self {
        Self::bit(1 + u32::from(number) % 15)
    }

    /// Of a helper: one of 16 others.
    pub fn of_helper(number: u32) -> Self {
        Self::bit(16 + number % 16)
    }

    fn bit(number: u32) -> Self {
        Self(NonZeroU32::MIN.saturating_add(1).saturating_pow(number))
    }
}

/// Sleeps while the low half of `word` is `expected`, until `until` on the monotonic clock.
pub(crate) fn sleep(word: &AtomicU64, expected: u32, until: i64, bits: Bits) -> Slept {
    match ask(word, expected, Some(&timespec(until)), bits) {
        Slept::Refused(_) => sleep_by_clock(word, expected, until),
        slept => slept,
    }
}

/// Sleeps while the low half of `word` is `expected`, so that [`wake_only`] can wake this one; says whether it was
/// woken. Where the system refuses that, it sleeps for a millisecond.
pub(crate) fn sleep_as(word: &AtomicU64, expected: u32, bits: Bits) -> bool {
    let slept = ask(word, expected, None, bits);
    if let Slept::Refused(_) = slept {
        let _ = clock_nanosleep_absolute(ClockId::Monotonic, &timespec(now() + SLICE_MAX));
    }
    slept == Slept::Woken
}

fn ask(word: &AtomicU64, expected: u32, until: Option<&Timespec>, bits: Bits) -> Slept {
    match wait_bitset(low_half(word), Flags::empty(), expected, until, bits.0) {
        Err(Errno::TIMEDOUT) => Slept::Until,
        Err(Errno::INTR) => Slept::Interrupted,
        Ok(()) => Slept::Woken,
        Err(Errno::AGAIN) => Slept::Changed,
        Err(refused) => Slept::Refused(refused),
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

/// Wakes those who sleep by one of these bits.
#[cold]
pub(crate) fn wake_only(word: &AtomicU64, bits: Bits) {
    let _ = wake_bitset(low_half(word), Flags::empty(), u32::MAX >> 1, bits.0);
}

fn low_half(word: &AtomicU64) -> &AtomicU32 {
    // SAFETY: the low half of a little-endian word, aligned; only the kernel accesses it by this address.
    unsafe { AtomicU32::from_ptr(word.as_ptr().cast()) }
}
