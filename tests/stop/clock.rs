//! Counters that are moved on by hand: a channel becomes as old as one wishes at once, or as if it had been used so often
//! between two instructions of a process that is stopped.
//!
//! Only counters move. Where a request is, its slot is left alone; and the ring is moved only when nothing is queued.

use crate::format::{self, Geometry};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::OnceLock;

const TAIL: u64 = 256;
const HEAD: u64 = 384;
/// The two doorbells and the word that counts how often a spare slot was taken, each with the bits of its count.
const COUNTS: [(u64, u64); 3] = [(512, BELL), (640, BELL), (768, u64::MAX - 1)];
/// All of a doorbell but bit 0 and bit 63.
const BELL: u64 = u64::MAX >> 1 & !1;
const PARTICIPANTS: u64 = 1024;
const REPLY: u64 = 128;
const GENERATION_MAX: u64 = (1 << 44) - 1;
const FREE: u64 = 0;

/// How old a channel is made before a victim comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    AsItIs,
    /// The next lap is the last one that a cell can hold, or follows that.
    BeforeLap,
    /// The next generation is the last one that fits into a cell.
    BeforeGenerationOfCell,
    /// The next generation is the last of all.
    BeforeGeneration,
    /// Whoever joins next is the last incarnation of its number, and the next ring of each doorbell is its last.
    BeforeIncarnation,
}

impl Age {
    pub const ALL: [Self; 5] = [
        Self::AsItIs,
        Self::BeforeLap,
        Self::BeforeGenerationOfCell,
        Self::BeforeGeneration,
        Self::BeforeIncarnation,
    ];
}

/// Where a cell has its lap and its generation, as `docs/FORMAT.md` says.
struct Cell {
    lap: u32,
    lap_bits: u32,
    generation_bits: u32,
}

impl Cell {
    fn get() -> &'static Self {
        static CELL: OnceLock<Cell> = OnceLock::new();
        CELL.get_or_init(|| {
            let (lap, last) = format::bits("## Ring", "lap");
            let (lowest, highest) = format::bits("## Ring", "generation");
            Self { lap, lap_bits: last - lap + 1, generation_bits: highest - lowest + 1 }
        })
    }
}

pub struct Clock {
    file: File,
    geometry: Geometry,
}

impl Clock {
    pub fn of(path: &Path, geometry: Geometry) -> Self {
        Self { file: File::options().read(true).write(true).open(path).unwrap(), geometry }
    }

    /// Makes a channel old in which every slot is free.
    pub fn set(&self, age: Age) {
        match age {
            Age::AsItIs => {}
            Age::BeforeLap => {
                // The lap of a position is one more than how often the ring went round.
                let turns = (1_u64 << Cell::get().lap_bits) - 1;
                let now = self.get(TAIL) / self.geometry.cells();
                let back = turns.wrapping_sub(now) & turns;
                // In the lap before: its last cells come first.
                self.turn(back.wrapping_sub(1) & turns);
            }
            Age::BeforeGenerationOfCell => {
                let last = (1 << Cell::get().generation_bits) - 1;
                self.advance_generations(|now| now | last);
            }
            Age::BeforeGeneration => self.advance_generations(|_| GENERATION_MAX - 1),
            Age::BeforeIncarnation => {
                for number in 0..u64::from(self.geometry.participants) {
                    let word = PARTICIPANTS + 128 * number;
                    if self.get(word) & 1 == 0 {
                        self.put(word, u64::MAX - 1);
                    }
                }
                for (word, count) in COUNTS {
                    self.put(word, self.get(word) | count);
                }
            }
        }
    }

    /// The ring goes round so often. Nothing is queued.
    pub fn turn(&self, laps: u64) {
        let (cell, cells) = (Cell::get(), self.geometry.cells());
        let below = (1_u64 << cell.lap) - 1;
        for at in 0..cells {
            let offset = self.geometry.ring_offset() + 8 * at;
            let word = self.get(offset);
            let lap = (word >> cell.lap).wrapping_add(laps) << cell.lap;
            self.put(offset, lap | (word & below));
        }
        let tail = self.get(TAIL).wrapping_add(laps.wrapping_mul(cells));
        self.put(TAIL, tail);
        self.put(HEAD, tail);
    }

    /// Every free slot is used just so often that cells take its next request for the one it would have been.
    pub fn wrap_generations_of_cells(&self) {
        let all = 1 << Cell::get().generation_bits;
        self.advance_generations(|now| now + all);
    }

    fn advance_generations(&self, next: impl Fn(u64) -> u64) {
        for slot in 0..self.geometry.total_slots() {
            let offset = self.geometry.slots_offset() + slot * self.geometry.slot_stride() + REPLY;
            let word = self.get(offset);
            let generation = next(word >> 20);
            if word & 0xFFFFF == FREE && (word >> 20..=GENERATION_MAX).contains(&generation) {
                self.put(offset, generation << 20);
            }
        }
    }

    fn get(&self, offset: u64) -> u64 {
        let mut bytes = [0; 8];
        self.file.read_exact_at(&mut bytes, offset).unwrap();
        u64::from_ne_bytes(bytes)
    }

    fn put(&self, offset: u64, value: u64) {
        self.file.write_all_at(&value.to_ne_bytes(), offset).unwrap();
    }
}
