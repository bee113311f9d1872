//! Whether to poll before sleeping, and for how long: what a handle has learnt about one kind of its waits.
//!
//! Polling pays where whoever is waited for runs meanwhile, on a processor of its own. Where it can't, polling is what
//! keeps it from running. Nobody tells which is so, and it changes; a handle only sees what came of its own polls:
//!
//! | what it saw | what that means |
//! |---|---|
//! | found it, and ran all the time | polling pays: half of the strikes are forgotten |
//! | it was there at the first look | nothing: where both sides share a processor, whoever was kept from running finds it so |
//! | found nothing | in vain, or harmful: a strike |
//! | was kept from running meanwhile | somebody wanted this processor: a strike, even if it then found what it waited for |
//!
//! One strike says nothing: traffic comes in bursts, and ends. From the second on the handle sleeps at once, for twice
//! as many waits and twice as long at each strike, and then tries again. So where polling does harm it takes a
//! vanishing part of the time after a few waits, and where it begins to pay that is found out within [`PAUSE_MAX`]
//! nanoseconds and [`SKIPS_MAX`] waits.
//!
//! How long a poll lasts at most follows from what it saves, falling asleep and being woken: after that long, sleeping
//! from the start would have been as good (Karlin, Manasse, McGeoch and Owicki, "Competitive randomized algorithms for
//! nonuniform problems", 1990). Two sides that sleep in turn have a round trip of two such wake-ups, so a try must be
//! as long as that for either to notice that both have processors again; hence what waits took that were slept through
//! is kept as well. As long as those are long, and at first, a poll is a glance, for which nothing is asked of the
//! kernel.
//!
//! Threads that share a handle share its habits. They may lose each other's changes; these are hints.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicI64, AtomicU32};

/// How long a poll lasts at most, in nanoseconds, as long as polling pays.
pub(crate) const BUDGET: i64 = 50_000;
/// Bounds of a poll that tries whether polling pays again.
const TRY_MIN: i64 = 10_000;
const TRY_MAX: i64 = 150_000;
/// Strikes from which on waits are slept through.
const TOLERATED: u32 = 2;
const STRIKES_MAX: u32 = 8;
/// The shortest pause between two tries, and the longest: of the time that passes, tries take less than a hundredth.
const PAUSE_MIN: i64 = 100_000;
const PAUSE_MAX: i64 = PAUSE_MIN << (STRIKES_MAX - TOLERATED + 1);
/// As many waits are slept through between two tries at most: rare waits must not be polled for each.
const SKIPS_MAX: u32 = 64;
/// A wait that was slept through for longer tells nothing about what a wake-up takes.
const NAP_MAX: i64 = 200_000;
/// Where waits that are slept through take that long, nothing says that more than a glance would save one.
const NAP_LONG: i64 = 150_000;
/// How long a glance is, in nanoseconds: so short that signals need not be held up.
pub(crate) const GLANCE: i64 = 5_000;

/// What came of a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Found,
    Nothing,
    /// It was kept from running, whether or not it then found something.
    Preempted,
}

/// What one kind of wait has taught.
pub(crate) struct Habit {
    strikes: AtomicU32,
    /// Waits left to be slept through.
    skips: AtomicU32,
    /// When to try again, at the earliest.
    again: AtomicI64,
    /// What waits took that were slept through, of late; in nanoseconds.
    nap: AtomicU32,
}

impl Habit {
    pub fn new() -> Self {
        Self {
            strikes: AtomicU32::new(0),
            skips: AtomicU32::new(0),
            again: AtomicI64::new(0),
            nap: AtomicU32::new(NAP_MAX as u32),
        }
    }

    /// How long to poll now, 0 is not at all; and whether it matters that a poll finds something at once. Reads the
    /// clock only where it has to.
    #[inline]
    pub fn budget(&self, clock: impl FnOnce() -> i64) -> (i64, bool) {
        match self.strikes.load(Relaxed) {
            0 => (BUDGET, false),
            strikes if strikes < TOLERATED => (BUDGET, true),
            _ => self.budget_of_a_try(clock),
        }
    }

