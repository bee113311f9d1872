//! Recovery: what survivors do with what the dead left.
//!
//! Every step is one compare-and-swap from a word that names the dead owner, so any number of survivors may do it at
//! once, and may themselves be killed at it.
//!
//! A participant number is used again after its owner's death, so a word that names a number proves nothing unless it
//! was read while that number belonged to the dead. The order that proves it: read the participant's own word (it names
//! an incarnation), ask the kernel (dead), read a slot's words, then read the participant's word again (the same
//! incarnation). The function `gone` that [`recover_slot`] is given makes that last read. A word that names an owner
//! who has something to finish never comes back to a value that it had, so the compare-and-swap that follows changes
//! just what was judged; only REQUEUED and QUEUED may take turns, as long as nobody claims, and whoever meets either
//! may publish or claim. Every compare-and-swap is from a word that was judged: none reads it anew after something was
//! done for it.
//!
//! | found | owner gone | what happens |
//! |---|---|---|
//! | PENDING or POSTED, not QUEUED yet | client | reply word FREE |
//! | PENDING, QUEUED | client | request word CANCELLED, then reply word FREE |
//! | PENDING, CLAIMED | client, not server | reply word ABANDONED: the server's reply frees it |
//! | PENDING, CLAIMED | both | request word CANCELLED, then reply word FREE |
//! | PENDING, CLAIMED | server | reply word FAILED, the client is woken |
//! | POSTED, QUEUED | client | it is still delivered: REQUEUED, published again, then QUEUED, and nobody's |
//! | POSTED, CLAIMED | server | request word CANCELLED, then reply word FREE |
//! | PENDING or POSTED, CLAIMED, in a channel that redelivers | server | request word REQUEUED, published, then QUEUED |
//! | PENDING or POSTED, REQUEUED | recoverer | taken over: published, then QUEUED |
//! | READY, FAILED or DISMISSED | client | reply word FREE |
//! | ABANDONED, CLAIMED | server | request word CANCELLED, then reply word FREE |
//! | ABANDONED, QUEUED or REQUEUED | anyone | request word CANCELLED, then reply word FREE |
//! | ABANDONED or POSTED, CANCELLED | anyone | reply word FREE |
//!
//! A reference that is published twice is harmless, so whoever can't know publishes. Two recoverers may know of
//! different deaths, and one free what the other queues again: so both begin with the request word, and one of them
//! fails.

#[cfg(test)]
mod models;
#[cfg(test)]
mod tests;

use crate::protocol::Id;
use crate::protocol::slot::{abandon, withdraw_abandoned};
use crate::protocol::state::{Participant, ReplyState, ReplyWord, RequestState, RequestWord};
use crate::protocol::word::{Memory, Word};
use std::sync::atomic::Ordering::{AcqRel, Acquire, SeqCst};

/// Who recovers, and how.
#[derive(Clone, Copy)]
pub(crate) struct Recoverer {
    /// 0 for one that has not joined yet.
    pub number: Participant,
    /// Whether requests that dead servers held are served again.
    pub redelivers: bool,
}

/// What a step left to be done outside the words.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Recovered {
    /// Nothing of the gone one here, or nothing any more.
    Nothing,
    /// The slot is free: somebody may wait for one.
    Freed,
    /// The request failed; whoever sleeps on the word as it was `before` must be woken.
    Failed { before: ReplyWord },
    /// The slot is its server's until that replies.
    Abandoned,
    /// It is REQUEUED: its reference must be published, and then [`mark_published`] called.
    Unpublished(Unpublished),
}

/// A REQUEUED request and the words that were judged: only what is still just so when its reference has been published
/// is marked. What was claimed by that reference, and queued again, needs another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Unpublished {
    pub id: Id,
    request: RequestWord,
    reply: ReplyWord,
}

/// A request as it is, if it is REQUEUED.
pub(crate) fn unpublished<M: Memory>(memory: &M, id: Id) -> Option<Unpublished> {
    let reply = ReplyWord(memory.reply(id.slot).load(Acquire));
    let request = RequestWord(memory.request(id.slot).load(Acquire));
    request.is(RequestState::Requeued, id.generation).then_some(Unpublished { id, request, reply })
}

/// A slot changes at most this often while it is looked at, unless somebody overwrites its words at random.
const LOOKS_MAX: u32 = 16;

