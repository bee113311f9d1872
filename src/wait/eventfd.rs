//! Eventfds: counters of signals that epoll and its like can wait for (eventfd(2)).

use crate::error::{Error, Result, Text};
use crate::region::open::ProcPath;
use crate::region::retry;
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{CWD, OFlags, fcntl_getfl, fcntl_setfl, readlinkat_raw};
use rustix::io::Errno;

/// What `/proc/self/fd` shows for an eventfd.
const KIND: &[u8] = b"anon_inode:[eventfd]";
/// Reads of one drain: one takes all, but of a semaphore (`EFD_SEMAPHORE`) each takes one.
const READS_MAX: u32 = 1 << 16;

/// An eventfd that never blocks.
pub(crate) struct EventFd(OwnedFd);

impl EventFd {
    pub fn new() -> Result<Self> {
        eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map(Self)
            .map_err(|errno| Error::system("cannot make an eventfd", errno))
    }

    /// Duplicates one that somebody made.
    pub fn adopt(fd: BorrowedFd<'_>) -> Result<Self> {
        let subject = Text::of(format_args!("descriptor {}", fd.as_raw_fd()));
        let failed = |what: &str, errno| Error::system(format_args!("{subject}: cannot {what}"), errno);
        let own = rustix::io::fcntl_dupfd_cloexec(fd, 0).map_err(|errno| failed("duplicate", errno))?;
        // What is longer than this is none.
        let mut link = [0; 64];
        let length = readlinkat_raw(CWD, ProcPath::new(&own).as_c_str(), &mut link)
            .map_err(|errno| failed("look at its kind", errno))?;
        let found = &link[..length];
        if found != KIND {
            return Err(Error::bad_argument(&subject, Text::of_bytes(found, true), KIND.escape_ascii()));
        }
        let flags = fcntl_getfl(&own).map_err(|errno| failed("look at its flags", errno))?;
        fcntl_setfl(&own, flags | OFlags::NONBLOCK).map_err(|errno| failed("make it not block", errno))?;
        Ok(Self(own))
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Adds a signal. At 2^64 - 2 of them, where no more fit, whoever waits has been woken anyway.
    pub fn signal(&self) {
        let _ = retry::begin_again(|| rustix::io::write(&self.0, &1_u64.to_ne_bytes()));
    }

    /// Takes all signals; returns how many there were.
    pub fn drain(&self) -> u64 {
        let mut total = 0_u64;
        for _ in 0..READS_MAX {
            let mut count = [0; 8];
            match rustix::io::read(&self.0, &mut count) {
                Ok(_) => total = total.saturating_add(u64::from_ne_bytes(count)),
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
        total
    }
}
