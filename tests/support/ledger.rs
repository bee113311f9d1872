//! A file in which processes count, each entry by itself, such that a killed process loses no count.

use memmap2::{MmapOptions, MmapRaw};
use std::fs::OpenOptions;
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};

pub struct Ledger(MmapRaw);

impl Ledger {
    /// Makes a ledger of so many entries, all 0.
    pub fn create(path: &Path, entries: usize) {
        std::fs::File::create_new(path).unwrap().set_len(entries as u64).unwrap();
    }

    pub fn open(path: &Path) -> Self {
        let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
        Self(MmapOptions::new().map_raw(&file).unwrap())
    }

    fn entry(&self, index: usize) -> &AtomicU8 {
        assert!(index < self.0.len(), "the ledger has no entry {index}");
        // SAFETY: within the mapping.
        let byte = unsafe { self.0.as_mut_ptr().add(index) };
        // SAFETY: mapped as long as self, and all accesses are atomic.
        unsafe { AtomicU8::from_ptr(byte) }
    }

    pub fn count(&self, index: usize) {
        self.entry(index).fetch_add(1, Ordering::Relaxed);
    }

    pub fn counts(&self) -> Vec<u8> {
        (0..self.0.len()).map(|index| self.entry(index).load(Ordering::Relaxed)).collect()
    }
}
