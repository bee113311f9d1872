//! Transitions of one slot; the table that they obey stands in [`super::state`].

use super::ring::Found;
use super::state::{Id, Participant, ReplyState, ReplyWord, RequestState, RequestWord, next_generation};
use super::word::{Memory, Word};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};

/// Retries that only memory which somebody overwrites can use up: each is caused by a transition of the same slot, and
/// a generation has fewer than this.
pub(super) const TRANSITIONS_MAX: u32 = 64;

/// The id does not, or no longer, name a request that the caller may do this to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stale;

/// What a slot is taken for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// A request that is replied to.
    Call,
    /// A one-way message.
    Post,
}

/// Takes a slot that is FREE.
#[inline]
pub(crate) fn take<M: Memory>(memory: &M, slot: u32, client: Participant, purpose: Purpose) -> Option<Id> {
    let word = memory.reply(slot);
    let found = ReplyWord(word.load(Relaxed));
    if found.state() != ReplyState::Free {
        return None;
    }
    let generation = next_generation(found.generation());
    let taken = match purpose {
        Purpose::Call => ReplyWord::pending(generation, client),
        Purpose::Post => ReplyWord::posted(generation, client),
    };
    // Acquire: whoever freed the slot has finished with its bytes. SeqCst: ordered before the load of `spares_in_use`.
    word.compare_exchange(found.0, taken.0, SeqCst, Relaxed).ok()?;
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

/// Ends a loan, whose id several threads may know: the first of them may write the request's lines, and then [`queue`]s
/// it. Until then it looks as if it was cancelled, and is freed with its client.
pub(crate) fn end_loan<M: Memory>(memory: &M, id: Id, client: Participant) -> Result<(), Stale> {
    let request = memory.request(id.slot);
    for _ in 0..TRANSITIONS_MAX {
        // Acquire, and before the reply word: a word of a later generation can't be taken for one from before the loan.
        let found = RequestWord(request.load(Acquire));
        let is_taken = matches!(progress(memory, id, client), Ok(Progress::Pending(_)));
        if !is_taken || found.generation() == id.generation {
            return Err(Stale);
        }
        let ended = RequestWord::cancelled(id.generation, client);
        // Fails also if somebody adopts, too late, what the slot held before: then once more.
        if request.compare_exchange(found.0, ended.0, AcqRel, Relaxed).is_ok() {
            return Ok(());
        }
    }
    Err(Stale)
}

/// Gives a taken slot back that several threads may know of.
pub(crate) fn abort_loan<M: Memory>(memory: &M, id: Id, client: Participant) -> Result<(), Stale> {
    end_loan(memory, id, client)?;
    free_pending(memory, id, client);
    Ok(())
}

/// Takes a request that was found claimable; it is the server's until it replies.
#[inline]
pub(crate) fn claim<M: Memory>(memory: &M, found: Found, server: Participant) -> Option<Id> {
    // Acquire is the load's that found it; a failure means somebody else took it or its client withdrew it.
    let claimed = found.word.to_claimed(server);
    memory.request(found.slot).compare_exchange(found.word.0, claimed.0, AcqRel, Relaxed).ok()?;
    Some(Id { slot: found.slot, generation: found.word.generation() })
}

/// How an attempt to end a claimed request ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Replied {
    /// The client has its outcome; whoever sleeps on the word as it was `before` must be woken.
    Delivered { before: ReplyWord },
    /// It was a one-way message, and its slot is free again.
    Released,
    /// The client had given up, and its slot is free again.
    Freed,
    /// The request is not this server's, or has been replied to.
    Stale,
}

/// Before a reply is written: whether the request still waits for one from this server.
#[inline]
pub(crate) fn may_reply<M: Memory>(memory: &M, id: Id, server: Participant) -> Result<(), Replied> {
    let found = held(memory, id, server)?;
    if found.state() == ReplyState::Pending { Ok(()) } else { Err(end_lease(memory, id, found)) }
}

/// Before a reply is written in place: as [`may_reply`], except that one-way messages have a buffer for a reply as well.
pub(crate) fn may_write<M: Memory>(memory: &M, id: Id, server: Participant) -> Result<(), Replied> {
    let found = held(memory, id, server)?;
    match found.state() {
        ReplyState::Pending | ReplyState::Posted => Ok(()),
        _ => Err(end_lease(memory, id, found)),
    }
}

/// The reply word of a request that this server claimed and that has not been replied to and collected.
#[inline]
fn held<M: Memory>(memory: &M, id: Id, server: Participant) -> Result<ReplyWord, Replied> {
    let request = RequestWord(memory.request(id.slot).load(Relaxed));
    let reply = ReplyWord(memory.reply(id.slot).load(Relaxed));
    let is_held = request.is_held_by(id.generation, server) && reply.generation() == id.generation;
    if is_held { Ok(reply) } else { Err(Replied::Stale) }
}

