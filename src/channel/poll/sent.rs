//! Which requests of a client its descriptor is for: those that it sent and that are to be collected, and not those of
//! calls that wait for their own reply. A bit for each slot, so that looking costs by what is pending.
//!
//! | a bit is | by |
//! |---|---|
//! | set | whoever sends a request, after it has its slot; and once for all slots, when the descriptor is made |
//! | cleared | a look that finds the slot to be none of this client's; a view, for the reply has been seen |
//!
//! A bit that is set for nothing costs a look. One that is cleared while another thread sends in the same slot would be
//! missed, so whoever cleared it looks at the slot once more.

use crate::error::Result;
use crate::layout::Mapping;
use crate::memory;
use crate::protocol::state::{ReplyState, ReplyWord};
use crate::protocol::{Id, Memory, Participant, slot};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

const BITS: u32 = u64::BITS;

pub(super) struct Sent(Vec<AtomicU64>);

/// What a slot is to a client.
enum Found {
    Pending(Id),
    Done,
    /// Nothing that it could collect.
    Nothing,
}

fn find(mapping: &Mapping, slot: u32, me: Participant) -> Found {
    let word = ReplyWord(mapping.reply(slot).load(SeqCst));
    if word.owner() != me {
        return Found::Nothing;
    }
    match word.state() {
        ReplyState::Pending => Found::Pending(Id { slot, generation: word.generation() }),
        ReplyState::Ready | ReplyState::Failed | ReplyState::Dismissed => Found::Done,
        _ => Found::Nothing,
    }
}

impl Sent {
    pub fn new(slots: u32) -> Result<Self> {
        memory::array((0..slots.div_ceil(BITS)).map(|_| AtomicU64::new(0))).map(Self)
    }

    fn word(&self, slot: u32) -> &AtomicU64 {
        &self.0[(slot / BITS) as usize]
    }

    pub fn note(&self, slot: u32) {
        self.word(slot).fetch_or(1 << (slot % BITS), SeqCst);
    }

    pub fn forget(&self, slot: u32) {
        self.word(slot).fetch_and(!(1 << (slot % BITS)), SeqCst);
    }

    /// Notes all that this client has sent.
    pub fn note_all(&self, mapping: &Mapping, me: Participant) {
        let is_sent = |slot: &u32| !matches!(find(mapping, *slot, me), Found::Nothing);
        (0..mapping.total_slots()).filter(is_sent).for_each(|slot| self.note(slot));
    }

    /// Slots whose bits are set.
    fn slots(&self) -> impl Iterator<Item = u32> {
        self.0.iter().zip(0..).flat_map(|(word, at)| {
            let bits = word.load(SeqCst);
            (0..BITS).filter(move |bit| bits >> bit & 1 != 0).map(move |bit| at * BITS + bit)
        })
    }

    /// Has all that is pending watched, and says whether an outcome is there.
    pub fn look(&self, mapping: &Mapping, me: Participant) -> bool {
        let mut is_done = false;
        for slot in self.slots() {
            is_done |= self.look_at(mapping, me, slot);
        }
        is_done
    }

    /// As [`Sent::look`], for one.
    pub fn look_at(&self, mapping: &Mapping, me: Participant, slot: u32) -> bool {
        if let Found::Pending(id) = find(mapping, slot, me) {
            slot::announce_watching(mapping, id, me);
        }
        match find(mapping, slot, me) {
            Found::Pending(_) => false,
            Found::Done => true,
            Found::Nothing => {
                self.tidy(mapping, slot, me);
                false
            }
        }
    }

    /// Forgets those whose outcome is there, and tells which they are.
    #[cfg(feature = "tokio")]
    pub fn take_done(&self, mapping: &Mapping, me: Participant, mut act: impl FnMut(u32)) {
        for slot in self.slots().filter(|slot| matches!(find(mapping, *slot, me), Found::Done)) {
            self.forget(slot);
            act(slot);
        }
    }

    fn tidy(&self, mapping: &Mapping, slot: u32, me: Participant) {
        self.forget(slot);
        if !matches!(find(mapping, slot, me), Found::Nothing) {
            self.note(slot);
        }
    }

    /// Requests that are pending.
    pub fn pending(&self, mapping: &Mapping, me: Participant) -> impl Iterator<Item = Id> {
        self.slots().filter_map(move |slot| match find(mapping, slot, me) {
            Found::Pending(id) => Some(id),
            _ => None,
        })
    }
}
