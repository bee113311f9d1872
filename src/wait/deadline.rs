//! How long a call may take.

use super::interrupts::{Begun, Interrupts};
use rustix::time::{ClockId, Timespec, clock_gettime};
use std::cell::Cell;
use std::time::Duration;

const SECOND: i64 = 1_000_000_000;

/// The monotonic clock, in nanoseconds.
#[inline]
pub(crate) fn now() -> i64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec * SECOND + time.tv_nsec
}

pub(crate) fn timespec(at: i64) -> Timespec {
    Timespec { tv_sec: at / SECOND, tv_nsec: at % SECOND }
}

/// How long a call may wait, all its waits together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout(i64);

impl Timeout {
    /// Try once.
    pub const NOW: Self = Self(0);
    /// Wait for as long as it takes.
    pub const FOREVER: Self = Self(-1);

    /// From nanoseconds: negative waits for ever, 0 tries once.
    #[must_use]
    pub const fn from_nanos(nanoseconds: i64) -> Self {
        Self(nanoseconds)
    }
}

impl From<Duration> for Timeout {
    /// A duration that nanoseconds in 63 bits can't hold (292 years) waits for ever.
    fn from(duration: Duration) -> Self {
        i64::try_from(duration.as_nanos()).map_or(Self::FOREVER, Self)
    }
}

/// A timeout on its way, and what had been asked of the handle when the call began. The clock is first read when
/// something has to be waited for, so that a call that finds all it needs never reads it; the time until then is less
/// than the clock's own cost.
pub(crate) struct Deadline {
    timeout: i64,
    at: Cell<i64>,
    begun: Begun,
}

const UNREAD: i64 = 0;

impl Deadline {
    /// For a call of a handle, which waits unless the timeout is 0.
    #[inline]
    pub fn new(timeout: Timeout, interrupts: &Interrupts) -> Self {
        let begun = if timeout.0 == 0 { Begun::default() } else { interrupts.begin() };
        Self { timeout: timeout.0, at: Cell::new(UNREAD), begun }
    }

    /// For a call that tries once, or has no handle yet.
    #[inline]
    pub fn without_handle(timeout: Timeout) -> Self {
        Self { timeout: timeout.0, at: Cell::new(UNREAD), begun: Begun::default() }
    }

    #[inline]
    pub fn begun(&self) -> Begun {
        self.begun
    }

    /// Whether the call may not wait at all.
    #[inline]
    pub fn is_now(&self) -> bool {
        self.timeout == 0
    }

    /// The moment at which the call must end, given what the clock shows.
    pub fn at(&self, now: i64) -> i64 {
        if self.at.get() == UNREAD {
            let at = if self.timeout < 0 { i64::MAX } else { now.saturating_add(self.timeout) };
            self.at.set(at);
        }
        self.at.get()
    }

    pub fn has_passed(&self, now: i64) -> bool {
        now >= self.at(now)
    }
}
