//! Versions, errors, defaults.

use super::convert::status;
use super::structures::init;
use super::types::{rr_options, rr_stats};
use crate::error::codes;
use std::ffi::{CStr, c_char, c_int};

/// The version of the library, such as "0.1.0"; RR_VERSION is that of this header.
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

/// The number N in the library's soname libshmrr.so.N; RR_ABI_VERSION is that of this header. Programs built against a
/// header of the same number keep working.
///
/// Return value: the number.
#[unsafe(no_mangle)]
pub extern "C" fn rr_abi_version() -> c_int {
    const { parse(env!("CARGO_PKG_VERSION_MAJOR")) }
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
    sentence(code).as_ptr()
}

pub(super) fn sentence(code: c_int) -> &'static CStr {
    match (code, codes::find(code)) {
        (0, _) => c"success",
        (_, Some(code)) => code.sentence,
        (_, None) => c"not a code that shmrr uses",
    }
}

/// Sets options to their defaults, as RR_OPTIONS_INIT does. size is sizeof(rr_options).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_options_init(opts: *mut rr_options, size: u32) -> c_int {
    // SAFETY: the caller gave a structure of that size, or null.
    status(|| unsafe { init(opts, size) })
}

/// Sets statistics to zeros, as RR_STATS_INIT does. size is sizeof(rr_stats).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_stats_init(stats: *mut rr_stats, size: u32) -> c_int {
    // SAFETY: the caller gave a structure of that size, or null.
    status(|| unsafe { init(stats, size) })
}
