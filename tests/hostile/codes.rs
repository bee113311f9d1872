//! The codes that include/shmrr.h documents, function by function.

use crate::support::codes;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

pub type Codes = BTreeMap<String, BTreeSet<String>>;

/// Which codes each function is documented to return, with those of the functions that it refers to: none for one that
/// returns nothing. Functions that return a pointer are left out.
pub fn documented() -> Codes {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/shmrr.h");
    let header = std::fs::read_to_string(path).unwrap();
    let mut codes = Codes::new();
    let mut comment = String::new();
    for line in header.lines() {
        if let Some(text) = line.strip_prefix("/**").or_else(|| line.strip_prefix(" *")) {
            comment.push_str(text.trim_end_matches("*/").trim_end_matches('/'));
            continue;
        }
        if let Some(name) = declared(line) {
            let own = if line.starts_with("void ") { BTreeSet::new() } else { told(name, &comment, &codes) };
            codes.insert(name.to_owned(), own);
        }
        comment.clear();
    }
    codes
}

/// The codes that a function's comment tells, and those of the function that it begins to refer to, which is told of
/// before.
fn told(name: &str, comment: &str, codes: &Codes) -> BTreeSet<String> {
    let (_, returns) = comment.split_once("Return value:").unwrap_or_else(|| panic!("{name} returns what?"));
    let codes_in =
        words(returns).filter_map(|word| word.strip_prefix('-')).filter(|code| code.starts_with('E'));
    let mut own: BTreeSet<String> = codes_in.map(String::from).collect();
    if let Some(other) = returns.trim_start().strip_prefix("as ") {
        let other = words(other).next().unwrap();
        own.extend(codes.get(other).unwrap_or_else(|| panic!("{name}: {other}?")).iter().cloned());
    }
    own
}

/// The function that a line declares, unless it returns a pointer.
fn declared(line: &str) -> Option<&str> {
    let (before, _) = line.split_once('(')?;
    let (_, name) = before.rsplit_once(' ')?;
    name.starts_with("rr_").then_some(name)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-')).filter(|word| !word.is_empty())
}

/// The table that `watch.h` reads.
pub fn table(codes: &Codes) -> String {
    let mut lines = String::new();
    for (function, names) in codes {
        lines += &format!("{function} success 0\n");
        for name in names {
            let number = codes::number(name).unwrap_or_else(|| panic!("{function}: {name}?"));
            lines += &format!("{function} {name} {number}\n");
        }
    }
    lines
}
