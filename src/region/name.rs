//! From what a caller calls a channel to the path of its file.

use super::Identity;
use crate::error::{Error, Result};
use rustix::io::Errno;
use std::path::{Path, PathBuf};

/// Where names without a slash live.
const SHARED_MEMORY_DIRECTORY: &str = "/dev/shm";

/// The path that a channel's name means: itself, or one in `/dev/shm` if it has no slash.
pub(crate) fn resolve(name: &Path) -> Result<PathBuf> {
    let bytes = name.as_os_str().as_encoded_bytes();
    if bytes.is_empty() || bytes.contains(&0) {
        let found = format!("{:?}", name.as_os_str());
        return Err(Error::bad_argument("path", found, "a name without NUL bytes, not empty"));
    }
    if bytes.contains(&b'/') {
        return Ok(name.to_owned());
    }
    if matches!(bytes, b"." | b"..") {
        return Err(Error::bad_argument("path", name.display(), "the name of a file"));
    }
    Ok(Path::new(SHARED_MEMORY_DIRECTORY).join(name))
}

/// Removes a channel's name. Those who are attached go on; nobody else can attach by that name.
///
/// # Errors
/// [`Error::Invalid`] if the name is empty; [`Error::System`] as `unlink(2)`, above all `ENOENT` and `EACCES`.
pub fn unlink(name: impl AsRef<Path>) -> Result<()> {
    let path = resolve(name.as_ref())?;
    rustix::fs::unlink(&path)
        .map_err(|errno| Error::system(format!("{}: cannot remove the name", path.display()), errno))
}

/// Whether the path is that of this very file, and not of another or of none.
pub(crate) fn means(path: &Path, file: Identity) -> Result<bool> {
    match rustix::fs::lstat(path) {
        Ok(stat) => Ok(Identity::of(&stat) == file),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(false),
        Err(errno) => Err(Error::system(format!("{}: cannot look at the name", path.display()), errno)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_is_in_dev_shm_and_a_path_is_itself() {
        assert_eq!(resolve(Path::new("calls")).unwrap(), Path::new("/dev/shm/calls"));
        assert_eq!(resolve(Path::new("./calls")).unwrap(), Path::new("./calls"));
        assert!(resolve(Path::new("")).is_err());
        assert!(resolve(Path::new("..")).is_err());
        assert!(resolve(Path::new("a\0b")).is_err());
    }
}
