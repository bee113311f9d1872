//! A header that is not what this version writes is refused, with a message that says what is wrong with it; whatever
//! its bytes are, nobody panics, and nobody maps more than there is.

use crate::format::{Geometry, HEADER, HEADER_SIZE, Header, UNCHECKED};
use proptest::prelude::*;
use shmrr::{Client, Error, Options};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use tempfile::TempDir;

const SMALLEST: Geometry = Geometry { slots: 1, participants: 1, request_max: 1, response_max: 1 };
const SIZE: u64 = 4352;

/// A channel's file without anybody in it, whose bytes can be changed.
struct Victim {
    path: PathBuf,
    file: File,
    _directory: TempDir,
}

impl Victim {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("channel");
        drop(Options::new().slots(1).participants(1).request_max(1).response_max(1).server(&path).unwrap());
        let file = File::options().read(true).write(true).open(&path).unwrap();
        assert_eq!(file.metadata().unwrap().len(), SIZE);
        Self { path, file, _directory: directory }
    }

    fn open_with(&self, header: &Header) -> Result<Client, Error> {
        self.file.write_all_at(&header.0, 0).unwrap();
        Options::new().client(&self.path)
    }

    fn error_with(&self, header: &Header) -> Error {
        self.open_with(header).expect_err("it is refused")
    }

    /// The whole message that a mismatch of a field has.
    fn mismatch(&self, field: &str, found: &str, expected: &str) -> Error {
        let path = self.path.display();
        Error::Protocol(format!("{path}: {field}: found {found}, expected {expected}").into())
    }

    /// Checks that an error is about a field of this file's header.
    fn assert_names_a_field(&self, error: &Error) {
        assert_eq!(error.errno(), libc::EPROTO, "{error}");
        let message = error.to_string();
        let (path, rest) = message.split_once(": ").unwrap();
        assert_eq!(path, self.path.to_str().unwrap());
        let (field, values) = rest.split_once(": found ").unwrap_or_else(|| panic!("{message}"));
        let known = HEADER.iter().any(|(name, ..)| *name == field) || field == "file size in bytes";
        assert!(known, "{message}");
        assert!(values.contains(", expected "), "{message}");
    }
}

#[test]
fn each_field_that_is_wrong_is_named_with_both_values() {
    let victim = Victim::new();
    let pristine = Header::of(&SMALLEST);
    let cases = [
        ("layout version", 2, "2", "3"),
        ("byte order mark", 0x0D0C_0B0A, "218893066", "168496141"),
        ("word size in bits", 32, "32", "64"),
        ("kind", 2, "2", "0 (bytes) or 1 (integers)"),
        ("incompatible features", 1 << 63, "0x8000000000000000", "none"),
        ("slots", 0, "0", "1 to 65472"),
        ("slots", 65_473, "65473", "1 to 65472"),
        ("spare slots", 3, "3", "4"),
        ("participants", 0, "0", "1 to 4095"),
        ("participants", 4096, "4096", "1 to 4095"),
        ("ring cells", 32, "32", "64"),
        ("request_max", (1 << 30) + 1, "1073741825", "0 to 1073741824"),
        ("request_max", u64::MAX, "18446744073709551615", "0 to 1073741824"),
        ("response_max", (1 << 30) + 1, "1073741825", "0 to 1073741824"),
        ("participants offset", 0, "0", "1024"),
        ("ring offset", 1024, "1024", "1152"),
        ("slots offset", 1 << 60, "1152921504606846976", "1664"),
        ("slot stride", 0, "0", "512"),
        ("total size", u64::MAX, "18446744073709551615", "4352"),
    ];
    for (field, value, found, expected) in cases {
        let mut header = pristine.clone();
        header.set(field, value);
        header.seal();
        assert_eq!(victim.error_with(&header), victim.mismatch(field, found, expected));
    }

    let mut header = pristine.clone();
    header.set("kind", 1);
    header.seal();
    assert_eq!(victim.error_with(&header), victim.mismatch("request_max", "1", "8"));
    header.set("request_max", 8);
    header.set("response_max", 9);
    header.seal();
    assert_eq!(victim.error_with(&header), victim.mismatch("response_max", "9", "8"));
    header.set("response_max", 8);
    header.seal();
    assert_eq!(victim.error_with(&header), victim.mismatch("kind", "1 (integers)", "0 (bytes)"));

    let mut header = pristine.clone();
    header.0[0] = b'X';
    header.seal();
    let magic = (r"XHMRR\x7f\r\n", r"SHMRR\x7f\r\n");
    assert_eq!(victim.error_with(&header), victim.mismatch("magic", magic.0, magic.1));

    let mut header = pristine.clone();
    let right = header.checksum();
    header.set("header checksum", (!right).into());
    let (found, expected) = ((!right).to_string(), right.to_string());
    assert_eq!(victim.error_with(&header), victim.mismatch("header checksum", &found, &expected));

    drop(victim.open_with(&pristine).expect("the header as it was is a good one"));
}

