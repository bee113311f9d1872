//! One lock per participant, by which the kernel tells who lives.
//!
//! The locks are those of open file descriptions (`F_OFD_SETLK`, fcntl(2)): the kernel drops them when the process is
//! gone, reaped or not, in whatever PID namespace; a stopped process keeps them; and unlike POSIX locks they don't
//! vanish when any descriptor of the file is closed.
//!
//! A description lives for as long as a descriptor or a mapping refers to it. The lock of a participant is held by a
//! mapping, of one page that nobody can access: a program that closes all descriptors doesn't end it, and a forked child
//! doesn't inherit it (`MADV_DONTFORK`). Where mappings don't do (a file system that maps another file than it opens, a
//! kernel that refuses, a fork at the same moment) it is held by a descriptor, which a child closes.
//!
//! Only write locks that begin just where the participant's bytes do, and end within them, count. Whoever may only read
//! the file can take read locks, and tools may lock whole files. How many of its bytes a participant locks is its mark: a
//! descriptor that sees the own lock with that mark is one of this file, which a lock query tells without another call.

use super::kept::{self, Place, Use};
use super::memory::{self, keep_errno};
use super::seat::Seat;
use super::{Region, fork, open};
use crate::error::{Error, Result};
use rustix::fd::{AsRawFd, BorrowedFd};
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};
use std::ptr;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};

/// Offset of the bytes of number 0: far past the end of any region.
const FIRST: i64 = 1 << 60;
/// Bytes of each number.
const SPAN: i64 = 1 << 40;

/// Descriptions that are tried, if forks meddle with each, before one is held by its descriptor.
const DESCRIPTIONS_MAX: u32 = 4;

/// Whether a mapping keeps a file's locks: 0 nobody tried, 1 yes, 2 no.
#[derive(Default)]
pub(crate) struct MapsHold(AtomicU8);

/// Which numbers may be locked: up to a limit, of those that `accept` accepts before and after.
pub(crate) struct Search<'a> {
    pub limit: u16,
    pub accept: &'a dyn Fn(u16) -> bool,
}

/// The lock of one participant, not yet in its seat.
pub(crate) struct Lock {
    number: u16,
    mark: i64,
    page: usize,
    descriptor: *const Place,
}

impl Lock {
    /// Takes a lock by a description that is opened for this. None if all are taken.
    pub fn acquire(region: &Region, search: &Search<'_>, subject: &str) -> Result<Option<Self>> {
        let mark = new_mark(region);
        for left in (0..DESCRIPTIONS_MAX).rev() {
            let place = open::listed(region, Use::Lock, subject)?;
            let Some(descriptor) = place.listed() else { continue };
            let page = match hold_by_page(region, descriptor) {
                // A child may have a copy of the page, and would hold the lock.
                Page::Doubtful if left > 0 => {
                    place.give_back();
                    continue;
                }
                Page::Doubtful | Page::None => 0,
                Page::Held(page) => page,
            };
            match lock_by(region, place, page, mark, search) {
                Ok(Locked::Lost) => {}
                Ok(Locked::AllTaken) => return Ok(None),
                Ok(Locked::Taken(lock)) => return Ok(Some(lock)),
                Err(errno) => return Err(Error::system(format_args!("{subject}: cannot lock"), errno)),
            }
        }
        Err(Error::system(format_args!("{subject}: cannot lock"), Errno::BUSY))
    }