/// Finishes or undoes what participants that are gone left in one slot. `gone` is asked only about owners that were
/// read before.
pub(crate) fn recover_slot<M: Memory>(
    memory: &M,
    slot: u32,
    by: Recoverer,
    gone: impl Fn(Participant) -> bool,
) -> Recovered {
    for _ in 0..LOOKS_MAX {
        let reply = ReplyWord(memory.reply(slot).load(Acquire));
        let request = RequestWord(memory.request(slot).load(Acquire));
        let generation = reply.generation();
        let id = Id { slot, generation };
        let is_current = request.generation() == generation;
        let claimable = is_current && request.is_claimable();
        let claimed = request.is(RequestState::Claimed, generation);
        let cancelled = request.is(RequestState::Cancelled, generation);
        let client_gone = || gone(reply.owner());
        let server_gone = || claimed && gone(request.owner());
        let recoverer_gone = || {
            request.is(RequestState::Requeued, generation) && (request.owner() == 0 || gone(request.owner()))
        };
        let again = || if by.redelivers { request.once_more(by.number) } else { None };
        let unpublished = |request| Recovered::Unpublished(Unpublished { id, request, reply });

        let (next, recovered) = match reply.state() {
            ReplyState::Pending if client_gone() && claimed && !server_gone() => {
                if abandon(memory, id, reply) {
                    return Recovered::Abandoned;
                }
                continue;
            }
            ReplyState::Pending | ReplyState::Ready | ReplyState::Failed | ReplyState::Dismissed
                if client_gone() =>
            {
                (ReplyWord::free(generation), Recovered::Freed)
            }
            ReplyState::Pending | ReplyState::Posted if recoverer_gone() => {
                let again = request.to_requeued(by.number);
                if queue_again(memory, id, request, again) {
                    return unpublished(again);
                }
                continue;
            }
            state @ (ReplyState::Pending | ReplyState::Posted) if server_gone() => match again() {
                Some(again) if queue_again(memory, id, request, again) => return unpublished(again),
                Some(_) => continue,
                None if state == ReplyState::Posted => (ReplyWord::free(generation), Recovered::Freed),
                None => (ReplyWord::failed(generation, reply.owner()), Recovered::Failed { before: reply }),
            },
            ReplyState::Posted if client_gone() && request.is(RequestState::Queued, generation) => {
                // One recoverer at a time, or many would fill the ring with references.
                let again = request.to_requeued(by.number);
                if queue_again(memory, id, request, again) {
                    return unpublished(again);
                }
                continue;
            }
            ReplyState::Posted if cancelled || client_gone() && !is_current => {
                (ReplyWord::free(generation), Recovered::Freed)
            }
            ReplyState::Abandoned if claimable || cancelled || server_gone() => {
                (ReplyWord::free(generation), Recovered::Freed)
            }
            _ => return Recovered::Nothing,
        };
        if recovered == Recovered::Freed && (claimable || server_gone()) {
            // Nobody waits for it: first of all no server may claim it any more, and nobody queue it again.
            let cancelled = request.to_cancelled(reply.owner());
            if memory.request(slot).compare_exchange(request.0, cancelled.0, AcqRel, Acquire).is_err() {
                continue;
            }
        }
        if memory.reply(slot).compare_exchange(reply.0, next.0, SeqCst, Acquire).is_ok() {
            return recovered;
        }
    }
    Recovered::Nothing
}

/// Makes a request claimable again. False if it changed meanwhile, or if its client has given it up: then it is
/// withdrawn.
fn queue_again<M: Memory>(memory: &M, id: Id, found: RequestWord, again: RequestWord) -> bool {
    if memory.request(id.slot).compare_exchange(found.0, again.0, SeqCst, Acquire).is_err() {
        return false;
    }
    // Pairs with the client's look at the request word after it has given up.
    M::Word::announced();
    !withdraw_abandoned(memory, id)
}

/// After the reference to a REQUEUED request is published: nobody need publish it again. Should this not happen,
/// somebody does.
///
/// Only from the words that were judged before it was published. Meanwhile a server may have claimed the request by that
/// reference and died, and another recoverer made it REQUEUED once more: that one's reference is missing still, whatever
/// this one published. The times in the word tell the two apart.
pub(crate) fn mark_published<M: Memory>(
    memory: &M,
    judged: &Unpublished,
    by: Participant,
    gone: impl Fn(Participant) -> bool,
) {
    let Unpublished { id, request, reply } = *judged;
    let queued = request.to_queued(by);
    let _ = memory.request(id.slot).compare_exchange(request.0, queued.0, AcqRel, Acquire);
    if reply.state() == ReplyState::Posted && gone(reply.owner()) {
        let orphan = ReplyWord::posted(id.generation, 0);
        let _ = memory.reply(id.slot).compare_exchange(reply.0, orphan.0, SeqCst, Acquire);
    }
}
