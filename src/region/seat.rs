//! What belongs to a handle and to one process: its place among the participants and what proves that it lives.
//!
//! A page of its own for each handle, which a forked child finds empty: so the child knows nothing of what its parent's
//! handle is, and joins anew. Its address names the handle in the list of descriptors.

use super::kept::{self, Place};
use super::{fork, memory};
use crate::error::Result;
use std::ptr::{self, NonNull};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicI64, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};

/// All zeros is one that nobody has taken.
#[repr(C)]
pub(crate) struct Seat {
    /// The participant's number; 0: not joined in this process.
    pub number: AtomicU64,
    /// What the helpers of a handle that is waited for with epoll were woken for; see `channel::poll`.
    pub woken: AtomicU32,
    /// Threads that are joining.
    pub joining: AtomicU32,
    /// The page by which the participant's lock is held, or 0.
    pub lock_page: AtomicUsize,
    /// The descriptor by which it is held, or null.
    pub lock: AtomicPtr<Place>,
    /// How many bytes its lock has, or 0; see [`super::lock`].
    pub mark: AtomicI64,
    /// The eventfd whose signals this handle takes, or null.
    pub event: AtomicPtr<Place>,
    /// The record of a handle that is waited for with epoll, or null.
    pub poll: AtomicPtr<u8>,
}

/// A handle's seat. Dropping it closes all descriptors of the handle.
pub(crate) struct Own(NonNull<Seat>);

// SAFETY: a seat is atomics.
unsafe impl Send for Own {}
// SAFETY: as above.
unsafe impl Sync for Own {}

impl Own {
    pub fn new(subject: &str) -> Result<Self> {
        fork::note_process();
        fork::register();
        memory::page(subject).map(|page| Self(page.cast()))
    }

    #[inline]
    pub fn get(&self) -> &Seat {
        // SAFETY: mapped for as long as `self`; zeros are valid.
        unsafe { self.0.as_ref() }
    }

    /// What the list of descriptors knows this handle by.
    pub fn id(&self) -> usize {
        self.0.as_ptr() as usize
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        fork::note_process();
        let page = self.get().lock_page.swap(0, Relaxed);
        if page != 0 {
            memory::unmap(page);
        }
        kept::give_back_all(self.id());
        memory::unmap(self.id());
    }
}

/// Makes a seat that of a handle which has not joined.
///
/// # Safety
/// There must be a seat of that id, and no other thread.
pub(super) unsafe fn empty(id: usize) {
    // SAFETY: the caller's.
    let seat = unsafe { &*(id as *const Seat) };
    seat.number.store(0, Relaxed);
    seat.woken.store(0, Relaxed);
    seat.poll.store(ptr::null_mut(), Relaxed);
    seat.joining.store(0, Relaxed);
    seat.lock_page.store(0, Relaxed);
    seat.lock.store(ptr::null_mut(), Relaxed);
    seat.mark.store(0, Relaxed);
    seat.event.store(ptr::null_mut(), Relaxed);
}
