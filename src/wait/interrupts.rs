//! What ends the waits of a handle from within its process: stopping it, and interrupting it. Both may be asked for by
//! a signal handler.
//!
//! | word | meaning | who changes it |
//! |---|---|---|
//! | `stopped` | every wait ends, and every later call | [`Interrupts::stop`] |
//! | `asked` | how often an interruption was asked for; wraps | [`Interrupts::ask`] |
//! | `taken` | what `asked` was when a wait last ended for it | the wait that ends |
//!
//! A wait compares `asked` with what `taken` was when its call began: all waits that have begun end, not only the first.
//! As long as none has ended, the words differ, so an interruption that comes while no thread waits ends the next wait:
//! there is no moment at which it is lost. A wait that finds what it waits for does not look.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU32, fence};

#[derive(Default)]
pub(crate) struct Interrupts {
    stopped: AtomicBool,
    asked: AtomicU32,
    taken: AtomicU32,
}

/// What had been asked for and taken when a call began.
#[derive(Clone, Copy, Default)]
pub(crate) struct Begun(u32);

/// What ends a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Stopped,
    Interrupted,
}

impl Interrupts {
    /// Ends all waits, and every later call. The caller wakes whoever sleeps, after this.
    pub fn stop(&self) {
        self.stopped.store(true, SeqCst);
        // Pairs with `check_before_sleep`.
        fence(SeqCst);
    }

    /// Ends the waits that have begun, or the next. The caller wakes whoever sleeps, after this.
    pub fn ask(&self) {
        self.asked.fetch_add(1, SeqCst);
        // Pairs with `check_before_sleep`.
        fence(SeqCst);
    }

    #[inline]
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Relaxed)
    }

    /// To be asked once, when a call begins that may wait.
    #[inline]
    pub fn begin(&self) -> Begun {
        Begun(self.taken.load(Relaxed))
    }

    /// Whether a wait should look why it must end.
    pub fn is_asked(&self, begun: Begun) -> bool {
        self.is_stopped() || self.asked.load(Relaxed) != begun.0
    }

    /// Why a wait must end, if it must.
    pub fn check(&self, begun: Begun) -> Result<(), Ended> {
        if self.is_stopped() {
            return Err(Ended::Stopped);
        }
        let asked = self.asked.load(Relaxed);
        if asked != begun.0 {
            self.taken.store(asked, Relaxed);
            return Err(Ended::Interrupted);
        }
        Ok(())
    }

    /// As [`Interrupts::check`], for a thread that has just announced in a shared word that it will sleep. Either it
    /// sees what was asked for, or whoever asked sees the announcement: the two fences order both sides.
    pub fn check_before_sleep(&self, begun: Begun) -> Result<(), Ended> {
        fence(SeqCst);
        self.check(begun)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interruption_ends_all_waits_that_have_begun_and_none_that_begins_when_one_has_ended() {
        let interrupts = Interrupts::default();
        let (first, second) = (interrupts.begin(), interrupts.begin());
        assert_eq!(interrupts.check(first), Ok(()));
        interrupts.ask();
        interrupts.ask();
        assert_eq!(interrupts.check(first), Err(Ended::Interrupted));
        assert_eq!(interrupts.check(interrupts.begin()), Ok(()));
        assert_eq!(interrupts.check(second), Err(Ended::Interrupted));
        assert_eq!(interrupts.check(interrupts.begin()), Ok(()));
    }

    #[test]
    fn one_that_comes_while_nobody_waits_ends_the_next_wait() {
        let interrupts = Interrupts::default();
        interrupts.ask();
        assert_eq!(interrupts.check_before_sleep(interrupts.begin()), Err(Ended::Interrupted));
        assert_eq!(interrupts.check_before_sleep(interrupts.begin()), Ok(()));
    }

    #[test]
    fn a_stop_outlasts_everything() {
        let interrupts = Interrupts::default();
        interrupts.ask();
        interrupts.stop();
        for _ in 0..2 {
            assert_eq!(interrupts.check(interrupts.begin()), Err(Ended::Stopped));
        }
    }
}
