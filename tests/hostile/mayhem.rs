//! Overwriting everything: random bits, and values that look as if somebody who keeps to the format had written them,
//! only not now, not here, or not for this.

use super::format::HEADER_SIZE;
use super::payload::Random;
use super::region::{
    FLAGS, HEAD, LENGTH, REQUEST_DOORBELL, Region, SLOT_DOORBELL, SPARES_IN_USE, TAIL, WATCH,
};
use std::hint::spin_loop;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

/// Values overwritten between two looks at whether to go on.
const BURST: u64 = 256;
/// One burst in so many begins with a channel that is whole.
const HEALS: u64 = 2;

pub struct Mayhem<'a> {
    region: &'a Region,
    random: Random,
}

impl<'a> Mayhem<'a> {
    pub fn new(region: &'a Region, seed: u64) -> Self {
        Self { region, random: Random::new(seed) }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random.below(bound)
    }

    fn any(&mut self) -> u64 {
        self.below(1 << 32) << 32 | self.below(1 << 32)
    }

    fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len() as u64) as usize]
    }

    /// Overwrites a number of values; returns how many.
    pub fn burst(&mut self) -> u64 {
        if self.below(HEALS) == 0 {
            self.region.heal();
        }
        // Sometimes so fast that no call sees one value twice, sometimes so slow that many calls meet no fault at all.
        let (writes, spins, pause) = self.one_of(&[
            (BURST, 0, Duration::ZERO),
            (BURST, 100, Duration::ZERO),
            (BURST, 1_000, Duration::ZERO),
            (BURST / 4, 0, Duration::from_micros(50)),
            (BURST / 8, 0, Duration::from_millis(1)),
            (BURST / 32, 0, Duration::from_millis(10)),
        ]);
        for _ in 0..writes {
            self.strike();
            for _ in 0..spins {
                spin_loop();
            }
            if !pause.is_zero() {
                thread::sleep(pause);
            }
        }
        writes
    }

    fn strike(&mut self) {
        match self.below(23) {
            0..5 => self.reply_word(),
            5..9 => self.request_word(),
            20 | 21 => self.both_words(),
            9..11 => self.message_field(),
            11..14 => self.ring_cell(),
            14..16 => self.shared_word(),
            16 => self.participant(),
            17 => self.payload(),
            18 => self.free_slot(),
            22 => self.outcome_bits(),
            _ => self.anything(),
        }
    }

    fn slot(&mut self) -> u64 {
        self.below(self.region.geometry.total_slots())
    }

    /// What may become of a slot's word.
    fn slot_word(&mut self, old: u64) -> u64 {
        let (generation, low) = (old >> 20, old & 0xF_FFFF);
        let participants = u64::from(self.region.geometry.participants);
        let owner = match self.below(4) {
            0 => self.below(8),
            1 => 1 + self.below(participants),
            2 => self.one_of(&[0, participants + 1, 4095]),
            _ => old >> 8 & 0xFFF,
        };
        // More than there are.
        let state = self.below(12);
        let plausible = generation << 20 | owner << 8 | state;
        match self.below(11) {
            0 => self.any(),
            9 => old.wrapping_add(1 << 4),
            10 => old ^ 1 << 5,
            1 => old ^ 1 << self.below(64),
            2 => generation.wrapping_add(1) << 20 | low,
            3 => generation.wrapping_sub(1) << 20 | low,
            4 => old ^ 1 << 4,
            5 => old | 7 << 5,
            6 => self.one_of(&[1, (1 << 44) - 1, 1 << 16]) << 20 | owner << 8 | state,
            7 => old & !0xF | state,
            _ => plausible,
        }
    }

    fn change(&mut self, offset: u64, change: impl FnOnce(&mut Self, u64) -> u64) {
        let word = self.region.word(offset);
        word.store(change(self, word.load(Relaxed)), Relaxed);
    }

    fn reply_word(&mut self) {
        let slot = self.slot();
        self.change(self.region.reply(slot), Self::slot_word);
    }

    fn request_word(&mut self) {
        let slot = self.slot();
        let of_reply = self.region.word(self.region.reply(slot)).load(Relaxed);
        let matching = self.below(2) == 0;
        self.change(self.region.request(slot), |this, old| {
            // Words that agree about the generation are the ones that are acted upon.
            this.slot_word(if matching { of_reply } else { old })
        });
    }

    /// A slot in one of the states that two words make together.
    fn both_words(&mut self) {
        let slot = self.slot();
        let generation = self.region.word(self.region.reply(slot)).load(Relaxed) >> 20;
        let participants = u64::from(self.region.geometry.participants);
        let (client, server) = (self.below(participants + 2), self.below(participants + 2));
        let word = |state: u64, owner: u64| generation << 20 | owner << 8 | state;
        let (pending, abandoned, posted) = (1, 4, 5);
        let (queued, claimed, cancelled, requeued) = (1, 2, 3, 5);
        let times = self.below(16) << 4;
        let (reply, request) = self.one_of(&[
            (word(posted, client), word(queued, client)),
            (word(posted, 0), word(queued, client)),
            (word(posted, client), word(claimed, server)),
            (word(posted, client), word(requeued, server) | times),
            (word(pending, client), word(claimed, server) | times),
            (word(pending, client), word(requeued, server) | times),
            (word(abandoned, 0), word(requeued, server) | times),
            (word(abandoned, 0), word(cancelled, client)),
        ]);
        self.region.word(self.region.request(slot)).store(request, Relaxed);
        self.region.word(self.region.reply(slot)).store(reply, Relaxed);
    }

    fn outcome_bits(&mut self) {
        let slot = self.slot();
        self.change(self.region.outcomes(slot), |this, old| match this.below(4) {
            0 => 0,
            1 => u64::MAX,
            2 => this.any(),
            _ => old ^ 1 << (slot % 64),
        });
    }

    fn message_field(&mut self) {
        let slot = self.slot();
        let line = if self.below(2) == 0 { self.region.request(slot) } else { self.region.reply(slot) };
        if self.below(3) > 0 {
            let most = self.one_of(&[self.region.geometry.request_max, self.region.geometry.response_max]);
            let length =
                self.one_of(&[0, 1, 104, 105, most, most + 1, 1 << 30, 1 << 31, u64::from(u32::MAX)]);
            self.region.half(line + LENGTH).store(length as u32, Relaxed);
        } else {
            let field = self.one_of(&[FLAGS - 4, FLAGS, FLAGS + 4]);
            let value = self.one_of(&[0, 1 << 31, u32::MAX, 1, 2, 4, 7]);
            self.region.half(line + field).store(value, Relaxed);
        }
    }

    fn ring_cell(&mut self) {
        let cells = self.region.geometry.cells();
        let tail = self.region.word(TAIL).load(Relaxed);
        // Near the tail somebody is sure to look.
        let near = tail.wrapping_add(self.below(8)).wrapping_sub(4);
        let index = self.below(cells);
        let offset = if self.below(2) == 0 { self.region.cell_at(near) } else { self.region.cell(index) };
        let slot = self.slot();
        let generation = self.region.word(self.region.reply(slot)).load(Relaxed) >> 20 & 0xFFFF;
        let slot = if self.below(4) == 0 {
            self.one_of(&[self.region.geometry.total_slots(), 0xFFFF])
        } else {
            slot
        };
        let by = self.one_of(&[0, 0, 1, 2, 64, 65, 1 << 30, 1 << 31, 1 << 38, 1 << 39]);
        self.change(offset, |this, old| {
            let lap = match this.below(3) {
                0 => (near / cells + 1).wrapping_add(by),
                1 => (old >> 24).wrapping_add(by),
                _ => (old >> 24).wrapping_sub(by),
            };
            match this.below(8) {
                0 => this.any(),
                1 => old ^ 1 << this.below(64),
                2 => 0,
                _ => lap << 24 | (generation & 0xFF) << 16 | slot,
            }
        });
    }

    fn shared_word(&mut self) {
        let cells = self.region.geometry.cells();
        // Tail and head seldom: a handle that has believed them once finds nothing any more.
        let offset = match self.below(16) {
            0 => self.one_of(&[TAIL, HEAD]),
            _ => self.one_of(&[REQUEST_DOORBELL, SLOT_DOORBELL, SPARES_IN_USE]),
        };
        let by = self.one_of(&[1, 2, 3, cells, 64 * cells, cells << 31, cells << 39, cells << 40, 1 << 63]);
        self.change(offset, |this, old| match this.below(6) {
            0 => this.any(),
            1 => 0,
            2 | 3 => old ^ 1,
            4 => old.wrapping_add(by),
            _ => old.wrapping_sub(by),
        });
    }

    fn participant(&mut self) {
        let most = u64::from(self.region.geometry.participants);
        let number = if self.below(2) == 0 { 1 + self.below(most.min(8)) } else { 1 + self.below(most) };
        let line = self.region.participant(number);
        match self.below(5) {
            0 => self.change(line, |_, old| old ^ 1),
            4 => self.change(line + WATCH, |_, old| old.wrapping_sub(1)),
            1 => self.change(line, |this, old| old.wrapping_add(this.below(4))),
            2 => {
                let field = self.one_of(&[8, 16, 120]);
                let value = self.one_of(&[0, 1, 2, u64::MAX]);
                self.region.word(line + field).store(value, Relaxed);
            }
            _ => {
                let (field, value) = (8 * self.below(16), self.any());
                self.region.word(line + field).store(value, Relaxed);
            }
        }
    }

    fn payload(&mut self) {
        let stride = self.region.geometry.slot_stride();
        let (slot, value) = (self.slot(), self.any());
        let start = self.region.request(slot) + self.below(stride / 8) / 16 * 128;
        for at in (24..128).step_by(8) {
            self.region.word(start + at).store(value, Relaxed);
        }
    }

    /// So that there is always something left to do for those who keep to the protocol.
    fn free_slot(&mut self) {
        let slot = self.slot();
        self.region.free(slot);
    }

    fn anything(&mut self) {
        let value = self.any();
        let offset = 8 * self.below(self.region.size() / 8);
        self.region.word(offset).store(value, Relaxed);
        if offset < HEADER_SIZE as u64 && self.below(2) == 0 {
            self.region.heal_header();
        }
    }
}
