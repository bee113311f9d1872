//! Sizes and offsets of a channel, all derived from six numbers that its creator chose.

use super::lines::{LINE, ParticipantLine, ReplyLine, RequestLine, SharedLine};
use crate::error::{Error, Result};
use crate::protocol::state::{PARTICIPANTS_MAX, SLOTS_NAMEABLE};
use std::fmt;
use std::mem::size_of;

/// Bytes that the header takes at the start of the region.
pub(crate) const HEADER_SIZE: u64 = 256;
/// Lines of shared words after the header, which [`super::lines::SharedWord`] names.
pub(crate) const SHARED_WORDS: u64 = 6;
/// Bits for slots on one line.
const BITS_PER_LINE: u64 = LINE * 8;
/// Ring cells on one line.
pub(crate) const CELLS_PER_LINE: u64 = LINE / 8;

const SPARES_MIN: u32 = 4;
const SPARES_MAX: u32 = 64;
/// The most slots a channel can have: with the spare ones, as many as a ring cell can name.
pub(crate) const SLOTS_MAX: u32 = SLOTS_NAMEABLE - SPARES_MAX;
/// The longest request or response, in bytes.
pub(crate) const MESSAGE_MAX: u64 = 1 << 30;
const CELLS_MIN: u64 = 64;

/// What the payloads of a channel are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// Byte strings of any length up to the channel's limits.
    Bytes = 0,
    /// One `i64` each way.
    Int = 1,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bytes => "0 (bytes)",
            Self::Int => "1 (integers)",
        })
    }
}

/// Bytes of a message in a channel of integers.
pub(crate) const INT_SIZE: u64 = 8;

/// The shape of a channel. Every instance has passed the bounds check of [`Geometry::new`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub kind: Kind,
    /// Whether requests that dead servers held are served again.
    pub redelivers: bool,
    /// A word of the creator's, for all who attach.
    pub user: u64,
    pub slots: u32,
    pub spares: u32,
    pub participants: u32,
    pub cells: u64,
    pub request_max: u64,
    pub response_max: u64,
    pub participants_offset: u64,
    pub ring_offset: u64,
    pub slots_offset: u64,
    pub slot_stride: u64,
    pub outcomes_offset: u64,
    pub total_size: u64,
}

impl Geometry {
    /// Checks the bounds and derives everything else.
    pub fn new(
        kind: Kind,
        slots: u32,
        participants: u32,
        request_max: u64,
        response_max: u64,
    ) -> Result<Self> {
        within("slots", slots.into(), 1, SLOTS_MAX.into())?;
        within("participants", participants.into(), 1, PARTICIPANTS_MAX.into())?;
        let (least, most) = match kind {
            Kind::Bytes => (0, MESSAGE_MAX),
            Kind::Int => (INT_SIZE, INT_SIZE),
        };
        within("request_max", request_max, least, most)?;
        within("response_max", response_max, least, most)?;

        let spares = (slots / 4).clamp(SPARES_MIN, SPARES_MAX);
        let total_slots = u64::from(slots) + u64::from(spares);
        let cells = (2 * total_slots).next_power_of_two().max(CELLS_MIN);
        let participants_offset = HEADER_SIZE + SHARED_WORDS * size_of::<SharedLine>() as u64;
        let ring_offset = participants_offset + u64::from(participants) * size_of::<ParticipantLine>() as u64;
        let slots_offset = ring_offset + cells * 8;
        let lines = (size_of::<RequestLine>() + size_of::<ReplyLine>()) as u64;
        let slot_stride = lines + request_max.next_multiple_of(LINE) + response_max.next_multiple_of(LINE);
        let outcomes_offset = slots_offset + total_slots * slot_stride;
        let total_size = outcomes_offset + total_slots.div_ceil(BITS_PER_LINE) * LINE;
        Ok(Self {
            kind,
            redelivers: false,
            user: 0,
            slots,
            spares,
            participants,
            cells,
            request_max,
            response_max,
            participants_offset,
            ring_offset,
            slots_offset,
            slot_stride,
            outcomes_offset,
            total_size,
        })
    }

    pub fn total_slots(&self) -> u32 {
        self.slots + self.spares
    }

    /// Offset of a slot; its request line, reply line, request buffer and response buffer follow each other.
    pub fn slot_offset(&self, slot: u32) -> u64 {
        self.slots_offset + u64::from(slot) * self.slot_stride
    }

    pub fn request_buffer_offset(&self, slot: u32) -> u64 {
        self.slot_offset(slot) + (size_of::<RequestLine>() + size_of::<ReplyLine>()) as u64
    }

    pub fn response_buffer_offset(&self, slot: u32) -> u64 {
        self.request_buffer_offset(slot) + self.request_max.next_multiple_of(LINE)
    }

    /// Offset of the word that has the slot's bit among those that tell of outcomes.
    pub fn outcome_offset(&self, slot: u32) -> u64 {
        self.outcomes_offset + u64::from(slot / u64::BITS) * 8
    }

    /// Offset of the cell of a ring position. Neighbours are on different lines, so that a producer that fills one
    /// doesn't take the line from a consumer that reads the other.
    pub fn cell_offset(&self, position: u64) -> u64 {
        let lines = self.cells / CELLS_PER_LINE;
        let column = position >> lines.trailing_zeros() & (CELLS_PER_LINE - 1);
        let index = (position & (lines - 1)) * CELLS_PER_LINE + column;
        self.ring_offset + index * 8
    }
}

fn within(name: &str, found: u64, least: u64, most: u64) -> Result<()> {
    if (least..=most).contains(&found) {
        Ok(())
    } else if least == most {
        Err(Error::bad_argument(name, found, least))
    } else {
        Err(Error::bad_argument(name, found, format_args!("{least} to {most}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_ring_position_of_a_lap_has_a_cell_of_its_own() {
        let geometry = Geometry::new(Kind::Bytes, 100, 4, 8, 8).unwrap();
        let offsets: HashSet<u64> = (0..geometry.cells).map(|p| geometry.cell_offset(p)).collect();
        assert_eq!(offsets.len() as u64, geometry.cells);
        assert!(offsets.iter().all(|o| (geometry.ring_offset..geometry.slots_offset).contains(o)));
        assert_eq!(geometry.cell_offset(7), geometry.cell_offset(7 + geometry.cells));
        assert!(geometry.cell_offset(0).abs_diff(geometry.cell_offset(1)) >= LINE);
    }

    #[test]
    fn the_largest_channel_is_nameable_and_does_not_overflow() {
        let most = Geometry::new(Kind::Bytes, SLOTS_MAX, PARTICIPANTS_MAX, MESSAGE_MAX, MESSAGE_MAX).unwrap();
        assert!(most.total_slots() <= SLOTS_NAMEABLE);
        assert!(most.cells >= 2 * u64::from(most.total_slots()));
        assert!(i64::try_from(most.total_size).is_ok());
    }
}
