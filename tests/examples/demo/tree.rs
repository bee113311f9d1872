//! Trees to walk, and what a client has to find in them.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;

use super::CHUNK;

/// Files around the length of a chunk, an empty one, and what a walk must not follow.
pub(crate) fn small_tree() -> TempDir {
    let tree = tempfile::tempdir().unwrap();
    let nested = tree.path().join("nested/deeper");
    fs::create_dir_all(&nested).unwrap();
    for (number, length) in [0, 1, 4095, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK].into_iter().enumerate() {
        let directory = if number % 2 == 0 { tree.path() } else { &nested };
        let content: Vec<u8> = (0..length).map(|at| (at * 31 + at / 251 + number) as u8).collect();
        fs::write(directory.join(format!("{length} bytes")), content).unwrap();
    }
    symlink("..", nested.join("loop")).unwrap();
    symlink("0 bytes", tree.path().join("link")).unwrap();
    symlink("nowhere", tree.path().join("dangling")).unwrap();
    tree
}

/// Enough to walk for seconds. The holes of a file cost no disk.
pub(crate) fn big_tree() -> TempDir {
    let tree = small_tree();
    for number in 0..32 {
        let mut file = File::create(tree.path().join(format!("holes {number}"))).unwrap();
        writeln!(file, "not only holes: {number}").unwrap();
        file.set_len(64 << 20).unwrap();
    }
    tree
}

/// What a client has to find in a tree.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) requests: u64,
}

impl Seen {
    pub(crate) fn of(tree: &Path) -> Self {
        let mut seen = Self::default();
        let mut directories = vec![tree.to_path_buf()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let entry = entry.unwrap();
                let metadata = entry.metadata().unwrap();
                if metadata.is_dir() {
                    directories.push(entry.path());
                } else if metadata.is_file() {
                    seen.files += 1;
                    seen.bytes += metadata.len();
                    seen.requests += metadata.len().div_ceil(CHUNK as u64).max(1);
                }
            }
        }
        seen
    }

    pub(crate) fn agreed(&self) -> String {
        format!("all agree: {} files, {} bytes; 0 mismatches", self.files, self.bytes)
    }
}
