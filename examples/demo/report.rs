//! The table at the end of the demo, and its verdict.

use std::fmt::{self, Display};
use std::time::Duration;

use crate::tally::Tally;

/// One client's row: who it is, and its totals if it lived to tell them.
pub(crate) struct Row {
    pub(crate) client: &'static str,
    pub(crate) tally: Option<Tally>,
    pub(crate) succeeded: bool,
}

pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
    pub(crate) took: Duration,
}

impl Report {
    /// Every client succeeded, and all saw the same tree.
    pub(crate) fn is_good(&self) -> bool {
        self.rows.iter().all(|row| row.succeeded && row.tally.is_some_and(|tally| tally.mismatches == 0))
            && self.seen().is_some()
    }

    /// Files and bytes, if all the clients agree on them.
    fn seen(&self) -> Option<(u64, u64)> {
        let mut seen = self.rows.iter().map(|row| row.tally.map(|tally| (tally.files, tally.bytes)));
        let first = seen.next()??;
        seen.all(|other| other == Some(first)).then_some(first)
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<6} {:>9} {:>9} {:>9} {:>7} {:>8} {:>9} {:>9} {:>9} {:>11}",
            "client", "files", "MB", "requests", "resent", "skipped", "p50", "p99", "max", "mismatches"
        )?;
        for Row { client, tally, .. } in &self.rows {
            let Some(t) = tally else {
                writeln!(f, "{client:<6} ended before it was done")?;
                continue;
            };
            writeln!(
                f,
                "{client:<6} {:>9} {:>9} {:>9} {:>7} {:>8} {:>9} {:>9} {:>9} {:>11}",
                t.files,
                megabytes(t.bytes),
                t.requests,
                t.resent,
                t.skipped,
                nanoseconds(t.p50),
                nanoseconds(t.p99),
                nanoseconds(t.max),
                t.mismatches
            )?;
        }
        let tallies = || self.rows.iter().filter_map(|row| row.tally);
        let (requests, bytes): (u64, u64) = tallies().fold((0, 0), |(r, b), t| (r + t.requests, b + t.bytes));
        writeln!(f, "{requests} round trips, {} MB in {:.2} s", megabytes(bytes), self.took.as_secs_f64())?;
        let mismatches: u64 = tallies().map(|tally| tally.mismatches).sum();
        match self.seen() {
            Some((files, bytes)) => {
                write!(f, "all agree: {files} files, {bytes} bytes; {mismatches} mismatches")
            }
            None => write!(f, "the clients disagree: one failed, or the tree changed under them"),
        }
    }
}

/// Millions of bytes.
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{}.{}", bytes / 1_000_000, bytes / 100_000 % 10)
}

fn nanoseconds(time: u64) -> String {
    match time {
        0..1_000 => format!("{time}ns"),
        1_000..1_000_000 => format!("{}.{}µs", time / 1_000, time / 100 % 10),
        _ => format!("{}.{}ms", time / 1_000_000, time / 100_000 % 10),
    }
}