    /// Takes a lock by the reserve that was made for this child. None without one, and where it does not do; an inner
    /// None if all are taken.
    pub fn acquire_by_reserve(region: &Region, search: &Search<'_>) -> Option<Option<Self>> {
        let place = kept::reserve_of(region.owner())?;
        if !place.turn_into_lock() {
            return None;
        }
        let page = match hold_by_page(region, place.listed()?) {
            Page::Held(page) => page,
            Page::Doubtful | Page::None => 0,
        };
        let mark = new_mark(region);
        match try_numbers(place.listed()?, mark, search) {
            Ok(Some(number)) => {
                fork::want_reserve();
                if page != 0 && region.maps_hold.0.load(Relaxed) == 1 {
                    place.give_back();
                    return Some(Some(Self { number, mark, page, descriptor: ptr::null() }));
                }
                unmap(page);
                Some(Some(Self { number, mark, page: 0, descriptor: place }))
            }
            Ok(None) => {
                unmap(page);
                place.turn_into_reserve();
                Some(None)
            }
            Err(_) => {
                unmap(page);
                place.give_back();
                None
            }
        }
    }

    pub fn number(&self) -> u16 {
        self.number
    }

    /// The lock belongs to the handle from here on; see [`let_go`].
    pub fn keep_in(self, seat: &Seat) {
        seat.lock_page.store(self.page, Relaxed);
        seat.lock.store(self.descriptor.cast_mut(), Relaxed);
        seat.mark.store(self.mark, Relaxed);
        std::mem::forget(self);
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        release(self.number, self.page, self.descriptor);
    }
}

/// Lets the lock of a handle go.
pub(crate) fn let_go(seat: &Seat, number: u16) {
    seat.mark.store(0, Relaxed);
    let page = seat.lock_page.swap(0, AcqRel);
    release(number, page, seat.lock.swap(ptr::null_mut(), AcqRel));
}

fn release(number: u16, page: usize, descriptor: *const Place) {
    unmap(page);
    // SAFETY: null, or a place of the list, which stays.
    let Some(place) = (unsafe { descriptor.as_ref() }) else { return };
    // For whoever shares the description too: a child that has not yet run its fork handlers.
    if let Some(descriptor) = place.fd() {
        let _ = set(descriptor, libc::F_UNLCK, number, SPAN);
    }
    place.give_back();
}

fn unmap(page: usize) {
    if page != 0 {
        memory::unmap(page);
    }
}

enum Page {
    Held(usize),
    None,
    /// Mapped and unmapped, but not so that no child has it.
    Doubtful,
}

fn hold_by_page(region: &Region, descriptor: BorrowedFd<'_>) -> Page {
    if region.maps_hold.0.load(Relaxed) == 2 {
        return Page::None;
    }
    let Some(before) = fork::forks() else { return Page::None };
    let Ok(page) = memory::hold_description(descriptor) else { return Page::None };
    if fork::forks() == Some(before) {
        return Page::Held(page);
    }
    memory::unmap(page);
    Page::Doubtful
}

enum Locked {
    Taken(Lock),
    AllTaken,
    /// The page did not hold it.
    Lost,
}

fn lock_by(
    region: &Region,
    place: &'static Place,
    page: usize,
    mark: i64,
    search: &Search<'_>,
) -> Result<Locked, Errno> {
    let found =
        place.listed().ok_or(Errno::BADF).and_then(|descriptor| try_numbers(descriptor, mark, search));
    let number = match found {
        Ok(Some(number)) => number,
        not_found => {
            unmap(page);
            place.give_back();
            return not_found.map(|_| Locked::AllTaken);
        }
    };
    if page == 0 || !is_witness(region, number) {
        unmap(page);
        return Ok(Locked::Taken(Lock { number, mark, page: 0, descriptor: place }));
    }
    place.give_back();
    if region.maps_hold.0.load(Relaxed) == 1 || is_witness(region, number) {
        region.maps_hold.0.store(1, Relaxed);
        return Ok(Locked::Taken(Lock { number, mark, page, descriptor: ptr::null() }));
    }
    region.maps_hold.0.store(2, Relaxed);
    memory::unmap(page);
    Ok(Locked::Lost)
}

/// Whether the region's own descriptor sees the lock.
fn is_witness(region: &Region, number: u16) -> bool {
    region.file().is_some_and(|file| query(file, number) == Ok(true))
}

