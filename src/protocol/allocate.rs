//! Which slot a new request takes.
//!
//! A channel promises `slots` requests in flight. A claimed request whose client gave up holds its slot until the
//! server lets go, though it is no longer in flight, so a few spare slots after the first `slots` stand in for such
//! ones. The promise is kept without a counter: in flight are the slots that are neither FREE nor ABANDONED, and they
//! are counted only while spare slots may be in use.
//!
//! The word `spares_in_use` says whether they may: bit 0, with a number above it that everybody raises who takes one,
//! so that a clearing of the bit fails that overlaps with that. It may be set for nothing, and it is set before a
//! request in a spare slot counts:
//!
//! * whoever takes a spare slot does so first, then sets the bit and raises the number, then counts, and keeps the slot if
//!   no more than `slots` are in flight;
//! * whoever takes an ordinary slot then looks at the bit, and counts if it is set;
//! * whoever finds it set loads the word, looks at the spare slots, and if none is in use clears the bit, unless the word
//!   has changed.
//!
//! All of these are `SeqCst`. A clearer that loaded the word after the taker set it looks at the spare slots after the
//! taker took its own, sees it in use, and leaves the bit; one that loaded it before fails, for the number was raised,
//! or cleared it before it was set. So from the taker's setting on, the bit stays set for as long as it has the slot.
//! Whoever takes an ordinary slot either looks at the bit after it was set, and counts the spare slot, or took its slot
//! before that, and is counted by the taker of the spare one. So of two that take the last free places at once at least
//! one counts the other, and gives its slot back. At worst both do, as if the channel had been full for that moment. A
//! taker that dies, or is stopped, between the two steps holds a slot in which no request ever is, or which it will
//! count for.

use super::slot::{Purpose, give_back, take};
use super::state::{Id, Participant, ReplyState, ReplyWord};
use super::word::{Memory, Word};
use std::sync::atomic::Ordering::SeqCst;

const IN_USE: u64 = 1;
const TAKEN: u64 = 2;
/// Attempts to change the word, each of which fails only because another succeeded: so many fail only in memory that
/// somebody overwrites all the time, and then the channel may as well be full.
const ATTEMPTS: u32 = 10_000;

/// What a search has to see to outside the words.
pub(crate) struct Care<'a> {
    /// Whether the search may go on: asked now and then, for it takes milliseconds where there are many slots.
    pub in_time: &'a dyn Fn() -> bool,
    /// A slot was taken and given back, so somebody else may have it.
    pub gave_back: &'a dyn Fn(),
}

/// Slots that are looked at between two questions whether there is time.
const SLOTS_PER_QUESTION: u32 = 256;

/// Takes the slot for a new request that is most likely to be free.
#[inline]
pub(crate) fn take_first<M: Memory>(
    memory: &M,
    client: Participant,
    purpose: Purpose,
    first: u32,
    gave_back: impl Fn(),
) -> Option<Id> {
    confirm(memory, take(memory, first, client, purpose)?, gave_back)
}

/// Takes the first ordinary slot that is free, from `start` on, else a spare one.
#[cold]
pub(crate) fn search<M: Memory>(
    memory: &M,
    client: Participant,
    purpose: Purpose,
    start: u32,
    care: &Care<'_>,
) -> Option<Id> {
    let slots = memory.slots();
    for k in 0..slots {
        if k % SLOTS_PER_QUESTION == SLOTS_PER_QUESTION - 1 && !(care.in_time)() {
            return None;
        }
        if let Some(id) = take(memory, (start + k) % slots, client, purpose) {
            return confirm(memory, id, care.gave_back);
        }
    }
    take_spare(memory, client, purpose, care)
}

/// As [`search`] without care.
#[cfg(test)]
pub(crate) fn allocate<M: Memory>(
    memory: &M,
    client: Participant,
    purpose: Purpose,
    first: u32,
    start: u32,
) -> Option<Id> {
    let care = Care { in_time: &|| true, gave_back: &|| () };
    match take(memory, first, client, purpose) {
        Some(id) => confirm(memory, id, || ()),
        None => search(memory, client, purpose, start, &care),
    }
}

