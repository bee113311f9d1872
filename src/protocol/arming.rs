//! The word by which a program that waits with epoll tells its helper thread that it is about to wait, and the helper
//! that it has signalled the program. It is in private memory. The helper sleeps on a doorbell in the program's stead.
//!
//! | bits | meaning | set by | cleared by |
//! |---|---|---|---|
//! | 0 | ARMED: signal when something comes | [`arm`] | [`fire`]; [`disarm`], by an arm that found something itself |
//! | 1 | PARKED: the helper sleeps on this word, or is about to | [`park`] | [`arm`], [`leave`]: they wake it |
//! | 2 | LEAVE: the helper must end | [`leave`] | |
//! | 3 to 63 | how often it was armed; wraps | [`arm`] | |
//!
//! No wake-up is lost: whoever arms sets ARMED, announces a sleeper on the doorbell, then looks for something. The helper
//! reads the doorbell, then this word, and sleeps while the doorbell shows what it read. If it read this word before it
//! was ARMED, it read the doorbell before the announcement: either that changed the doorbell, and the helper does not fall
//! asleep, or others were announced before, and the helper sleeps among them, where whoever takes the announcement wakes.
//! All of these accesses are `SeqCst`. `models/arming.rs` tries every interleaving.

use super::word::Word;
use std::sync::atomic::Ordering::SeqCst;

const ARMED: u64 = 1;
const PARKED: u64 = 2;
const LEAVE: u64 = 4;
const ONCE: u64 = 8;

/// What the word was made, and what it was before.
#[derive(Clone, Copy)]
pub(crate) struct Armed {
    before: u64,
    after: u64,
}

impl Armed {
    /// Whether the helper must be woken, which sleeps on this word.
    pub fn must_unpark(self) -> bool {
        self.before & PARKED != 0
    }
}

/// Changes the word as `next` says, unless that says None. Each failed attempt means that another thread of this process
/// succeeded.
fn update<W: Word>(word: &W, mut next: impl FnMut(u64) -> Option<u64>) -> Result<Armed, u64> {
    let mut before = word.load(SeqCst);
    loop {
        let Some(after) = next(before) else { return Err(before) };
        match word.compare_exchange(before, after, SeqCst, SeqCst) {
            Ok(_) => {
                W::announced();
                return Ok(Armed { before, after });
            }
            Err(now) => before = now,
        }
    }
}

/// Asks for a signal. The caller then announces a sleeper on the doorbell, and looks.
pub(crate) fn arm<W: Word>(word: &W) -> Armed {
    let next = |value: u64| Some(((value & !PARKED) | ARMED).wrapping_add(ONCE));
    update(word, next).unwrap_or_else(|same| Armed { before: same, after: same })
}

/// Takes back what `arm` did, for it found something itself; unless another thread has armed before or since, which may
/// be waiting already.
pub(crate) fn disarm<W: Word>(word: &W, armed: Armed) {
    if armed.before & ARMED == 0 {
        let _ = word.compare_exchange(armed.after, armed.after & !ARMED, SeqCst, SeqCst);
    }
}

/// Takes the request for a signal. True if there was one: the caller must signal.
pub(crate) fn fire<W: Word>(word: &W) -> bool {
    update(word, |value| (value & ARMED != 0).then_some(value & !ARMED)).is_ok()
}

/// What the helper sees.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Task {
    /// Sleep on the doorbell, and signal.
    Watch,
    /// Nothing, as long as the word has this value.
    Rest(u64),
    Leave,
}

pub(crate) fn task<W: Word>(word: &W) -> Task {
    W::announced();
    match word.load(SeqCst) {
        value if value & LEAVE != 0 => Task::Leave,
        value if value & ARMED != 0 => Task::Watch,
        value => Task::Rest(value),
    }
}

/// Says that the helper sleeps on this word. It may sleep while the low half is what this returns; None if there is
/// something to do.
pub(crate) fn park<W: Word>(word: &W) -> Option<u32> {
    match update(word, |value| (value & (ARMED | LEAVE) == 0).then_some(value | PARKED)) {
        Ok(parked) => Some(parked.after as u32),
        Err(_) => None,
    }
}

/// Tells the helper to end. True if it sleeps on this word, and must be woken.
pub(crate) fn leave<W: Word>(word: &W) -> bool {
    update(word, |value| Some((value | LEAVE) & !PARKED)).is_ok_and(Armed::must_unpark)
}

pub(crate) fn is_armed<W: Word>(word: &W) -> bool {
    word.load(SeqCst) & ARMED != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;

    #[test]
    fn an_arm_is_taken_by_one_signal_and_wakes_a_parked_helper() {
        let word = AtomicU64::new(0);
        assert!(!fire(&word));
        let value = park(&word).unwrap();
        assert_eq!(value, word.load(SeqCst) as u32);
        assert!(arm(&word).must_unpark() && is_armed(&word));
        assert!(!arm(&word).must_unpark());
        assert_eq!((task(&word), park(&word)), (Task::Watch, None));
        assert!(fire(&word) && !fire(&word) && !is_armed(&word));
        assert!(matches!(task(&word), Task::Rest(_)));
    }

    #[test]
    fn whoever_finds_something_itself_takes_back_nobody_elses_arm() {
        let word = AtomicU64::new(0);
        let first = arm(&word);
        disarm(&word, first);
        assert!(!is_armed(&word));
        let first = arm(&word);
        let second = arm(&word);
        disarm(&word, second);
        disarm(&word, first);
        assert!(is_armed(&word));
    }

    #[test]
    fn a_helper_that_is_told_to_leave_does_nothing_else() {
        let word = AtomicU64::new(0);
        park(&word).unwrap();
        assert!(leave(&word) && !leave(&word));
        arm(&word);
        assert_eq!((task(&word), park(&word)), (Task::Leave, None));
    }
}
