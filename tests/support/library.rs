//! The shared and the static library as a program finds them: `libshmrr.so`, `libshmrr.so.0` and `libshmrr.a` in one
//! directory.
//!
//! Cargo builds a cdylib for integration tests, but tells them no path. A nested build into the same target directory
//! finds most of its work done, and its messages name the files.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio, id};
use std::sync::OnceLock;

/// The name that programs which were linked with the library look for when they start.
pub const SONAME: &str = "libshmrr.so.0";
pub const LINK_NAME: &str = "libshmrr.so";
pub const ARCHIVE: &str = "libshmrr.a";

/// The directory that holds the three.
pub fn directory() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        let files = build();
        let built = |extension: &str| {
            let is_it = |file: &&PathBuf| file.extension().is_some_and(|found| found == extension);
            files.iter().find(is_it).unwrap_or_else(|| panic!("no .{extension} among {files:?}"))
        };
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("library-{}", profile()));
        fs::create_dir_all(&directory).unwrap();
        for (name, file) in [(LINK_NAME, built("so")), (SONAME, built("so")), (ARCHIVE, built("a"))] {
            point(&directory.join(name), file);
        }
        directory
    })
}

pub fn shared() -> PathBuf {
    directory().join(SONAME)
}

pub fn archive() -> PathBuf {
    directory().join(ARCHIVE)
}

fn profile() -> &'static str {
    if cfg!(debug_assertions) { "dev" } else { "release" }
}

fn build() -> Vec<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let output = Command::new(cargo)
        .args(["build", "--lib", "--message-format=json", "--quiet", "--profile", profile(), "--target-dir"])
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let messages = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "cargo build --lib: {}\n{messages}", output.status);
    messages.lines().filter(|line| line.contains(r#""cdylib""#)).flat_map(file_names).collect()
}

/// The `filenames` of one of cargo's messages.
fn file_names(message: &str) -> Vec<PathBuf> {
    let names = message.split_once(r#""filenames":["#).and_then(|(_, rest)| rest.split_once(']'));
    names.map_or(Vec::new(), |(names, _)| {
        names.split(',').map(|name| PathBuf::from(name.trim_matches('"'))).collect()
    })
}

/// Makes a symbolic link, or turns one that is there, in one step: tests in other processes may be using it.
fn point(link: &Path, to: &Path) {
    if fs::read_link(link).is_ok_and(|found| found == to) {
        return;
    }
    let new = link.with_extension(format!("{}", id()));
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => panic!("{}: {error}", new.display()),
        _ => {}
    }
    symlink(to, &new).unwrap();
    fs::rename(&new, link).unwrap();
}
