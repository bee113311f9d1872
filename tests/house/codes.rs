//! The table of codes and the header agree: what a call is documented to return stands in the table, and what stands in
//! the table is returned by some call.

#[allow(dead_code)]
#[path = "../hostile/codes.rs"]
mod documented;

use crate::support;
use crate::support::codes::CODES;
use std::collections::BTreeSet;

fn named() -> BTreeSet<String> {
    documented::documented().into_values().flatten().collect()
}

#[test]
fn every_code_has_a_name_a_number_and_a_sentence_of_its_own() {
    let all = CODES.len();
    assert_eq!(CODES.iter().map(|code| code.name).collect::<BTreeSet<_>>().len(), all);
    assert_eq!(CODES.iter().map(|code| code.number).collect::<BTreeSet<_>>().len(), all);
    assert_eq!(CODES.iter().map(|code| code.sentence).collect::<BTreeSet<_>>().len(), all);
}

#[test]
fn every_documented_code_stands_in_the_table() {
    let unknown: Vec<_> = named().into_iter().filter(|name| support::codes::number(name).is_none()).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// By a call that lists it, or by a section of the header on what any call can meet.
#[test]
fn every_code_of_the_table_is_returned_by_a_call() {
    let named = named();
    let header = include_str!("../../include/shmrr.h");
    let is_in_a_section = |name: &str| header.matches(&format!("-{name}")).count() > 1;
    let is_used = |name: &str| named.contains(name) || is_in_a_section(name);
    let unused: Vec<_> = CODES.iter().map(|code| code.name).filter(|name| !is_used(name)).collect();
    assert!(unused.is_empty(), "{unused:?}");
}

/// "And others from the system" is what no call may say.
#[test]
fn no_call_returns_codes_that_it_does_not_list() {
    let header = include_str!("../../include/shmrr.h");
    assert!(!header.contains("others from the system") && !header.contains("and others as"));
}