#[test]
fn of_several_faults_the_first_in_the_documented_order_is_named() {
    let victim = Victim::new();
    let order = [
        "header checksum",
        "total size",
        "slot stride",
        "slots offset",
        "ring offset",
        "participants offset",
        "ring cells",
        "spare slots",
        "response_max",
        "request_max",
        "participants",
        "slots",
        "kind",
        "incompatible features",
        "word size in bits",
        "byte order mark",
        "layout version",
        "magic",
    ];
    let mut header = Header::of(&SMALLEST);
    for field in order {
        header.set(field, u64::MAX);
        let message = victim.error_with(&header).to_string();
        let named = format!("{}: {field}: found ", victim.path.display());
        assert!(message.starts_with(&named), "{field}: {message}");
    }
}

#[test]
fn any_byte_that_is_not_what_was_written_is_noticed() {
    let victim = Victim::new();
    let pristine = Header::of(&SMALLEST);
    for at in 0..HEADER_SIZE {
        for value in (0..=u8::MAX).filter(|value| *value != pristine.0[at]) {
            let mut header = pristine.clone();
            header.0[at] = value;
            victim.assert_names_a_field(&victim.error_with(&header));
        }
    }
}

/// The checksum only guards against accidents: these headers carry the right one.
#[test]
fn any_byte_of_a_field_that_is_checked_is_noticed_under_a_right_checksum() {
    let victim = Victim::new();
    let pristine = Header::of(&SMALLEST);
    let checked = HEADER.iter().filter(|(name, ..)| !UNCHECKED.contains(name) && *name != "header checksum");
    for at in checked.flat_map(|(_, offset, size)| *offset..offset + size) {
        for value in (0..=u8::MAX).filter(|value| *value != pristine.0[at]) {
            let mut header = pristine.clone();
            header.0[at] = value;
            header.seal();
            match victim.open_with(&header) {
                Err(error) => victim.assert_names_a_field(&error),
                // A length that needs as many lines makes a channel of the same size.
                Ok(client) => {
                    assert!((56..72).contains(&at), "byte {at} = {value}");
                    assert_eq!(header.geometry().total_size(), SIZE);
                    assert_eq!(client.channel().request_max() as u64, header.geometry().request_max);
                    assert_eq!(client.channel().response_max() as u64, header.geometry().response_max);
                }
            }
        }
    }
}

#[test]
fn what_a_later_version_may_add_compatibly_is_ignored() {
    let victim = Victim::new();
    for name in UNCHECKED {
        let (_, offset, size) = HEADER.iter().find(|field| field.0 == name).unwrap();
        for at in *offset..offset + size {
            let mut header = Header::of(&SMALLEST);
            header.0[at] = 0xFF;
            header.seal();
            drop(victim.open_with(&header).unwrap_or_else(|error| panic!("byte {at}: {error}")));
        }
    }
}

