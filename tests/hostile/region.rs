//! A channel's memory as somebody sees it who keeps to nothing: every word and byte can be read and overwritten. Where
//! things lie is told by docs/FORMAT.md, through `tests/support/format.rs`.

use super::format::{Geometry, Header};
use memmap2::{MmapOptions, MmapRaw};
use std::fs::File;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64};

pub const TAIL: u64 = 256;
pub const HEAD: u64 = 384;
pub const REQUEST_DOORBELL: u64 = 512;
pub const SLOT_DOORBELL: u64 = 640;
pub const SPARES_IN_USE: u64 = 768;
const PARTICIPANTS: u64 = 1024;
const LINE: u64 = 128;

/// Offsets in a request or reply line.
pub const LENGTH: u64 = 8;
pub const FLAGS: u64 = 16;
/// Offset of a client's doorbell in its participant line.
pub const WATCH: u64 = 112;

pub struct Region {
    map: MmapRaw,
    /// As the channel's creator wrote it.
    header: Header,
    pub geometry: Geometry,
}

impl Region {
    pub fn open(path: &Path) -> Self {
        let header = Header::read(path);
        let geometry = header.geometry();
        let file = File::options().read(true).write(true).open(path).unwrap();
        let map = MmapOptions::new().map_raw(&file).unwrap();
        assert_eq!(map.len() as u64, geometry.total_size());
        Self { map, header, geometry }
    }

    fn at(&self, offset: u64, size: u64) -> *mut u8 {
        assert!(offset + size <= self.map.len() as u64 && offset % size == 0, "offset {offset}");
        // SAFETY: within the mapping.
        unsafe { self.map.as_mut_ptr().add(offset as usize) }
    }

    pub fn word(&self, offset: u64) -> &AtomicU64 {
        // SAFETY: within the mapping, aligned, and mapped as long as self.
        unsafe { AtomicU64::from_ptr(self.at(offset, 8).cast()) }
    }

    pub fn half(&self, offset: u64) -> &AtomicU32 {
        // SAFETY: as above.
        unsafe { AtomicU32::from_ptr(self.at(offset, 4).cast()) }
    }

    pub fn participant(&self, number: u64) -> u64 {
        PARTICIPANTS + LINE * (number - 1)
    }

    pub fn cell(&self, index: u64) -> u64 {
        self.geometry.ring_offset() + 8 * index
    }

    /// The cell of a position.
    pub fn cell_at(&self, position: u64) -> u64 {
        let cells = self.geometry.cells();
        let lines = cells / 16;
        let q = position % cells;
        self.geometry.ring_offset() + LINE * (q % lines) + 8 * (q / lines)
    }

    pub fn request(&self, slot: u64) -> u64 {
        self.geometry.slots_offset() + slot * self.geometry.slot_stride()
    }

    pub fn reply(&self, slot: u64) -> u64 {
        self.request(slot) + LINE
    }

    /// The word with the bit of a slot's outcome.
    pub fn outcomes(&self, slot: u64) -> u64 {
        self.geometry.outcomes_offset() + 8 * (slot / 64)
    }

    pub fn size(&self) -> u64 {
        self.map.len() as u64
    }

    /// Everything as in a new channel, but the participants, the generations of slots, which only ever grow, and the
    /// place in the ring, where handles remember that they were further on.
    pub fn heal(&self) {
        self.heal_header();
        let (tail, head) = (self.word(TAIL).load(Relaxed), self.word(HEAD).load(Relaxed));
        let next = if tail.wrapping_sub(head) as i64 >= 0 { tail } else { head };
        let cells = self.geometry.cells();
        for position in (0..cells).map(|at| next.wrapping_add(at)) {
            // The lap before this one, counted from 1, and no slot.
            let lap = (position / cells) & ((1 << 40) - 1);
            self.word(self.cell_at(position)).store(lap << 24 | 0xFFFF, Relaxed);
        }
        for (offset, value) in
            [(TAIL, next), (HEAD, next), (REQUEST_DOORBELL, 0), (SLOT_DOORBELL, 0), (SPARES_IN_USE, 0)]
        {
            self.word(offset).store(value, Relaxed);
        }
        for slot in 0..self.geometry.total_slots() {
            self.free(slot);
        }
    }

    pub fn heal_header(&self) {
        for (at, bytes) in self.header.0.chunks_exact(8).enumerate() {
            self.word(8 * at as u64).store(u64::from_ne_bytes(bytes.try_into().unwrap()), Relaxed);
        }
    }

    /// Makes a slot FREE.
    pub fn free(&self, slot: u64) {
        let generation = self.word(self.reply(slot)).load(Relaxed) >> 20;
        self.word(self.reply(slot)).store(generation << 20, Relaxed);
    }
}
