//! After which instructions victims are stopped, how many ways to go on are tried, and what came of it.
//!
//! | `SHMRR_STOP` | after which | ways |
//! |---|---|---|
//! | none, or `some` | a few of each operation, the same ones in every run | one each, in turn |
//! | `full` | every one, and a thousand of each operation that is long | one each, in turn |
//! | `every` | every one | twelve |
//!
//! Of a pair, `full` takes forty points of the first operation and twenty of the second for each, and `every` all that are
//! near a change and as many others. Servers that were woken are stopped as single victims are, and near every change.
//!
//! Another `SHMRR_STOP_SEED` than 0 takes other ones.

use crate::table::Table;
use std::fmt::Display;
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// An operation of more instructions is a long one.
const LONG: u64 = 2500;
const SOME_OF_LONG: usize = 1000;
const SOME: usize = 5;
const WAYS: usize = 12;
/// After so many failures of one operation there is no point in going on.
const FAILURES_MAX: u64 = 5;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    Some,
    Full,
    Every,
}

pub fn extent() -> Extent {
    match std::env::var("SHMRR_STOP").as_deref() {
        Err(_) | Ok("some") => Extent::Some,
        Ok("full") => Extent::Full,
        Ok("every") => Extent::Every,
        Ok(other) => panic!("SHMRR_STOP={other}: expected some, full or every"),
    }
}

/// Of that name's choices.
pub fn seed(name: &str) -> u64 {
    let given = std::env::var("SHMRR_STOP_SEED").map_or(0, |seed| seed.parse().expect("a number"));
    u64::from(crc32c::crc32c(name.as_bytes())) + (given << 32)
}

pub fn stops_of(instructions: u64) -> usize {
    match extent() {
        Extent::Some => SOME,
        Extent::Full if instructions > LONG => SOME_OF_LONG,
        Extent::Full | Extent::Every => usize::MAX,
    }
}

/// The numbers of the ways to go on from a point, of which this is the first.
pub fn ways(first: usize) -> Range<usize> {
    let first = first * if extent() == Extent::Every { WAYS } else { 1 };
    first..first + if extent() == Extent::Every { WAYS } else { 1 }
}

/// What came of the stops of one operation.
pub struct Tally {
    name: String,
    instructions: String,
    stops: u64,
    failures: u64,
}

impl Tally {
    pub fn new(name: impl Display, instructions: impl Display) -> Self {
        Self { name: name.to_string(), instructions: instructions.to_string(), stops: 0, failures: 0 }
    }

    /// One trial, which counts as a stop if it was one.
    pub fn trial<T>(
        &mut self,
        trial: impl FnOnce() -> io::Result<T>,
        was_stop: impl FnOnce(&T) -> bool,
        what: &str,
    ) -> io::Result<Option<T>> {
        match catch_unwind(AssertUnwindSafe(trial)) {
            Ok(done) => {
                let done = done?;
                self.stops += u64::from(was_stop(&done));
                Ok(Some(done))
            }
            Err(_) => {
                println!("failed: {}: {what}", self.name);
                self.failures += 1;
                Ok(None)
            }
        }
    }

    pub fn is_enough(&self) -> bool {
        self.failures >= FAILURES_MAX
    }

    pub fn report(self) {
        static STOPS: Table = Table::of("stops");
        let Self { name, instructions, stops, failures } = self;
        let all = STOPS.add(&name, &instructions, stops, failures);
        if extent() != Extent::Some {
            eprintln!("{all} stops so far");
        }
        assert_eq!(failures, 0, "{name}: failures");
    }
}
