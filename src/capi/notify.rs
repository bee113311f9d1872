//! Eventfds, for programs that wait with epoll and its like.
//!
//! The pairs of functions differ only in which of a handle's two eventfds they are about.

use super::convert::{borrow, channel, count, status};
use super::types::rr_channel;
use crate::error::Result;
use rustix::fd::{AsRawFd, BorrowedFd};
use std::ffi::c_int;

/// -1 is none.
fn given<'a>(fd: c_int) -> Result<Option<BorrowedFd<'a>>> {
    if fd == -1 { Ok(None) } else { borrow(fd).map(Some) }
}

/// Asks for this handle's eventfd for requests, which a server waits for with poll(2), epoll(7) or the like; see
/// rr_channel_request_fd_make. Makes none.
///
/// Return value: the descriptor, or -ENXIO: the handle has none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_channel_request_fd(ch: *const rr_channel) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    count(|| unsafe { channel(ch) }?.request_fd().map(|fd| fd.as_raw_fd())) as c_int
}

/// Asks for this handle's eventfd for replies, which a client waits for, as rr_channel_request_fd.
///
/// Return value: as rr_channel_request_fd.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_channel_reply_fd(ch: *const rr_channel) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    count(|| unsafe { channel(ch) }?.reply_fd().map(|fd| fd.as_raw_fd())) as c_int
}

/// This handle's eventfd for requests, made if there is none. It belongs to the handle: pass it on or let it be
/// inherited, but don't close it. It never blocks, and is closed on exec. Once it is replaced, its number is the
/// handle's to use for another, so take it out of sets such as epoll's before.
///
/// The descriptor is the handle's, not the channel's. A client that is to signal it inherits it, or is passed it over
/// a Unix socket, and sets it with rr_channel_request_fd_set. Nothing is signalled unless asked for: with
/// rr_channel_notify_requests, or with RR_OPT_NOTIFY at every request. What a process leaves undone when it dies
/// signals nothing: a program that waits only with these descriptors calls rr_channel_recover from time to time, and
/// looks again. A forked child's handle has none of its own until it makes or sets one.
///
/// Return value: the descriptor, or
/// -EMFILE, -ENFILE, -ENOMEM: the process or the system has no descriptors or memory left;
/// -EPERM: the system does not let this process make one;
/// -EIO: the system failed otherwise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_channel_request_fd_make(ch: *mut rr_channel) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    count(|| unsafe { channel(ch) }?.make_request_fd().map(|fd| fd.as_raw_fd())) as c_int
}

/// This handle's eventfd for replies, made if there is none, as rr_channel_request_fd_make. Servers that are to signal
/// it set it with rr_channel_reply_fd_set. It serves one client handle: several that share it take each other's signals.
///
/// Return value: as rr_channel_request_fd_make.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_channel_reply_fd_make(ch: *mut rr_channel) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    count(|| unsafe { channel(ch) }?.make_reply_fd().map(|fd| fd.as_raw_fd())) as c_int
}

/// Makes an eventfd that this process made, inherited or was passed this handle's one for requests, instead of what the
/// handle has; fd -1: it has none from here on. The eventfd is duplicated, and the caller keeps its own; it is made not
/// to block. Signals of calls that began before may still go to the old one, which stays open until the handle is freed
/// or uses its number for another. If the call fails, the handle keeps what it has.
///
/// Return value: 0, or
/// -EBADF: fd is not an open descriptor, nor -1;
/// -EINVAL: fd is not an eventfd;
/// -EMFILE, -ENOMEM: the process has no descriptors or memory left;
/// -ENOENT, -EACCES: /proc/self/fd, by which an eventfd is known, can't be read;
/// -EPERM: the system does not let this process look;
/// -EIO: the system failed otherwise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_channel_request_fd_set(ch: *mut rr_channel, fd: c_int) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    status(|| unsafe { channel(ch) }?.set_request_fd(given(fd)?))
}

/// Makes an eventfd that this process made, inherited or was passed this handle's one for replies, as
/// rr_channel_request_fd_set.
///
/// Return value: as rr_channel_request_fd_set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_channel_reply_fd_set(ch: *mut rr_channel, fd: c_int) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    status(|| unsafe { channel(ch) }?.set_reply_fd(given(fd)?))
}

/// Signals this handle's eventfd for requests: to be called after sending some.
///
/// Return value: 0, or -ENXIO: the handle has none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_channel_notify_requests(ch: *mut rr_channel) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    status(|| unsafe { channel(ch) }?.notify_requests())
}

/// Signals this handle's eventfd for replies: to be called after sending some.
///
/// Return value: as rr_channel_notify_requests.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_channel_notify_replies(ch: *mut rr_channel) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    status(|| unsafe { channel(ch) }?.notify_replies())
}

/// Takes all signals of this handle's eventfd for requests. Call it first, and then take requests until there are none:
/// so none that comes meanwhile is missed. If the eventfd is a semaphore (EFD_SEMAPHORE), one call takes up to 65536.
///
/// Return value: how many signals there were, 0 if none, or -ENXIO: the handle has no such eventfd.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_channel_consume_requests(ch: *mut rr_channel) -> i64 {
    // SAFETY: the caller's pointer is null or valid.
    count(|| unsafe { channel(ch) }?.consume_requests())
}

/// Takes all signals of this handle's eventfd for replies, as rr_channel_consume_requests. Call it first, and then
/// collect replies.
///
/// Return value: as rr_channel_consume_requests.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_channel_consume_replies(ch: *mut rr_channel) -> i64 {
    // SAFETY: the caller's pointer is null or valid.
    count(|| unsafe { channel(ch) }?.consume_replies())
}