/// After a reply is written: hands it to the client. The one write to the line that the client polls.
#[inline]
pub(crate) fn reply<M: Memory>(memory: &M, id: Id) -> Replied {
    finish(memory, id, ReplyWord::ready)
}

/// Done with a claimed one-way message, or with a request whose client has given up. None: a client waits for a reply.
pub(crate) fn release<M: Memory>(memory: &M, id: Id, server: Participant) -> Option<Replied> {
    match held(memory, id, server) {
        Ok(found) if found.state() == ReplyState::Pending => None,
        Ok(found) => Some(end_lease(memory, id, found)),
        Err(replied) => Some(replied),
    }
}

/// Ends a claimed request without a reply.
pub(crate) fn dismiss<M: Memory>(memory: &M, id: Id) -> Replied {
    finish(memory, id, ReplyWord::dismissed)
}

#[inline]
pub(super) fn finish<M: Memory>(
    memory: &M,
    id: Id,
    outcome: impl Fn(u64, Participant) -> ReplyWord,
) -> Replied {
    let word = memory.reply(id.slot);
    let mut found = ReplyWord(word.load(Relaxed));
    for _ in 0..TRANSITIONS_MAX {
        if found.generation() != id.generation || found.state() != ReplyState::Pending {
            break;
        }
        let next = outcome(id.generation, found.owner());
        // Release: the client that sees READY sees the reply's bytes. SeqCst: as a slot that comes free, see
        // `allocate`.
        match word.compare_exchange(found.0, next.0, SeqCst, Acquire) {
            Ok(_) => return Replied::Delivered { before: found },
            Err(now) => found = ReplyWord(now),
        }
    }
    end_lease(memory, id, found)
}

/// Frees the slot of a claimed request that nobody waits for: its client gave up, or it is one-way.
#[cold]
fn end_lease<M: Memory>(memory: &M, id: Id, mut found: ReplyWord) -> Replied {
    let word = memory.reply(id.slot);
    for _ in 0..TRANSITIONS_MAX {
        let ended = match found.state() {
            ReplyState::Abandoned if found == ReplyWord::abandoned(id.generation) => Replied::Freed,
            ReplyState::Posted if found.generation() == id.generation => Replied::Released,
            _ => return Replied::Stale,
        };
        // Release: the next client to take the slot comes after this server's last access to its bytes.
        match word.compare_exchange(found.0, ReplyWord::free(id.generation).0, SeqCst, Relaxed) {
            Ok(_) => return ended,
            Err(now) => found = ReplyWord(now),
        }
    }
    Replied::Stale
}

/// What a client finds in the reply word of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Pending(ReplyWord),
    Ready(ReplyWord),
    Failed(ReplyWord),
    Dismissed(ReplyWord),
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
        ReplyState::Dismissed => Ok(Progress::Dismissed(word)),
        ReplyState::Free | ReplyState::Abandoned | ReplyState::Posted | ReplyState::Unknown => Err(Stale),
    }
}

/// Announces that the client sleeps on a PENDING word; returns what the word is then. A failure means it moved on.
pub(crate) fn announce_waiting<M: Memory>(memory: &M, id: Id, found: ReplyWord) -> Option<ReplyWord> {
    announce(memory, id, found, found.with_waiting())
}

/// Announces that the client sleeps on its doorbell for a request among others, unless that has its outcome.
pub(crate) fn announce_watching<M: Memory>(memory: &M, id: Id, client: Participant) {
    for _ in 0..TRANSITIONS_MAX {
        let Ok(Progress::Pending(word)) = progress(memory, id, client) else { return };
        // Fails also if another thread of the client announced itself meanwhile: then once more.
        if announce(memory, id, word, word.with_watching()).is_some() {
            return;
        }
    }
}

/// Makes an announcement in a PENDING word; what it is then.
pub(super) fn announce<M: Memory>(
    memory: &M,
    id: Id,
    found: ReplyWord,
    announced: ReplyWord,
) -> Option<ReplyWord> {
    if announced != found {
        memory.reply(id.slot).compare_exchange(found.0, announced.0, AcqRel, Relaxed).ok()?;
    }
    Some(announced)
}

