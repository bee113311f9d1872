//! A doorbell: a word in which sleepers announce themselves and wakers take the announcement.
//!
//! Bit 0 says that somebody may sleep; the bits above count wake-ups, so that one between a sleeper's announcement and
//! its sleep changes the value that the sleep compares. No process counts sleepers: a sleeper that dies leaves at most
//! one announcement, and that costs the next waker one futile system call.
//!
//! No wake is lost: the sleeper announces (`SeqCst` read-modify-write), then looks for work (`SeqCst` load); the waker
//! publishes work (`SeqCst` read-modify-write), then looks at the doorbell (`SeqCst` load). In the single order of
//! those four, at least one of the two loads comes after the other side's write.
//!
//! Bit 63 is for the doorbell of clients that want a slot. A wake-up takes longer than a call, so whoever frees a slot
//! could take it again before the woken comes, and again. A sleeper that has waited for long says so by this bit. Those
//! who come while it is set sleep behind the others, whom wake-ups reach in their order, before they look. It is a
//! hint:
//!
//! | set by | cleared by |
//! |---|---|
//! | a client that has waited for long, at each announcement | a wake-up that finds nobody asleep |
//! | | a client that gave way and was woken: all who slept before it have been |
//! | | a client that has waited for long and leaves without a slot |
//! | | a client that gave way for long and may not wait |
//!
//! Nobody gives way for longer than the one that set it had waited, so a bit that a dead process left does little harm.

use super::word::Word;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

/// Attempts to change the word, each of which fails only because another succeeded: nobody fails so often except in
/// memory that somebody overwrites all the time. Giving up then may cost a wake-up, and sleepers look again by
/// themselves.
const ATTEMPTS: u32 = 10_000;

const SLEEPERS: u64 = 1;
const WAKE_UP: u64 = 2;
const STARVING: u64 = 1 << 63;

/// Announces a sleeper. The caller must look for work once more, then may sleep while the word's low half is what this
/// returns.
pub(crate) fn announce<W: Word>(doorbell: &W) -> u32 {
    announce_with(doorbell, SLEEPERS)
}

/// As [`announce`], by one that has waited for long.
pub(crate) fn announce_starving<W: Word>(doorbell: &W) -> u32 {
    announce_with(doorbell, SLEEPERS | STARVING)
}

fn announce_with<W: Word>(doorbell: &W, bits: u64) -> u32 {
    let mut value = doorbell.load(SeqCst);
    for _ in 0..ATTEMPTS {
        // The write is made even where the bit is set already: it is this write that the look for work is ordered by.
        match doorbell.compare_exchange(value, value | bits, SeqCst, SeqCst) {
            Ok(_) => break,
            Err(now) => value = now,
        }
    }
    W::announced();
    (value | SLEEPERS) as u32
}

/// Whether those who come now are to give way.
#[inline]
pub(crate) fn is_starving<W: Word>(doorbell: &W) -> bool {
    doorbell.load(Relaxed) & STARVING != 0
}

/// Nobody need give way any more.
pub(crate) fn relieve<W: Word>(doorbell: &W) {
    let mut value = doorbell.load(Relaxed);
    for _ in 0..ATTEMPTS {
        if value & STARVING == 0 {
            return;
        }
        match doorbell.compare_exchange(value, value & !STARVING, SeqCst, SeqCst) {
            Ok(_) => return,
            Err(now) => value = now,
        }
    }
}

/// The word after one more wake-up. The count wraps below bit 63.
fn rung(value: u64) -> u64 {
    value & STARVING | (value & !SLEEPERS).wrapping_add(WAKE_UP) & !STARVING
}

/// Takes the announcement. True if there was one: the caller must wake a sleeper.
#[inline]
pub(crate) fn ring<W: Word>(doorbell: &W) -> bool {
    W::announced();
    let mut value = doorbell.load(SeqCst);
    for _ in 0..ATTEMPTS {
        if value & SLEEPERS == 0 {
            return false;
        }
        match doorbell.compare_exchange(value, rung(value), SeqCst, SeqCst) {
            Ok(_) => return true,
            Err(now) => value = now,
        }
    }
    true
}

/// Changes the word and leaves the announcements: whoever is about to sleep looks again. The caller must wake those
/// that it means of those who sleep.
pub(crate) fn nudge<W: Word>(doorbell: &W) {
    let mut value = doorbell.load(SeqCst);
    for _ in 0..ATTEMPTS {
        match doorbell.compare_exchange(value, rung(value) | value & SLEEPERS, SeqCst, SeqCst) {
            Ok(_) => return,
            Err(now) => value = now,
        }
    }
}

/// Changes the word and takes all announcements, so that nobody falls asleep on what it was. The caller must wake all.
pub(crate) fn disturb<W: Word>(doorbell: &W) {
    let mut value = doorbell.load(SeqCst);
    for _ in 0..ATTEMPTS {
        match doorbell.compare_exchange(value, rung(value), SeqCst, SeqCst) {
            Ok(_) => return,
            Err(now) => value = now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;

    #[test]
    fn whoever_announced_before_a_wake_up_finds_the_word_changed_whatever_others_announce_later() {
        let doorbell = AtomicU64::new(0);
        let before = announce(&doorbell);
        assert!(ring(&doorbell) && !ring(&doorbell));
        let after = announce(&doorbell);
        assert_ne!(before, after);
        disturb(&doorbell);
        let disturbed = announce(&doorbell);
        assert_ne!(disturbed, after);
        nudge(&doorbell);
        assert!(ring(&doorbell), "the announcement is gone");
        assert_ne!(announce(&doorbell), disturbed);
    }

    #[test]
    fn the_last_wake_up_of_the_count_says_nothing_of_who_starves() {
        for starving in [0, STARVING] {
            let doorbell = AtomicU64::new(starving | (STARVING - WAKE_UP));
            announce(&doorbell);
            assert!(ring(&doorbell));
            assert_eq!(doorbell.load(Relaxed), starving);
        }
    }

    #[test]
    fn that_somebody_starves_outlasts_wake_ups_until_it_is_taken_back() {
        let doorbell = AtomicU64::new(0);
        announce(&doorbell);
        assert!(!is_starving(&doorbell));
        let value = announce_starving(&doorbell);
        assert_eq!(value, doorbell.load(Relaxed) as u32, "a sleep compares the other half");
        assert!(ring(&doorbell) && is_starving(&doorbell));
        announce(&doorbell);
        disturb(&doorbell);
        assert!(is_starving(&doorbell));
        relieve(&doorbell);
        assert!(!is_starving(&doorbell) && !ring(&doorbell));
    }
}
