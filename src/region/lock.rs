//! One locked byte per participant, by which the kernel tells who lives.
//!
//! The locks are those of open file descriptions (`F_OFD_SETLK`, fcntl(2)): the kernel drops them when the process is
//! gone, reaped or not, in whatever PID namespace; a stopped process keeps them; and unlike POSIX locks they don't
//! vanish when any descriptor of the file is closed.

use super::{fork, open};
use crate::error::{Error, Result};
use rustix::fd::{AsRawFd, BorrowedFd};
use rustix::io::Errno;

/// Offset of byte 0 of the locks: far past the end of any region.
const FIRST: i64 = 1 << 60;

/// A descriptor of its own on a region, that carries the locked byte of one participant.
pub(crate) struct Lock {
    held: fork::Held,
    number: u16,
}

impl Lock {
    /// Tries to lock the bytes of `candidates`, in turn, until one is free and `accept`ed; the others are let go. None
    /// if there is none.
    pub fn acquire<Candidates: Iterator<Item = u16>>(
        region: BorrowedFd<'_>,
        subject: &str,
        candidates: impl Fn() -> Candidates,
        accept: impl Fn(u16) -> bool,
    ) -> Result<Option<Self>> {
        let attempt = |fd: BorrowedFd<'_>| -> Result<Option<u16>> {
            for number in candidates() {
                if try_lock(fd, number, subject)? {
                    if accept(number) {
                        return Ok(Some(number));
                    }
                    unlock(fd, number);
                }
            }
            Ok(None)
        };
        let undo = |fd: BorrowedFd<'_>, number: Option<u16>| {
            if let Some(number) = number {
                unlock(fd, number);
            }
        };
        let (held, number) = fork::hold(|| open::again(region, subject), attempt, undo)?;
        Ok(number.map(|number| Self { held, number }))
    }

    pub fn number(&self) -> u16 {
        self.number
    }
}

impl Drop for Lock {
    /// Lets the byte go for whoever shares the description. A child that is being forked may have a copy of the
    /// descriptor that is not in its list any more, and closing this one alone would leave the byte locked.
    fn drop(&mut self) {
        if let Some(fd) = self.held.fd() {
            unlock(fd, self.number);
        }
    }
}

/// Whether the byte of `number` is locked: the kernel's word on whether that participant lives. `region` must be a
/// descriptor that carries no lock itself. An answer that can't be had counts as alive.
pub(crate) fn is_held(region: BorrowedFd<'_>, number: u16) -> bool {
    let mut lock = request(libc::F_WRLCK, number);
    // SAFETY: the descriptor is open and the structure is a valid lock request.
    let result = unsafe { libc::fcntl(region.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) };
    result != 0 || i32::from(lock.l_type) != libc::F_UNLCK
}

fn try_lock(fd: BorrowedFd<'_>, number: u16, subject: &str) -> Result<bool> {
    match set(fd, libc::F_WRLCK, number) {
        Ok(()) => Ok(true),
        Err(Errno::AGAIN | Errno::ACCESS) => Ok(false),
        Err(errno) => {
            Err(Error::system(format_args!("{subject}: cannot lock byte {number} of its locks"), errno))
        }
    }
}

fn unlock(fd: BorrowedFd<'_>, number: u16) {
    let _ = set(fd, libc::F_UNLCK, number);
}

fn set(fd: BorrowedFd<'_>, kind: i32, number: u16) -> Result<(), Errno> {
    let lock = request(kind, number);
    // SAFETY: the descriptor is open and the structure is a valid lock request.
    let result = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) };
    if result == 0 {
        return Ok(());
    }
    let error = std::io::Error::last_os_error();
    Err(Errno::from_raw_os_error(error.raw_os_error().unwrap_or(libc::EIO)))
}

fn request(kind: i32, number: u16) -> libc::flock {
    libc::flock {
        l_type: kind as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: FIRST + i64::from(number),
        l_len: 1,
        l_pid: 0,
    }
}
