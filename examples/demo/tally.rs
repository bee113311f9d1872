//! A client's totals, and the two kinds of line in which it writes them on its standard output:
//!
//! ```text
//! progress files=12 bytes=345678 requests=19
//! done files=12 bytes=345678 requests=19 resent=0 skipped=0 mismatches=0 p50=2100 p99=9000 max=23000
//! ```
//!
//! The times are round trips in nanoseconds.

use std::fmt;

#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) requests: u64,
    pub(crate) resent: u64,
    pub(crate) skipped: u64,
    pub(crate) mismatches: u64,
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) max: u64,
}

pub(crate) enum Line {
    Progress(Tally),
    Done(Tally),
}

impl Line {
    /// The line that a client wrote, unless it is of neither kind. A total that it leaves out is 0.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (kind, pairs) = line.split_once(' ')?;
        let mut tally = Tally::default();
        for pair in pairs.split(' ') {
            let (name, value) = pair.split_once('=')?;
            *tally.field(name)? = value.parse().ok()?;
        }
        match kind {
            "progress" => Some(Self::Progress(tally)),
            "done" => Some(Self::Done(tally)),
            _ => None,
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Progress(t) => {
                write!(f, "progress files={} bytes={} requests={}", t.files, t.bytes, t.requests)
            }
            Self::Done(t) => {
                write!(f, "done files={} bytes={} requests={}", t.files, t.bytes, t.requests)?;
                write!(f, " resent={} skipped={} mismatches={}", t.resent, t.skipped, t.mismatches)?;
                write!(f, " p50={} p99={} max={}", t.p50, t.p99, t.max)
            }
        }
    }
}

impl Tally {
    fn field(&mut self, name: &str) -> Option<&mut u64> {
        Some(match name {
            "files" => &mut self.files,
            "bytes" => &mut self.bytes,
            "requests" => &mut self.requests,
            "resent" => &mut self.resent,
            "skipped" => &mut self.skipped,
            "mismatches" => &mut self.mismatches,
            "p50" => &mut self.p50,
            "p99" => &mut self.p99,
            "max" => &mut self.max,
            _ => return None,
        })
    }
}
