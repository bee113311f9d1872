//! After which instructions a victim is killed, and what came of it.
//!
//! | `SHMRR_KILL` | after which |
//! |---|---|
//! | none, or `some` | a few of each operation, the same ones in every run |
//! | `full` | every one, and two thousand of each operation that is long |
//! | `every` | every one |

use crate::points;
use crate::scene::Manner;
use crate::table::Table;
use crate::tracer::{Point, Steps};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

static KILLS: Table = Table::of("kills");

const SEED: u64 = 0x6B69_6C6C;
const SOME: usize = 20;
/// An operation of more instructions is a long one.
const LONG: usize = 5000;
const SOME_OF_LONG: usize = 2000;
/// After so many failures of one operation there is no point in going on.
const FAILURES_MAX: u32 = 10;

/// Kills a victim again and again: `trial` does it once, at a point, and says how far the operation came.
pub fn carry_out(name: &str, mut trial: impl FnMut(Point, Manner) -> io::Result<Steps>) -> io::Result<()> {
    // The first one leaves the channel as all the others will find it.
    trial(Point::END, Manner::Recover)?;
    let whole = trial(Point::END, Manner::Recover)?;
    let instructions = whole.stepped.len() as u64;
    assert!(whole.is_complete && instructions > 0, "{name}: {instructions} instructions");
    let (mut kills, mut failures) = (0, 0);
    for (count, point) in chosen(&whole.stepped).into_iter().enumerate() {
        let manner = Manner::ALL[count % Manner::ALL.len()];
        match catch_unwind(AssertUnwindSafe(|| trial(point, manner))) {
            // An operation takes a few instructions more or less, as a request is short or long.
            Ok(steps) => kills += u64::from(!steps?.is_complete),
            Err(_) => {
                println!("failed: {name}, killed at {point:?}, survivors go on by {manner:?}");
                failures += 1;
            }
        }
        if failures == FAILURES_MAX {
            break;
        }
    }
    KILLS.add(name, &instructions.to_string(), kills, failures.into());
    assert_eq!(failures, 0, "{name}: failures");
    Ok(())
}

fn chosen(trace: &[u64]) -> Vec<Point> {
    let many = match std::env::var("SHMRR_KILL").as_deref() {
        Err(_) | Ok("some") => SOME,
        Ok("full") if trace.len() > LONG => SOME_OF_LONG,
        Ok("full") => usize::MAX,
        Ok("every") => usize::MAX,
        Ok(other) => panic!("SHMRR_KILL={other}: expected some, full or every"),
    };
    points::of(trace, points::choose(trace.len() as u64, many, SEED))
}
