//! Versions, errors, defaults.

use super::convert::{check_size, place, status};
use super::types::rr_options;
use std::ffi::{CStr, c_char, c_int};
use std::mem::{offset_of, size_of};

/// The version of the library, such as "0.1.0".
///
/// Return value: a static string.
#[unsafe(no_mangle)]
pub extern "C" fn rr_version() -> *const c_char {
    const VERSION: &CStr =
        match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
            Ok(version) => version,
            Err(_) => panic!("a version has no NUL"),
        };
    VERSION.as_ptr()
}

/// The number N in the library's soname libshmrr.so.N. Programs built against a header of the same number keep working.
///
/// Return value: the number, not negative.
#[unsafe(no_mangle)]
pub extern "C" fn rr_abi_version() -> c_int {
    const { parse(env!("SHMRR_ABI")) }
}

const fn parse(digits: &str) -> c_int {
    let mut value = 0;
    let mut rest = digits.as_bytes();
    while let [digit, after @ ..] = rest {
        value = value * 10 + (*digit - b'0') as c_int;
        rest = after;
    }
    value
}

/// What a code that shmrr returns means, in a sentence. The code's sign does not matter.
///
/// Return value: a static string; for a code that shmrr does not use, one that says so.
#[unsafe(no_mangle)]
pub extern "C" fn rr_strerror(code: c_int) -> *const c_char {
    let text = match code.saturating_abs() {
        0 => c"success",
        libc::EAGAIN => c"nothing is ready now, and the call does not wait",
        libc::ETIMEDOUT => c"the deadline passed",
        libc::EINTR => c"a signal handler ran during the wait",
        libc::ESTALE => c"the id is no longer a request of this handle: cancelled, collected or recycled",
        libc::ECANCELED => c"the request was cancelled, or its server let go of it without a reply",
        libc::EALREADY => c"the reply is already there: collect it",
        libc::EMSGSIZE => c"the payload is larger than the channel's limit or than the buffer",
        libc::ENOBUFS => c"every slot of the channel is in use",
        libc::ECONNREFUSED => c"no server is attached",
        libc::EOWNERDEAD => c"the server died with the request",
        libc::EREMOTEIO => c"the server replied with an error",
        libc::ESHUTDOWN => c"the handle was stopped",
        libc::EPROTO => c"not a shmrr channel, or one of another layout version or kind, or a corrupt one",
        libc::EINVAL => c"an argument is not one that the call accepts",
        libc::E2BIG => c"the structure has fields set that this version of the library does not know",
        libc::EUSERS => c"every participant entry of the channel belongs to somebody alive",
        libc::ENOENT => c"there is no such channel",
        libc::EACCES => c"permission denied",
        libc::EPERM => c"operation not permitted",
        libc::ENOSPC => c"no space is left for the channel's pages",
        libc::ENOMEM => c"no memory is left to map the channel",
        libc::EEXIST => c"the channel exists already",
        libc::ELOOP => c"the path is a symbolic link",
        libc::EMFILE => c"this process has too many open descriptors",
        libc::ENFILE => c"the system has too many open files",
        libc::EBADF => c"not an open descriptor",
        libc::EROFS => c"the file system is read-only",
        libc::EFBIG => c"the channel is larger than this process may make a file",
        libc::ENOTDIR => c"a part of the path is not a directory",
        libc::ENAMETOOLONG => c"the path is too long",
        libc::EOPNOTSUPP => c"the file system can't do what a channel needs",
        libc::EBUSY => c"the channel is created and removed all the time",
        _ => c"not a code that shmrr uses",
    };
    text.as_ptr()
}

/// Sets options to their defaults; the same as assigning RR_OPTIONS_INIT.
///
/// size must be sizeof(rr_options).
///
/// Return value: 0, or
/// -EINVAL: opts is null, or size is that of no rr_options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_options_init(opts: *mut rr_options, size: u32) -> c_int {
    status(|| {
        let known = size_of::<rr_options>();
        check_size("options", size as usize, offset_of!(rr_options, kind))?;
        // SAFETY: the caller gave a structure of that size, or null.
        let first = unsafe { place("opts", opts.cast::<u8>()) }?;
        let defaults = rr_options { size, ..rr_options::DEFAULT };
        let length = known.min(size as usize);
        // SAFETY: within the caller's structure.
        unsafe { std::ptr::from_mut(first).write_bytes(0, size as usize) };
        // SAFETY: within both structures, which are plain integers.
        unsafe { std::ptr::from_mut(first).copy_from(std::ptr::from_ref(&defaults).cast(), length) };
        Ok(())
    })
}
