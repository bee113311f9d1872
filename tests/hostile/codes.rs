//! The codes that include/shmrr.h documents, function by function: those that its text lists, those of the groups that
//! it names, which the top of the header lists, and `-EINVAL`, which every call returns.

use crate::support::codes;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

pub type Codes = BTreeMap<String, BTreeSet<String>>;

/// Which codes each function is documented to return, with those of the functions that it refers to: none for one that
/// returns nothing. Functions that return a pointer are left out.
pub fn documented() -> Codes {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/shmrr.h");
    let header = std::fs::read_to_string(path).unwrap();
    let groups = groups(&header);
    let mut codes = Codes::new();
    let mut comment = String::new();
    for line in header.lines() {
        if let Some(text) = line.strip_prefix("/**").or_else(|| line.strip_prefix(" *")) {
            comment.push_str(text.trim_end_matches("*/").trim_end_matches('/'));
            continue;
        }
        if let Some(name) = declared(line) {
            let own = if line.starts_with("void ") {
                BTreeSet::new()
            } else {
                told(name, &comment, &codes, &groups)
            };
            codes.insert(name.to_owned(), own);
        }
        comment.clear();
    }
    codes
}

/// The codes that a function's comment tells, and those of the function that it begins to refer to, which is told of
/// before.
fn told(name: &str, comment: &str, codes: &Codes, groups: &Codes) -> BTreeSet<String> {
    let returns = comment.split_once("@return").map_or("", |(_, returns)| returns);
    let mut own = codes_in(returns, groups);
    own.insert("EINVAL".to_owned());
    if let Some(other) = returns.trim_start().strip_prefix("as ") {
        let other = words(other).next().unwrap();
        own.extend(codes.get(other).unwrap_or_else(|| panic!("{name}: {other}?")).iter().cloned());
    }
    own
}

/// The groups of codes that many calls have in common, as `[handle]`: from a line that begins with its name to the next,
/// or to an empty one.
fn groups(header: &str) -> Codes {
    let mut groups = Codes::new();
    let mut current = None;
    for line in header.lines().take_while(|line| !line.starts_with("#ifndef")) {
        let text = line.trim_start_matches(" *").trim();
        if let Some((name, _)) = text.strip_prefix('[').and_then(|text| text.split_once(']')) {
            current = Some(name.to_owned());
        } else if text.is_empty() {
            current = None;
        }
        if let Some(name) = &current {
            // What a group refers to stands before it.
            let own = text.strip_prefix(&format!("[{name}]")).unwrap_or(text);
            let codes = codes_in(own, &groups);
            groups.entry(name.clone()).or_default().extend(codes);
        }
    }
    groups
}

/// The codes that a text lists, and those of the groups that it names.
fn codes_in(text: &str, groups: &Codes) -> BTreeSet<String> {
    let listed = words(text).filter_map(|word| word.strip_prefix('-')).filter(|code| code.starts_with('E'));
    let mut codes: BTreeSet<String> = listed.map(String::from).collect();
    for part in text.split('[').skip(1) {
        let name = part.split(']').next().unwrap();
        codes.extend(groups.get(name).unwrap_or_else(|| panic!("[{name}]?")).iter().cloned());
    }
    codes
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