    #[cold]
    fn budget_of_a_try(&self, clock: impl FnOnce() -> i64) -> (i64, bool) {
        let skips = self.skips.load(Relaxed);
        if skips > 0 {
            self.skips.store(skips - 1, Relaxed);
            return (0, false);
        }
        if clock() < self.again.load(Relaxed) {
            return (0, false);
        }
        ((2 * i64::from(self.nap.load(Relaxed))).clamp(TRY_MIN, TRY_MAX), true)
    }

    /// How much of a budget to use: no more than a glance unless waits have been short of late.
    pub fn bounded(&self, budget: i64) -> i64 {
        if i64::from(self.nap.load(Relaxed)) < NAP_LONG { budget } else { budget.min(GLANCE) }
    }

    /// What came of a poll.
    #[cold]
    pub fn learn(&self, outcome: Outcome, now: i64) {
        let strikes = self.strikes.load(Relaxed);
        if outcome == Outcome::Found {
            self.strikes.store(strikes / 2, Relaxed);
            return;
        }
        let strikes = (strikes + 1).min(STRIKES_MAX);
        self.strikes.store(strikes, Relaxed);
        self.skips.store((1 << (strikes - 1)).min(SKIPS_MAX), Relaxed);
        let pause = if strikes < TOLERATED { 0 } else { PAUSE_MIN << (strikes - TOLERATED + 1) };
        self.again.store(now.saturating_add(pause.min(PAUSE_MAX)), Relaxed);
    }

