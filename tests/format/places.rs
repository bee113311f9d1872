//! What stands where in a channel's file, seen from outside: header, sizes, words, participants, locks, and that
//! `docs/FORMAT.md` says the same. What a request writes is pinned in
//! `words.rs`, `messages.rs` and `states.rs`.

use crate::format::{Geometry, HEADER, Header, LOCKS, LOCKS_EACH, documented};
use shmrr::{Kind, Options};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const SAMPLE: Geometry = Geometry { slots: 8, participants: 4, request_max: 1000, response_max: 200 };

fn options(geometry: &Geometry) -> Options {
    Options::new()
        .slots(geometry.slots)
        .participants(geometry.participants)
        .request_max(geometry.request_max)
        .response_max(geometry.response_max)
}

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("channel");
    (directory, path)
}

fn u32_at(file: &File, offset: u64) -> u32 {
    let mut bytes = [0; 4];
    file.read_exact_at(&mut bytes, offset).unwrap();
    u32::from_ne_bytes(bytes)
}

fn u64_at(file: &File, offset: u64) -> u64 {
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes, offset).unwrap();
    u64::from_ne_bytes(bytes)
}

#[test]
fn each_header_field_stands_at_its_documented_offset() {
    let (_directory, path) = place();
    let _server = options(&SAMPLE).server(&path).unwrap();
    let header = Header::read(&path);
    assert_eq!(&header.0[..8], &[0x53, 0x48, 0x4D, 0x52, 0x52, 0x7F, 0x0D, 0x0A]);
    let expected = [
        ("layout version", 3),
        ("byte order mark", 0x0A0B_0C0D),
        ("word size in bits", 64),
        ("kind", 0),
        ("compatible features", 0),
        ("incompatible features", 0),
        ("slots", 8),
        ("spare slots", 4),
        ("participants", 4),
        ("ring cells", 64),
        ("request_max", 1000),
        ("response_max", 200),
        ("participants offset", 1024),
        ("ring offset", 1536),
        ("slots offset", 2048),
        ("slot stride", 1536),
        ("total size", 20608),
        ("header checksum", header.checksum().into()),
    ];
    for (name, value) in expected {
        assert_eq!(header.get(name), value, "{name}");
    }
    assert_eq!(&header.0[112..252], &[0; 140], "user word, reserved");
    assert_eq!(header.0, Header::of(&SAMPLE).0);
}

#[test]
fn a_channel_is_as_large_as_its_geometry_says() {
    let geometry = Geometry::of;
    let sizes = [
        (geometry(1, 1, 1, 1), 4_352),
        (geometry(64, 256, 4096, 4096), 711_808),
        (geometry(16, 4, 128, 129), 14_976),
        (geometry(19, 4, 104, 105), 13_952),
        (geometry(20, 4, 104, 105), 14_976),
        (geometry(300, 4095, 1 << 20, 129), 382_401_536),
        (geometry(65_472, 1, 1, 1), 34_612_352),
    ];
    for (geometry, size) in sizes {
        let (_directory, path) = place();
        let server = options(&geometry).sparse(true).server(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), size, "{geometry:?}");
        assert_eq!(geometry.total_size(), size, "{geometry:?}");
        assert_eq!(Header::read(&path).0, Header::of(&geometry).0, "{geometry:?}");
        assert_eq!(server.channel().slots(), geometry.slots);
    }
}

#[test]
fn the_defaults_are_those_that_the_documents_name() {
    let (_directory, path) = place();
    let _server = Options::new().server(&path).unwrap();
    let defaults = Geometry { slots: 64, participants: 256, request_max: 4096, response_max: 4096 };
    assert_eq!(Header::read(&path).0, Header::of(&defaults).0);
}

#[test]
fn the_header_of_a_channel_of_integers_says_its_kind_and_its_lengths() {
    let (_directory, path) = place();
    let _server = Options::new().kind(Kind::Int).server(&path).unwrap();
    let mut header = Header::of(&Geometry { slots: 64, participants: 256, request_max: 8, response_max: 8 });
    header.set("kind", 1);
    header.seal();
    assert_eq!(Header::read(&path).0, header.0);
}

#[test]
fn the_first_compatible_feature_is_redelivery_and_who_attaches_learns_it_from_there() {
    let (_directory, path) = place();
    drop(options(&SAMPLE).redeliver(true).server(&path).unwrap());
    let mut header = Header::of(&SAMPLE);
    header.set("compatible features", 1);
    header.seal();
    assert_eq!(Header::read(&path).0, header.0);

    let server = options(&SAMPLE).server(&path).unwrap();
    let client = options(&SAMPLE).client(&path).unwrap();
    let id = client.send(b"").unwrap();
    assert_eq!(server.recv(&mut []).unwrap().redeliveries, 0);
    drop(server);
    let again = options(&SAMPLE).server(&path).unwrap().recv(&mut []).unwrap();
    assert_eq!((again.id, again.redeliveries), (id, 1));
}

