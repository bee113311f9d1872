//! One word for one thing: no source, header or document has a word that another one of the glossary in
//! `docs/DESIGN.md` has replaced.

use std::fs;
use std::path::{Path, PathBuf};

/// What is not said, and what is said instead.
const REPLACED: [(&str, &[&str]); 5] = [
    ("doorbell", &["bell", "bells"]),
    ("tail and head, shared words, doorbells", &["cursor", "cursors"]),
    ("recover, mark, place", &["sweep", "sweeps", "swept", "sweeping", "mend", "mends", "mended", "mending"]),
    ("recover, mark, place", &["settle", "settles", "settling"]),
    ("spare slot, loan", &["lent", "lender", "lenders", "lending"]),
];

fn files_below(path: PathBuf, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| files_below(entry.unwrap().path(), found));
    } else if path.extension().is_some_and(|end| ["rs", "h", "md"].iter().any(|one| end == *one)) {
        found.push(path);
    }
}

#[test]
fn no_word_is_used_that_another_has_replaced() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for place in ["src", "include", "docs", "examples", "benches", "README.md", "CONTRIBUTING.md"] {
        files_below(root.join(place), &mut files);
    }
    assert!(files.len() > 80, "{files:?}");
    let mut wrong = Vec::new();
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate() {
            let words = line.split(|c: char| !c.is_ascii_alphabetic()).map(str::to_ascii_lowercase);
            for word in words {
                for (instead, replaced) in REPLACED {
                    if replaced.contains(&word.as_str()) {
                        wrong.push(format!("{}:{}: {word}, not {instead}", path.display(), number + 1));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
