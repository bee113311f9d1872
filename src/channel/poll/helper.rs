//! The helper: a thread that sleeps on a doorbell for a program that waits with epoll.
//!
//! It stays on the doorbell after it has signalled, so that the next arm finds it there and needs no system call. If it is
//! woken there though nobody asked for a signal, it hands the wake-up on, and rests on a word of its own until it is armed
//! again: a program that is busy for long must not have its helper woken in the stead of servers that sleep.
//!
//! All its signals are blocked, it is named `shmrr-poll`, and it calls nothing except futex(2), write(2), fstat(2) and
//! fcntl(2). A forked child has no such thread, and no record that says it had.

use super::{Poll, What};
use crate::error::{Error, Result};
use crate::protocol::arming::{self, Task};
use crate::protocol::doorbell;
use crate::wait::thread::{self, Thread};
use crate::wait::{deadline, futex};
use rustix::io::Errno;
use std::cell::Cell;
use std::ffi::c_void;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

/// How long the thread that frees a handle waits before it wakes the helper once more, at first and at most: the helper
/// may just have been about to sleep.
const WAKES_AGAIN_MIN: i64 = 50_000;
const WAKES_AGAIN_MAX: i64 = 1_000_000;

/// Phases of a helper. Whoever makes NONE to STARTING starts it.
const NONE: u64 = 0;
const STARTING: u64 = 1;
const RUNNING: u64 = 2;
/// It accesses nothing of the record any more.
const ENDED: u64 = 3;

/// What a program and one of its helpers share.
pub(super) struct Helper {
    /// See [`arming`].
    word: AtomicU64,
    phase: AtomicU64,
    thread: AtomicU64,
}

impl Helper {
    pub fn new() -> Self {
        Self { word: AtomicU64::new(0), phase: AtomicU64::new(NONE), thread: AtomicU64::new(0) }
    }

    pub fn word(&self) -> &AtomicU64 {
        &self.word
    }

    /// Wakes a helper that rests on its own word.
    #[cold]
    pub fn unpark(&self) {
        futex::wake_up(&self.word, 1);
    }
}

/// Wakes one who sleeps on a doorbell on which somebody announced that it does.
pub(super) fn wake_next(word: &AtomicU64) {
    if doorbell::ring(word) && !futex::wake_up(word, 1) {
        doorbell::relieve(word);
    }
}

impl Poll {
    /// Starts a helper unless it runs. Nobody waits for another thread that is about to: what is armed meanwhile is
    /// noticed by the helper when it begins or, if it can't be started, by whoever failed to.
    #[inline]
    pub(super) fn start_helper(&self, what: What) -> Result<()> {
        if self.helper(what).phase.load(Acquire) == NONE { self.start(what) } else { Ok(()) }
    }

    #[cold]
    fn start(&self, what: What) -> Result<()> {
        let helper = self.helper(what);
        if helper.phase.compare_exchange(NONE, STARTING, SeqCst, Relaxed).is_err() {
            return Ok(());
        }
        let entry: thread::Entry = match what {
            What::Requests => watch_requests,
            What::Replies => watch_replies,
            What::Slots => watch_slots,
        };
        let record = std::ptr::from_ref(self).cast_mut().cast();
        match Thread::start(entry, record) {
            Ok(thread) => {
                helper.thread.store(thread.number(), Relaxed);
                // Unless it has ended already, which it does only when the handle is freed.
                let _ = helper.phase.compare_exchange(STARTING, RUNNING, Release, Relaxed);
                Ok(())
            }
            Err(errno) => {
                helper.phase.store(NONE, SeqCst);
                // Another thread may have armed it, and be waiting: it arms again, and fails as this one does.
                self.fire(what);
                let code = if errno == Errno::AGAIN { libc::ENOMEM } else { libc::EPERM };
                Err(Error::system_as("cannot start a thread for the descriptor to poll", errno, code))
            }
        }
    }

    /// Ends a helper; false if there is none.
    pub(super) fn end_helper(&self, what: What) -> bool {
        let helper = self.helper(what);
        if helper.phase.load(Acquire) == NONE {
            return false;
        }
        if arming::leave(&helper.word) {
            helper.unpark();
        }
        let mut again = WAKES_AGAIN_MIN;
        loop {
            let phase = helper.phase.load(Acquire);
            if phase == ENDED {
                break;
            }
            futex::wake_only(self.doorbell(what), self.bits(what));
            futex::sleep(&helper.phase, phase as u32, deadline::now() + again, futex::Bits::ORDINARY);
            again = (2 * again).min(WAKES_AGAIN_MAX);
        }
        Thread::from_number(helper.thread.load(Relaxed)).join();
        true
    }

    /// By which a helper is woken without those who sleep beside it, except helpers of a few other participants.
    fn bits(&self, what: What) -> futex::Bits {
        futex::Bits::of_helper(u32::from(self.me) * 2 + u32::from(what == What::Slots))
    }

    fn watch(&self, what: What) {
        thread::set_name(c"shmrr-poll");
        let helper = self.helper(what);
        let doorbell = self.doorbell(what);
        let is_due = Cell::new(false);
        // Whether nothing woke it for somebody else.
        let sleep = |expected| {
            is_due.set(futex::sleep_as(doorbell, expected, self.bits(what)));
            let is_others = matches!(arming::task(&helper.word), Task::Rest(_));
            if is_others {
                self.hand_on(what);
            }
            !is_others
        };
        let mut stays = false;
        loop {
            match arming::task(&helper.word) {
                Task::Leave => break,
                Task::Watch => {
                    let expected = self.announce(what);
                    stays = if self.finds(what, is_due.take()) {
                        self.fire(what);
                        true
                    } else {
                        sleep(expected)
                    };
                }
                Task::Rest(seen) if stays => {
                    let expected = doorbell.load(SeqCst) as u32;
                    // Read after the doorbell; see `arming`.
                    stays = arming::task(&helper.word) != Task::Rest(seen) || sleep(expected);
                }
                Task::Rest(_) => {
                    if let Some(value) = arming::park(&helper.word) {
                        futex::sleep(&helper.word, value, i64::MAX, futex::Bits::ORDINARY);
                    }
                }
            }
        }
        helper.phase.store(ENDED, SeqCst);
        futex::wake_up(&helper.phase, u32::MAX >> 1);
    }
}

/// # Safety
/// `record` must be that of a handle which ends the thread before it goes.
unsafe fn record<'a>(record: *mut c_void) -> &'a Poll {
    // SAFETY: the caller's.
    unsafe { &*record.cast_const().cast() }
}

extern "C" fn watch_requests(poll: *mut c_void) -> *mut c_void {
    // SAFETY: started by `start` with it.
    unsafe { record(poll) }.watch(What::Requests);
    std::ptr::null_mut()
}

extern "C" fn watch_replies(poll: *mut c_void) -> *mut c_void {
    // SAFETY: as above.
    unsafe { record(poll) }.watch(What::Replies);
    std::ptr::null_mut()
}

extern "C" fn watch_slots(poll: *mut c_void) -> *mut c_void {
    // SAFETY: as above.
    unsafe { record(poll) }.watch(What::Slots);
    std::ptr::null_mut()
}
