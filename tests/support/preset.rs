//! A channel's file that looks as if the channel had been used for ages: its counters are set, by the offsets of
//! `docs/FORMAT.md`, before anybody attaches.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The largest generation.
pub const GENERATION_MAX: u64 = (1 << 44) - 1;

/// What is counted up to, or is about to be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Age {
    /// The next request is published there.
    pub position: u64,
    /// Of every slot's newest request; 0 for none.
    pub generation: u64,
    /// Wake-ups by the doorbells and takings of spare slots, above their lowest bit.
    pub wake_ups: u64,
    /// Incarnations of each participant number, above the lowest bit of its word.
    pub incarnation: u64,
    /// What each participant has counted, of each kind.
    pub counters: u64,
}

pub struct Preset {
    file: File,
    participants: u64,
    cells: u64,
    ring: u64,
    slots: u64,
    stride: u64,
    total_slots: u64,
}

impl Preset {
    pub fn open(path: &Path) -> Self {
        let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
        let mut header = [0; 256];
        file.read_exact_at(&mut header, 0).unwrap();
        let u32_at = |at: usize| u64::from(u32::from_ne_bytes(header[at..at + 4].try_into().unwrap()));
        let u64_at = |at: usize| u64::from_ne_bytes(header[at..at + 8].try_into().unwrap());
        Self {
            file,
            participants: u32_at(48),
            cells: u32_at(52),
            ring: u64_at(80),
            slots: u64_at(88),
            stride: u64_at(96),
            total_slots: u32_at(40) + u32_at(44),
        }
    }

    fn set(&self, offset: u64, value: u64) {
        self.file.write_all_at(&value.to_ne_bytes(), offset).unwrap();
    }

    pub fn get(&self, offset: u64) -> u64 {
        let mut bytes = [0; 8];
        self.file.read_exact_at(&mut bytes, offset).unwrap();
        u64::from_ne_bytes(bytes)
    }

    fn cell(&self, position: u64) -> u64 {
        let (q, lines) = (position % self.cells, self.cells / 16);
        self.ring + 128 * (q % lines) + 8 * (q / lines)
    }

    /// Only while nobody is attached.
    pub fn age(&self, age: &Age) {
        for hint in [256, 384] {
            self.set(hint, age.position);
        }
        for counted in [512, 640, 768] {
            self.set(counted, age.wake_ups << 1);
        }
        for number in 0..self.participants {
            let line = 1024 + 128 * number;
            self.set(line, age.incarnation << 1);
            (0..10).for_each(|counter| self.set(line + 24 + 8 * counter, age.counters));
        }
        // Every cell was last written in the lap that ends before the position.
        for back in 1..=self.cells {
            let position = age.position.wrapping_sub(back);
            let lap = (position / self.cells + 1) & ((1 << 40) - 1);
            self.set(
                self.cell(position),
                (lap << 24) | ((age.generation & 0xFF) << 16) | (back % self.total_slots),
            );
        }
        for slot in 0..self.total_slots {
            let line = self.slots + slot * self.stride;
            // The last request was CLAIMED, by a participant that is gone since, and collected.
            self.set(line, (age.generation << 20) | (1 << 8) | 8);
            self.set(line + 128, age.generation << 20);
        }
    }

    pub fn position(&self) -> u64 {
        self.get(256)
    }

    /// Of every slot.
    pub fn generations(&self) -> Vec<u64> {
        let reply_word = |slot| self.get(self.slots + slot * self.stride + 128);
        (0..self.total_slots).map(|slot| reply_word(slot) >> 20).collect()
    }

    /// The lap in the cell of a position.
    pub fn lap(&self, position: u64) -> u64 {
        self.get(self.cell(position)) >> 24
    }
}
