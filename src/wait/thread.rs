//! A thread by the C library's means alone: the standard library's would leave thread-local storage behind, whose
//! destructors outlast an unloaded library.

use rustix::io::Errno;
use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr;

/// What the helper threads get by with many times over. Programs with much thread-local storage need more, and get what
/// their C library gives.
const STACK: usize = 64 * 1024;

const PTHREAD_CANCEL_DISABLE: c_int = 1;

unsafe extern "C" {
    fn pthread_setcancelstate(state: c_int, old: *mut c_int) -> c_int;
}

/// What a thread begins with.
pub(crate) type Entry = extern "C" fn(*mut c_void) -> *mut c_void;

/// A thread that must be joined.
#[derive(Clone, Copy)]
pub(crate) struct Thread(libc::pthread_t);

impl Thread {
    /// Starts a thread in which all signals are blocked, with the scheduling policy and priority of the calling one.
    pub fn start(entry: Entry, argument: *mut c_void) -> Result<Self, Errno> {
        let mut all = MaybeUninit::uninit();
        // SAFETY: initialises the set.
        unsafe { libc::sigfillset(all.as_mut_ptr()) };
        let mut before = MaybeUninit::uninit();
        // SAFETY: the first set is initialised above, and there is room for the second.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) };
        // The new thread inherits the mask.
        let started = match create(entry, argument, Some(STACK)) {
            Err(Errno::INVAL) => create(entry, argument, None),
            started => started,
        };
        // SAFETY: the set was initialised above.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut()) };
        started
    }

    /// What [`Thread::from_number`] takes.
    #[allow(clippy::unnecessary_cast, reason = "with musl it is a pointer")]
    pub fn number(self) -> u64 {
        self.0 as u64
    }

    #[allow(clippy::unnecessary_cast)]
    pub fn from_number(number: u64) -> Self {
        Self(number as libc::pthread_t)
    }

    /// Waits until it has ended. No cancellation point, unlike pthread_join(3).
    pub fn join(self) {
        let mut before = 0;
        // SAFETY: always valid.
        unsafe { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &raw mut before) };
        // SAFETY: started by `start`, and joined once.
        unsafe { libc::pthread_join(self.0, ptr::null_mut()) };
        // SAFETY: always valid.
        unsafe { pthread_setcancelstate(before, ptr::null_mut()) };
    }
}

fn create(entry: Entry, argument: *mut c_void, stack: Option<usize>) -> Result<Thread, Errno> {
    let mut attributes = MaybeUninit::uninit();
    // SAFETY: initialises them.
    unsafe { libc::pthread_attr_init(attributes.as_mut_ptr()) };
    if let Some(size) = stack {
        // SAFETY: initialised above. A size that is refused leaves the default.
        unsafe { libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), size) };
    }
    let mut thread = MaybeUninit::uninit();
    // SAFETY: the attributes are initialised; the argument is what the entry takes, says the caller.
    let result = unsafe { libc::pthread_create(thread.as_mut_ptr(), attributes.as_ptr(), entry, argument) };
    // SAFETY: initialised above.
    unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    if result != 0 {
        return Err(Errno::from_raw_os_error(result));
    }
    // SAFETY: written where the call succeeds.
    Ok(Thread(unsafe { thread.assume_init() }))
}

/// Names the calling thread, for people who look at the process.
pub(crate) fn set_name(name: &'static std::ffi::CStr) {
    let _ = rustix::thread::set_name(name);
}
