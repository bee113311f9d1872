//! Files, descriptors, locks and mappings: everything that a channel asks of the kernel except waiting.
//!
//! | file | what |
//! |---|---|
//! | [`name`] | from what a caller calls a channel to a path |
//! | [`create`] | new regions: complete before they are visible |
//! | [`open`] | existing ones: by path or by descriptor, checked before they are mapped |
//! | [`lock`] | one lock per participant, by which the kernel tells who lives |
//! | [`retry`] | system calls that signals interrupt |
//! | [`fork`] | what a forked child must let go of |
//! | [`seat`] | what belongs to a handle and to one process |
//! | [`kept`] | the list of all descriptors |
//! | `aside` | eventfds that their handle has no use for any more |
//! | `purpose` | what each is for, and how it can be told from others |
//! | [`fd`], [`memory`] | descriptors and pages, by system calls alone |

mod aside;
pub(crate) mod create;
pub(crate) mod fd;
pub(crate) mod fork;
pub(crate) mod kept;
pub(crate) mod lock;
mod memory;
pub(crate) mod name;
pub(crate) mod open;
mod purpose;
pub(crate) mod retry;
pub(crate) mod seat;

use crate::error::{Error, Result};
use fd::{Fd, Identity};
use kept::{Place, Use};
use memmap2::{MmapOptions, MmapRaw};
use name::Name;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd};
use rustix::io::Errno;
use rustix::mm::{MsyncFlags, msync};
use seat::Seat;
use std::ptr::NonNull;

/// A mapped region and the descriptor it came from.
pub(crate) struct Region {
    map: MmapRaw,
    file: &'static Place,
    identity: Identity,
    path: Option<Name>,
    maps_hold: lock::MapsHold,
    // Closes the file.
    seat: seat::Own,
}

impl Region {
    /// Maps all of a file whose size has been checked.
    pub fn map(fd: Fd, size: u64, path: Option<Name>, subject: &str) -> Result<Self> {
        let failed = |error: std::io::Error| {
            let errno = Errno::from_io_error(&error).unwrap_or(Errno::NOMEM);
            let made = |what| match errno {
                // It would exceed what may be locked in memory, which mlockall(MCL_FUTURE) asks for.
                Errno::AGAIN => Error::system_as(what, errno, libc::ENOMEM),
                _ => Error::system(what, errno),
            };
            made(format_args!("{subject}: cannot map {size} bytes"))
        };
        let seat = seat::Own::new(subject)?;
        let identity = Identity::of(fd.as_fd())
            .map_err(|errno| Error::system(format_args!("{subject}: cannot stat"), errno))?;
        let raw = fd.as_fd().as_raw_fd();
        let map =
            memory::keep_errno(|| MmapOptions::new().len(size as usize).map_raw(raw)).map_err(failed)?;
        let file = Place::claim(seat.id(), Use::File, identity)
            .map_err(|errno| Error::system(format_args!("{subject}: cannot list its descriptor"), errno))?;
        file.hold(fd);
        Ok(Self { map, file, identity, path, maps_hold: lock::MapsHold::default(), seat })
    }

    /// Makes the reserve for the child of the first fork. After joining: then one descriptor less is needed at once.
    pub fn make_reserve(&self, subject: &str) -> Result<()> {
        open::listed(self, Use::Reserve, subject).map(|_| ())
    }

    /// Makes a reserve for the child of the next fork, if one can be had.
    pub fn provide_reserve(&self) {
        self.file.provide_reserve();
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

    pub fn seat(&self) -> &Seat {
        self.seat.get()
    }

    /// What the list of descriptors knows this region's handle by.
    pub fn owner(&self) -> usize {
        self.seat.id()
    }

    /// The file, if the channel was opened by a path.
    pub fn path(&self) -> Option<&Name> {
        self.path.as_ref()
    }

    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// The descriptor of the file, if its number still is that, or if the path leads to it.
    pub fn file(&self) -> Option<BorrowedFd<'_>> {
        self.file.fd().or_else(|| self.reopen())
    }

    /// The same without looking whether the number still is what it was.
    fn listed(&self) -> Option<BorrowedFd<'_>> {
        self.file.listed()
    }

    /// Whether a descriptor is of the channel's file. A lock query tells, whatever other calls a sandbox lets through,
    /// unless this handle has not joined.
    fn is_file(&self, fd: BorrowedFd<'_>) -> bool {
        lock::is_seen(fd, self.seat()) || Identity::of(fd) == Ok(self.identity)
    }

    /// Opens the file once more by its path, after the program closed its descriptor.
    #[cold]
    fn reopen(&self) -> Option<BorrowedFd<'_>> {
        let fd = open::same(self.path.as_ref()?, self.identity, None).ok()?;
        self.file.replace(fd);
        self.file.fd()
    }
}