fn try_numbers(descriptor: BorrowedFd<'_>, mark: i64, search: &Search<'_>) -> Result<Option<u16>, Errno> {
    for number in (1..=search.limit).filter(|number| (search.accept)(*number)) {
        match set(descriptor, libc::F_WRLCK, number, mark) {
            Ok(()) if (search.accept)(number) => return Ok(Some(number)),
            Ok(()) => {
                let _ = set(descriptor, libc::F_UNLCK, number, SPAN);
            }
            Err(Errno::AGAIN | Errno::ACCESS) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(None)
}

/// A mark for a handle's lock. That another file has a lock of the same number and mark would be chance, and matter only
/// if the program put it in the place of a descriptor of the library's that it closed.
fn new_mark(region: &Region) -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    let mixed = (now.tv_sec as u64) << 30 ^ now.tv_nsec as u64 ^ region.owner() as u64;
    // The high bits of a product with an odd number depend on all bits of its factors.
    let mixed = mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    1 + (mixed >> 25) as i64
}

/// Whether the bytes of `number` are locked: the kernel's word on whether that participant lives. An answer that can't be
/// had counts as alive.
pub(crate) fn is_held(region: &Region, number: u16) -> bool {
    let found = region.listed().map_or(Err(Errno::BADF), |file| query(file, number).map(|held| (file, held)));
    match found {
        Ok((_, true)) => true,
        // Before it means a death: does the number still stand for the channel's file?
        Ok((file, false)) if region.is_file(file) => false,
        Ok(_) | Err(Errno::BADF) => region.reopen().is_none_or(|file| query(file, number) != Ok(false)),
        Err(_) => true,
    }
}

/// Whether a descriptor sees the lock of a handle, with its mark: one of another file doesn't.
pub(super) fn is_seen(file: BorrowedFd<'_>, seat: &Seat) -> bool {
    let (number, mark) = (seat.number.load(Relaxed) as u16, seat.mark.load(Relaxed));
    number != 0 && mark != 0 && marked(file, number) == Ok(Some(mark))
}

/// Whether somebody else holds the write lock of a number.
fn query(file: BorrowedFd<'_>, number: u16) -> Result<bool, Errno> {
    marked(file, number).map(|mark| mark.is_some())
}

/// The mark of the lock that somebody else holds of a number. Asked with a read lock, for which other read locks are no
/// hindrance.
fn marked(file: BorrowedFd<'_>, number: u16) -> Result<Option<i64>, Errno> {
    let asked = request(libc::F_RDLCK, number, 1);
    let mut found = asked;
    fcntl(file, libc::F_OFD_GETLK, &mut found)?;
    let is_own = found.l_start == asked.l_start && (1..=SPAN).contains(&found.l_len);
    Ok((i32::from(found.l_type) != libc::F_UNLCK && is_own).then_some(found.l_len))
}

fn set(fd: BorrowedFd<'_>, kind: i32, number: u16, length: i64) -> Result<(), Errno> {
    fcntl(fd, libc::F_OFD_SETLK, &mut request(kind, number, length))
}

fn fcntl(fd: BorrowedFd<'_>, command: i32, lock: &mut libc::flock) -> Result<(), Errno> {
    let pointer: *mut libc::flock = lock;
    keep_errno(|| {
        // SAFETY: the structure is a valid lock request, and writable. No cancellation point: neither command waits.
        if unsafe { libc::fcntl(fd.as_raw_fd(), command, pointer) } == 0 {
            return Ok(());
        }
        let error = std::io::Error::last_os_error();
        Err(Errno::from_raw_os_error(error.raw_os_error().unwrap_or(libc::EIO)))
    })
}

fn request(kind: i32, number: u16, length: i64) -> libc::flock {
    libc::flock {
        l_type: kind as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: FIRST + i64::from(number) * SPAN,
        l_len: length,
        l_pid: 0,
    }
}
