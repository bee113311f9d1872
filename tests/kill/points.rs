//! Points of an operation, by what one run of it showed.

// Each test file uses a part of it.
#![allow(dead_code)]

use crate::payload::Random;
use crate::tracer::Point;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// The points after so many instructions, each with a shortcut on the way there.
pub fn of(trace: &[u64], after: impl IntoIterator<Item = u64>) -> Vec<Point> {
    let breakpoints = first_times(trace);
    let point = |after: u64| {
        let breakpoint = breakpoints.range(..=after).next_back().map(|(before, place)| (*before, *place));
        Point { after, breakpoint }
    };
    after.into_iter().map(point).collect()
}

/// The instructions that come for the first time, by how many come before.
fn first_times(trace: &[u64]) -> BTreeMap<u64, u64> {
    let mut seen = HashSet::new();
    (0..).zip(trace.iter().copied()).filter(|(_, place)| seen.insert(*place)).collect()
}

/// So many of the numbers below `end`, all of them if there are no more.
pub fn choose(end: u64, many: usize, seed: u64) -> BTreeSet<u64> {
    if usize::try_from(end).is_ok_and(|end| end <= many) {
        return (0..end).collect();
    }
    let mut random = Random::new(seed);
    let mut chosen = BTreeSet::from([0, end - 1]);
    while chosen.len() < many {
        chosen.insert(random.below(end));
    }
    chosen
}