    /// What a wait took, in nanoseconds, that was slept through.
    pub fn slept(&self, nanoseconds: i64) {
        let nap = self.nap.load(Relaxed);
        let latest = nanoseconds.clamp(0, NAP_MAX) as u32;
        self.nap.store(nap - nap / 8 + latest / 8, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::Outcome::{Found, Nothing, Preempted};
    use super::*;

    /// What a wake-up takes.
    const WAKE_UP: i64 = 5_000;
    const MICROSECOND: i64 = 1_000;
    const MILLISECOND: i64 = 1_000 * MICROSECOND;
    const SECOND: i64 = 1_000 * MILLISECOND;

    /// One side, at a clock of its own, that waits again and again for a partner.
    struct Side {
        habit: Habit,
        now: i64,
        polled: i64,
    }

    impl Side {
        fn new() -> Self {
            Self { habit: Habit::new(), now: 0, polled: 0 }
        }

        /// A wait for what takes so long, and no longer if this side polls meanwhile.
        fn wait_beside(&mut self, takes: i64) {
            let (budget, _) = self.habit.budget(|| self.now);
            let budget = self.habit.bounded(budget);
            if budget >= takes {
                self.now += takes;
                self.habit.learn(Found, self.now);
                return;
            }
            self.spend(budget, Nothing);
            self.sleep(takes + WAKE_UP);
        }

        /// A wait for one who needs this processor: it begins when this side sleeps.
        fn wait_on_one_processor(&mut self, takes: i64) {
            let (budget, _) = self.habit.budget(|| self.now);
            self.spend(self.habit.bounded(budget), Nothing);
            self.sleep(takes + WAKE_UP);
        }

        fn spend(&mut self, budget: i64, outcome: Outcome) {
            if budget > 0 {
                self.now += budget;
                self.polled += budget;
                self.habit.learn(outcome, self.now);
            }
        }

        fn sleep(&mut self, nanoseconds: i64) {
            self.now += nanoseconds;
            self.habit.slept(nanoseconds);
        }

        fn polls(&self) -> bool {
            self.habit.strikes.load(Relaxed) < TOLERATED
        }
    }

    #[test]
    fn on_a_processor_of_its_own_it_goes_on_polling() {
        let mut side = Side::new();
        for _ in 0..10_000 {
            side.wait_beside(300);
            assert!(side.polls());
        }
        assert_eq!(side.polled, 0);
    }

    #[test]
    fn one_isolated_failure_does_not_stop_it() {
        let mut side = Side::new();
        for wait in 0..10_000 {
            side.wait_beside(if wait % 3 == 0 { MILLISECOND } else { 300 });
            assert!(side.polls() || wait % 3 == 0);
        }
    }

    #[test]
    fn on_a_shared_processor_it_gives_way_within_a_few_waits() {
        let mut side = Side::new();
        let mut slept_through = 0;
        for _ in 0..20 {
            let before = side.polled;
            side.wait_on_one_processor(MICROSECOND);
            slept_through += u32::from(side.polled == before);
        }
        assert!(slept_through >= 16, "{slept_through} of 20");
    }

    #[test]
    fn on_a_shared_processor_polling_takes_a_vanishing_part() {
        let mut side = Side::new();
        while side.now < 20 * MILLISECOND {
            side.wait_on_one_processor(MICROSECOND);
        }
        assert!(side.polled < side.now / 50, "{} of the first {} ns", side.polled, side.now);
        let (before, begun) = (side.polled, side.now);
        while side.now < begun + SECOND {
            side.wait_on_one_processor(MICROSECOND);
        }
        let part = side.polled - before;
        assert!(part < SECOND / 200, "{part} of a second");
    }

    #[test]
    fn being_kept_from_running_counts_though_it_then_finds_what_it_waits_for() {
        let mut side = Side::new();
        for _ in 0..4 {
            side.spend(4 * MILLISECOND, Preempted);
        }
        assert!(!side.polls());
        assert_eq!(side.habit.budget(|| side.now).0, 0);
    }

    #[test]
    fn waits_that_are_long_are_not_polled_for() {
        let mut side = Side::new();
        let mut polled_for = 0;
        for _ in 0..1_000 {
            let before = side.polled;
            side.wait_beside(30 * MILLISECOND);
            polled_for += u32::from(side.polled != before);
        }
        assert!(polled_for < 30, "{polled_for} of 1000");
    }

    #[test]
    fn no_more_than_a_glance_is_spent_as_long_as_waits_are_long() {
        let mut side = Side::new();
        for _ in 0..1_000 {
            let before = side.polled;
            side.wait_beside(MILLISECOND);
            assert!(side.polled - before <= GLANCE);
        }
    }

    #[test]
    fn it_polls_for_longer_when_waits_become_short() {
        let mut side = Side::new();
        for _ in 0..1_000 {
            side.wait_beside(20 * MICROSECOND);
        }
        let polled = side.polled;
        for _ in 0..1_000 {
            side.wait_beside(20 * MICROSECOND);
        }
        assert!(side.polls());
        assert_eq!(side.polled, polled, "a poll that finds nothing");
    }

    #[test]
    fn it_polls_again_soon_after_polling_begins_to_pay() {
        let mut side = Side::new();
        for _ in 0..100_000 {
            side.wait_on_one_processor(MICROSECOND);
        }
        let changed = side.now;
        while !side.polls() {
            side.wait_beside(300);
        }
        assert!(side.now - changed < 2 * PAUSE_MAX, "{} ns", side.now - changed);
    }

    /// Their round trip is two wake-ups of 40 µs, until one of the two tries at the right time.
    #[test]
    fn two_sides_that_sleep_in_turn_find_back_to_polling() {
        const SLOW_WAKE_UP: i64 = 40_000;
        let (one, other) = (Habit::new(), Habit::new());
        for habit in [&one, &other] {
            for _ in 0..100 {
                habit.learn(Nothing, 0);
                habit.slept(2 * SLOW_WAKE_UP);
            }
        }
        let mut now = 0;
        let sleeps = |habit: &Habit| habit.strikes.load(Relaxed) >= TOLERATED;
        // In turn each waits while the other wakes up, if that sleeps, and answers.
        let mut waits = [&one, &other].into_iter().cycle();
        let mut other_sleeps = true;
        while sleeps(&one) || sleeps(&other) {
            let habit = waits.next().unwrap();
            let takes = if other_sleeps { SLOW_WAKE_UP + 300 } else { 300 };
            let (budget, _) = habit.budget(|| now);
            let budget = habit.bounded(budget);
            now += takes;
            other_sleeps = budget < takes;
            if budget >= takes {
                habit.learn(Found, now);
            } else if budget > 0 {
                habit.learn(Nothing, now);
            } else {
                habit.slept(takes + SLOW_WAKE_UP);
            }
            assert!(now < 200 * MILLISECOND, "still asleep");
        }
    }
}
