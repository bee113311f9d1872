//! A channel name of a test's own, removed when the test ends.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A path in /dev/shm that no other test uses.
pub struct Name(PathBuf);

impl Name {
    pub fn new(test: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = Self(format!("/dev/shm/shmrr-test-{test}-{}-{count}", std::process::id()).into());
        // A process of the same number that was killed may have left its own.
        let _ = std::fs::remove_file(&name.0);
        name
    }
}

impl AsRef<Path> for Name {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl AsRef<OsStr> for Name {
    fn as_ref(&self) -> &OsStr {
        self.0.as_os_str()
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
