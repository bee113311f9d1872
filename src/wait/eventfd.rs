//! Eventfds: counters of signals that epoll and its like can wait for (eventfd(2)).

use crate::error::{Error, Result, Text};
use crate::region::fd::{Fd, Identity};
use crate::region::kept::{Place, Use};
use crate::region::open::ProcPath;
use crate::region::retry;
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd};
use rustix::fs::{CWD, OFlags, fcntl_getfl, fcntl_setfl, readlinkat_raw};
use rustix::io::Errno;

/// What `/proc/self/fd` shows for an eventfd.
const KIND: &[u8] = b"anon_inode:[eventfd]";
/// Reads of one drain: one takes all, except of a semaphore (`EFD_SEMAPHORE`) each takes one.
const READS_MAX: u32 = 1 << 16;

/// An eventfd that never blocks. All eventfds are of one file to the kernel, so they carry a flag without effect by
/// which the library's own are told from the program's (`O_APPEND`; see [`Use::flags`]).
#[derive(Clone, Copy)]
pub(crate) struct EventFd(&'static Place);

impl EventFd {
    /// Makes one that belongs to the handle `owner`.
    pub fn new(owner: usize) -> Result<Self> {
        let failed = |errno| Error::system("cannot make an eventfd", errno);
        let fd =
            eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).and_then(Fd::new).map_err(failed)?;
        Self::list(fd, owner).map_err(failed)
    }

    /// Duplicates one that somebody made.
    pub fn adopt(fd: BorrowedFd<'_>, owner: usize) -> Result<Self> {
        let subject = Text::of(format_args!("descriptor {}", fd.as_raw_fd()));
        let failed = |what: &str, errno| Error::system(format_args!("{subject}: cannot {what}"), errno);
        let own = Fd::duplicate(fd).map_err(|errno| failed("duplicate", errno))?;
        // What is longer than this is none.
        let mut link = [0; 64];
        let length = readlinkat_raw(CWD, ProcPath::new(&own).as_c_str(), &mut link)
            .map_err(|errno| failed("look at its kind", errno))?;
        let found = &link[..length];
        if found != KIND {
            return Err(Error::bad_argument(&subject, Text::of_bytes(found, true), KIND.escape_ascii()));
        }
        Self::list(own, owner).map_err(|errno| failed("make it not block", errno))
    }

    fn list(fd: Fd, owner: usize) -> Result<Self, Errno> {
        let flags = fcntl_getfl(&fd)?;
        fcntl_setfl(&fd, flags | OFlags::NONBLOCK | OFlags::APPEND)?;
        if let Some(place) = Place::take_over(owner, &fd) {
            return Ok(Self(place));
        }
        let place = Place::claim(owner, Use::Event, Identity::of(fd.as_fd())?)?;
        place.hold(fd);
        Ok(Self(place))
    }

    /// As [`EventFd::place`] gave it.
    pub fn from_place(place: &'static Place) -> Self {
        Self(place)
    }

    pub fn place(self) -> &'static Place {
        self.0
    }

    /// The descriptor, unless the program closed it.
    pub fn fd(self) -> Option<BorrowedFd<'static>> {
        self.0.fd()
    }

    /// It has no use for its handle any more. It is closed with the handle, unless another takes its number over.
    pub fn set_aside(self) {
        self.0.set_aside();
    }

    /// Adds a signal. At 2^64 - 2 of them, where no more fit, whoever waits has been woken anyway.
    pub fn signal(self) {
        let Some(fd) = self.fd() else { return };
        let _ = retry::begin_again(|| rustix::io::write(fd, &1_u64.to_ne_bytes()));
    }

    /// Takes all signals of one that is no semaphore.
    pub fn take(self) {
        if let Some(fd) = self.fd() {
            let mut count = [0; 8];
            let _ = retry::begin_again(|| rustix::io::read(fd, &mut count).map(|_| ()));
        }
    }

    /// Takes all signals; returns how many there were.
    pub fn drain(self) -> u64 {
        let Some(fd) = self.fd() else { return 0 };
        let mut total = 0_u64;
        for _ in 0..READS_MAX {
            let mut count = [0; 8];
            match rustix::io::read(fd, &mut count) {
                Ok(_) => total = total.saturating_add(u64::from_ne_bytes(count)),
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
        total
    }
}
