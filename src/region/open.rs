//! Existing regions: by path or by descriptor. Nothing is mapped here; the caller checks the header first.

use crate::error::{Error, Result};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{self, AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::path::Path;

/// Opens the file of a channel. `None` if there is none of that name.
pub(crate) fn path(path: &Path) -> Result<Option<OwnedFd>> {
    let subject = path.display();
    let failed = |errno: Errno| Error::system(format!("{subject}: cannot open"), errno);
    // Looked at before it is opened: opening a device or a FIFO can have effects.
    let kind = match fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => FileType::from_raw_mode(stat.st_mode),
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(failed(errno)),
    };
    if kind == FileType::Symlink {
        return Err(Error::system(
            format!("{subject}: file type: found a symbolic link, expected a regular file"),
            Errno::LOOP,
        ));
    }
    expect_regular(kind, &subject.to_string())?;
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    match fs::open(path, flags, Mode::empty()) {
        Ok(fd) => Ok(Some(fd)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(failed(errno)),
    }
}

/// Duplicates a descriptor that somebody passed or left open.
pub(crate) fn descriptor(fd: BorrowedFd<'_>, subject: &str) -> Result<OwnedFd> {
    rustix::io::fcntl_dupfd_cloexec(fd, 0)
        .map_err(|errno| Error::system(format!("{subject}: cannot duplicate"), errno))
}

/// The size of a regular file, in bytes.
pub(crate) fn size(fd: &OwnedFd, subject: &str) -> Result<u64> {
    let stat = fs::fstat(fd).map_err(|errno| Error::system(format!("{subject}: cannot stat"), errno))?;
    expect_regular(FileType::from_raw_mode(stat.st_mode), subject)?;
    Ok(stat.st_size as u64)
}

/// Reads the first `N` bytes of a file of at least that size.
pub(crate) fn first_bytes<const N: usize>(fd: &OwnedFd, subject: &str) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let read = rustix::io::retry_on_intr(|| rustix::io::pread(fd, &mut bytes[..], 0))
        .map_err(|errno| Error::system(format!("{subject}: cannot read the header"), errno))?;
    if read == N { Ok(bytes) } else { Err(Error::mismatch(subject, "header size in bytes", read, N)) }
}

/// Opens the file behind a descriptor once more, as an open file description of its own.
pub(crate) fn again(fd: BorrowedFd<'_>, subject: &str) -> Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK;
    fs::open(proc_path(&fd).as_str(), flags, Mode::empty()).map_err(|errno| {
        Error::system(format!("{subject}: cannot open its descriptor again through /proc/self/fd"), errno)
    })
}

pub(crate) fn proc_path(fd: &impl AsFd) -> String {
    format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd())
}

fn expect_regular(found: FileType, subject: &str) -> Result<()> {
    let name = match found {
        FileType::RegularFile => return Ok(()),
        FileType::Directory => "a directory",
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice => "a character device",
        FileType::BlockDevice => "a block device",
        _ => "something else",
    };
    Err(Error::mismatch(subject, "file type", name, "a regular file"))
}
