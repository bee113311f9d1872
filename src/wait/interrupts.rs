//! What ends the waits of a handle from within its process: stopping it, interrupting it, and the cancel word that a
//! wait was given. All may be asked for by a signal handler.
//!
//! | word | meaning | who changes it |
//! |---|---|---|
//! | `stopped` | every wait ends, and every later call | [`Interrupts::stop`] |
//! | `asked` | how often an interruption was asked for; wraps | [`Interrupts::ask`] |
//! | `taken` | what `asked` was when a wait last ended for it | the wait that ends |
//!
//! A wait compares `asked` with what `taken` was when its call began: all waits that have begun end, not only the
//! first. As long as none has ended, the words differ, so an interruption that comes while no thread waits ends the
//! next wait: there is no moment at which it is lost. A wait that finds what it waits for does not look.
//!
//! A cancel word is the caller's. Whoever sets it and then wakes the handle's waits ([`Interrupts::look_again`]) is in
//! the place of whoever interrupts: the word was written before the fence, and is read after the other.

use super::deadline::Deadline;
use super::terms::Wait;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU32, fence};

#[derive(Default)]
pub(crate) struct Interrupts {
    stopped: AtomicBool,
    asked: AtomicU32,
    taken: AtomicU32,
    /// All waits go on after signal handlers.
    restarts: bool,
}

/// What had been asked for and taken when a call began.
#[derive(Clone, Copy)]
pub(crate) struct Begun(u32);

impl Begun {
    /// For a call that nothing is asked of.
    pub const NOTHING: Self = Self(0);
}

/// What ends a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Stopped,
    Canceled,
    Interrupted,
}

impl Interrupts {
    /// Of a handle whose waits all go on after signal handlers, if so.
    pub fn new(restarts: bool) -> Self {
        Self { restarts, ..Self::default() }
    }

    /// Whether a wait goes on after a signal handler ran.
    pub fn restarts(&self, deadline: &Deadline<'_>) -> bool {
        self.restarts || deadline.restarts()
    }

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

    /// Has all waits look at their cancel words. The caller wakes whoever sleeps, after this.
    pub fn look_again(&self) {
        // Pairs with `check_before_sleep`.
        fence(SeqCst);
    }

    #[inline]
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Relaxed)
    }

    /// For a call that begins, and may wait.
    #[inline]
    pub fn begin<'w>(&self, wait: &Wait<'w>) -> Deadline<'w> {
        Deadline::new(wait, Begun(self.taken.load(Relaxed)))
    }

    /// Whether a wait should look why it must end.
    pub fn is_asked(&self, deadline: &Deadline<'_>) -> bool {
        self.is_stopped() || deadline.is_canceled() || self.asked.load(Relaxed) != deadline.begun().0
    }

    /// Why a wait must end, if it must.
    pub fn check(&self, deadline: &Deadline<'_>) -> Result<(), Ended> {
        if self.is_stopped() {
            return Err(Ended::Stopped);
        }
        // Before interruptions, which stay asked for as long as no wait ends for them.
        if deadline.is_canceled() {
            return Err(Ended::Canceled);
        }
        let asked = self.asked.load(Relaxed);
        if asked != deadline.begun().0 {
            self.taken.store(asked, Relaxed);
            return Err(Ended::Interrupted);
        }
        Ok(())
    }

    /// As [`Interrupts::check`], for a thread that has just announced in a shared word that it will sleep. Either it
    /// sees what was asked for, or whoever asked sees the announcement: the two fences order both sides.
    pub fn check_before_sleep(&self, deadline: &Deadline<'_>) -> Result<(), Ended> {
        fence(SeqCst);
        self.check(deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    fn begin(interrupts: &Interrupts) -> Deadline<'static> {
        interrupts.begin(&Wait::FOREVER)
    }

    #[test]
    fn an_interruption_ends_all_waits_that_have_begun_and_none_that_begins_when_one_has_ended() {
        let interrupts = Interrupts::default();
        let (first, second) = (begin(&interrupts), begin(&interrupts));
        assert_eq!(interrupts.check(&first), Ok(()));
        interrupts.ask();
        interrupts.ask();
        assert_eq!(interrupts.check(&first), Err(Ended::Interrupted));
        assert_eq!(interrupts.check(&begin(&interrupts)), Ok(()));
        assert_eq!(interrupts.check(&second), Err(Ended::Interrupted));
        assert_eq!(interrupts.check(&begin(&interrupts)), Ok(()));
    }

    #[test]
    fn one_that_comes_while_nobody_waits_ends_the_next_wait() {
        let interrupts = Interrupts::default();
        interrupts.ask();
        assert_eq!(interrupts.check_before_sleep(&begin(&interrupts)), Err(Ended::Interrupted));
        assert_eq!(interrupts.check_before_sleep(&begin(&interrupts)), Ok(()));
    }

    #[test]
    fn a_stop_outlasts_everything() {
        let interrupts = Interrupts::default();
        interrupts.ask();
        interrupts.stop();
        for _ in 0..2 {
            assert_eq!(interrupts.check(&begin(&interrupts)), Err(Ended::Stopped));
        }
    }

    #[test]
    fn a_cancel_word_ends_its_own_waits_and_uses_up_no_interruption() {
        let (interrupts, word) = (Interrupts::default(), AtomicU32::new(0));
        let mine = interrupts.begin(&Wait::FOREVER.cancel(&word));
        let other = begin(&interrupts);
        assert_eq!(interrupts.check(&mine), Ok(()));
        word.store(7, Relaxed);
        assert!(interrupts.is_asked(&mine) && !interrupts.is_asked(&other));
        assert_eq!(interrupts.check(&other), Ok(()));
        interrupts.ask();
        assert_eq!(interrupts.check(&mine), Err(Ended::Canceled));
        assert_eq!(interrupts.check(&begin(&interrupts)), Err(Ended::Interrupted));
    }
}
