//! Where the protocol's words live: a trait for one word and one for the memory that holds them all.

use std::sync::atomic::{AtomicU64, Ordering};

/// One 64-bit atomic word.
pub(crate) trait Word {
    fn load(&self, order: Ordering) -> u64;
    fn store(&self, value: u64, order: Ordering);
    fn compare_exchange(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64>;

    /// Sets bits; what the word was.
    fn fetch_or(&self, bits: u64, order: Ordering) -> u64;
    /// Clears all except these bits; what the word was.
    fn fetch_and(&self, bits: u64, order: Ordering) -> u64;

    /// Stands between a `SeqCst` read-modify-write of one word and a `SeqCst` load of another, wherever two sides each
    /// announce something and then look for the other's announcement. The C++ memory model needs nothing more there;
    /// loom treats `SeqCst` accesses as `AcqRel` and so needs a fence.
    fn announced();
}

impl Word for AtomicU64 {
    #[inline]
    fn load(&self, order: Ordering) -> u64 {
        self.load(order)
    }
    #[inline]
    fn store(&self, value: u64, order: Ordering) {
        self.store(value, order);
    }
    #[inline]
    fn compare_exchange(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64> {
        self.compare_exchange(current, new, success, failure)
    }
    fn fetch_or(&self, bits: u64, order: Ordering) -> u64 {
        self.fetch_or(bits, order)
    }
    fn fetch_and(&self, bits: u64, order: Ordering) -> u64 {
        self.fetch_and(bits, order)
    }
    #[inline]
    fn announced() {}
}

/// All words of one channel. Sizes come from private memory and never change; an index below its size is valid.
pub(crate) trait Memory {
    type Word: Word;

    /// Requests that may be in flight at once.
    fn slots(&self) -> u32;
    /// Slots there are: `slots` and the spare ones after them.
    fn total_slots(&self) -> u32;
    /// Cells of the ring, a power of two.
    fn cells(&self) -> u64;

    fn request(&self, slot: u32) -> &Self::Word;
    fn reply(&self, slot: u32) -> &Self::Word;
    /// The cell of a ring position.
    fn cell(&self, position: u64) -> &Self::Word;
    /// A position such that every one below it is filled.
    fn tail(&self) -> &Self::Word;
    /// A position such that no reference below it is needed any more.
    fn head(&self) -> &Self::Word;
    /// Whether a spare slot may be in use; see [`super::allocate`].
    fn spares_in_use(&self) -> &Self::Word;
    /// The word with the slot's bit among those that tell clients of outcomes; see [`super::listing`].
    fn outcomes(&self, slot: u32) -> &Self::Word;
}
