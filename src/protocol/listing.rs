//! Listing: a client that has many requests under way learns which have their outcomes without looking at each.
//!
//! There is a bit for each slot. A client lists a request by a flag in its reply word; whoever then changes that word
//! from PENDING to anything else sets the slot's bit; the client looks at the words with the bits, and only at those
//! slots whose bits are set.
//!
//! | a bit is | by | when |
//! |---|---|---|
//! | set | whoever ended a listed request | after its reply word was changed |
//! | set | a client that cleared it | it found the slot to be another's: the bit may have been for that one |
//! | cleared | the client that listed a request there | before it looks at the slot |
//!
//! *No outcome is missed.* The flag is set by a compare-and-swap of the word that the outcome changes, so one of the two
//! comes first: the listing client finds the outcome, or whoever gives it finds the flag. All changes of a word with bits
//! are read-modify-writes. If the bit is set before the client clears it, the clearing acquires what setting it
//! released, and the look that follows sees the outcome. If it is set afterwards, it stays for the next look.
//!
//! A bit may be set for nothing, which costs a look. It may also be missing: whoever was to set it died, or the client of
//! the slot's next request cleared it. So a bit is a hint, and a client looks at all that it listed now and then.

use super::slot::{self, Progress, Stale, TRANSITIONS_MAX};
use super::state::{Id, Participant};
use super::word::{Memory, Word};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// What a client finds its request to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Look {
    Pending,
    /// The outcome is to be collected.
    Done,
    /// None of this client's, or no longer one.
    Gone,
}

/// A look at the slot itself.
pub(crate) fn look<M: Memory>(memory: &M, id: Id, client: Participant) -> Look {
    match slot::progress(memory, id, client) {
        Ok(Progress::Pending(_)) => Look::Pending,
        Ok(_) => Look::Done,
        Err(Stale) => Look::Gone,
    }
}

/// Asks for the bit of a request, if it is still pending.
pub(crate) fn list<M: Memory>(memory: &M, id: Id, client: Participant) -> Look {
    for _ in 0..TRANSITIONS_MAX {
        let word = match slot::progress(memory, id, client) {
            Ok(Progress::Pending(word)) => word,
            Ok(_) => return Look::Done,
            Err(Stale) => return Look::Gone,
        };
        // Fails also if another thread of the client announced something meanwhile: then once more.
        if slot::announce(memory, id, word, word.with_listed()).is_some() {
            break;
        }
    }
    Look::Pending
}

fn bit(slot: u32) -> u64 {
    1 << (slot % u64::BITS)
}

/// After the word of a listed request was changed. Release: pairs with the clearing in [`look_if_told`], which follows it in the order of the word.
pub(crate) fn tell<M: Memory>(memory: &M, slot: u32) {
    memory.outcomes(slot).fetch_or(bit(slot), Release);
}

/// A look at a listed request, if its bit is set.
pub(crate) fn look_if_told<M: Memory>(memory: &M, id: Id, client: Participant) -> Option<Look> {
    let word = memory.outcomes(id.slot);
    // Relaxed: whether to go on.
    if word.load(Relaxed) & bit(id.slot) == 0 {
        return None;
    }
    // Acquire: pairs with `tell`. The look comes after it, and sees what was there when the bit was set.
    word.fetch_and(!bit(id.slot), Acquire);
    let found = look(memory, id, client);
    if found == Look::Gone {
        tell(memory, id.slot);
    }
    Some(found)
}
