//! Polling before sleeping.
//!
//! The budget is time, and learns from what came of it. A poll that succeeds leaves it; a wait that polling could have
//! covered, had it gone on, doubles it; one that took much longer halves it. Its upper bound is about what falling
//! asleep and being woken costs, after which polling can't win. It starts there: were it to start low, two sides that
//! wait for each other could stay asleep in turn for ever.
//!
//! Where whoever is waited for can't run while this process polls, the budget is zero; see [`Spinner::set_alone`].

use super::deadline::{Deadline, now};
use std::hint::spin_loop;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU32};

const AUTOMATIC_MAX: u32 = 50_000;
const AUTOMATIC_MIN: u32 = 2_000;
/// Polls between two looks at the clock.
const POLLS: u32 = 32;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Automatic,
    Fixed(u32),
}

/// One handle's polling.
pub(crate) struct Spinner {
    mode: Mode,
    budget: AtomicU32,
    alone: AtomicBool,
}

impl Spinner {
    /// `spin_ns`: 0 is automatic, negative never spins, else the budget in nanoseconds.
    pub fn new(spin_ns: i64) -> Self {
        let mode = match spin_ns {
            0 => Mode::Automatic,
            _ => Mode::Fixed(u32::try_from(spin_ns.max(0)).unwrap_or(u32::MAX)),
        };
        Self { mode, budget: AtomicU32::new(AUTOMATIC_MAX), alone: AtomicBool::new(false) }
    }

    fn budget(&self) -> u32 {
        match self.mode {
            _ if self.alone.load(Relaxed) => 0,
            Mode::Fixed(budget) => budget,
            Mode::Automatic => self.budget.load(Relaxed),
        }
    }

    /// Whether all that this handle may wait for share its only processor.
    pub fn set_alone(&self, alone: bool) {
        self.alone.store(alone, Relaxed);
    }

    /// Polls until it finds something, or until the budget or the time of the call is used up or `stopped` is set.
    #[inline]
    pub fn until<T>(
        &self,
        deadline: &Deadline,
        stopped: &AtomicBool,
        mut poll: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        let budget = self.budget();
        if budget == 0 || deadline.is_now() {
            return poll();
        }
        let mut end = i64::MAX;
        let mut polls = 0_u32;
        loop {
            if let Some(found) = poll() {
                return Some(found);
            }
            spin_loop();
            polls = polls.wrapping_add(1);
            if polls % POLLS == 0 && Self::is_over(&mut end, budget, deadline, stopped) {
                return None;
            }
        }
    }

    /// Looks at the clock, and at the first look decides when to end.
    #[cold]
    fn is_over(end: &mut i64, budget: u32, deadline: &Deadline, stopped: &AtomicBool) -> bool {
        let now = now();
        if *end == i64::MAX {
            *end = now.saturating_add(budget.into()).min(deadline.at(now));
        }
        now >= *end || stopped.load(Relaxed)
    }

    /// Learns from a wait that polling did not end, and that went on for so many nanoseconds after it.
    pub fn learn(&self, slept: i64) {
        let budget = self.budget.load(Relaxed);
        let better = if slept < 2 * i64::from(AUTOMATIC_MAX) { budget * 2 } else { budget / 2 };
        self.budget.store(better.clamp(AUTOMATIC_MIN, AUTOMATIC_MAX), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::Timeout;

    static RUNNING: AtomicBool = AtomicBool::new(false);

    fn polls_until(spinner: &Spinner, most: u32) -> u32 {
        let mut polls = 0;
        spinner.until(&Deadline::new(Timeout::FOREVER), &RUNNING, || {
            polls += 1;
            (polls == most).then_some(())
        });
        polls
    }

    #[test]
    fn a_spin_that_finds_nothing_gives_up() {
        assert!(polls_until(&Spinner::new(0), u32::MAX) > POLLS);
        assert!(polls_until(&Spinner::new(1), u32::MAX) > POLLS);
    }

    #[test]
    fn long_waits_shrink_the_budget_and_short_ones_bring_it_back() {
        let spinner = Spinner::new(0);
        for _ in 0..10 {
            spinner.learn(1_000_000);
        }
        assert_eq!(spinner.budget(), AUTOMATIC_MIN);
        for _ in 0..10 {
            spinner.learn(i64::from(AUTOMATIC_MAX));
        }
        assert_eq!(spinner.budget(), AUTOMATIC_MAX);
    }

    #[test]
    fn nobody_polls_more_than_once_where_that_is_in_vain_or_unwanted() {
        assert_eq!(polls_until(&Spinner::new(-1), u32::MAX), 1);
        let alone = Spinner::new(0);
        alone.set_alone(true);
        assert_eq!(polls_until(&alone, u32::MAX), 1);
        alone.set_alone(false);
        assert_eq!(polls_until(&alone, 5), 5);
    }
}
