//! From what a caller calls a channel to the path of its file.

use super::fd::Identity;
use crate::error::{Error, Result};
use crate::memory;
use rustix::io::Errno;
use std::ffi::{CStr, OsStr};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Where names without a slash live.
const SHARED_MEMORY_DIRECTORY: &[u8] = b"/dev/shm/";
/// The most bytes of a path that messages show, so that there is room for what was wrong with it.
const SHOWN_MAX: usize = 128;

/// A path as the system takes it: the kernel's calls get it without another copy.
pub(crate) struct Name {
    /// No NUL except at the end.
    bytes: Vec<u8>,
}

impl Name {
    /// A path of these parts, one after the other.
    pub fn new(parts: &[&[u8]]) -> Result<Self> {
        let length = parts.iter().map(|part| part.len()).sum::<usize>();
        let mut bytes = memory::reserved(length + 1)?;
        parts.iter().for_each(|part| bytes.extend_from_slice(part));
        if bytes.contains(&0) {
            return Err(Error::bad_argument("path", "a NUL byte", "none"));
        }
        bytes.push(0);
        Ok(Self { bytes })
    }

    pub fn copy(&self) -> Result<Self> {
        Self::new(&[self.as_path().as_os_str().as_bytes()])
    }

    pub fn as_c_str(&self) -> &CStr {
        // SAFETY: `new` saw to it that the only NUL is the last byte.
        unsafe { CStr::from_bytes_with_nul_unchecked(&self.bytes) }
    }

    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(self.as_c_str().to_bytes()))
    }

    /// The directory that it is in.
    pub fn directory(&self) -> Result<Self> {
        let parent = self.as_path().parent().filter(|parent| !parent.as_os_str().is_empty());
        Self::new(&[parent.unwrap_or(Path::new(".")).as_os_str().as_bytes()])
    }

    /// This name in that directory.
    pub fn join(&self, name: &[u8]) -> Result<Self> {
        Self::new(&[self.as_c_str().to_bytes(), b"/", name])
    }
}

impl fmt::Display for Name {
    /// The path; of a long one the end, which tells more than the beginning.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.as_path();
        let bytes = path.as_os_str().as_bytes();
        if bytes.len() <= SHOWN_MAX {
            return path.display().fmt(f);
        }
        let end = &bytes[bytes.len() - SHOWN_MAX..];
        // Not from within a character.
        let skipped = end.iter().take_while(|byte| **byte & 0xC0 == 0x80).count().min(3);
        write!(f, "...{}", Path::new(OsStr::from_bytes(&end[skipped..])).display())
    }
}

/// The path that a channel's name means: itself, or one in `/dev/shm` if it has no slash.
pub(crate) fn resolve(name: &Path) -> Result<Name> {
    let bytes = name.as_os_str().as_bytes();
    if bytes.is_empty() || bytes.contains(&0) {
        let expected = "a name without NUL bytes, not empty";
        return Err(Error::bad_argument("path", format_args!("{:?}", name.as_os_str()), expected));
    }
    if bytes.contains(&b'/') {
        return Name::new(&[bytes]);
    }
    if matches!(bytes, b"." | b"..") {
        return Err(Error::bad_argument("path", name.display(), "the name of a file"));
    }
    Name::new(&[SHARED_MEMORY_DIRECTORY, bytes])
}

/// Removes a channel's name. Those who are attached go on; nobody else can attach by that name.
///
/// # Errors
/// [`Error::Invalid`] if the name is empty; [`Error::System`] as `unlink(2)`, above all `ENOENT` and `EACCES`.
pub fn unlink(name: impl AsRef<Path>) -> Result<()> {
    remove(&resolve(name.as_ref())?)
}

pub(crate) fn remove(path: &Name) -> Result<()> {
    rustix::fs::unlink(path.as_c_str())
        .map_err(|errno| Error::system(format_args!("{path}: cannot remove the name"), errno))
}

/// Whether the path is that of this very file, and not of another or of none.
pub(crate) fn means(path: &Name, file: Identity) -> Result<bool> {
    leads_to(path, file)
        .map_err(|errno| Error::system(format_args!("{path}: cannot look at the name"), errno))
}

pub(super) fn leads_to(path: &Name, file: Identity) -> Result<bool, Errno> {
    match rustix::fs::lstat(path.as_c_str()) {
        Ok(stat) => Ok(Identity::of_stat(&stat) == file),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(false),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_is_in_dev_shm_and_a_path_is_itself() {
        let resolved = |name: &str| resolve(Path::new(name)).map(|found| found.as_path().to_owned());
        assert_eq!(resolved("calls").unwrap(), Path::new("/dev/shm/calls"));
        assert_eq!(resolved("./calls").unwrap(), Path::new("./calls"));
        assert!(resolved("").is_err());
        assert!(resolved("..").is_err());
        assert!(resolved("a\0b").is_err());
    }

    #[test]
    fn a_name_is_in_its_directory_and_a_long_one_is_shown_from_its_end() {
        let name = resolve(Path::new("calls")).unwrap();
        assert_eq!(name.directory().unwrap().as_c_str(), c"/dev/shm");
        assert_eq!(name.directory().unwrap().join(b"x").unwrap().as_c_str(), c"/dev/shm/x");
        assert_eq!(name.copy().unwrap().to_string(), "/dev/shm/calls");
        let long = format!("/{}/calls", "ñ".repeat(500));
        let shown = resolve(Path::new(&long)).unwrap().to_string();
        assert!(shown.starts_with("...ñ") && shown.ends_with("ñ/calls") && shown.len() < 136, "{shown}");
    }
}
