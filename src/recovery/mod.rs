//! Recovery: what survivors do with what the dead left.
//!
//! Every step is one compare-and-swap from a word that names the dead owner, so any number of survivors may do it at
//! once, and may themselves be killed at it.
//!
//! A participant number is used again after its owner's death, so a word that names a number proves nothing unless it
//! was read while that number belonged to the dead. The order that proves it: read the participant's own word (it names
//! an incarnation), ask the kernel (dead), read a slot's words, then read the participant's word again (the same
//! incarnation). `still_gone` below is that last read. A slot's words never come back to a value that they had, so the
//! compare-and-swap that follows changes just what was judged.
//!
//! | found | owner gone | what happens |
//! |---|---|---|
//! | PENDING, not QUEUED yet | client | reply word FREE |
//! | PENDING, QUEUED | client | request word CANCELLED, then reply word FREE |
//! | PENDING, CLAIMED | client | reply word ABANDONED: the server's reply frees it |
//! | PENDING, CLAIMED | server | reply word FAILED, the client is woken |
//! | READY or FAILED | client | reply word FREE |
//! | ABANDONED, CLAIMED | server | reply word FREE |

#[cfg(test)]
mod models;

use crate::protocol::state::{Participant, ReplyState, ReplyWord, RequestState, RequestWord};
use crate::protocol::word::{Memory, Word};
use std::sync::atomic::Ordering::{AcqRel, Acquire, SeqCst};

/// What a step left to be done outside the words.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Mended {
    /// Nothing of the gone one here, or nothing any more.
    Nothing,
    /// The slot is free: somebody may wait for one.
    Freed,
    /// The request failed; wake its client if it waits.
    Failed { waiting: bool },
    /// The slot is its server's until that replies.
    Abandoned,
}

/// A slot changes at most this often while it is looked at, unless somebody overwrites its words at random.
const LOOKS_MAX: u32 = 16;

/// Finishes or undoes what participants that are gone left in one slot. `gone` is asked only about owners that were read
/// before.
pub(crate) fn mend<M: Memory>(memory: &M, slot: u32, gone: impl Fn(Participant) -> bool) -> Mended {
    for _ in 0..LOOKS_MAX {
        let reply = ReplyWord(memory.reply(slot).load(Acquire));
        let request = RequestWord(memory.request(slot).load(Acquire));
        let generation = reply.generation();
        let claimed = request.is(RequestState::Claimed, generation);
        let client_gone = || gone(reply.owner());
        let server_gone = || claimed && gone(request.owner());

        let (next, mended) = match reply.state() {
            ReplyState::Pending if client_gone() && claimed && !server_gone() => {
                (ReplyWord::abandoned(generation), Mended::Abandoned)
            }
            ReplyState::Pending | ReplyState::Ready | ReplyState::Failed if client_gone() => {
                (ReplyWord::free(generation), Mended::Freed)
            }
            ReplyState::Pending if server_gone() => {
                (ReplyWord::failed(generation, reply.owner()), Mended::Failed { waiting: reply.is_waiting() })
            }
            ReplyState::Abandoned if server_gone() => (ReplyWord::free(generation), Mended::Freed),
            _ => return Mended::Nothing,
        };
        if reply.state() == ReplyState::Pending && request.is(RequestState::Queued, generation) {
            // Its client is gone, then; first of all no server may claim it any more.
            let cancelled = RequestWord::cancelled(generation, reply.owner());
            if memory.request(slot).compare_exchange(request.0, cancelled.0, AcqRel, Acquire).is_err() {
                continue;
            }
        }
        if memory.reply(slot).compare_exchange(reply.0, next.0, SeqCst, Acquire).is_ok() {
            return mended;
        }
    }
    Mended::Nothing
}
