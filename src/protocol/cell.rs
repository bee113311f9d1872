//! A cell of the ring: `lap:40 | generation:8 | slot:16`.
//!
//! The generation's low bits only say that a reference is probably stale; the claim compares the whole word. Laps are
//! compared by the sign of their difference, so a handle that knows only an old position finds its way for 2^39 laps: with
//! the fewest cells, 64, at 20 million messages a second, for 20 days.

use super::state::{Id, RequestWord};

/// A loaded ring cell: which request was published at the position whose lap it carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cell(pub u64);

impl Cell {
    const LAP_SHIFT: u32 = 24;
    const BELOW_LAP: u64 = (1 << Self::LAP_SHIFT) - 1;

    pub fn new(position: u64, cells: u64, id: Id) -> Self {
        Self(lap(position, cells) | (id.generation & 0xFF) << 16 | u64::from(id.slot))
    }
    /// The same reference, moved to the same cell of another lap.
    pub fn carried_to(self, position: u64, cells: u64) -> Self {
        Self(lap(position, cells) | self.0 & Self::BELOW_LAP)
    }
    pub fn slot(self) -> u32 {
        (self.0 & 0xFFFF) as u32
    }
    /// Whether the request word may be the one that this cell refers to.
    pub fn refers_to(self, request: RequestWord) -> bool {
        request.generation() & 0xFF == self.0 >> 16 & 0xFF
    }
    /// How many laps the cell is ahead of `position`: negative where the position is not filled yet, 0 where it holds
    /// this position's reference, positive where a later lap overwrote it. Laps wrap, so only their difference counts.
    pub fn laps_ahead_of(self, position: u64, cells: u64) -> i64 {
        // What stands below the lap is positive and does not carry into it.
        self.0.wrapping_sub(lap(position, cells)) as i64 >> Self::LAP_SHIFT
    }
}

/// The lap of a position, where a cell has it and cut to its bits. Laps start at 1, so that a zeroed cell is an unfilled
/// one.
fn lap(position: u64, cells: u64) -> u64 {
    (position >> cells.trailing_zeros()).wrapping_add(1) << Cell::LAP_SHIFT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laps_compare_across_their_wrap() {
        let cells = 16;
        let id = Id { slot: 3, generation: 9 };
        let last_lap = ((1 << 40) - 2) * cells;
        let cell = Cell::new(last_lap, cells, id);
        assert_eq!(cell.laps_ahead_of(last_lap, cells), 0);
        assert_eq!(cell.laps_ahead_of(last_lap + cells, cells), -1);
        assert_eq!(cell.laps_ahead_of(last_lap - cells, cells), 1);
        assert_eq!(Cell(0).laps_ahead_of(0, cells), -1);
        assert_eq!(Cell::new(((1 << 39) - 1) * cells, cells, id).laps_ahead_of(0, cells), (1 << 39) - 1);
    }
}
