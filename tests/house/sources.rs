//! The files of the repository, for those who read what they say.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below a folder, named from the root.
pub fn files(folder: &str) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = Path::new(folder).join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(files(path.to_str().unwrap())),
            false => _ = found.insert(path),
        }
    }
    found
}

/// Those in Rust: each one's name within the folder, and its text.
pub fn rust(folder: &str) -> impl Iterator<Item = (String, String)> {
    let is_rust = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rs");
    files(folder).into_iter().filter(is_rust).map(move |path| {
        let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(root().join(path)).unwrap())
    })
}