#[test]
fn a_file_that_is_a_byte_too_short_or_too_long_is_refused() {
    let victim = Victim::new();
    for size in [256, 257, SIZE - 1, SIZE + 1, 2 * SIZE, 1 << 40] {
        victim.file.set_len(size).unwrap();
        let error = victim.error_with(&Header::of(&SMALLEST));
        assert_eq!(error, victim.mismatch("file size in bytes", &size.to_string(), "4352"));
    }
    for size in [0, 1, 100, 255] {
        victim.file.set_len(size).unwrap();
        let error = Options::new().client(&victim.path).unwrap_err();
        assert_eq!(error, victim.mismatch("file size in bytes", &size.to_string(), "at least 256"));
    }
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() }
}

/// Values of a number with a range: mostly good ones, some at and beyond the ends.
fn around(most: u64) -> impl Strategy<Value = u64> {
    prop_oneof![4 => 1..200_u64, 2 => 1..=most, 1 => most..=most + 2, 1 => Just(0), 1 => any::<u64>()]
}

fn geometry() -> impl Strategy<Value = Geometry> {
    (around(65_472), around(4095), around(1 << 30), around(1 << 30)).prop_map(
        |(slots, participants, request_max, response_max)| Geometry {
            slots: slots as u32,
            participants: participants as u32,
            request_max,
            response_max,
        },
    )
}

fn random_bytes() -> impl Strategy<Value = Header> {
    prop::collection::vec(any::<u8>(), HEADER_SIZE).prop_map(|bytes| Header(bytes.try_into().unwrap()))
}

#[test]
fn random_bytes_never_open() {
    let victim = Victim::new();
    proptest!(config(), |(header in random_bytes())| {
        victim.assert_names_a_field(&victim.error_with(&header));
    });
}

#[test]
fn random_bytes_under_a_right_beginning_and_checksum_never_open() {
    let victim = Victim::new();
    let pristine = Header::of(&SMALLEST);
    // At least the last field that is checked, the total size, is random throughout: part of it could be right by chance.
    proptest!(config(), |(mut header in random_bytes(), right in 8..=104_usize)| {
        header.0[..right].copy_from_slice(&pristine.0[..right]);
        header.seal();
        victim.assert_names_a_field(&victim.error_with(&header));
    });
}

#[test]
fn a_consistent_header_opens_exactly_if_the_file_has_its_size() {
    let victim = Victim::new();
    // Larger files are possible, but take long to attach to: each participant is looked at.
    let longest = 1 << 33;
    proptest!(config(), |(geometry in geometry(), off_by in prop_oneof![Just(0), 1..5_u64, any::<u64>()])| {
        let right = geometry.total_size();
        let size = right.wrapping_add(off_by).clamp(HEADER_SIZE as u64, longest);
        victim.file.set_len(0).unwrap();
        victim.file.set_len(size).unwrap();
        match victim.open_with(&Header::of(&geometry)) {
            Ok(client) => {
                prop_assert!(geometry.in_range() && size == right, "{:?} in {} bytes", geometry, size);
                prop_assert_eq!(client.channel().slots(), geometry.slots);
            }
            Err(error) => {
                prop_assert!(!geometry.in_range() || size != right, "{:?}: {}", geometry, error);
                victim.assert_names_a_field(&error);
            }
        }
    });
}

#[test]
fn a_geometry_that_does_not_add_up_never_opens_under_a_right_checksum() {
    let victim = Victim::new();
    let derived =
        ["spare slots", "ring cells", "participants offset", "ring offset", "slots offset", "slot stride"];
    let fields = prop::sample::select([&derived[..], &["total size"]].concat());
    proptest!(config(), |(geometry in geometry(), field in fields, by in 1..=u32::MAX)| {
        let mut header = Header::of(&geometry);
        header.set(field, header.get(field).wrapping_add(by.into()));
        header.seal();
        let size = geometry.total_size().clamp(HEADER_SIZE as u64, 1 << 33);
        victim.file.set_len(size).unwrap();
        victim.assert_names_a_field(&victim.error_with(&header));
    });
}
