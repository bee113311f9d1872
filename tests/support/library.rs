//! The shared and the static library where cargo puts them: `libshmrr.so`, `libshmrr.so.0` and `libshmrr.a` in one
//! directory.
//!
//! Cargo builds a cdylib for integration tests, but tells them no path. A nested build into the same target directory
//! finds most of its work done, and its messages name the files.

use super::command::command;
use super::platform::Platform;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;

/// The name that programs which were linked with the library look for when they start.
pub const SONAME: &str = concat!("libshmrr.so.", env!("CARGO_PKG_VERSION_MAJOR"));
pub const LINK_NAME: &str = "libshmrr.so";
pub const ARCHIVE: &str = "libshmrr.a";

/// What cargo asks for the program that links a shared library for another processor.
const LINKERS: [(&str, &str); 1] =
    [("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "aarch64-linux-gnu-gcc")];

/// The directory that holds the three for a platform; with musl, the archive alone.
pub fn directory(platform: Platform) -> &'static Path {
    static DIRECTORIES: [OnceLock<PathBuf>; 3] = [const { OnceLock::new() }; 3];
    DIRECTORIES[platform as usize].get_or_init(|| {
        let files = build(platform);
        let archive = files.iter().find(|file| file.ends_with(ARCHIVE));
        archive.unwrap_or_else(|| panic!("not among {files:?}")).parent().unwrap().to_owned()
    })
}

/// That for this machine.
pub fn shared() -> PathBuf {
    directory(Platform::Here).join(SONAME)
}

pub fn archive(platform: Platform) -> PathBuf {
    directory(platform).join(ARCHIVE)
}

fn profile() -> &'static str {
    if cfg!(debug_assertions) { "dev" } else { "release" }
}

fn build(platform: Platform) -> Vec<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let output = command(cargo)
        .args(["build", "--lib", "--message-format=json", "--quiet", "--profile", profile(), "--target-dir"])
        .arg(target)
        .args(platform.target().map(|name| ["--target", name]).into_iter().flatten())
        .envs(LINKERS)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let messages = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "cargo build --lib: {}\n{messages}", output.status);
    messages.lines().filter(|line| line.contains(r#""cdylib""#)).flat_map(file_names).collect()
}

/// The library that a Rust program links which depends on it without default features.
pub fn without_c_interface() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("without_c_interface");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let status = command(cargo)
        .args(["rustc", "--lib", "--crate-type", "rlib", "--no-default-features", "--quiet", "--target-dir"])
        .arg(&target)
        // Nobody runs it.
        .envs([("CARGO_PROFILE_DEV_OPT_LEVEL", "0"), ("CARGO_PROFILE_DEV_DEBUG", "false")])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .unwrap();
    assert!(status.success(), "cargo rustc --lib: {status}");
    target.join("debug/libshmrr.rlib")
}

/// The `filenames` of one of cargo's messages.
fn file_names(message: &str) -> Vec<PathBuf> {
    let names = message.split_once(r#""filenames":["#).and_then(|(_, rest)| rest.split_once(']'));
    names.map_or(Vec::new(), |(names, _)| {
        names.split(',').map(|name| PathBuf::from(name.trim_matches('"'))).collect()
    })
}
