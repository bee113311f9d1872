//! The words of a channel, read from its file: what a killed process left, and what survivors wait for.

// Each test file uses a part of it.
#![allow(dead_code)]

use crate::format::Geometry;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

const TAIL: u64 = 256;
/// The doorbell of servers.
const DOORBELL: u64 = 512;
const DOORBELL_OF_CLIENTS: u64 = 640;
/// A doorbell's bit for sleepers.
const SLEEPERS: u64 = 1;
/// A reply word's bits for a client that sleeps, for one reply or for any of several.
const SLEEPS: u64 = 0b11 << 4;
const STATE: u64 = 0xF;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    Free,
    Pending,
    Ready,
    Failed,
    Abandoned,
    Posted,
    Dismissed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Not written, or withdrawn.
    None,
    /// A server may take it; it was queued again so many times.
    Queued { times: u32 },
    /// A server took it.
    Claimed { times: u32 },
    /// Its server died with it, which its client is yet to be told.
    Lost,
}

/// A slot and what its words say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The newest request's.
    pub id: shmrr::RequestId,
    pub reply: Reply,
    pub request: Request,
    /// Whether it is queued again by somebody who did not get to publish that yet.
    pub is_unpublished_again: bool,
    /// Whether it is a one-way message of nobody's.
    pub is_orphan: bool,
}

impl Slot {
    /// How often its request was queued again, while that is queued or claimed.
    pub fn times(&self) -> u32 {
        match self.request {
            Request::Queued { times } | Request::Claimed { times } => times,
            Request::None | Request::Lost => 0,
        }
    }
}

pub struct Words {
    file: File,
    geometry: Geometry,
}

impl Words {
    pub fn of(path: &Path, geometry: Geometry) -> Self {
        Self { file: File::open(path).unwrap(), geometry }
    }

    pub fn slots(&self) -> impl Iterator<Item = Slot> {
        (0..self.geometry.total_slots()).map(|slot| self.slot(slot))
    }

    fn slot(&self, slot: u64) -> Slot {
        let request = self.word(self.geometry.slots_offset() + slot * self.geometry.slot_stride());
        let reply = self.reply(slot);
        let times = (request >> 4 & 0xF) as u32;
        let is_current = request >> 20 == reply >> 20;
        let state = request & STATE;
        Slot {
            id: (reply >> 20 << 16 | slot).into(),
            reply: match reply & STATE {
                0 => Reply::Free,
                1 => Reply::Pending,
                2 => Reply::Ready,
                3 => Reply::Failed,
                4 => Reply::Abandoned,
                5 => Reply::Posted,
                6 => Reply::Dismissed,
                _ => panic!("the reply word of slot {slot} is {reply:#x}"),
            },
            request: match state {
                1 | 5 if is_current => Request::Queued { times },
                8.. if is_current => Request::Claimed { times },
                4 if is_current => Request::Lost,
                0..=1 | 3..=5 | 8.. => Request::None,
                _ => panic!("the request word of slot {slot} is {request:#x}"),
            },
            is_unpublished_again: is_current && state == 5,
            is_orphan: reply & 0xFFFFF == 5,
        }
    }

    pub fn assert_all_free(&self) {
        for slot in 0..self.geometry.total_slots() {
            let word = self.reply(slot);
            assert_eq!(word & 0xFFFFF, 0, "the reply word of slot {slot} is {word:#x}");
        }
    }

    /// All words that several write: shared words, who is there, the ring, the slots' two, the outcome bits.
    pub fn all(&self) -> Vec<u64> {
        let geometry = &self.geometry;
        let mut bytes = vec![0; geometry.total_size() as usize];
        self.file.read_exact_at(&mut bytes, 0).unwrap();
        let word = |offset: u64| {
            let at = offset as usize;
            u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap())
        };
        let shared = (2..7).map(|line| 128 * line);
        let participants = (0..u64::from(geometry.participants)).map(|number| 1024 + 128 * number);
        let ring = (0..geometry.cells()).map(|cell| geometry.ring_offset() + 8 * cell);
        let slot = |slot| geometry.slots_offset() + slot * geometry.slot_stride();
        let slots = (0..geometry.total_slots()).flat_map(|number| [slot(number), slot(number) + 128]);
        let bits = (0..geometry.total_slots().div_ceil(64)).map(|at| geometry.outcomes_offset() + 8 * at);
        shared.chain(participants).chain(ring).chain(slots).chain(bits).map(word).collect()
    }

    /// A position that is filled, with all before it.
    pub fn tail(&self) -> u64 {
        self.word(TAIL)
    }

    /// Whether this request is CLAIMED, and this participant has it.
    pub fn is_held_by(&self, id: u64, participant: u64) -> bool {
        let word = self.word(self.geometry.slots_offset() + (id & 0xFFFF) * self.geometry.slot_stride());
        (word >> 20, word >> 8 & 0xFFF) == (id >> 16, participant) && word & STATE >= 8
    }

    /// Whether a server sleeps, or is about to.
    pub fn a_server_sleeps(&self) -> bool {
        self.word(DOORBELL) & SLEEPERS != 0
    }

    /// Whether a client sleeps that wants a slot, or is about to.
    pub fn a_client_wants_a_slot(&self) -> bool {
        self.word(DOORBELL_OF_CLIENTS) & SLEEPERS != 0
    }

    /// Whether the client of some request sleeps, or is about to.
    pub fn a_client_sleeps(&self) -> bool {
        (0..self.geometry.total_slots()).any(|slot| self.reply(slot) & SLEEPS != 0)
    }

    /// Whether the client of this request sleeps, or is about to.
    pub fn is_slept_for(&self, id: shmrr::RequestId) -> bool {
        self.reply(id.to_u64() & 0xFFFF) & SLEEPS != 0
    }

    fn reply(&self, slot: u64) -> u64 {
        self.word(self.geometry.slots_offset() + slot * self.geometry.slot_stride() + 128)
    }

    fn word(&self, offset: u64) -> u64 {
        let mut bytes = [0; 8];
        self.file.read_exact_at(&mut bytes, offset).unwrap();
        u64::from_ne_bytes(bytes)
    }
}
