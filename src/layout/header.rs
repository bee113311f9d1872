//! The header: the first 256 bytes of a region. Written once, before the region is visible to anybody; read once, at
//! attach, into private memory.
//!
//! Every field except the checksum is either a constant or follows from the six numbers of [`Geometry::new`], so the
//! check encodes the header anew from those and compares field by field: the message names the first that differs.

use super::geometry::{Geometry, HEADER_SIZE, Kind};
use crate::error::{Error, Result, Text};

const MAGIC: [u8; 8] = *b"SHMRR\x7f\r\n";
const LAYOUT_VERSION: u64 = 3;
/// Reads differently on a machine of the other byte order.
const BYTE_ORDER: u64 = 0x0A0B_0C0D;
const WORD_BITS: u64 = 64;

pub(crate) const SIZE: usize = HEADER_SIZE as usize;
type Bytes = [u8; SIZE];

struct Field {
    name: &'static str,
    offset: usize,
    size: usize,
}

const fn field(name: &'static str, offset: usize, size: usize) -> Field {
    Field { name, offset, size }
}

const VERSION: Field = field("layout version", 8, 4);
const ORDER: Field = field("byte order mark", 12, 4);
const WORDS: Field = field("word size in bits", 16, 4);
const KIND: Field = field("kind", 20, 4);
/// Bits that a reader may ignore.
const COMPATIBLE: Field = field("compatible features", 24, 8);
/// Compatible feature: requests that dead servers held are served again. A library that doesn't know it lets them fail.
const REDELIVERS: u64 = 1;
/// Bits that a reader must know to attach.
const INCOMPATIBLE: Field = field("incompatible features", 32, 8);
const SLOTS: Field = field("slots", 40, 4);
const SPARES: Field = field("spare slots", 44, 4);
const PARTICIPANTS: Field = field("participants", 48, 4);
const CELLS: Field = field("ring cells", 52, 4);
const REQUEST_MAX: Field = field("request_max", 56, 8);
const RESPONSE_MAX: Field = field("response_max", 64, 8);
const PARTICIPANTS_OFFSET: Field = field("participants offset", 72, 8);
const RING_OFFSET: Field = field("ring offset", 80, 8);
const SLOTS_OFFSET: Field = field("slots offset", 88, 8);
const SLOT_STRIDE: Field = field("slot stride", 96, 8);
const TOTAL_SIZE: Field = field("total size", 104, 8);
/// A word of the creator's.
const USER: Field = field("user", 112, 8);
/// CRC-32C of all header bytes before it.
const CHECKSUM: Field = field("header checksum", 252, 4);

impl Field {
    fn get(&self, bytes: &Bytes) -> u64 {
        let mut value = [0; 8];
        value[..self.size].copy_from_slice(&bytes[self.offset..self.offset + self.size]);
        u64::from_le_bytes(value)
    }

    fn put(&self, bytes: &mut Bytes, value: u64) {
        bytes[self.offset..self.offset + self.size].copy_from_slice(&value.to_le_bytes()[..self.size]);
    }

    fn expect(&self, bytes: &Bytes, expected: u64, subject: &str) -> Result<()> {
        let found = self.get(bytes);
        if found == expected { Ok(()) } else { Err(Error::mismatch(subject, self.name, found, expected)) }
    }
}

/// The header of a channel of this geometry.
pub(crate) fn encode(geometry: &Geometry) -> Bytes {
    let mut bytes = [0; SIZE];
    bytes[..MAGIC.len()].copy_from_slice(&MAGIC);
    for (field, value) in constants().into_iter().chain(derived(geometry)) {
        field.put(&mut bytes, value);
    }
    COMPATIBLE.put(&mut bytes, if geometry.redelivers { REDELIVERS } else { 0 });
    USER.put(&mut bytes, geometry.user);
    let sum = checksum(&bytes);
    CHECKSUM.put(&mut bytes, sum);
    bytes
}

fn constants() -> [(Field, u64); 3] {
    [(VERSION, LAYOUT_VERSION), (ORDER, BYTE_ORDER), (WORDS, WORD_BITS)]
}

fn derived(geometry: &Geometry) -> [(Field, u64); 12] {
    [
        (KIND, geometry.kind as u64),
        (SLOTS, geometry.slots.into()),
        (SPARES, geometry.spares.into()),
        (PARTICIPANTS, geometry.participants.into()),
        (CELLS, geometry.cells),
        (REQUEST_MAX, geometry.request_max),
        (RESPONSE_MAX, geometry.response_max),
        (PARTICIPANTS_OFFSET, geometry.participants_offset),
        (RING_OFFSET, geometry.ring_offset),
        (SLOTS_OFFSET, geometry.slots_offset),
        (SLOT_STRIDE, geometry.slot_stride),
        (TOTAL_SIZE, geometry.total_size),
    ]
}

fn checksum(bytes: &Bytes) -> u64 {
    crc32c::crc32c(&bytes[..CHECKSUM.offset]).into()
}

/// The geometry that a header describes, or what is wrong with it. `subject` names the channel in messages and
/// `size` is that of its file, in bytes.
pub(crate) fn decode(bytes: &Bytes, subject: &str, size: u64) -> Result<Geometry> {
    if bytes[..MAGIC.len()] != MAGIC {
        let found = bytes[..MAGIC.len()].escape_ascii();
        return Err(Error::mismatch(subject, "magic", found, MAGIC.escape_ascii()));
    }
    for (field, value) in constants() {
        field.expect(bytes, value, subject)?;
    }
    let unknown = INCOMPATIBLE.get(bytes);
    if unknown != 0 {
        return Err(Error::mismatch(subject, INCOMPATIBLE.name, format_args!("{unknown:#x}"), "none"));
    }
    let mut geometry = Geometry::new(
        kind(KIND.get(bytes), subject)?,
        SLOTS.get(bytes) as u32,
        PARTICIPANTS.get(bytes) as u32,
        REQUEST_MAX.get(bytes),
        RESPONSE_MAX.get(bytes),
    )
    .map_err(|error| Error::Protocol(Text::of(format_args!("{subject}: {error}"))))?;
    geometry.user = USER.get(bytes);
    geometry.redelivers = COMPATIBLE.get(bytes) & REDELIVERS != 0;
    for (field, value) in derived(&geometry) {
        field.expect(bytes, value, subject)?;
    }
    CHECKSUM.expect(bytes, checksum(bytes), subject)?;
    if size != geometry.total_size {
        let expected = geometry.total_size;
        return Err(Error::mismatch(subject, "file size in bytes", size, expected));
    }
    Ok(geometry)
}

fn kind(found: u64, subject: &str) -> Result<Kind> {
    [Kind::Bytes, Kind::Int]
        .into_iter()
        .find(|kind| *kind as u64 == found)
        .ok_or_else(|| Error::mismatch(subject, KIND.name, found, "0 (bytes) or 1 (integers)"))
}

/// That a channel is of the kind that the caller expects.
pub(crate) fn expect_kind(geometry: &Geometry, expected: Kind, subject: &str) -> Result<()> {
    if geometry.kind == expected {
        Ok(())
    } else {
        Err(Error::mismatch(subject, KIND.name, geometry.kind, expected))
    }
}
