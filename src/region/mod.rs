//! Files, descriptors, locks and mappings: everything that a channel asks of the kernel but waiting.
//!
//! | file | what |
//! |---|---|
//! | [`name`] | from what a caller calls a channel to a path |
//! | [`create`] | new regions: complete before they are visible |
//! | [`open`] | existing ones: by path or by descriptor, checked before they are mapped |
//! | [`lock`] | one locked byte per participant, by which the kernel tells who lives |
//! | [`retry`] | system calls that signals interrupt |
//! | [`fork`] | what a forked child must let go of |

pub(crate) mod create;
pub(crate) mod fork;
pub(crate) mod lock;
pub(crate) mod name;
pub(crate) mod open;
pub(crate) mod retry;

use crate::error::{Error, Result};
use memmap2::{MmapOptions, MmapRaw};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Stat, fstat};
use rustix::io::Errno;
use rustix::mm::{MsyncFlags, msync};
use std::ptr::NonNull;

/// A mapped region and the descriptor it came from.
pub(crate) struct Region {
    map: MmapRaw,
    fd: OwnedFd,
    identity: Identity,
}

/// Which file it is, as long as somebody has it open: its device and its number there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity(u64, u64);

impl Identity {
    pub fn of(stat: &Stat) -> Self {
        Self(stat.st_dev, stat.st_ino)
    }
}

impl Region {
    /// Maps all of a file whose size has been checked.
    pub fn map(fd: OwnedFd, size: u64, subject: &str) -> Result<Self> {
        let failed = |error: std::io::Error| {
            let errno = Errno::from_io_error(&error).unwrap_or(Errno::NOMEM);
            let what = format_args!("{subject}: cannot map {size} bytes");
            match errno {
                // It would exceed what may be locked in memory, which mlockall(MCL_FUTURE) asks for.
                Errno::AGAIN => Error::system_as(what, errno, libc::ENOMEM),
                _ => Error::system(what, errno),
            }
        };
        let map = MmapOptions::new().len(size as usize).map_raw(&fd).map_err(failed)?;
        let stat =
            fstat(&fd).map_err(|errno| Error::system(format_args!("{subject}: cannot stat"), errno))?;
        Ok(Self { map, fd, identity: Identity::of(&stat) })
    }

    /// Start of the mapping, page-aligned; valid until the region is dropped.
    pub fn base(&self) -> NonNull<u8> {
        NonNull::new(self.map.as_mut_ptr()).expect("a mapping is never at address 0")
    }

    /// Writes changed pages to the file and waits until they are there.
    pub fn sync(&self, subject: &str) -> Result<()> {
        // SAFETY: the whole mapping, which lives as long as `self`.
        unsafe { msync(self.map.as_mut_ptr().cast(), self.map.len(), MsyncFlags::SYNC) }.map_err(|errno| {
            Error::system(format_args!("{subject}: cannot write its pages to the file"), errno)
        })
    }

    pub fn identity(&self) -> Identity {
        self.identity
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
