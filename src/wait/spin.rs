//! Polling before sleeping.
//!
//! | polls | what happens between them |
//! |---|---|
//! | the first 32 | nothing: whoever is answered at once pays for nothing else |
//! | the next 32 | one look at the clock, before them |
//! | the rest of a glance | a look at the clock every 32 |
//! | all others of a poll for longer | signals are held up as well, and every 5 µs what is pending is let through |
//!
//! For how long is a habit ([`super::habit`]) unless the handle was opened with a fixed time.

use super::deadline::{Deadline, now};
use super::habit::{GLANCE, Habit, Outcome};
use super::interrupts::Interrupts;
use super::signals::Held;
use std::hint::spin_loop;
use std::time::Duration;

/// Polls of one word between two looks at the clock.
const POLLS: u32 = 32;
/// Between two looks at the clock that are so far apart, in nanoseconds, this thread did not run. Ordinarily it is less
/// than 1 µs.
const PREEMPTED: i64 = 20_000;
/// How long a signal is held up, in nanoseconds.
const HOLD: i64 = 5_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Automatic,
    Fixed(u32),
}

/// How a poll ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Polled<T> {
    Found(T),
    /// The budget or the time of the call is used up, or something was asked of the handle: look once more, then sleep
    /// or say why not.
    Nothing,
    /// A signal handler ran.
    Interrupted,
}

/// One handle's polling in all its kinds of waits: how long they take differs, and so whether polling pays.
pub(crate) struct Spinners {
    /// Of a server, for a request.
    pub request: Spinner,
    /// Of a client, for a slot, a reply, any of several replies.
    pub slot: Spinner,
    pub reply: Spinner,
    pub any: Spinner,
}

impl Spinners {
    /// `spin`: as for [`Spinner::new`].
    pub fn new(spin: Option<Duration>) -> Self {
        let [request, slot, reply, any] = [(); 4].map(|()| Spinner::new(spin));
        Self { request, slot, reply, any }
    }
}

/// One handle's polling in one kind of wait.
pub(crate) struct Spinner {
    mode: Mode,
    habit: Habit,
}

impl Spinner {
    /// `spin`: the budget, or None to find one.
    pub fn new(spin: Option<Duration>) -> Self {
        let mode = match spin {
            None => Mode::Automatic,
            Some(budget) => Mode::Fixed(u32::try_from(budget.as_nanos()).unwrap_or(u32::MAX)),
        };
        Self { mode, habit: Habit::new() }
    }

    /// Polls until it finds something; once at least. `words`: how many words one poll looks at.
    #[inline]
    pub fn until<T>(
        &self,
        deadline: &Deadline<'_>,
        interrupts: &Interrupts,
        words: u32,
        mut poll: impl FnMut() -> Option<T>,
    ) -> Polled<T> {
        let mut looks = Looks::none(self, deadline);
        // A poll that may not be repeated counts as enough for a look, which ends it.
        let words = if looks.budget == 0 { POLLS } else { words.min(POLLS) };
        let mut looked_at = 0;
        loop {
            if let Some(found) = poll() {
                // What was there already says nothing about polling.
                if looks.has_lessons && (looked_at > 0 || looks.at_the_clock.is_some()) {
                    self.learn_from(looks);
                }
                return Polled::Found(found);
            }
            looked_at += words;
            if looked_at < POLLS {
                spin_loop();
                continue;
            }
            looked_at = 0;
            match looks.again(self, deadline, interrupts) {
                Next::Poll => {}
                Next::GiveUp => return Polled::Nothing,
                Next::BeInterrupted => return Polled::Interrupted,
            }
        }
    }

    /// What came of a poll that found something.
    #[cold]
    fn learn_from(&self, looks: Looks) {
        let Some(looks) = looks.at_the_clock else {
            return self.learn(Outcome::Found, 0);
        };
        let now = now();
        let preempted = looks.was_preempted || now - looks.last > PREEMPTED;
        self.learn(if preempted { Outcome::Preempted } else { Outcome::Found }, now);
    }

    fn learn(&self, outcome: Outcome, now: i64) {
        if self.mode == Mode::Automatic {
            self.habit.learn(outcome, now);
        }
    }

    /// Learns what a wait took, in nanoseconds, that polling did not end.
    pub fn slept(&self, nanoseconds: i64) {
        self.habit.slept(nanoseconds);
    }
}

/// What comes after a look at the clock.
enum Next {
    Poll,
    GiveUp,
    BeInterrupted,
}

/// One poll: what it may take, and what was seen since it looks at the clock.
struct Looks {
    budget: i64,
    /// Something can be learnt from how this poll ends.
    has_lessons: bool,
    at_the_clock: Option<AtTheClock>,
}

struct AtTheClock {
    end: i64,
    is_glance: bool,
    last: i64,
    /// When signals were last let through, or 0.
    let_through: i64,
    held: Option<Held>,
    was_preempted: bool,
    was_interrupted: bool,
}

