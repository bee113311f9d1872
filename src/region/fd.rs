//! Descriptors of the library's own: above 2, and closed by a system call that is no cancellation point.
//!
//! Numbers 0 to 2 are the program's even where it has closed them. The standard library closes through the C library,
//! whose `close` ends a thread that is being cancelled, so its types only pass through here.

use rustix::fd::{AsFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use rustix::fs::{self, OFlags, Stat};
use rustix::io::{self, DupFlags, Errno};
use std::mem::ManuallyDrop;

/// The lowest number that the library uses.
const LOWEST: RawFd = 3;

/// An open descriptor that nobody else closes meanwhile.
#[derive(Debug)]
pub(crate) struct Fd(RawFd);

impl Fd {
    /// Takes one that was just opened; moves it if it lies too low.
    pub fn new(fd: OwnedFd) -> Result<Self, Errno> {
        let fd = Self(fd.into_raw_fd());
        if fd.0 >= LOWEST { Ok(fd) } else { Self::duplicate(fd.as_fd()) }
    }

    pub fn duplicate(fd: BorrowedFd<'_>) -> Result<Self, Errno> {
        match io::fcntl_dupfd_cloexec(fd, LOWEST) {
            Ok(fd) => Ok(Self(fd.into_raw_fd())),
            // So the kernel says where the limit on descriptors is lower than that.
            Err(Errno::INVAL) => Err(Errno::MFILE),
            Err(errno) => Err(errno),
        }
    }

    /// Gives up the descriptor; the caller closes it.
    pub fn into_number(self) -> RawFd {
        let number = self.0;
        std::mem::forget(self);
        number
    }
}

impl AsFd for Fd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        borrow(self.0)
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        close(self.0);
    }
}

pub(super) fn borrow<'a>(number: RawFd) -> BorrowedFd<'a> {
    // SAFETY: never -1; only system calls are made with it, and that fails cleanly if it is not open.
    unsafe { BorrowedFd::borrow_raw(number) }
}

pub(super) fn close(number: RawFd) {
    // SAFETY: the caller owns the number, and forgets it.
    unsafe { io::close(number) };
}

/// Has the number stand for this descriptor's description, at once, instead of for what it stood for.
pub(super) fn put(fd: &Fd, number: RawFd) -> Result<(), Errno> {
    // SAFETY: the caller owns the number, and it is not closed here.
    let mut there = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(number) });
    io::dup3(fd, &mut there, DupFlags::CLOEXEC)
}

/// Which file it is, as long as somebody has it open: its device and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub device: u64,
    pub inode: u64,
}

impl Identity {
    pub fn of(fd: BorrowedFd<'_>) -> Result<Self, Errno> {
        fs::fstat(fd).map(|stat| Self::of_stat(&stat))
    }

    pub fn of_stat(stat: &Stat) -> Self {
        Self { device: stat.st_dev, inode: stat.st_ino }
    }
}

/// Whether a descriptor's status flags are these, as far as they tell the library's own from others; see [`super::kept`].
pub(super) fn has_flags(fd: BorrowedFd<'_>, telltale: OFlags, wanted: OFlags) -> bool {
    fs::fcntl_getfl(fd).is_ok_and(|flags| flags & telltale == wanted & telltale)
}
