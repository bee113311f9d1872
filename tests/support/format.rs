//! The format as `docs/FORMAT.md` tells it, written down a second time: the tests compare both with the library.
//!
//! Nothing here comes from the library but what it exports; the numbers are literal on purpose.

// Each test file uses a part of it.
#![allow(dead_code)]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Name, offset and size of each field of the header.
pub const HEADER: [(&str, usize, usize); 21] = [
    ("magic", 0, 8),
    ("layout version", 8, 4),
    ("byte order mark", 12, 4),
    ("word size in bits", 16, 4),
    ("kind", 20, 4),
    ("compatible features", 24, 8),
    ("incompatible features", 32, 8),
    ("slots", 40, 4),
    ("spare slots", 44, 4),
    ("participants", 48, 4),
    ("ring cells", 52, 4),
    ("request_max", 56, 8),
    ("response_max", 64, 8),
    ("participants offset", 72, 8),
    ("ring offset", 80, 8),
    ("slots offset", 88, 8),
    ("slot stride", 96, 8),
    ("total size", 104, 8),
    ("user", 112, 8),
    ("reserved", 120, 132),
    ("header checksum", 252, 4),
];
/// Fields that a reader does not compare with anything; only the checksum covers them.
pub const UNCHECKED: [&str; 3] = ["compatible features", "user", "reserved"];

pub const HEADER_SIZE: usize = 256;
const CHECKSUM_OFFSET: usize = 252;
/// Where the bytes of number 0 begin that a participant locks, and how many each number has.
pub const LOCKS: i64 = 1 << 60;
pub const LOCKS_EACH: i64 = 1 << 40;

/// What a creator chooses, and the sizes that follow.
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    pub slots: u32,
    pub participants: u32,
    pub request_max: u64,
    pub response_max: u64,
}

impl Geometry {
    pub fn of(slots: u32, participants: u32, request_max: u64, response_max: u64) -> Self {
        Self { slots, participants, request_max, response_max }
    }
    pub fn spares(&self) -> u64 {
        u64::from(self.slots / 4).clamp(4, 64)
    }
    pub fn total_slots(&self) -> u64 {
        u64::from(self.slots) + self.spares()
    }
    pub fn cells(&self) -> u64 {
        (2 * self.total_slots()).next_power_of_two().max(64)
    }
    pub fn ring_offset(&self) -> u64 {
        1024 + 128 * u64::from(self.participants)
    }
    pub fn slots_offset(&self) -> u64 {
        self.ring_offset() + 8 * self.cells()
    }
    /// Wraps, as what follows, where the lengths are far out of range.
    pub fn slot_stride(&self) -> u64 {
        let lines = |length: u64| length.div_ceil(128).wrapping_mul(128);
        lines(self.request_max).wrapping_add(lines(self.response_max)).wrapping_add(256)
    }
    pub fn outcomes_offset(&self) -> u64 {
        self.total_slots().wrapping_mul(self.slot_stride()).wrapping_add(self.slots_offset())
    }
    pub fn total_size(&self) -> u64 {
        self.outcomes_offset().wrapping_add(self.total_slots().div_ceil(1024) * 128)
    }
    pub fn in_range(&self) -> bool {
        let lengths = 0..=1 << 30;
        (1..=65472).contains(&self.slots)
            && (1..=4095).contains(&self.participants)
            && lengths.contains(&self.request_max)
            && lengths.contains(&self.response_max)
    }
}

/// The first 256 bytes of a channel.
#[derive(Clone, Debug)]
pub struct Header(pub [u8; HEADER_SIZE]);

impl Header {
    pub fn of(geometry: &Geometry) -> Self {
        let mut header = Self([0; HEADER_SIZE]);
        header.0[..8].copy_from_slice(b"SHMRR\x7f\r\n");
        header.set("layout version", 3);
        header.set("byte order mark", 0x0A0B_0C0D);
        header.set("word size in bits", 64);
        header.set("slots", geometry.slots.into());
        header.set("spare slots", geometry.spares());
        header.set("participants", geometry.participants.into());
        header.set("ring cells", geometry.cells());
        header.set("request_max", geometry.request_max);
        header.set("response_max", geometry.response_max);
        header.set("participants offset", 1024);
        header.set("ring offset", geometry.ring_offset());
        header.set("slots offset", geometry.slots_offset());
        header.set("slot stride", geometry.slot_stride());
        header.set("total size", geometry.total_size());
        header.seal();
        header
    }

    pub fn read(path: &Path) -> Self {
        let mut bytes = [0; HEADER_SIZE];
        File::open(path).unwrap().read_exact_at(&mut bytes, 0).unwrap();
        Self(bytes)
    }

    pub fn get(&self, name: &str) -> u64 {
        let bytes = &self.0[range(name)];
        match bytes.len() {
            4 => u32::from_ne_bytes(bytes.try_into().unwrap()).into(),
            _ => u64::from_ne_bytes(bytes.try_into().unwrap()),
        }
    }

    /// Sets a field of four or eight bytes; four take the value's low half.
    pub fn set(&mut self, name: &str, value: u64) {
        let bytes = &mut self.0[range(name)];
        match bytes.len() {
            4 => bytes.copy_from_slice(&(value as u32).to_ne_bytes()),
            _ => bytes.copy_from_slice(&value.to_ne_bytes()),
        }
    }

    pub fn checksum(&self) -> u32 {
        crc32c::crc32c(&self.0[..CHECKSUM_OFFSET])
    }

    /// Makes the checksum right.
    pub fn seal(&mut self) {
        self.set("header checksum", self.checksum().into());
    }

    pub fn geometry(&self) -> Geometry {
        Geometry {
            slots: self.get("slots") as u32,
            participants: self.get("participants") as u32,
            request_max: self.get("request_max"),
            response_max: self.get("response_max"),
        }
    }
}

fn range(name: &str) -> std::ops::Range<usize> {
    let (_, offset, size) = HEADER.iter().find(|field| field.0 == name).expect("a field of the header");
    *offset..offset + size
}

/// The fields that a table of `docs/FORMAT.md` lists: the rows under a heading that begin with two numbers, `| offset |
/// size | name | …`.
pub fn documented(heading: &str) -> Vec<(String, usize, usize)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/FORMAT.md");
    let document = std::fs::read_to_string(path).unwrap();
    let section = document.lines().skip_while(|line| *line != heading).skip(1);
    let rows = section.take_while(|line| !line.starts_with('#')).filter_map(|line| {
        let mut columns = line.strip_prefix('|')?.split('|').map(str::trim);
        let offset = columns.next()?.parse().ok()?;
        let size = columns.next()?.parse().ok()?;
        Some((columns.next()?.to_owned(), offset, size))
    });
    rows.collect()
}

/// The lowest and the highest bit of a field, as the first table of `docs/FORMAT.md` under a heading tells in rows `|
/// highest to lowest | name | …`.
pub fn bits(heading: &str, field: &str) -> (u32, u32) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/FORMAT.md");
    let document = std::fs::read_to_string(path).unwrap();
    let mut rows = document.lines().skip_while(|line| *line != heading).filter_map(|line| {
        let mut columns = line.strip_prefix('|')?.split('|').map(str::trim);
        let (highest, lowest) = columns.next()?.split_once(" to ")?;
        let is_it = columns.next()? == field;
        is_it.then_some((lowest.parse().ok()?, highest.parse().ok()?))
    });
    rows.next().unwrap_or_else(|| panic!("docs/FORMAT.md has no bits of {field} under {heading}"))
}
