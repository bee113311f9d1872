//! What a forked child must let go of.
//!
//! A lock on an open file description lasts until the last descriptor of that description is closed, and a forked child
//! has a copy of each. A child that kept them would keep its parent alive in everybody's eyes. So every descriptor that
//! carries such a lock is kept in a list that only grows, and a `pthread_atfork` handler closes them all in the child;
//! closing neither allocates nor locks, as that place demands.
//!
//! A descriptor can be opened or locked while another thread forks, and the child then has a copy that is not in its
//! list. [`hold`] notices that a fork overlapped and starts over.

use crate::error::Result;
use crate::memory;
use rustix::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::Once;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, SeqCst};
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32};

const NONE: i32 = -1;

/// A place in the list. It stays there for ever, and is used again when its descriptor is gone.
struct Place {
    fd: AtomicI32,
    next: *mut Place,
}

static PLACES: AtomicPtr<Place> = AtomicPtr::new(ptr::null_mut());
static FORKS_BEGUN: AtomicU32 = AtomicU32::new(0);
static FORKS_ENDED: AtomicU32 = AtomicU32::new(0);
/// How many forks lie between this process and the one in which the library was first used.
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// Changes in a forked child, and only there.
#[inline]
pub(crate) fn generation() -> u32 {
    GENERATION.load(Relaxed)
}

/// A descriptor that no forked child keeps.
pub(crate) struct Held {
    place: &'static Place,
    generation: u32,
}

impl Held {
    /// The descriptor; `None` in a forked child.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        let fd = self.place.fd.load(Acquire);
        // SAFETY: while this is the process that holds it, only `drop` closes the descriptor.
        (self.generation == generation()).then(|| unsafe { BorrowedFd::borrow_raw(fd) })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.generation == generation() {
            drop(self.place.take());
        }
    }
}

impl Place {
    fn take(&self) -> Option<OwnedFd> {
        let fd = self.fd.swap(NONE, AcqRel);
        // SAFETY: the swap made this thread the only one to know the descriptor.
        (fd != NONE).then(|| unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

/// Opens a descriptor and does `then` with it (take locks), such that no forked child has a copy of either. `undo` is
/// called, and all begun anew, where a fork overlapped.
pub(crate) fn hold<T>(
    open: impl Fn() -> Result<OwnedFd>,
    mut then: impl FnMut(BorrowedFd<'_>) -> Result<T>,
    undo: impl Fn(BorrowedFd<'_>, T),
) -> Result<(Held, T)> {
    static HANDLERS: Once = Once::new();
    HANDLERS.call_once(|| {
        // SAFETY: the handlers only touch atomics and close descriptors.
        unsafe { libc::pthread_atfork(Some(before), Some(after_in_parent), Some(after_in_child)) };
    });
    loop {
        let begun = FORKS_BEGUN.load(SeqCst);
        if begun != FORKS_ENDED.load(SeqCst) {
            std::thread::yield_now();
            continue;
        }
        let held = Held { place: keep(open()?)?, generation: generation() };
        let fd = held.fd().expect("held in this process");
        let done = then(fd)?;
        if FORKS_BEGUN.load(SeqCst) == begun {
            return Ok((held, done));
        }
        undo(fd, done);
    }
}

fn keep(fd: OwnedFd) -> Result<&'static Place> {
    let raw = fd.as_raw_fd();
    let mut place = PLACES.load(Acquire);
    // SAFETY: places are never freed, so every pointer in the list stays valid.
    while let Some(found) = unsafe { place.as_ref() } {
        if found.fd.compare_exchange(NONE, raw, AcqRel, Relaxed).is_ok() {
            std::mem::forget(fd);
            return Ok(found);
        }
        place = found.next;
    }
    let new = memory::boxed(Place { fd: AtomicI32::new(raw), next: ptr::null_mut() })?;
    std::mem::forget(fd);
    let new = Box::leak(new);
    loop {
        let first = PLACES.load(Acquire);
        new.next = first;
        if PLACES.compare_exchange(first, new, AcqRel, Relaxed).is_ok() {
            return Ok(new);
        }
    }
}

extern "C" fn before() {
    FORKS_BEGUN.fetch_add(1, SeqCst);
}

extern "C" fn after_in_parent() {
    FORKS_ENDED.fetch_add(1, SeqCst);
}

extern "C" fn after_in_child() {
    GENERATION.fetch_add(1, Relaxed);
    FORKS_ENDED.store(FORKS_BEGUN.load(SeqCst), SeqCst);
    let mut place = PLACES.load(Acquire);
    // SAFETY: as in `keep`.
    while let Some(found) = unsafe { place.as_ref() } {
        // The child's descriptors were copied a moment before its memory, so one that another thread of the parent has
        // just opened is listed here without being there: an error is no surprise.
        // SAFETY: no memory is involved, and the descriptor is the library's own.
        unsafe { libc::close(found.fd.swap(NONE, AcqRel)) };
        place = found.next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    /// Forks, lets the child do `part`, and says how it ended: as waitpid(2) does.
    fn status_of_child(part: impl FnOnce() -> i32) -> i32 {
        // SAFETY: the child only does what its test gives it, then ends at once.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let code = part();
            // SAFETY: has no preconditions.
            unsafe { libc::_exit(code) };
        }
        let mut status = -1;
        // SAFETY: the status is writable.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        status
    }

    /// What a fork leaves that falls between another thread's opening of a descriptor and the copying of its list.
    #[test]
    fn a_listed_descriptor_that_a_child_has_not_got_does_it_no_harm() {
        let status = status_of_child(|| {
            let open = || Ok(OwnedFd::from(File::open("/dev/null").unwrap()));
            let (held, fd) = hold(open, |fd| Ok(fd.as_raw_fd()), |_, _| ()).unwrap();
            // SAFETY: no memory is involved; the process ends without using the descriptor again.
            unsafe { libc::close(fd) };
            std::mem::forget(held);
            status_of_child(|| 0)
        });
        assert_eq!(status, 0);
    }
}
