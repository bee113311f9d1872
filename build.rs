//! Gives the shared library its soname, which cargo does not set by itself, and puts a link of that name beside it, so
//! that programs find the library where cargo puts it.

use std::env;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The number in `libshmrr.so.N`, the version's first: raised when a program built against an older header would no
/// longer work.
const ABI: &str = env!("CARGO_PKG_VERSION_MAJOR");

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libshmrr.so.{ABI}");

    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    if is_published() || is_without_shared_library() {
        return;
    }
    let Some(directory) = library_directory(&out).filter(|directory| directory.is_dir()) else { return };
    let link = directory.join(format!("libshmrr.so.{ABI}"));
    if let Err(error) = point(&link, Path::new("libshmrr.so")) {
        println!("cargo::warning=no link {}: {error}", link.display());
    }
}

/// Whether this is a copy from a registry: a dependency, of which cargo leaves no library in its output.
fn is_published() -> bool {
    Path::new("Cargo.toml.orig").exists()
}

/// Where the C library is linked statically, as with musl by default, cargo makes no shared one.
fn is_without_shared_library() -> bool {
    let features = env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    features.split(',').any(|feature| feature == "crt-static")
}

/// Where cargo will put the library: it doesn't say. This script's own directory is `B/build/…/out`, for B the
/// directory of this target and profile. That holds the libraries too, except where cargo is told to build elsewhere
/// (`build.build-dir`): then they go to the same place below the other directory that its metadata names.
fn library_directory(out: &Path) -> Option<PathBuf> {
    let build = out.ancestors().skip(1).find(|directory| directory.ends_with("build"))?.parent()?;
    let moved = moved_from_and_to().and_then(|(from, to)| Some(to.join(build.strip_prefix(from).ok()?)));
    Some(moved.unwrap_or_else(|| build.to_owned()))
}

/// The directory that cargo builds in and the one that it puts results in, from cargo 1.91 on.
fn moved_from_and_to() -> Option<(PathBuf, PathBuf)> {
    let cargo = env::var_os("CARGO")?;
    let metadata =
        Command::new(cargo).args(["metadata", "--no-deps", "--offline", "--format-version=1"]).output();
    let metadata = String::from_utf8(metadata.ok()?.stdout).ok()?;
    let named = |name: &str| {
        let (_, rest) = metadata.split_once(&format!(r#""{name}":""#))?;
        Some(PathBuf::from(rest.split_once('"')?.0))
    };
    Some((named("build_directory")?, named("target_directory")?))
}

/// Makes a link, or turns one that is there, in one step: somebody may be using it.
fn point(link: &Path, to: &Path) -> io::Result<()> {
    if fs::read_link(link).is_ok_and(|found| found == to) {
        return Ok(());
    }
    let new = link.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => symlink(to, &new)?,
    }
    fs::rename(new, link)
}
