//! A channel in a file whose bytes are looked at from outside.
//!
//! A sample has 8 slots and 4 spare ones, 4 participants, 64 ring cells, requests of 1000 bytes and responses of 200:
//! the participants begin at 1024, the ring at 1536, the slots at 2048, and a slot takes 1536 bytes. The server is
//! participant 1 and the client is participant 2.

// Each test file uses a part of it.
#![allow(dead_code)]

use shmrr::{Client, Options, Server};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub struct Sample {
    pub client: Client,
    pub server: Server,
    pub file: File,
    pub path: PathBuf,
    _directory: TempDir,
}

impl Sample {
    pub fn new(options: &Options) -> Self {
        Self::of(&options.clone().request_max(1000).response_max(200))
    }

    /// With lengths of its own.
    pub fn of(options: &Options) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("channel");
        let options = options.clone().participants(4).spin(std::time::Duration::ZERO);
        let server = options.server(&path).unwrap();
        let client = options.client(&path).unwrap();
        let file = File::options().read(true).write(true).open(&path).unwrap();
        Self { client, server, file, path, _directory: directory }
    }

    pub fn bytes(&self, offset: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, offset).unwrap();
        bytes
    }

    pub fn u32(&self, offset: u64) -> u32 {
        u32::from_ne_bytes(self.bytes(offset, 4).try_into().unwrap())
    }

    pub fn u64(&self, offset: u64) -> u64 {
        word_at(&self.file, offset)
    }

    /// Waits until a word of the file is what somebody is about to make it.
    pub fn until(&self, offset: u64, value: u64) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.u64(offset) != value {
            assert!(Instant::now() < deadline, "at {offset}: {:#x}, not {value:#x}", self.u64(offset));
            thread::yield_now();
        }
    }

    pub fn set_u64(&self, offset: u64, value: u64) {
        self.file.write_all_at(&value.to_ne_bytes(), offset).unwrap();
    }

    pub fn recv(&self) -> shmrr::RequestId {
        self.server.recv(&mut [0; 1000]).unwrap().id
    }

    pub fn get(&self, id: shmrr::RequestId) -> shmrr::Result<usize> {
        self.client.get(id, &mut [0; 1000])
    }
}

/// A word of a sample's file, also where one of its handles has been dropped.
pub fn word_at(file: &File, offset: u64) -> u64 {
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes, offset).unwrap();
    u64::from_ne_bytes(bytes)
}

pub fn sample() -> Sample {
    Sample::new(&Options::new().slots(8))
}

/// Offset of the request line of an id's slot; the reply line and the two buffers follow it.
pub fn slot_of(id: shmrr::RequestId) -> u64 {
    2048 + 1536 * (id.to_u64() & 0xFFFF)
}

pub const REPLY: u64 = 128;
pub const REQUEST_BUFFER: u64 = 256;
pub const RESPONSE_BUFFER: u64 = 256 + 1024;
