//! Arguments in, codes out.

use super::constants::{
    RR_KIND_BYTES, RR_KIND_INT, RR_OPT_EXCLUSIVE, RR_OPT_NEED_SERVER, RR_OPT_NOTIFY, RR_OPT_REDELIVER,
    RR_OPT_RESTART, RR_OPT_SPARSE,
};
use super::handler::AbortPanics;
use super::structures::{read, unknown_flags, wait};
use super::types::{rr_channel, rr_error, rr_options, rr_request, rr_view};
use crate::RequestId;
use crate::channel::message::check_length;
use crate::error::text::{Page, cut};
use crate::error::{Error, Result, Text};
use crate::memory;
use crate::{Bytes, Channel, Kind, Options, Request, Timeout, Wait};
use rustix::fd::BorrowedFd;
use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::fmt::Write;
use std::mem::{MaybeUninit, offset_of, size_of};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::slice;
use std::time::Duration;

/// 0, or a negative errno value.
pub(super) fn status(call: impl FnOnce() -> Result<()>) -> i32 {
    call().map_or_else(|error| -error.errno(), |()| 0)
}

/// A count, or a negative errno value.
pub(super) fn count<N: TryInto<i64>>(call: impl FnOnce() -> Result<N>) -> i64 {
    call().map_or_else(|error| -i64::from(error.errno()), |n| n.try_into().unwrap_or(i64::MAX))
}

unsafe extern "C-unwind" {
    /// Ends a thread that has been cancelled.
    fn pthread_testcancel();
}

/// The common shape of the calls that open a handle. A thread that has been cancelled ends here, before it has one: it
/// would not get to freeing it.
///
/// # Safety
/// `out` and `error` must be null or writable.
pub(super) unsafe fn opening<H>(
    out: *mut *mut H,
    error: *mut rr_error,
    call: impl FnOnce() -> Result<H>,
) -> i32 {
    // SAFETY: has no preconditions. Nothing is open yet that unwinding would leave open.
    unsafe { pthread_testcancel() };
    let _only_foreign = AbortPanics;
    // SAFETY: the caller's.
    let opened = match unsafe { out.as_mut() } {
        None => Err(null("the place for the handle")),
        Some(out) => {
            *out = std::ptr::null_mut();
            // Before the call, which leaves a channel behind that it has made.
            memory::boxed(MaybeUninit::uninit()).and_then(|mut place| {
                place.write(call()?);
                // SAFETY: it was written.
                *out = Box::into_raw(unsafe { place.assume_init() });
                Ok(())
            })
        }
    };
    // SAFETY: the caller's.
    report(unsafe { error.as_mut() }, opened.as_ref().err());
    status(|| opened)
}

fn report(report: Option<&mut rr_error>, error: Option<&Error>) {
    let Some(report) = report else { return };
    report.code = error.map_or(0, |error| -error.errno());
    report.reserved = [0; 3];
    report.message = [0; 256];
    let Some(error) = error else { return };
    let mut page = Page::new();
    let _ = write!(page, "{error}");
    let text = cut(page.as_str(), report.message.len() - 1);
    for (to, from) in report.message.iter_mut().zip(text.bytes()) {
        *to = from as c_char;
    }
}

pub(super) const fn null(name: &'static str) -> Error {
    Error::Null(name)
}

/// # Safety
/// A pointer that is not null must be valid for as long as the result is used.
pub(super) unsafe fn handle<'a, H>(handle: *const H) -> Result<&'a H> {
    // SAFETY: the caller's.
    unsafe { handle.as_ref() }.ok_or_else(|| null("handle"))
}

/// # Safety
/// As [`handle`]; the pointer must come from [`of_channel`].
pub(super) unsafe fn channel<'a>(channel: *const rr_channel) -> Result<&'a Channel> {
    // SAFETY: the caller's.
    unsafe { handle(channel.cast::<Channel>()) }
}

pub(super) fn of_channel(channel: &Channel) -> *mut rr_channel {
    std::ptr::from_ref(channel).cast_mut().cast()
}

/// # Safety
/// A pointer that is not null must be writable.
pub(super) unsafe fn place<'a, T>(name: &'static str, pointer: *mut T) -> Result<&'a mut T> {
    // SAFETY: the caller's.
    unsafe { pointer.as_mut() }.ok_or_else(|| null(name))
}