impl Looks {
    #[inline]
    fn none(spinner: &Spinner, deadline: &Deadline<'_>) -> Self {
        let (budget, has_lessons) = match spinner.mode {
            _ if deadline.is_now() => (0, false),
            Mode::Fixed(budget) => (budget.into(), false),
            Mode::Automatic => spinner.habit.budget(now),
        };
        Self { budget, has_lessons, at_the_clock: None }
    }

    #[cold]
    fn again(&mut self, spinner: &Spinner, deadline: &Deadline<'_>, interrupts: &Interrupts) -> Next {
        if self.budget == 0 {
            return Next::GiveUp;
        }
        let now = now();
        let ends = |end: i64| now >= end || interrupts.is_asked(deadline);
        let Some(looks) = &mut self.at_the_clock else {
            let budget = match spinner.mode {
                Mode::Fixed(_) => self.budget,
                Mode::Automatic => spinner.habit.bounded(self.budget),
            };
            let end = now.saturating_add(budget).min(deadline.at(now));
            let first = AtTheClock {
                end,
                is_glance: budget <= GLANCE,
                last: now,
                let_through: 0,
                held: None,
                was_preempted: false,
                was_interrupted: false,
            };
            let looks = self.at_the_clock.insert(first);
            self.has_lessons = true;
            return if ends(end) { looks.give_up(spinner) } else { Next::Poll };
        };
        if looks.was_interrupted {
            return Next::BeInterrupted;
        }
        looks.was_preempted |= now - looks.last > PREEMPTED;
        looks.last = now;
        if ends(looks.end) || looks.was_preempted && spinner.mode == Mode::Automatic {
            return looks.give_up(spinner);
        }
        // One that goes on after handlers need not know of them.
        if !looks.is_glance && !interrupts.restarts(deadline) {
            looks.hold_signals(now);
        }
        Next::Poll
    }
}

impl AtTheClock {
    fn hold_signals(&mut self, now: i64) {
        if self.let_through == 0 {
            self.held = Held::new();
            self.let_through = now;
        } else if now - self.let_through > HOLD {
            self.let_through = now;
            self.let_signals_through();
        }
    }

    fn let_signals_through(&mut self) {
        self.was_interrupted |= self.held.as_ref().is_some_and(Held::deliver);
    }

    fn give_up(&mut self, spinner: &Spinner) -> Next {
        self.let_signals_through();
        if self.was_interrupted {
            // For a last look.
            return Next::Poll;
        }
        spinner.learn(if self.was_preempted { Outcome::Preempted } else { Outcome::Nothing }, self.last);
        Next::GiveUp
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::Wait;

    fn polls_until(spinner: &Spinner, most: u32) -> u32 {
        let interrupts = Interrupts::default();
        let mut polls = 0;
        spinner.until(&interrupts.begin(&Wait::FOREVER), &interrupts, 1, || {
            polls += 1;
            (polls == most).then_some(())
        });
        polls
    }

    #[test]
    fn a_spin_that_finds_nothing_gives_up() {
        assert!(polls_until(&Spinner::new(None), u32::MAX) >= POLLS);
        assert!(polls_until(&Spinner::new(Some(Duration::from_nanos(1))), u32::MAX) >= POLLS);
    }

    #[test]
    fn a_spin_that_finds_something_polls_no_more() {
        for most in [1, POLLS + 1, 10 * POLLS] {
            assert_eq!(polls_until(&Spinner::new(Some(Duration::from_secs(1))), most), most);
        }
    }

    #[test]
    fn nobody_polls_more_than_once_where_that_is_unwanted_or_in_vain() {
        assert_eq!(polls_until(&Spinner::new(Some(Duration::ZERO)), u32::MAX), 1);
        let spinner = Spinner::new(None);
        let polled = (0..50).filter(|_| polls_until(&spinner, u32::MAX) > 1).count();
        assert!(polled < 10, "{polled} of 50");
    }

    #[test]
    fn what_is_there_at_once_does_not_speak_for_polling() {
        let spinner = Spinner::new(None);
        let mut polled = 0;
        for wait in 0..1_000 {
            // On one processor nearly every wait is over when it begins, since its partner ran before; the rest is in
            // vain.
            let most = if wait % 50 == 0 { u32::MAX } else { 1 };
            polled += u32::from(polls_until(&spinner, most) > 1);
        }
        assert!(polled <= 5, "{polled} of 20");
    }

    #[test]
    fn an_interruption_ends_a_spin() {
        let interrupts = Interrupts::default();
        let spinner = Spinner::new(Some(Duration::MAX));
        let mut polls = 0;
        let polled = spinner.until(&interrupts.begin(&Wait::FOREVER), &interrupts, 1, || {
            polls += 1;
            if polls == 1_000 {
                interrupts.ask();
            }
            None::<()>
        });
        assert_eq!(polled, Polled::Nothing);
    }
}
