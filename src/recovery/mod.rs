//! Recovery: what survivors do with what the dead left.
//!
//! Every step is one compare-and-swap from a word that names the dead owner, so any number of survivors may do it at
//! once, and may themselves be killed at it.
//!
//! A participant number is used again after its owner's death, so a word that names a number proves nothing unless it
//! was read while that number belonged to the dead. The order that proves it:
//!
//! | step | what | where |
//! |---|---|---|
//! | 1 | read the participant's own word: it names an incarnation | `Membership::find_dead` |
//! | 2 | ask the kernel: dead | there |
//! | 3 | read a slot's words | [`Sight::of`] |
//! | 4 | read the participant's word again: the same incarnation | there, by the function `gone` |
//!
//! What is to be done follows from such a [`Sight`] alone ([`Sight::duty`]). A word that names an owner who has
//! something to finish never comes back to a value that it had, so the compare-and-swap that follows changes just what
//! was judged; only REQUEUED and QUEUED may take turns, as long as nobody claims, and whoever meets either may publish
//! or claim. Every compare-and-swap is from a word that was judged: none reads it anew after something was done for it.
//!
//! | found | owner gone | what happens |
//! |---|---|---|
//! | PENDING or POSTED, not QUEUED yet | client | reply word FREE |
//! | PENDING, QUEUED | client | request word CANCELLED, then reply word FREE |
//! | PENDING, CLAIMED | client, not server | reply word ABANDONED: the server's reply frees it |
//! | PENDING, CLAIMED | both | request word CANCELLED, then reply word FREE |
//! | PENDING, CLAIMED | server | request word LOST, then reply word FAILED, the client is woken |
//! | PENDING, LOST | anyone | reply word FAILED, the client is woken |
//! | POSTED, QUEUED | client | it is still delivered: REQUEUED, published again, then QUEUED, and nobody's |
//! | POSTED, CLAIMED | server | request word CANCELLED, then reply word FREE |
//! | PENDING or POSTED, CLAIMED, in a channel that redelivers | server | request word REQUEUED, published, then QUEUED |
//! | PENDING or POSTED, REQUEUED | recoverer | taken over: published, then QUEUED |
//! | READY, FAILED or DISMISSED | client | reply word FREE |
//! | ABANDONED, CLAIMED | server | request word CANCELLED, then reply word FREE |
//! | ABANDONED, QUEUED or REQUEUED | anyone | request word CANCELLED, then reply word FREE |
//! | ABANDONED or POSTED, CANCELLED or LOST | anyone | reply word FREE |
//!
//! A reference that is published twice is harmless, so whoever can't know publishes. Two recoverers may know of
//! different deaths, and one free what the other queues again, and a server may adopt what a dead one held. So all begin
//! with the request word, and one of them succeeds.

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

/// What one slot held, and who of those it names was gone then.
struct Sight {
    id: Id,
    reply: ReplyWord,
    request: RequestWord,
    stage: Stage,
    client_gone: bool,
    /// Whoever is to act next on the request: its server, or who queued it again.
    holder_gone: bool,
}

/// Where the request of a slot's newest generation is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The request word is about an older one.
    Unqueued,
    Queued,
    Requeued,
    Claimed,
    Cancelled,
    Lost,
    Unknown,
}

impl Sight {
    /// The last two of the four steps, in their order: what it says was so when the slot was read.
    fn of<M: Memory>(memory: &M, slot: u32, gone: &impl Fn(Participant) -> bool) -> Self {
        // 3. The slot. Acquire, so that nothing which follows is read before.
        let reply = ReplyWord(memory.reply(slot).load(Acquire));
        let request = RequestWord(memory.request(slot).load(Acquire));
        let stage = match request.state() {
            _ if request.generation() != reply.generation() => Stage::Unqueued,
            RequestState::Queued => Stage::Queued,
            RequestState::Requeued => Stage::Requeued,
            RequestState::Claimed => Stage::Claimed,
            RequestState::Cancelled => Stage::Cancelled,
            RequestState::Lost => Stage::Lost,
            RequestState::Idle | RequestState::Unknown => Stage::Unknown,
        };
        // 4. The participants' words, once more. Whoever queues again without a number is nobody to wait for.
        let is_free = reply.state() == ReplyState::Free;
        let client_gone = !is_free && gone(reply.owner());
        let holder_gone = !is_free
            && match stage {
                Stage::Claimed => gone(request.owner()),
                Stage::Requeued => request.owner() == 0 || gone(request.owner()),
                _ => false,
            };
        let id = Id { slot, generation: reply.generation() };
        Self { id, reply, request, stage, client_gone, holder_gone }
    }

