//! Signals during a poll that goes on. A handler that runs leaves no trace that its thread could see, unless it runs in
//! a system call. So they are held up, and let through now and then by a call that tells: ppoll(2) of nothing, for no
//! time, with the mask that there was before, fails with `EINTR` exactly if a handler ran.
//!
//! Not held up are signals by which the kernel reports a fault of this very thread, and those of the C library's own.
//! Where a sandbox refuses these calls, polling goes on without.

use libc::{SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP};
use std::ffi::c_long;
use std::ptr;

/// The kernel's set of signals: bit n - 1 is signal n. The C library's is larger, and its functions leave out its own.
type Set = u64;

/// What the C libraries use for cancelling threads and for changing all threads of a process.
const LIBRARY_FIRST: i32 = 32;
const LIBRARY_LAST: i32 = 34;

static HELD: Set = !(bit(SIGSEGV)
    | bit(SIGBUS)
    | bit(SIGFPE)
    | bit(SIGILL)
    | bit(SIGTRAP)
    | bit(SIGSYS)
    | bit(LIBRARY_FIRST)
    | bit(LIBRARY_FIRST + 1)
    | bit(LIBRARY_LAST));

const fn bit(signal: i32) -> Set {
    1 << (signal - 1)
}

/// Signals of the calling thread held up; dropping this lets them through.
pub(crate) struct Held {
    before: Set,
}

impl Held {
    /// None if the system refuses.
    pub fn new() -> Option<Self> {
        let mut before = 0;
        let held = call(|| {
            // SAFETY: both sets are of the size given, and live longer than the call.
            unsafe {
                libc::syscall(
                    libc::SYS_rt_sigprocmask,
                    libc::SIG_BLOCK,
                    &raw const HELD,
                    &raw mut before,
                    size_of::<Set>(),
                )
            }
        });
        (held == 0).then_some(Self { before })
    }

    /// Lets through what is pending. Whether a handler ran.
    pub fn deliver(&self) -> bool {
        let no_time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let ended = call(|| {
            // SAFETY: no descriptors; the time and the set, of the size given, live longer than the call.
            unsafe {
                libc::syscall(
                    libc::SYS_ppoll,
                    ptr::null::<libc::pollfd>(),
                    0,
                    &raw const no_time,
                    &raw const self.before,
                    size_of::<Set>(),
                )
            }
        });
        ended == c_long::from(libc::EINTR)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        call(|| {
            // SAFETY: the set is of the size given; no old one is asked for.
            unsafe {
                libc::syscall(
                    libc::SYS_rt_sigprocmask,
                    libc::SIG_SETMASK,
                    &raw const self.before,
                    ptr::null_mut::<Set>(),
                    size_of::<Set>(),
                )
            }
        });
    }
}

/// 0, or the error. The C library's function for system calls is no cancellation point, and sets `errno`, which is the
/// caller's.
fn call(raw: impl FnOnce() -> c_long) -> c_long {
    // SAFETY: always a valid place of this thread's.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let before = unsafe { *errno };
    let returned = raw();
    // SAFETY: as above.
    let after = unsafe { *errno };
    // SAFETY: as above.
    unsafe { *errno = before };
    if returned < 0 { c_long::from(after) } else { 0 }
}