/// Takes a client's announcements back, so that it finds its word changed instead of falling asleep on it. Returns what
/// the word was if there were any: the caller must wake who announced.
pub(crate) fn disturb<M: Memory>(memory: &M, slot: u32, client: Participant) -> Option<ReplyWord> {
    let word = memory.reply(slot);
    for _ in 0..TRANSITIONS_MAX {
        let found = ReplyWord(word.load(Relaxed));
        if found.state() != ReplyState::Pending || found.owner() != client || !found.has_sleepers() {
            return None;
        }
        if word.compare_exchange(found.0, found.without_sleepers().0, AcqRel, Relaxed).is_ok() {
            return Some(found);
        }
    }
    None
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

/// How an attempt to withdraw a request ended. Whoever sleeps on the word as it was `before` must be woken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Withdrawn {
    /// No server will see it, and its slot is free.
    Unseen { before: ReplyWord },
    /// A server holds it; its reply will be refused. The slot is free when the server is done.
    Abandoned { before: ReplyWord },
    /// The outcome is there already and is to be collected.
    TooLate,
    /// Not a request of this client, or no longer one.
    Stale,
}

/// Withdraws a request, wherever it is.
pub(crate) fn withdraw<M: Memory>(memory: &M, id: Id, client: Participant) -> Withdrawn {
    let request = memory.request(id.slot);
    for _ in 0..TRANSITIONS_MAX {
        let pending = match progress(memory, id, client) {
            Ok(Progress::Pending(word)) => word,
            Ok(Progress::Ready(_) | Progress::Failed(_) | Progress::Dismissed(_)) => {
                return Withdrawn::TooLate;
            }
            Err(Stale) => return Withdrawn::Stale,
        };
        let found = RequestWord(request.load(Acquire));
        if found.generation() == id.generation && found.is_claimable() {
            if request.compare_exchange(found.0, found.to_cancelled(client).0, AcqRel, Relaxed).is_ok() {
                let before = free_pending(memory, id, client).unwrap_or(pending);
                return Withdrawn::Unseen { before };
            }
        } else if found.is(RequestState::Claimed, id.generation) {
            if abandon(memory, id, pending) {
                return Withdrawn::Abandoned { before: pending };
            }
        } else if found.is(RequestState::Lost, id.generation) {
            // Nobody has it any more: a recoverer that is to say so finds that it need not.
            if let Some(before) = free_pending(memory, id, client) {
                return Withdrawn::Unseen { before };
            }
        } else {
            // Another thread of this client is withdrawing it, or has not queued it yet.
            return Withdrawn::Stale;
        }
    }
    Withdrawn::Stale
}

/// PENDING→FREE for a request that can't be claimed any more, or POSTED→FREE if another thread has just let go of it.
/// Returns what the word was.
pub(super) fn free_pending<M: Memory>(memory: &M, id: Id, client: Participant) -> Option<ReplyWord> {
    let word = memory.reply(id.slot);
    for _ in 0..TRANSITIONS_MAX {
        let found = ReplyWord(word.load(Relaxed));
        let is_wanted = matches!(found.state(), ReplyState::Pending | ReplyState::Posted);
        if !is_wanted || !found.belongs(id, client) {
            return None;
        }
        if word.compare_exchange(found.0, ReplyWord::free(id.generation).0, SeqCst, Relaxed).is_ok() {
            return Some(found);
        }
    }
    None
}

/// PENDING→ABANDONED for a request that was seen CLAIMED. A recoverer may have queued it again since: it looks at the
/// reply word after that, and this looks at the request word after its own write, so one of the two withdraws it.
pub(crate) fn abandon<M: Memory>(memory: &M, id: Id, pending: ReplyWord) -> bool {
    let abandoned = ReplyWord::abandoned(id.generation);
    let done = memory.reply(id.slot).compare_exchange(pending.0, abandoned.0, SeqCst, Relaxed).is_ok();
    if done {
        M::Word::announced();
        withdraw_abandoned(memory, id);
    }
    done
}

/// Withdraws an ABANDONED request that has been queued again, and frees its slot. True if this did it.
pub(crate) fn withdraw_abandoned<M: Memory>(memory: &M, id: Id) -> bool {
    let (request, reply) = (memory.request(id.slot), memory.reply(id.slot));
    let abandoned = ReplyWord::abandoned(id.generation).0;
    // Whoever queued it again may mark it as published meanwhile, so that one attempt is not enough.
    for _ in 0..TRANSITIONS_MAX {
        let found = RequestWord(request.load(SeqCst));
        let is_queued = found.generation() == id.generation && found.is_claimable();
        if !is_queued || reply.load(SeqCst) != abandoned {
            return false;
        }
        if request.compare_exchange(found.0, found.to_cancelled(0).0, AcqRel, Relaxed).is_ok() {
            let free = ReplyWord::free(id.generation).0;
            return reply.compare_exchange(abandoned, free, SeqCst, Relaxed).is_ok();
        }
    }
    false
}