    /// The table of this file.
    fn duty(&self, by: Recoverer) -> Duty {
        let Self { request, stage, client_gone, holder_gone, .. } = *self;
        let again = || if by.redelivers { request.once_more(by.number) } else { None };
        match (self.reply.state(), stage) {
            (ReplyState::Pending, Stage::Claimed) if client_gone && !holder_gone => Duty::Abandon,
            (ReplyState::Pending | ReplyState::Ready | ReplyState::Failed | ReplyState::Dismissed, _)
                if client_gone =>
            {
                self.freeing()
            }
            (ReplyState::Pending, Stage::Lost) => self.failing(None),
            (ReplyState::Pending | ReplyState::Posted, Stage::Requeued) if holder_gone => {
                Duty::QueueAgain(request.to_requeued(by.number))
            }
            (ReplyState::Pending, Stage::Claimed) if holder_gone => {
                again().map_or_else(|| self.failing(Some(request.to_lost(by.number))), Duty::QueueAgain)
            }
            (ReplyState::Posted, Stage::Claimed) if holder_gone => {
                again().map_or_else(|| self.freeing(), Duty::QueueAgain)
            }
            // One recoverer at a time, or many would fill the ring with references.
            (ReplyState::Posted, Stage::Queued) if client_gone => {
                Duty::QueueAgain(request.to_requeued(by.number))
            }
            (ReplyState::Posted, Stage::Unqueued) if client_gone => self.freeing(),
            (ReplyState::Posted | ReplyState::Abandoned, Stage::Cancelled | Stage::Lost) => self.freeing(),
            (ReplyState::Abandoned, Stage::Queued | Stage::Requeued) => self.freeing(),
            (ReplyState::Abandoned, Stage::Claimed) if holder_gone => self.freeing(),
            _ => Duty::Nothing,
        }
    }

    /// Nobody waits for it: first of all no server may claim it any more, and nobody queue it again or adopt it.
    fn freeing(&self) -> Duty {
        let is_open = match self.stage {
            Stage::Queued | Stage::Requeued => true,
            Stage::Claimed => self.holder_gone,
            _ => false,
        };
        let first = is_open.then(|| self.request.to_cancelled(self.reply.owner()));
        Duty::End { first, then: ReplyWord::free(self.id.generation), left: Recovered::Freed }
    }

    /// Its client is told; first of all nobody may adopt it any more.
    fn failing(&self, first: Option<RequestWord>) -> Duty {
        let then = ReplyWord::failed(self.id.generation, self.reply.owner());
        Duty::End { first, then, left: Recovered::Failed { before: self.reply } }
    }
}

/// What is to be done about a slot.
enum Duty {
    Nothing,
    /// The reply word becomes ABANDONED.
    Abandon,
    /// The request word becomes this, and is published.
    QueueAgain(RequestWord),
    /// The request word becomes `first`, if anything, and then the reply word `then`.
    End {
        first: Option<RequestWord>,
        then: ReplyWord,
        left: Recovered,
    },
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
        let found = Sight::of(memory, slot, &gone);
        let Sight { id, reply, request, .. } = found;
        match found.duty(by) {
            Duty::Nothing => return Recovered::Nothing,
            Duty::Abandon => {
                if abandon(memory, id, reply) {
                    return Recovered::Abandoned;
                }
            }
            Duty::QueueAgain(again) => {
                if queue_again(memory, id, request, again) {
                    return Recovered::Unpublished(Unpublished { id, request: again, reply });
                }
            }
            Duty::End { first, then, left } => {
                let change = |first: RequestWord| {
                    memory.request(slot).compare_exchange(request.0, first.0, AcqRel, Acquire).is_ok()
                };
                if first.is_none_or(change)
                    && memory.reply(slot).compare_exchange(reply.0, then.0, SeqCst, Acquire).is_ok()
                {
                    return left;
                }
            }
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
