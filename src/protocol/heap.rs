//! The protocol's words on the heap, for models and tests.

use super::word::{Memory, Word};

/// Words of any make; indices are checked as slices check them.
pub(crate) struct Heap<W> {
    pub slots: u32,
    pub requests: Vec<W>,
    pub replies: Vec<W>,
    pub ring: Vec<W>,
    pub tail: W,
    pub head: W,
    pub spares_in_use: W,
    pub doorbell: W,
    pub outcomes: Vec<W>,
}

impl<W> Heap<W> {
    /// `new` makes a word. All words are 0 except the cells, tail and head, and the generations, which start as if the
    /// ring had come to `position` and each slot to `generation`.
    pub fn starting_at(
        slots: u32,
        spares: u32,
        cells: u64,
        position: u64,
        generation: u64,
        new: impl Fn(u64) -> W,
    ) -> Self {
        use super::cell::Cell;
        use super::state::{Id, ReplyWord};
        let total = slots + spares;
        let nobody = Id { slot: 0, generation: 0 };
        let mut ring: Vec<W> = Vec::new();
        for index in 0..cells {
            // The cell's last use: at the newest position before `position` that maps to it.
            let ahead = index.wrapping_sub(position) % cells;
            let last = position.wrapping_add(ahead).wrapping_sub(cells);
            ring.push(new(Cell::new(last, cells, nobody).0));
        }
        let words = |count: u32, value: u64| (0..count).map(|_| new(value)).collect();
        Self {
            slots,
            requests: words(total, 0),
            replies: words(total, ReplyWord::free(generation).0),
            ring,
            tail: new(position),
            head: new(position),
            spares_in_use: new(0),
            doorbell: new(0),
            outcomes: words(total.div_ceil(u64::BITS), 0),
        }
    }

    pub fn new(slots: u32, spares: u32, cells: u64, new: impl Fn(u64) -> W) -> Self {
        Self::starting_at(slots, spares, cells, 0, 0, new)
    }
}

impl<W: Word> Memory for Heap<W> {
    type Word = W;

    fn slots(&self) -> u32 {
        self.slots
    }
    fn total_slots(&self) -> u32 {
        self.requests.len() as u32
    }
    fn cells(&self) -> u64 {
        self.ring.len() as u64
    }
    fn request(&self, slot: u32) -> &W {
        &self.requests[slot as usize]
    }
    fn reply(&self, slot: u32) -> &W {
        &self.replies[slot as usize]
    }
    fn cell(&self, position: u64) -> &W {
        &self.ring[(position % self.cells()) as usize]
    }
    fn tail(&self) -> &W {
        &self.tail
    }
    fn head(&self) -> &W {
        &self.head
    }
    fn spares_in_use(&self) -> &W {
        &self.spares_in_use
    }
    fn outcomes(&self, slot: u32) -> &W {
        &self.outcomes[(slot / u64::BITS) as usize]
    }
}