/// For polling: takes one of so many ordinary slots from `start` on, if one is free.
pub(crate) fn glance<M: Memory>(
    memory: &M,
    client: Participant,
    purpose: Purpose,
    start: u32,
    count: u32,
    gave_back: impl Fn(),
) -> Option<Id> {
    let slots = memory.slots();
    let some = (0..count.min(slots)).map(|k| (start + k) % slots);
    let taken = some.into_iter().find_map(|slot| take(memory, slot, client, purpose))?;
    confirm(memory, taken, gave_back)
}

/// Slots that hold a request in flight.
pub(crate) fn in_flight<M: Memory>(memory: &M) -> u32 {
    let busy = |slot: &u32| is_in_flight(memory, *slot);
    (0..memory.total_slots()).filter(busy).count() as u32
}

fn is_in_flight<M: Memory>(memory: &M, slot: u32) -> bool {
    let state = ReplyWord(memory.reply(slot).load(SeqCst)).state();
    !matches!(state, ReplyState::Free | ReplyState::Abandoned)
}

/// Keeps an ordinary slot that was just taken, unless a spare one in use makes it one too many.
#[inline]
fn confirm<M: Memory>(memory: &M, id: Id, gave_back: impl Fn()) -> Option<Id> {
    M::Word::announced();
    let word = memory.spares_in_use().load(SeqCst);
    if word & IN_USE == 0 {
        return Some(id);
    }
    let kept = confirm_by_counting(memory, id, word);
    if kept.is_none() {
        gave_back();
    }
    kept
}

#[cold]
fn confirm_by_counting<M: Memory>(memory: &M, id: Id, word: u64) -> Option<Id> {
    let mut spares = memory.slots()..memory.total_slots();
    if !spares.any(|slot| is_in_flight(memory, slot)) {
        // Fails if somebody takes a spare slot meanwhile, and that is right.
        let _ = memory.spares_in_use().compare_exchange(word, word & !IN_USE, SeqCst, SeqCst);
    }
    keep_if_within(memory, id)
}

#[cold]
fn take_spare<M: Memory>(memory: &M, client: Participant, purpose: Purpose, care: &Care<'_>) -> Option<Id> {
    let mut in_flight = 0;
    for slot in 0..memory.total_slots() {
        if slot % SLOTS_PER_QUESTION == SLOTS_PER_QUESTION - 1 && !(care.in_time)() {
            return None;
        }
        in_flight += u32::from(is_in_flight(memory, slot));
    }
    if in_flight >= memory.slots() {
        return None;
    }
    let id = (memory.slots()..memory.total_slots()).find_map(|slot| take(memory, slot, client, purpose))?;
    let is_announced = announce_spare(memory).is_some();
    // Pairs with the taker of an ordinary slot, which looks at the word after it took that.
    M::Word::announced();
    let kept = if is_announced { keep_if_within(memory, id) } else { drop_slot(memory, id) };
    if kept.is_none() {
        (care.gave_back)();
    }
    kept
}

fn announce_spare<M: Memory>(memory: &M) -> Option<()> {
    let mut word = memory.spares_in_use().load(SeqCst);
    for _ in 0..ATTEMPTS {
        let marked = word.wrapping_add(TAKEN) | IN_USE;
        match memory.spares_in_use().compare_exchange(word, marked, SeqCst, SeqCst) {
            Ok(_) => return Some(()),
            Err(now) => word = now,
        }
    }
    None
}

fn keep_if_within<M: Memory>(memory: &M, id: Id) -> Option<Id> {
    if in_flight(memory) <= memory.slots() { Some(id) } else { drop_slot(memory, id) }
}

fn drop_slot<M: Memory>(memory: &M, id: Id) -> Option<Id> {
    give_back(memory, id);
    None
}
