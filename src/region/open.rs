//! Existing regions: by path or by descriptor. Nothing is mapped here; the caller checks the header first.

use super::Region;
use super::fd::{Fd, Identity};
use super::kept::{Place, Use};
use super::name::{self, Name};
use super::retry;
use crate::error::{Error, Result};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd};
use rustix::fs::{self, AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::CStr;
use std::fmt::Display;
use std::io::Write;

/// Opens the file of a channel. `None` if there is none of that name.
pub(crate) fn path(path: &Name) -> Result<Option<Fd>> {
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
    match by_path(path, OFlags::empty()) {
        Ok(fd) => Ok(Some(fd)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(failed(errno)),
    }
}

fn by_path(path: &Name, more: OFlags) -> Result<Fd, Errno> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    fs::open(path.as_c_str(), flags | more, Mode::empty()).and_then(Fd::new)
}

/// Whether there is anything of that name.
pub(crate) fn is_there(path: &Name) -> bool {
    fs::statat(CWD, path.as_c_str(), AtFlags::SYMLINK_NOFOLLOW).is_ok()
}

/// Duplicates a descriptor that somebody passed or left open.
pub(crate) fn descriptor(fd: BorrowedFd<'_>, subject: &str) -> Result<Fd> {
    Fd::duplicate(fd).map_err(|errno| Error::system(format_args!("{subject}: cannot duplicate"), errno))
}

/// The size of a regular file, in bytes.
pub(crate) fn size(fd: &Fd, subject: &str) -> Result<u64> {
    let stat = fs::fstat(fd).map_err(|errno| Error::system(format_args!("{subject}: cannot stat"), errno))?;
    expect_regular(FileType::from_raw_mode(stat.st_mode), subject)?;
    Ok(stat.st_size as u64)
}

/// Reads the first `N` bytes of a file of at least that size.
pub(crate) fn first_bytes<const N: usize>(fd: &Fd, subject: &str) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let read = retry::begin_again(|| rustix::io::pread(fd, &mut bytes[..], 0))
        .map_err(|errno| Error::system(format_args!("{subject}: cannot read the header"), errno))?;
    if read == N { Ok(bytes) } else { Err(Error::mismatch(subject, "header size in bytes", read, N)) }
}

/// Opens the file of a region once more, as an open file description of its own, and lists it.
pub(super) fn listed(region: &Region, what: Use, subject: &str) -> Result<&'static Place> {
    let failed = |what: &str, errno| Error::system(format_args!("{subject}: cannot {what}"), errno);
    let place = Place::claim(region.owner(), what, region.identity())
        .map_err(|errno| failed("list a descriptor", errno))?;
    match again(region, what) {
        Ok(fd) => {
            place.hold(fd);
            Ok(place)
        }
        Err(errno) => {
            place.unclaim();
            Err(failed("open its descriptor again through /proc/self/fd", errno))
        }
    }
}

fn again(region: &Region, what: Use) -> Result<Fd, Errno> {
    let opened = region.file().ok_or(Errno::BADF).and_then(|file| reopened(file, what, region.identity()));
    // Without /proc, or without that descriptor: as it was opened first.
    opened.or_else(|errno| {
        let path = region.path().ok_or(errno)?;
        same(path, region.identity(), Some(what)).map_err(|_| errno)
    })
}

/// Opens the file behind a descriptor once more.
pub(super) fn reopened(fd: BorrowedFd<'_>, what: Use, identity: Identity) -> Result<Fd, Errno> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOCTTY | what.flags().unwrap_or(OFlags::NONBLOCK);
    let opened = fs::open(ProcPath::new(&fd).as_c_str(), flags, Mode::empty()).and_then(Fd::new);
    opened.and_then(|fd| if_same(fd, identity))
}

/// Opens a path that must lead to a file that is known.
pub(super) fn same(path: &Name, identity: Identity, what: Option<Use>) -> Result<Fd, Errno> {
    // Looked at first: opening a device or a FIFO can have effects.
    if !name::leads_to(path, identity)? {
        return Err(Errno::NOENT);
    }
    let flags = what.and_then(Use::flags).unwrap_or(OFlags::empty());
    by_path(path, flags).and_then(|fd| if_same(fd, identity))
}

fn if_same(fd: Fd, identity: Identity) -> Result<Fd, Errno> {
    if Identity::of(fd.as_fd())? == identity { Ok(fd) } else { Err(Errno::NOENT) }
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
