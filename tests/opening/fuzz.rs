//! Files that were channels once: headers and sizes changed at random, several changes at a time, from the corpus in
//! `tests/opening/corpus/`. Attaching to one never crashes or hangs; it succeeds exactly if the header is the one that
//! its own geometry asks for and the file is as long as that says; otherwise the message names the file.
//!
//! `SHMRR_FUZZ_SECS` says how long, 3 seconds by default; `SHMRR_FUZZ_SEED` where the random numbers begin, 1 by default.

use crate::format::{Geometry, HEADER, HEADER_SIZE, Header, UNCHECKED};
use crate::payload::Random;
use shmrr::{Client, Error, Options, Server};
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const MAGIC: &[u8] = b"SHMRR\x7f\r\n";
/// Larger files are possible, but whoever attaches looks at each participant and slot.
const LONGEST: u64 = 1 << 24;
/// Far longer than the longest attach.
const PATIENCE: Duration = Duration::from_secs(60);

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| {
        value.parse().unwrap_or_else(|_| panic!("{name}={value}: expected a number"))
    })
}

/// One file: its header, or the beginning of one, and how long it is.
#[derive(Clone, Debug)]
struct Case {
    bytes: Vec<u8>,
    size: u64,
}

impl Case {
    /// What it is made of if it can be attached to: told from docs/FORMAT.md alone.
    fn geometry(&self) -> Option<Geometry> {
        let header = Header(self.bytes.clone().try_into().ok()?);
        let geometry = header.geometry();
        let mut right = Header::of(&geometry);
        for name in UNCHECKED {
            let (_, offset, size) = HEADER.iter().find(|field| field.0 == name).unwrap();
            right.0[*offset..offset + size].copy_from_slice(&header.0[*offset..offset + size]);
        }
        right.seal();
        (header.0 == right.0 && geometry.in_range() && self.size == geometry.total_size()).then_some(geometry)
    }

    fn write(&self, file: &File) {
        file.set_len(0).unwrap();
        let shown = self.bytes.len().min(self.size as usize);
        file.write_all_at(&self.bytes[..shown], 0).unwrap();
        file.set_len(self.size).unwrap();
    }
}

/// The corpus: each file is a header as it is stored, and its size stands in its name, `what-SIZE`.
fn corpus() -> Vec<(String, Case)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/opening/corpus");
    let mut cases: Vec<(String, Case)> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let size = name.rsplit_once('-').and_then(|(_, size)| size.parse().ok());
            let size = size.unwrap_or_else(|| panic!("{name}: no size"));
            (name, Case { bytes: std::fs::read(entry.path()).unwrap(), size })
        })
        .collect();
    cases.sort_by(|a, b| a.0.cmp(&b.0));
    cases
}

/// The file that is changed, attached to by whatever way is in turn.
struct Target {
    path: PathBuf,
    file: File,
    _directory: tempfile::TempDir,
}

enum Opened {
    Client(Client),
    Server(Server),
}

impl Target {
    fn new() -> Self {
        let directory = tempfile::tempdir_in("/dev/shm").unwrap();
        let path = directory.path().join("shmrr-test-fuzz");
        let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        Self { path, file, _directory: directory }
    }

    fn open(&self, way: u64) -> (String, Result<Opened, Error>) {
        let options = Options::new();
        let path = self.path.display().to_string();
        let descriptor = format!("descriptor {}", std::os::fd::AsRawFd::as_raw_fd(&self.file));
        match way {
            0 => (path, options.client(&self.path).map(Opened::Client)),
            1 => (path, options.server(&self.path).map(Opened::Server)),
            2 => (descriptor, options.client_from_fd(self.file.as_fd()).map(Opened::Client)),
            _ => (descriptor, options.server_from_fd(self.file.as_fd()).map(Opened::Server)),
        }
    }

