//! Payloads that show by themselves whether they arrived whole and where they belong.
//!
//! A request is its number and its client's, then bytes that follow from both, then a checksum of all that. The reply to
//! it is as long and says who asked, too. The header and the checksum are always there, so none is shorter than 12
//! bytes: a size below that stands for the bytes in between.

// Each test file uses a part of it.
#![allow(dead_code)]

/// A request that no payload equals.
pub const STOP: &[u8] = b"stop";

const OVERHEAD: usize = 12;

/// A payload, told by what it is made from.
#[derive(Debug, PartialEq, Eq)]
pub struct Payload {
    pub client: u32,
    pub number: u32,
    pub length: usize,
}

impl Payload {
    /// The payload of that number, as long as `size`, or as short as payloads are.
    pub fn new(client: u32, number: u32, size: usize) -> Self {
        Self { client, number, length: size.max(OVERHEAD) }
    }

    pub fn request(&self) -> Vec<u8> {
        self.bytes(0)
    }

    pub fn reply(&self) -> Vec<u8> {
        self.bytes(0xA5)
    }

    fn bytes(&self, salt: u8) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.length);
        bytes.extend(self.client.to_le_bytes());
        bytes.extend(self.number.to_le_bytes());
        let first = (self.client as u8).wrapping_mul(31) ^ (self.number as u8) ^ salt;
        bytes.extend((0..self.length - OVERHEAD).map(|at| first.wrapping_add(at as u8)));
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    /// What request arrived, or what is wrong with it.
    pub fn check(received: &[u8]) -> Result<Self, String> {
        if received.len() < OVERHEAD {
            return Err(format!("{} bytes long, shorter than any", received.len()));
        }
        let word = |at: usize| u32::from_le_bytes(received[at..at + 4].try_into().unwrap());
        let end = received.len() - 4;
        if crc32c::crc32c(&received[..end]) != word(end) {
            return Err("not what its checksum says".to_owned());
        }
        Ok(Self { client: word(0), number: word(4), length: received.len() })
    }
}

/// Numbers that are the same in every run (splitmix64, Steele, Lea and Flood 2014).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ mixed >> 31) % bound
    }
}