/// # Safety
/// A pointer that is not null must be readable for `length` bytes, and stay as it is during the call.
pub(super) unsafe fn payload<'a>(pointer: *const c_void, length: usize) -> Result<&'a [u8]> {
    if length == 0 {
        return Ok(&[]);
    }
    if pointer.is_null() {
        return Err(null("data"));
    }
    check_length(length, isize::MAX as usize)?;
    // SAFETY: the caller's.
    Ok(unsafe { slice::from_raw_parts(pointer.cast(), length) })
}

/// # Safety
/// A pointer that is not null must be readable for `count` ids, and stay as it is during the call.
pub(super) unsafe fn ids_in<'a>(
    name: &'static str,
    pointer: *const u64,
    count: usize,
) -> Result<&'a [RequestId]> {
    if pointer.is_null() {
        return Err(null(name));
    }
    if count > isize::MAX as usize / size_of::<u64>() {
        return Err(Error::bad_argument("n", count, "as many as there are ids"));
    }
    // SAFETY: the caller's.
    Ok(unsafe { slice::from_raw_parts(pointer.cast(), count) })
}

/// As [`ids_in`], for ids that are put in another order; null has none.
///
/// # Safety
/// A pointer that is not null must be readable and writable for `count` ids, and nobody else use them during the call.
pub(super) unsafe fn ids_to_sort<'a>(
    name: &'static str,
    pointer: *mut u64,
    count: usize,
) -> Result<&'a mut [RequestId]> {
    if pointer.is_null() && count == 0 {
        return Ok(&mut []);
    }
    // SAFETY: the caller's.
    unsafe { ids_in(name, pointer, count) }?;
    // SAFETY: the caller's; neither null nor too many.
    Ok(unsafe { slice::from_raw_parts_mut(pointer.cast(), count) })
}

/// A buffer to be written to; null is one without room.
pub(super) fn buffer(pointer: *mut c_void, capacity: usize) -> Result<*mut u8> {
    match (pointer.is_null(), capacity) {
        (true, 0) => Ok(std::ptr::NonNull::dangling().as_ptr()),
        (true, _) => Err(null("buf")),
        (false, _) => Ok(pointer.cast()),
    }
}

/// # Safety
/// A pointer that is not null must be a string that ends with a NUL.
pub(super) unsafe fn string<'a>(name: &'static str, pointer: *const c_char) -> Result<&'a CStr> {
    if pointer.is_null() {
        return Err(null(name));
    }
    // SAFETY: the caller's.
    Ok(unsafe { CStr::from_ptr(pointer) })
}

/// Describes a request that was taken, except for the reserved words, which callers of later versions have.
#[inline]
pub(super) fn describe_request(place: &mut rr_request, request: &Request) {
    place.id = request.id.into();
    place.length = request.length;
    place.msg_type = request.message_type;
    place.flags = request.flags.bits();
    place.client = request.client;
    place.redeliveries = request.redeliveries;
}

/// Describes a message in a place of the caller's, except for the reserved words, which the caller's version may not
/// have.
///
/// # Safety
/// The place must be writable for as much.
#[inline]
pub(super) unsafe fn describe_view(place: *mut rr_view, view: &rr_view) {
    let length = offset_of!(rr_view, reserved);
    // SAFETY: the caller's, and within the view.
    unsafe { place.cast::<u8>().copy_from_nonoverlapping(std::ptr::from_ref(view).cast(), length) };
}

/// A request in place, as C sees it.
pub(super) fn request_view(request: &Request, bytes: Bytes<'_>) -> rr_view {
    rr_view {
        id: request.id.into(),
        data: bytes.as_ptr().cast(),
        length: bytes.len(),
        msg_type: request.message_type,
        flags: request.flags.bits(),
        client: request.client,
        redeliveries: request.redeliveries,
        reserved: [0; 2],
    }
}