    /// Attaches, and compares what comes of it with what the document says. True if it could be attached to.
    fn check(&self, case: &Case, way: u64) -> bool {
        case.write(&self.file);
        let begun = Instant::now();
        let (subject, mut opened) = self.open(way);
        // A child that another test begins has copies of descriptors, and with them of an earlier handle's lock, until its
        // program runs.
        while matches!(opened, Err(Error::Crowded { .. })) && begun.elapsed() < PATIENCE {
            opened = self.open(way).1;
        }
        let took = begun.elapsed();
        assert!(took < PATIENCE, "{took:?}: {case:?}");
        match (case.geometry(), opened) {
            (Some(expected), Ok(opened)) => {
                let channel = match &opened {
                    Opened::Client(client) => client.channel(),
                    Opened::Server(server) => server.channel(),
                };
                assert_eq!(channel.slots(), expected.slots);
                assert_eq!(channel.request_max() as u64, expected.request_max);
                assert_eq!(channel.response_max() as u64, expected.response_max);
                assert_eq!(channel.stats().free, expected.slots);
                true
            }
            (None, Err(error)) => {
                assert_eq!(error.errno(), libc::EPROTO, "{error}: {case:?}");
                assert_message(&error.to_string(), &subject);
                false
            }
            (Some(_), Err(error)) => panic!("{error}: {case:?}"),
            (None, Ok(_)) => panic!("was attached to: {case:?}"),
        }
    }
}

/// `subject: field: found value, expected value`, with a field that there is.
fn assert_message(message: &str, subject: &str) {
    let rest = message.strip_prefix(subject).and_then(|rest| rest.strip_prefix(": "));
    let rest = rest.unwrap_or_else(|| panic!("{message}: not about {subject}"));
    let (field, values) = rest.split_once(": found ").unwrap_or_else(|| panic!("{message}"));
    let is_known = HEADER.iter().any(|(name, ..)| *name == field) || field == "file size in bytes";
    assert!(is_known && values.contains(", expected "), "{message}");
}

/// Changes cases.
struct Mutator(Random);

impl Mutator {
    fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len() as u64) as usize]
    }

    /// A number near one that means something.
    fn value(&mut self, old: u64) -> u64 {
        let by = self.one_of(&[1, 2, 4, 64, 127, 128, 256, 1 << 16, 1 << 31, 1 << 32, 1 << 63]);
        let bound = self.one_of(&[0, 1, 64, 128, 4095, 65_472, 65_536, 1 << 30, 1 << 32, 1 << 62, u64::MAX]);
        match self.below(8) {
            0 => old.wrapping_add(by),
            1 => old.wrapping_sub(by),
            2 => old.wrapping_mul(2),
            3 => bound,
            4 => bound.wrapping_add(1),
            5 => bound.wrapping_sub(1),
            6 => self.below(1 << 12),
            _ => self.below(u64::MAX),
        }
    }

    fn header(&mut self, header: &mut Header, others: &[(String, Case)]) {
        match self.below(6) {
            0 => {
                let bit = self.below(8 * HEADER_SIZE as u64);
                header.0[bit as usize / 8] ^= 1 << (bit % 8);
            }
            1..4 => {
                let (name, _, size) = HEADER[self.below(HEADER.len() as u64) as usize];
                if matches!(size, 4 | 8) {
                    header.set(name, self.value(header.get(name)));
                }
            }
            4 => {
                // A piece of another file's header.
                let other = &others[self.below(others.len() as u64) as usize].1;
                let end = self.below(other.bytes.len() as u64 + 1) as usize;
                let start = self.below(end as u64 + 1) as usize;
                header.0[start..end].copy_from_slice(&other.bytes[start..end]);
            }
            _ => {
                let geometry = self.geometry(&header.geometry());
                *header = Header::of(&geometry);
            }
        }
    }

    /// Another geometry: one number changed, and all the others following from it.
    fn geometry(&mut self, old: &Geometry) -> Geometry {
        let mut new = *old;
        match self.below(4) {
            0 => new.slots = self.value(new.slots.into()) as u32,
            1 => new.participants = self.value(new.participants.into()) as u32,
            2 => new.request_max = self.value(new.request_max),
            _ => new.response_max = self.value(new.response_max),
        }
        new
    }

    fn size(&mut self, header: &Header) -> u64 {
        let said = header.get("total size");
        let due = header.geometry().total_size();
        match self.below(10) {
            0 => said.wrapping_add(1),
            1 => said.wrapping_sub(1),
            2 => due ^ 1 << self.below(40),
            3 => self.below(600),
            4 => said,
            _ => due,
        }
    }

    fn change(&mut self, corpus: &[(String, Case)]) -> Case {
        let mut case = corpus[self.below(corpus.len() as u64) as usize].1.clone();
        case.bytes.resize(HEADER_SIZE, 0);
        let mut header = Header(case.bytes.try_into().unwrap());
        for _ in 0..self.below(4) {
            self.header(&mut header, corpus);
        }
        // Faults that were put right behind their backs, so that what comes after them is checked, too.
        if self.below(2) == 0 {
            header.0[..MAGIC.len()].copy_from_slice(MAGIC);
        }
        if self.below(4) > 0 {
            header.seal();
        }
        let size = if self.below(4) == 0 { case.size } else { self.size(&header) };
        Case { bytes: header.0.to_vec(), size: size.min(LONGEST) }
    }
}

