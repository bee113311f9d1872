//! What a call that waits has left: its time, and what ends it sooner.

use super::interrupts::Begun;
use super::terms::{Limit, Wait};
use rustix::time::{ClockId, Timespec, clock_gettime};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicI64, AtomicU32};

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

/// The terms of a call on its way, and what had been asked of the handle when it began. The clock is first read when
/// something has to be waited for, so that a call that finds all it needs never reads it; the time until then is less
/// than the clock's own cost.
pub(crate) struct Deadline<'w> {
    is_now: bool,
    restarts: bool,
    begun: Begun,
    limit: Limit,
    /// Written once, by the call's own thread: an atomic so that [`NOW`] can be shared, where it is not used.
    at: AtomicI64,
    cancel: Option<&'w AtomicU32>,
}

const UNREAD: i64 = 0;

/// For all calls that try once.
pub(crate) static NOW: Deadline<'static> = Deadline {
    is_now: true,
    restarts: false,
    begun: Begun::NOTHING,
    limit: Limit::After(0),
    at: AtomicI64::new(UNREAD),
    cancel: None,
};

impl<'w> Deadline<'w> {
    /// For a call that began when so much had been asked of its handle.
    #[inline]
    pub fn new(wait: &Wait<'w>, begun: Begun) -> Self {
        let Wait { limit, restarts, cancel } = *wait;
        let is_now = matches!(limit, Limit::After(0));
        // A call that does not wait is not interrupted.
        let begun = if is_now { Begun::NOTHING } else { begun };
        Self { is_now, restarts, begun, limit, at: AtomicI64::new(UNREAD), cancel }
    }

    #[inline]
    pub fn begun(&self) -> Begun {
        self.begun
    }

    /// Whether the call may not wait at all.
    #[inline]
    pub fn is_now(&self) -> bool {
        self.is_now
    }

    /// Whether the call goes on after a signal handler ran.
    pub fn restarts(&self) -> bool {
        self.restarts
    }

    /// Whether the caller's word says that the call must end. Relaxed: who sets it and then wakes the handle's waits
    /// is ordered with them as who interrupts them, by the fences of [`super::Interrupts`].
    #[inline]
    pub fn is_canceled(&self) -> bool {
        self.cancel.is_some_and(|word| word.load(Relaxed) != 0)
    }

    /// Whether somebody else can end the call by a word.
    pub fn has_cancel(&self) -> bool {
        self.cancel.is_some()
    }

    /// The moment at which the call must end, given what the clock shows.
    pub fn at(&self, now: i64) -> i64 {
        let at = self.at.load(Relaxed);
        if at != UNREAD || self.is_now {
            return if self.is_now { now } else { at };
        }
        let at = match self.limit {
            Limit::After(negative) | Limit::At(negative) if negative < 0 => i64::MAX,
            Limit::After(timeout) => now.saturating_add(timeout),
            // The clock has shown 0, and what is UNREAD, long ago.
            Limit::At(time) => time.max(UNREAD + 1),
        };
        self.at.store(at, Relaxed);
        at
    }

    pub fn has_passed(&self, now: i64) -> bool {
        now >= self.at(now)
    }
}
