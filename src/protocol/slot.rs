//! Transitions of one slot; the table that they obey stands in [`super::state`].

use super::ring::Found;
use super::state::{Id, Participant, ReplyState, ReplyWord, RequestState, RequestWord, next_generation};
use super::word::{Memory, Word};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};

/// Retries that only memory which somebody overwrites can use up: each is caused by a transition of the same slot, and
/// a generation has fewer than this.
const TRANSITIONS_MAX: u32 = 64;

/// The id does not, or no longer, name a request that the caller may do this to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stale;

/// Takes a slot that is FREE.
#[inline]
pub(crate) fn take<M: Memory>(memory: &M, slot: u32, client: Participant) -> Option<Id> {
    let word = memory.reply(slot);
    let found = ReplyWord(word.load(Relaxed));
    if found.state() != ReplyState::Free {
        return None;
    }
    let generation = next_generation(found.generation());
    // Acquire: whoever freed the slot has finished with its bytes. SeqCst: ordered before the load of `lent`.
    word.compare_exchange(found.0, ReplyWord::pending(generation, client).0, SeqCst, Relaxed).ok()?;
    Some(Id { slot, generation })
}

/// Gives a taken slot back; nobody else knows of it yet.
pub(crate) fn give_back<M: Memory>(memory: &M, id: Id) {
    memory.reply(id.slot).store(ReplyWord::free(id.generation).0, Release);
}

/// Marks the request as written; it must be published next. Release: a server that sees it QUEUED sees its bytes.
#[inline]
pub(crate) fn queue<M: Memory>(memory: &M, id: Id, client: Participant) {
    memory.request(id.slot).store(RequestWord::queued(id.generation, client).0, Release);
}

/// Takes a request that was found QUEUED; it is the server's until it replies.
#[inline]
pub(crate) fn claim<M: Memory>(memory: &M, found: Found, server: Participant) -> Option<Id> {
    let generation = found.word.generation();
    let claimed = RequestWord::claimed(generation, server);
    // Acquire is the load's that found it; a failure means somebody else took it or its client withdrew it.
    memory.request(found.slot).compare_exchange(found.word.0, claimed.0, AcqRel, Relaxed).ok()?;
    Some(Id { slot: found.slot, generation })
}

/// How an attempt to reply ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Replied {
    /// The client has it; wake it if `waiting`.
    Delivered { waiting: bool },
    /// The client had given up, and its slot is free again.
    Freed,
    /// The request is not this server's, or has been replied to.
    Stale,
}

/// Before a reply is written: whether the request still waits for one from this server.
#[inline]
pub(crate) fn may_reply<M: Memory>(memory: &M, id: Id, server: Participant) -> Result<(), Replied> {
    let request = RequestWord(memory.request(id.slot).load(Relaxed));
    if request != RequestWord::claimed(id.generation, server) {
        return Err(Replied::Stale);
    }
    let reply = ReplyWord(memory.reply(id.slot).load(Relaxed));
    if reply.generation() == id.generation && reply.state() == ReplyState::Pending {
        return Ok(());
    }
    Err(end_lease(memory, id, reply))
}

/// After a reply is written: hands it to the client. The one write to the line that the client polls.
#[inline]
pub(crate) fn reply<M: Memory>(memory: &M, id: Id) -> Replied {
    let word = memory.reply(id.slot);
    let mut found = ReplyWord(word.load(Relaxed));
    for _ in 0..TRANSITIONS_MAX {
        if found.generation() != id.generation || found.state() != ReplyState::Pending {
            break;
        }
        let ready = ReplyWord::ready(id.generation, found.owner());
        // Release: the client that sees READY sees the reply's bytes.
        match word.compare_exchange(found.0, ready.0, AcqRel, Acquire) {
            Ok(_) => return Replied::Delivered { waiting: found.is_waiting() },
            Err(now) => found = ReplyWord(now),
        }
    }
    end_lease(memory, id, found)
}

/// Frees the slot of a claimed request whose client gave up.
fn end_lease<M: Memory>(memory: &M, id: Id, found: ReplyWord) -> Replied {
    let abandoned = ReplyWord::abandoned(id.generation);
    let word = memory.reply(id.slot);
    // Release: the next client to take the slot comes after this server's last access to its bytes.
    let freed = found == abandoned
        && word.compare_exchange(abandoned.0, ReplyWord::free(id.generation).0, AcqRel, Relaxed).is_ok();
    if freed { Replied::Freed } else { Replied::Stale }
}

/// What a client finds in the reply word of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Pending(ReplyWord),
    Ready(ReplyWord),
    Failed(ReplyWord),
}

