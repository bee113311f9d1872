//! The client of `c_examples/` in Rust: walks a directory, sends every regular file in chunks of up to 64 KiB (an empty
//! file as one empty chunk) and compares each CRC-32C that comes back, four bytes with the least significant first, with
//! its own. Symbolic links are not followed; what can't be read is reported and skipped. A request whose server died is
//! sent again.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use shmrr::{Client, Error, Options};

use crate::failure::Failure;
use crate::signals::{self, Stopped};
use crate::tally::{Line, Tally};

/// The longest chunk, in bytes: what the demo's channel takes in one request.
pub(crate) const CHUNK_MAX: usize = 65536;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const REPLY_TIMEOUT: Duration = Duration::from_secs(30);
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// Whether every checksum was right.
pub(crate) fn run(channel: &str, directory: &Path) -> Result<bool, Failure> {
    // A root that is itself a link is meant as the directory behind it.
    let root = directory.canonicalize().map_err(|error| format!("{}: {error}", directory.display()))?;
    let client = Options::new().connect_timeout(CONNECT_TIMEOUT).client(channel)?;
    let _stopped = Stopped::by_signals(&client);

    let mut walk = Walk {
        client: &client,
        chunk_size: CHUNK_MAX.min(client.channel().request_max()),
        chunk: Vec::with_capacity(CHUNK_MAX),
        round_trips: Vec::new(),
        tally: Tally::default(),
        progress_due: Instant::now(),
    };
    walk.directory(&root)?;
    let tally = walk.result();
    writeln!(io::stdout(), "{}", Line::Done(tally))?;
    Ok(tally.mismatches == 0)
}

struct Walk<'a> {
    client: &'a Client,
    chunk_size: usize,
    chunk: Vec<u8>,
    round_trips: Vec<u64>,
    tally: Tally,
    progress_due: Instant,
}

impl Walk<'_> {
    fn directory(&mut self, path: &Path) -> Result<(), Failure> {
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) => return self.skip(path, &error),
        };
        for entry in entries {
            signals::check()?;
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => return self.skip(path, &error),
            };
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => self.directory(&entry.path())?,
                Ok(kind) if kind.is_file() => self.file(&entry.path())?,
                Ok(_) => {}
                Err(error) => self.skip(&entry.path(), &error)?,
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path) -> Result<(), Failure> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) => return self.skip(path, &error),
        };
        let mut offset = 0;
        loop {
            self.chunk.clear();
            let length = match (&mut file).take(self.chunk_size as u64).read_to_end(&mut self.chunk) {
                Ok(length) => length,
                Err(error) => return self.skip(path, &error),
            };
            signals::check()?;
            if length == 0 && offset > 0 {
                break;
            }
            let (ours, theirs) = (crc32c::crc32c(&self.chunk), self.ask(path)?);
            if ours != theirs {
                say(path, &format_args!("at byte {offset}: got {theirs:08x}, expected {ours:08x}"))?;
                self.tally.mismatches += 1;
            }
            offset += length as u64;
            self.tally.bytes += length as u64;
            if length < self.chunk_size {
                break;
            }
        }
        self.tally.files += 1;
        Ok(())
    }

    /// The chunk there and its checksum back, however many servers die over it.
    fn ask(&mut self, path: &Path) -> Result<u32, Failure> {
        loop {
            let mut wire = [0; 4];
            let sent = Instant::now();
            match self.client.req(&self.chunk, &mut wire, REPLY_TIMEOUT) {
                Ok(4) => {
                    let answered = Instant::now();
                    let round_trip = answered.duration_since(sent).as_nanos();
                    self.round_trips.push(u64::try_from(round_trip).unwrap_or(u64::MAX));
                    self.tally.requests += 1;
                    self.show_progress(answered)?;
                    return Ok(u32::from_le_bytes(wire));
                }
                Ok(length) => {
                    let path = path.display();
                    return Err(Failure::Said(format!("{path}: a reply of {length} bytes is no checksum")));
                }
                Err(Error::OwnerDead) => {
                    say(path, &"the server died with the request; sending it again")?;
                    self.tally.resent += 1;
                }
                Err(Error::Interrupted | Error::Stopped) => signals::check()?,
                Err(error) => return Err(Failure::Said(format!("{}: {error}", path.display()))),
            }
        }
    }

    fn skip(&mut self, path: &Path, why: &io::Error) -> Result<(), Failure> {
        say(path, &format_args!("skipped: {why}"))?;
        self.tally.skipped += 1;
        Ok(())
    }

    fn show_progress(&mut self, now: Instant) -> Result<(), Failure> {
        if now >= self.progress_due {
            self.progress_due = now + PROGRESS_EVERY;
            writeln!(io::stdout(), "{}", Line::Progress(self.tally))?;
        }
        Ok(())
    }

    fn result(&mut self) -> Tally {
        self.round_trips.sort_unstable();
        let times = &self.round_trips;
        // The smallest recorded time that so many percent of all do not exceed.
        let percentile = |percent: usize| match times.len() {
            0 => 0,
            count => times[(count * percent).div_ceil(100) - 1],
        };
        Tally { p50: percentile(50), p99: percentile(99), max: percentile(100), ..self.tally }
    }
}

fn say(path: &Path, what: &dyn Display) -> io::Result<()> {
    writeln!(io::stderr(), "checksum_client: {}: {what}", path.display())
}
