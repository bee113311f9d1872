//! Taking requests, replying.

use super::convert::{buffer, count, describe_request, handle, payload, place, status, string};
use super::structures::{message, wait as as_wait};
use super::types::{rr_msg, rr_request, rr_server, rr_wait};
use crate::error::Result;
use crate::server::Received;
use crate::{Kind, Timeout};
use std::ffi::{c_char, c_int, c_void};

/// Takes the oldest request, if there is one: copies it into buf, of cap bytes, and describes it in req. buf may be
/// NULL if cap is 0. The request is this server's until it replies, from any thread and in any order.
///
/// Return value: the request's length, 0 for an empty one, or [handle]; -EAGAIN: there is none; -EOVERFLOW: it is
/// longer than cap; req->length tells how long, and it stays queued.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_recv(
    srv: *mut rr_server,
    buf: *mut c_void,
    cap: usize,
    req: *mut rr_request,
) -> i64 {
    // SAFETY: the caller's pointers are null or valid.
    count(|| unsafe { recv(srv, buf, cap, req, Timeout::NOW) })
}

/// Takes the oldest request as rr_recv does, and waits for one.
///
/// Return value: as rr_recv, or [timeout].
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_recv_wait(
    srv: *mut rr_server,
    buf: *mut c_void,
    cap: usize,
    req: *mut rr_request,
    timeout_ns: i64,
) -> i64 {
    // SAFETY: the caller's pointers are null or valid.
    count(|| unsafe { recv(srv, buf, cap, req, Timeout::from_nanos(timeout_ns)) })
}

/// Takes the oldest request as rr_recv does, in a channel of either kind, and waits for one.
///
/// Return value: as rr_recv, or [wait]; -EPROTO: another process has overwritten the channel's memory.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_recv_msg(
    srv: *mut rr_server,
    buf: *mut c_void,
    cap: usize,
    req: *mut rr_request,
    wait: *const rr_wait,
) -> i64 {
    count(|| {
        // SAFETY: the caller's pointers are null or valid.
        let server = unsafe { handle(srv) }?;
        let kind = server.0.channel().kind();
        // SAFETY: as above.
        let described = unsafe { place("req", req) }?;
        let buf = buffer(buf, cap)?;
        // SAFETY: as above.
        let deadline = server.0.channel().deadline(&unsafe { as_wait(wait) }?)?;
        // SAFETY: the caller's buffer has room for `cap` bytes.
        tell(described, unsafe { server.0.recv_of_kind(kind, buf, cap, &deadline) }?, cap)
    })
}

/// # Safety
/// Pointers must be null or valid.
unsafe fn recv(
    srv: *mut rr_server,
    buf: *mut c_void,
    cap: usize,
    req: *mut rr_request,
    timeout: Timeout,
) -> Result<usize> {
    // SAFETY: the caller's.
    let server = unsafe { handle(srv) }?;
    // SAFETY: the caller's.
    let described = unsafe { place("req", req) }?;
    let buf = buffer(buf, cap)?;
    let deadline = server.0.channel().deadline(&timeout.into())?;
    // SAFETY: the caller's buffer has room for `cap` bytes.
    tell(described, unsafe { server.0.recv_into(Kind::Bytes, buf, cap, &deadline) }?, cap)
}

/// Describes a request, whether or not it fits.
#[inline]
fn tell(described: &mut rr_request, received: Received, cap: usize) -> Result<usize> {
    let (Received::Taken(request) | Received::TooLong(request)) = &received;
    describe_request(described, request);
    received.within(cap).map(|request| request.length)
}

/// Replies to a request with len bytes of data, and wakes its client. data may be NULL if len is 0. One thread replies
/// to one id, once; a second reply changes nothing. The reply to a one-way message is dropped, and the message
/// released.
///
/// Return value: 0, or [handle], [taken]; -EMSGSIZE: the reply is larger than the channel's limit, and the request
/// still waits for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_reply(srv: *mut rr_server, id: u64, data: *const c_void, len: usize) -> c_int {
    // SAFETY: the caller's pointers are null or valid.
    status(|| unsafe { handle(srv) }?.0.reply(id.into(), unsafe { payload(data, len) }?))
}

/// Replies as rr_reply does, with a message, in a channel of either kind.
///
/// Return value: as rr_reply; -E2BIG: see STRUCTURES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_reply_msg(srv: *mut rr_server, id: u64, msg: *const rr_msg) -> c_int {
    status(|| {
        // SAFETY: the caller's pointers are null or valid.
        let server = unsafe { handle(srv) }?;
        // SAFETY: as above.
        let message = unsafe { message(msg) }?;
        server.0.reply_msg(id.into(), &message)
    })
}

/// Ends a request without a reply: none will come, and its client's call fails with -ENOMSG at once. A one-way message
/// is released.
///
/// Return value: 0, or [handle], [taken].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_dismiss(srv: *mut rr_server, id: u64) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    status(|| unsafe { handle(srv) }?.0.dismiss(id.into()))
}

/// Done with a one-way message: its slot is free.
///
/// Return value: 0, or [handle]; -ESTALE: it was released before, or the id is not one that this handle took; -EINVAL:
/// a client waits for a reply, see rr_dismiss.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_release(srv: *mut rr_server, id: u64) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    status(|| unsafe { handle(srv) }?.0.release(id.into()))
}

/// Replies to a request with an error: its client's call fails with -EREMOTEIO, and an rr_result tells code and text.
/// Both are the application's; text ends with a NUL, and has up to 104 bytes even if the channel's responses are
/// shorter. Channels of either kind have error replies.
///
/// Return value: as rr_reply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_reply_error(
    srv: *mut rr_server,
    id: u64,
    code: c_int,
    text: *const c_char,
) -> c_int {
    status(|| {
        // SAFETY: the caller's pointers are null or valid.
        let server = unsafe { handle(srv) }?;
        // SAFETY: as above.
        let text = unsafe { string("text", text) }?;
        server.0.reply_error_bytes(id.into(), code, text.to_bytes())
    })
}