pub(super) fn borrow<'a>(fd: c_int) -> Result<BorrowedFd<'a>> {
    if fd < 0 {
        let what = Text::of(format_args!("fd: found {fd}, expected an open descriptor"));
        return Err(Error::System { what, errno: libc::EBADF });
    }
    // SAFETY: not -1; the call only duplicates it, and that fails cleanly if it is not open.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

pub(super) fn path(string: &CStr) -> &Path {
    Path::new(OsStr::from_bytes(string.to_bytes()))
}

/// Copies a text and its NUL; what does not fit is cut. Returns the text's length.
///
/// # Safety
/// A pointer that is not null must be writable for `capacity` bytes.
pub(super) unsafe fn copy_text(text: &[u8], to: *mut c_char, capacity: usize) -> usize {
    if !to.is_null() && capacity > 0 {
        let length = text.len().min(capacity - 1);
        let to = to.cast::<u8>();
        // SAFETY: shorter than the capacity.
        unsafe { to.copy_from_nonoverlapping(text.as_ptr(), length) };
        // SAFETY: as the length is less than the capacity, there is room for it.
        let end = unsafe { to.add(length) };
        // SAFETY: as above.
        unsafe { end.write(0) };
    }
    text.len()
}

/// # Safety
/// A pointer that is not null must be readable for as many bytes as the structure's own `size` says.
pub(super) unsafe fn options(pointer: *const rr_options) -> Result<Options> {
    if pointer.is_null() {
        return checked(&rr_options::DEFAULT);
    }
    // SAFETY: the caller's.
    checked(&unsafe { read(pointer) }?)
}

/// As [`options`], with how a client waits for the channel to appear.
///
/// # Safety
/// As [`options`], and the wait that it names must be null or valid for as long as the result is used.
pub(super) unsafe fn options_to_connect<'a>(pointer: *const rr_options) -> Result<(Options, Wait<'a>)> {
    if pointer.is_null() {
        return Ok((checked(&rr_options::DEFAULT)?, Wait::NOW));
    }
    // SAFETY: the caller's.
    let given = unsafe { read(pointer) }?;
    let wait = if given.connect.is_null() {
        Timeout::from_nanos(given.connect_timeout_ns).into()
    } else {
        // SAFETY: the caller's.
        unsafe { wait(given.connect) }?
    };
    Ok((checked(&given)?, wait))
}

fn checked(given: &rr_options) -> Result<Options> {
    let kind = match given.kind {
        RR_KIND_BYTES => Kind::Bytes,
        RR_KIND_INT => Kind::Int,
        other => return Err(Error::bad_argument("kind", other, "RR_KIND_BYTES (0) or RR_KIND_INT (1)")),
    };
    let known = RR_OPT_EXCLUSIVE
        | RR_OPT_SPARSE
        | RR_OPT_REDELIVER
        | RR_OPT_NOTIFY
        | RR_OPT_NEED_SERVER
        | RR_OPT_RESTART;
    let unknown = given.flags & !known;
    if unknown != 0 {
        return Err(unknown_flags(
            unknown,
            "RR_OPT_EXCLUSIVE (0x10000), RR_OPT_SPARSE (0x20000), RR_OPT_REDELIVER (0x40000), \
             RR_OPT_NOTIFY (0x80000), RR_OPT_NEED_SERVER (0x100000), RR_OPT_RESTART (0x200000)",
        ));
    }
    Ok(Options::new()
        .kind(kind)
        .slots(given.slots)
        .participants(given.participants)
        .request_max(given.request_max)
        .response_max(given.response_max)
        .user(given.user)
        .mode(given.mode)
        .exclusive(given.flags & RR_OPT_EXCLUSIVE != 0)
        .sparse(given.flags & RR_OPT_SPARSE != 0)
        .redeliver(given.flags & RR_OPT_REDELIVER != 0)
        .notify(given.flags & RR_OPT_NOTIFY != 0)
        .need_server(given.flags & RR_OPT_NEED_SERVER != 0)
        .restart(given.flags & RR_OPT_RESTART != 0)
        .spin(spin(given.spin_ns))
        .connect_timeout(Timeout::from_nanos(given.connect_timeout_ns)))
}

/// How long to poll: 0 adapts, negative never polls.
fn spin(nanoseconds: i64) -> Option<Duration> {
    (nanoseconds != 0).then(|| Duration::from_nanos(nanoseconds.try_into().unwrap_or(0)))
}