#[test]
fn a_new_channel_is_zero_after_its_header_and_its_first_participant() {
    let (_directory, path) = place();
    let _server = options(&SAMPLE).server(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let first = 1024..1024 + 128;
    let written: Vec<usize> =
        (256..bytes.len()).filter(|at| bytes[*at] != 0 && !first.contains(at)).collect();
    assert_eq!(written, []);
}

#[test]
fn the_shared_words_stand_on_lines_of_their_own() {
    let (_directory, path) = place();
    let server = options(&SAMPLE).server(&path).unwrap();
    let client = options(&SAMPLE).client(&path).unwrap();
    for _ in 0..5 {
        client.send(b"request").unwrap();
    }
    server.recv(&mut [0; 1000]).unwrap();
    server.recv(&mut [0; 1000]).unwrap();

    let file = File::open(&path).unwrap();
    assert_eq!(u64_at(&file, 256), 5, "tail hint");
    assert_eq!(u64_at(&file, 384), 2, "head hint");
    assert_eq!(u64_at(&file, 512), 0, "doorbell of servers");
    assert_eq!(u64_at(&file, 640), 0, "doorbell of clients");
    assert_eq!(u64_at(&file, 768), 0, "spares in use");
    for (_, offset, size) in documented("## Shared words") {
        let mut rest = [0; 120];
        file.read_exact_at(&mut rest, offset as u64 + 8).unwrap();
        assert_eq!((rest, size), ([0; 120], 8), "beside the word at {offset}");
    }
}

#[test]
fn a_participant_stands_on_the_line_of_its_number() {
    let (_directory, path) = place();
    let _server = options(&SAMPLE).server(&path).unwrap();
    let client = options(&SAMPLE).client(&path).unwrap();
    let file = File::open(&path).unwrap();
    for (number, role) in [(1, 1), (2, 2)] {
        let line = 1024 + 128 * (number - 1);
        assert_eq!(u64_at(&file, line), 0b11, "generation 1, live");
        assert_eq!(u32_at(&file, line + 8), std::process::id());
        assert_eq!(u32_at(&file, line + 12), role);
        assert_eq!(u64_at(&file, line + 16), start_time());
    }
    drop(client);
    assert_eq!(u64_at(&file, 1152), 0b10, "generation 1, free");
    let _again = options(&SAMPLE).client(&path).unwrap();
    assert_eq!(u64_at(&file, 1152), 0b101, "generation 2, live");
}

fn start_time() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    stat[stat.rfind(')').unwrap()..].split(' ').nth(20).unwrap().parse().unwrap()
}

/// The kernel's answer about locks of others on `length` bytes from `start` on (0: to the end): the first one's extent.
fn lock_of_others(path: &Path, start: i64, length: i64) -> Option<(i64, i64)> {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut lock = libc::flock {
        l_type: libc::F_WRLCK as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: start,
        l_len: length,
        l_pid: 0,
    };
    // SAFETY: the descriptor is open and the structure is a valid lock request.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    let held = i32::from(lock.l_type) != libc::F_UNLCK;
    assert!(!held || lock.l_pid == -1, "the lock is that of an open file description");
    held.then_some((lock.l_start, lock.l_len))
}

/// Which number's lock that is; its length may be any up to half of the number's bytes.
fn number_of((start, length): (i64, i64)) -> i64 {
    assert!((1..=LOCKS_EACH / 2).contains(&length), "{length}");
    assert_eq!((start - LOCKS) % LOCKS_EACH, 0);
    (start - LOCKS) / LOCKS_EACH
}

#[test]
fn a_participant_locks_bytes_of_its_number() {
    assert_eq!((LOCKS, LOCKS_EACH), (1_152_921_504_606_846_976, 1_099_511_627_776));
    let (_directory, path) = place();
    let at = |number: i64| LOCKS + number * LOCKS_EACH;
    let found = |start, length| lock_of_others(&path, start, length).map(number_of);
    let server = options(&SAMPLE).server(&path).unwrap();
    assert_eq!(found(0, 0), Some(1));

    let client = options(&SAMPLE).client(&path).unwrap();
    assert_eq!(found(0, at(1)), None, "nothing below number 1 is locked");
    assert_eq!(found(at(2), 1), Some(2));
    assert_eq!(found(at(3), 0), None);
    assert_ne!(lock_of_others(&path, at(1), 1).unwrap().1, lock_of_others(&path, at(2), 1).unwrap().1);

    drop(server);
    assert_eq!(found(0, 0), Some(2));
    drop(client);
    assert_eq!(found(0, 0), None);
}

fn listed(table: &[(&str, usize, usize)]) -> Vec<(String, usize, usize)> {
    table.iter().map(|(name, offset, size)| ((*name).to_owned(), *offset, *size)).collect()
}

#[test]
fn the_document_lists_every_field_at_its_offset() {
    assert_eq!(documented("## Header"), listed(&HEADER));
    let end = HEADER.iter().fold(0, |end, (name, offset, size)| {
        assert_eq!(*offset, end, "{name} follows the field before it");
        end + size
    });
    assert_eq!(end, 256);

    let words = [
        ("tail hint", 256, 8),
        ("head hint", 384, 8),
        ("doorbell of servers", 512, 8),
        ("doorbell of clients", 640, 8),
        ("spares in use", 768, 8),
        ("looks", 896, 8),
    ];
    assert_eq!(documented("## Shared words"), listed(&words));
    let participant = [
        ("word", 0, 8),
        ("pid", 8, 4),
        ("role", 12, 4),
        ("start time", 16, 8),
        ("counters", 24, 88),
        ("doorbell", 112, 8),
        ("reserved", 120, 8),
    ];
    assert_eq!(documented("## Participants"), listed(&participant));
    let request = [
        ("request word", 0, 8),
        ("length", 8, 4),
        ("message type", 12, 4),
        ("flags", 16, 4),
        ("client", 20, 4),
        ("inline bytes", 24, 104),
    ];
    assert_eq!(documented("### Request line"), listed(&request));
    let reply = [
        ("reply word", 0, 8),
        ("length", 8, 4),
        ("message type", 12, 4),
        ("flags", 16, 4),
        ("code", 20, 4),
        ("inline bytes", 24, 104),
    ];
    assert_eq!(documented("### Reply line"), listed(&reply));
}