/// How far the client's request is. Acquire: pairs with `reply`.
#[inline]
pub(crate) fn progress<M: Memory>(memory: &M, id: Id, client: Participant) -> Result<Progress, Stale> {
    let word = ReplyWord(memory.reply(id.slot).load(Acquire));
    if !word.belongs(id, client) {
        return Err(Stale);
    }
    match word.state() {
        ReplyState::Pending => Ok(Progress::Pending(word)),
        ReplyState::Ready => Ok(Progress::Ready(word)),
        ReplyState::Failed => Ok(Progress::Failed(word)),
        ReplyState::Free | ReplyState::Abandoned | ReplyState::Unknown => Err(Stale),
    }
}

/// Announces that the client sleeps on a PENDING word; returns what the word is then. A failure means it moved on.
pub(crate) fn announce_waiting<M: Memory>(memory: &M, id: Id, found: ReplyWord) -> Option<ReplyWord> {
    let waiting = found.with_waiting();
    if waiting == found {
        return Some(found);
    }
    memory.reply(id.slot).compare_exchange(found.0, waiting.0, AcqRel, Relaxed).ok()?;
    Some(waiting)
}

/// Takes a client's announcement back, so that it finds its word changed instead of falling asleep on it. True if
/// there was one: the caller must wake the sleepers.
pub(crate) fn disturb<M: Memory>(memory: &M, slot: u32, client: Participant) -> bool {
    let word = memory.reply(slot);
    let found = ReplyWord(word.load(Relaxed));
    found.state() == ReplyState::Pending
        && found.owner() == client
        && found.is_waiting()
        && word.compare_exchange(found.0, found.without_waiting().0, AcqRel, Relaxed).is_ok()
}

/// Ends a request whose outcome has been copied out. Only one of several threads that collect one id succeeds, and
/// what the others copied is to be dropped. Release: the copy comes before the slot's next use.
pub(crate) fn collect<M: Memory>(memory: &M, id: Id, found: ReplyWord) -> Result<(), Stale> {
    let free = ReplyWord::free(id.generation);
    memory.reply(id.slot).compare_exchange(found.0, free.0, SeqCst, Relaxed).map_err(|_| Stale)?;
    Ok(())
}

/// As [`collect`], for an id that no other thread can know: a plain store.
#[inline]
pub(crate) fn collect_unshared<M: Memory>(memory: &M, id: Id) {
    memory.reply(id.slot).store(ReplyWord::free(id.generation).0, Release);
}

/// How an attempt to withdraw a request ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Withdrawn {
    /// No server will see it, and its slot is free. Threads that wait for it must be woken if `waiting`.
    Unseen { waiting: bool },
    /// A server holds it; its reply will be refused. The slot is free when the server is done.
    Abandoned { waiting: bool },
    /// The outcome is there already and is to be collected.
    TooLate,
    /// Not a request of this client, or no longer one.
    Stale,
}

/// Withdraws a request, wherever it is.
pub(crate) fn withdraw<M: Memory>(memory: &M, id: Id, client: Participant) -> Withdrawn {
    let reply = memory.reply(id.slot);
    let request = memory.request(id.slot);
    for _ in 0..TRANSITIONS_MAX {
        let waiting = match progress(memory, id, client) {
            Ok(Progress::Pending(word)) => word,
            Ok(Progress::Ready(_) | Progress::Failed(_)) => return Withdrawn::TooLate,
            Err(Stale) => return Withdrawn::Stale,
        };
        let found = RequestWord(request.load(Acquire));
        if found.is(RequestState::Queued, id.generation) {
            let cancelled = RequestWord::cancelled(id.generation, client);
            if request.compare_exchange(found.0, cancelled.0, AcqRel, Relaxed).is_ok() {
                return Withdrawn::Unseen { waiting: free_pending(memory, id, client) };
            }
        } else if found.is(RequestState::Claimed, id.generation) {
            let abandoned = ReplyWord::abandoned(id.generation);
            if reply.compare_exchange(waiting.0, abandoned.0, AcqRel, Relaxed).is_ok() {
                return Withdrawn::Abandoned { waiting: waiting.is_waiting() };
            }
        } else {
            // Another thread of this client is withdrawing it.
            return Withdrawn::Stale;
        }
    }
    Withdrawn::Stale
}

/// PENDING→FREE for a request that can't be claimed any more. Returns whether somebody waited on it.
fn free_pending<M: Memory>(memory: &M, id: Id, client: Participant) -> bool {
    let word = memory.reply(id.slot);
    for _ in 0..TRANSITIONS_MAX {
        let found = ReplyWord(word.load(Relaxed));
        if found.state() != ReplyState::Pending || !found.belongs(id, client) {
            return true;
        }
        if word.compare_exchange(found.0, ReplyWord::free(id.generation).0, SeqCst, Relaxed).is_ok() {
            return found.is_waiting();
        }
    }
    true
}