#[test]
fn each_file_of_the_corpus_is_attached_to_if_and_only_if_it_is_a_channel() {
    let target = Target::new();
    for (name, case) in corpus() {
        for way in 0..4 {
            assert_eq!(target.check(&case, way), name.starts_with("good-"), "{name}");
        }
    }
}

#[test]
fn changed_files_are_attached_to_if_and_only_if_they_are_still_channels() {
    let (corpus, target) = (corpus(), Target::new());
    let seed = number("SHMRR_FUZZ_SEED", 1);
    let mut mutator = Mutator(Random::new(seed));
    let end = Instant::now() + Duration::from_secs(number("SHMRR_FUZZ_SECS", 3));
    let (mut tried, mut attached) = (0_u64, 0_u64);
    // The first thousand in any case, so that the counts below mean something on a slow machine.
    while tried < 1000 || Instant::now() < end {
        let case = mutator.change(&corpus);
        attached += u64::from(target.check(&case, tried % 4));
        tried += 1;
    }
    println!("seed {seed}: {tried} files, {attached} attached to");
    assert!(attached > tried / 100 && attached < tried / 2, "{attached} of {tried}");
}

/// `SHMRR_WRITE_CORPUS=1` writes it.
#[test]
fn the_corpus_is_what_it_was_made_from() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/opening/corpus");
    let expected = seeds();
    if std::env::var_os("SHMRR_WRITE_CORPUS").is_some() {
        std::fs::create_dir_all(&directory).unwrap();
        for (name, case) in &expected {
            std::fs::write(directory.join(name), &case.bytes).unwrap();
        }
    }
    let found = corpus();
    let names = |cases: &[(String, Case)]| cases.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&found), names(&expected));
    for ((name, found), (_, expected)) in found.iter().zip(&expected) {
        assert!(found.bytes == expected.bytes && found.size == expected.size, "{name}");
    }
}

/// Good headers of several geometries; from one of them each field wrong in turn, under a right checksum and under the
/// one it had; and files that end early or late.
fn seeds() -> Vec<(String, Case)> {
    let geometry = Geometry::of;
    let named = [
        ("smallest", geometry(1, 1, 1, 1)),
        ("default", geometry(64, 256, 4096, 4096)),
        ("inline", geometry(100, 16, 104, 104)),
        ("odd", geometry(7, 3, 1000, 129)),
        ("most-slots", geometry(65_472, 1, 1, 1)),
        ("most-participants", geometry(1, 4095, 1, 1)),
        ("long-requests", geometry(1, 1, 1 << 20, 1)),
    ];
    let file = |name: String, bytes: &[u8], size: u64| {
        (format!("{name}-{size}"), Case { bytes: bytes.to_vec(), size })
    };
    let mut cases = Vec::new();
    for (name, geometry) in named {
        cases.push(file(format!("good-{name}"), &Header::of(&geometry).0, geometry.total_size()));
    }
    let small = named[0].1;
    let size = small.total_size();
    for (name, offset, _) in HEADER.iter().filter(|field| !UNCHECKED.contains(&field.0)) {
        let mut header = Header::of(&small);
        header.0[*offset] ^= 0xFF;
        let name = name.replace(' ', "_");
        cases.push(file(format!("bad-{name}"), &header.0, size));
        if name != "header_checksum" {
            header.seal();
            cases.push(file(format!("bad-{name}-sealed"), &header.0, size));
        }
    }
    let good = Header::of(&small).0;
    cases.push(file("bad-empty".into(), &[], 0));
    cases.push(file("bad-half".into(), &good[..128], 128));
    cases.push(file("bad-only".into(), &good, 256));
    cases.push(file("bad-short".into(), &good, size - 1));
    cases.push(file("bad-long".into(), &good, size + 1));
    cases.push(file("bad-zeros".into(), &[0; HEADER_SIZE], size));
    cases.sort_by(|a, b| a.0.cmp(&b.0));
    cases
}
