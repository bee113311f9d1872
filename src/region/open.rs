//! Existing regions: by path or by descriptor. Nothing is mapped here; the caller checks the header first.

use super::name::Name;
use super::retry;
use crate::error::{Error, Result};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{self, AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::CStr;
use std::fmt::Display;
use std::io::Write;

/// Opens the file of a channel. `None` if there is none of that name.
pub(crate) fn path(path: &Name) -> Result<Option<OwnedFd>> {
    let failed = |errno: Errno| Error::system(format_args!("{path}: cannot open"), errno);
    // Looked at before it is opened: opening a device or a FIFO can have effects.
    let kind = match fs::statat(CWD, path.as_c_str(), AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => FileType::from_raw_mode(stat.st_mode),
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(failed(errno)),
    };
    if kind == FileType::Symlink {
        return Err(Error::system(
            format_args!("{path}: file type: found a symbolic link, expected a regular file"),
            Errno::LOOP,
        ));
    }
    expect_regular(kind, path)?;
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    match fs::open(path.as_c_str(), flags, Mode::empty()) {
        Ok(fd) => Ok(Some(fd)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(failed(errno)),
    }
}

/// Whether there is anything of that name.
pub(crate) fn is_there(path: &Name) -> bool {
    fs::statat(CWD, path.as_c_str(), AtFlags::SYMLINK_NOFOLLOW).is_ok()
}

/// Duplicates a descriptor that somebody passed or left open.
pub(crate) fn descriptor(fd: BorrowedFd<'_>, subject: &str) -> Result<OwnedFd> {
    rustix::io::fcntl_dupfd_cloexec(fd, 0)
        .map_err(|errno| Error::system(format_args!("{subject}: cannot duplicate"), errno))
}

/// The size of a regular file, in bytes.
pub(crate) fn size(fd: &OwnedFd, subject: &str) -> Result<u64> {
    let stat = fs::fstat(fd).map_err(|errno| Error::system(format_args!("{subject}: cannot stat"), errno))?;
    expect_regular(FileType::from_raw_mode(stat.st_mode), subject)?;
    Ok(stat.st_size as u64)
}

/// Reads the first `N` bytes of a file of at least that size.
pub(crate) fn first_bytes<const N: usize>(fd: &OwnedFd, subject: &str) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let read = retry::begin_again(|| rustix::io::pread(fd, &mut bytes[..], 0))
        .map_err(|errno| Error::system(format_args!("{subject}: cannot read the header"), errno))?;
    if read == N { Ok(bytes) } else { Err(Error::mismatch(subject, "header size in bytes", read, N)) }
}

/// Opens the file behind a descriptor once more, as an open file description of its own.
pub(crate) fn again(fd: BorrowedFd<'_>, subject: &str) -> Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK;
    fs::open(ProcPath::new(&fd).as_c_str(), flags, Mode::empty()).map_err(|errno| {
        Error::system(
            format_args!("{subject}: cannot open its descriptor again through /proc/self/fd"),
            errno,
        )
    })
}

/// The path in /proc of a descriptor of this process.
pub(crate) struct ProcPath([u8; 32]);

impl ProcPath {
    pub fn new(fd: &impl AsFd) -> Self {
        let mut bytes = [0; 32];
        // Of the digits of an i32 there are ten at most.
        let _ = write!(&mut bytes[..31], "/proc/self/fd/{}", fd.as_fd().as_raw_fd());
        Self(bytes)
    }

    pub fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or_default()
    }
}

fn expect_regular(found: FileType, subject: impl Display) -> Result<()> {
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
