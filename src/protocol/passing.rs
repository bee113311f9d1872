//! How a request changes hands: a server passes it on to another, a client lets go of its call.
//!
//! Both are one compare-and-swap of the word that names the owner. Adopting changes the request word, which says who is
//! to reply; detaching changes the reply word, which says who is to be told.

use super::slot::{self, Progress, Replied, Stale, TRANSITIONS_MAX};
use super::state::{Id, Participant, ReplyState, ReplyWord, RequestState, RequestWord};
use super::word::{Memory, Word};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

/// How an attempt to adopt a request ended otherwise than by having it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotAdopted {
    /// Nobody holds it, or nobody waits for a reply any more; then this ended its lease, and the slot may be free.
    Ended(Replied),
    /// It has changed hands as often as its word can count.
    TooOften,
}

/// Makes a request that another server holds, or held when it died, this one's.
///
/// Whoever lost it learns so from the request word before it writes a reply. That it is not writing one just now is up to
/// those who pass ids on, as with two threads that reply to one id.
pub(crate) fn adopt<M: Memory>(memory: &M, id: Id, server: Participant) -> Result<(), NotAdopted> {
    let word = memory.request(id.slot);
    for _ in 0..TRANSITIONS_MAX {
        // Acquire: the claim whose release sequence this reads from saw the request written.
        let found = RequestWord(word.load(Acquire));
        // The word stays CLAIMED when the request has its outcome.
        let reply = ReplyWord(memory.reply(id.slot).load(Acquire));
        let is_open = reply.generation() == id.generation
            && matches!(reply.state(), ReplyState::Pending | ReplyState::Posted | ReplyState::Abandoned);
        if !is_open || !found.is(RequestState::Claimed, id.generation) {
            return Err(NotAdopted::Ended(Replied::Stale));
        }
        if found.owner() != server {
            let adopted = found.adopted_by(server).ok_or(NotAdopted::TooOften)?;
            // A failure means that another adopted it, or that a recoverer ended it.
            if word.compare_exchange(found.0, adopted.0, AcqRel, Relaxed).is_err() {
                continue;
            }
        }
        // It may have got its outcome since; and if the client gave up, this has the lease to end.
        return slot::may_write(memory, id, server).map_err(NotAdopted::Ended);
    }
    Err(NotAdopted::Ended(Replied::Stale))
}

/// What letting go of a call came to. Whoever sleeps on the word as it was `before` must be woken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Detached {
    /// It goes on as a one-way message.
    Sent { before: ReplyWord },
    /// Its outcome was there, and is dropped: the slot is free.
    Freed,
}

/// Lets go of a call that was sent: whoever ends it frees its slot, and nobody is told.
///
/// From PENDING this is the same step as that by which a server replies, a recoverer fails it or its client gives it up:
/// one of them comes first. What is done to a one-way message is done to it from then on.
pub(crate) fn detach<M: Memory>(memory: &M, id: Id, client: Participant) -> Result<Detached, Stale> {
    for _ in 0..TRANSITIONS_MAX {
        let pending = match slot::progress(memory, id, client)? {
            Progress::Pending(word) => word,
            Progress::Ready(word) | Progress::Failed(word) | Progress::Dismissed(word) => {
                return slot::collect(memory, id, word).map(|()| Detached::Freed);
            }
        };
        let request = RequestWord(memory.request(id.slot).load(Acquire));
        // Else it is a loan, or another thread of this client withdraws it.
        let is_sent = request.generation() == id.generation
            && (request.is_claimable()
                || matches!(request.state(), RequestState::Claimed | RequestState::Lost));
        if !is_sent {
            return Err(Stale);
        }
        let posted = ReplyWord::posted(id.generation, client);
        if memory.reply(id.slot).compare_exchange(pending.0, posted.0, AcqRel, Relaxed).is_ok() {
            return Ok(Detached::Sent { before: pending });
        }
    }
    Err(Stale)
}
