//! Ending requests that belong to others, one slot at a time.

use super::slot::{Replied, TRANSITIONS_MAX, abandon, finish, free_pending};
use super::state::{Id, Participant, ReplyState, ReplyWord, RequestState, RequestWord};
use super::word::{Memory, Word};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

/// What clearing a slot came to. Whoever sleeps on the word as it was `before` must be woken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Cleared {
    /// It held no request without an outcome, or one that is just being written.
    Nothing,
    /// No server will see its request, and the slot is free.
    Freed { before: ReplyWord },
    /// Its client gave it up at the same moment, and the slot is free.
    GivenUp,
    /// A server holds its request; the slot is free when that is done.
    Abandoned { before: ReplyWord },
}

/// The request that a slot holds now, or held last.
pub(crate) fn current<M: Memory>(memory: &M, slot: u32) -> Id {
    Id { slot, generation: ReplyWord(memory.reply(slot).load(Acquire)).generation() }
}

/// Ends a request, whosever it is. A queued one is claimed first, so that if `me` dies in between, it is recovered as
/// that of a server.
pub(crate) fn clear<M: Memory>(memory: &M, id: Id, me: Participant) -> Cleared {
    for _ in 0..TRANSITIONS_MAX {
        let before = ReplyWord(memory.reply(id.slot).load(Acquire));
        let request = memory.request(id.slot);
        let found = RequestWord(request.load(Acquire));
        let is_call = before.state() == ReplyState::Pending;
        let is_same = before.generation() == id.generation && found.generation() == id.generation;
        if !is_same || !(is_call || before.state() == ReplyState::Posted) {
            return Cleared::Nothing;
        }
        if found.is_claimable() {
            if request.compare_exchange(found.0, found.to_claimed(me).0, AcqRel, Relaxed).is_ok() {
                return match finish(memory, id, |generation, _| ReplyWord::free(generation)) {
                    Replied::Delivered { before } => Cleared::Freed { before },
                    Replied::Released => Cleared::Freed { before },
                    Replied::Freed => Cleared::GivenUp,
                    Replied::Stale => Cleared::Nothing,
                };
            }
        } else if is_call && found.is(RequestState::Claimed, id.generation) {
            if abandon(memory, id, before) {
                return Cleared::Abandoned { before };
            }
        } else if is_call && found.is(RequestState::Lost, id.generation) {
            if let Some(before) = free_pending(memory, id, before.owner()) {
                return Cleared::Freed { before };
            }
        } else {
            return Cleared::Nothing;
        }
    }
    Cleared::Nothing
}
