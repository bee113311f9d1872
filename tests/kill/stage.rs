//! What a victim needs before it can act: a program, and a processor that it shares with its tracer.

use crate::support::compiler::{self, Language, Linkage};
use crate::support::mode::Mode;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The victims' program. It is put in its place whole, which tells what it was made from: tests in other processes may be
/// running it, or another with a library that knows fewer functions.
pub fn victim() -> Result<&'static Path, &'static String> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let compiled = PROGRAM.get_or_init(|| {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let directory = tempfile::tempdir_in(place).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kill/victim.c");
        let new = compiler::compile(&source, Language::C, Linkage::Shared, Mode::Plain, directory.path())?;
        let sum = crc32c::crc32c(&std::fs::read(&source).unwrap());
        let program = place.join(format!("kill-victim-{sum:x}"));
        std::fs::rename(new, &program).unwrap();
        Ok(program)
    });
    compiled.as_deref()
}

/// Keeps this thread and its victims on one processor, where a step costs no wake-up of another. The survivors' handles
/// are open by then: they are not bound, so that victims poll for them as they would elsewhere.
pub fn share_one_processor() {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let Ok(allowed) = sched_getaffinity(None) else { return };
    if allowed.count() == 1 {
        return;
    }
    let all: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect();
    let mut one = CpuSet::new();
    one.set(all[NEXT.fetch_add(1, Ordering::Relaxed) % all.len()]);
    let _ = sched_setaffinity(None, &one);
}
