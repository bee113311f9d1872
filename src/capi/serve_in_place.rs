//! Taking requests and replying without copies.

use super::convert::{count, handle, place, request_view, status};
use super::types::{rr_server, rr_view};
use crate::error::Result;
use crate::{Request, Server, Timeout};
use std::ffi::{c_int, c_void};

/// Takes the oldest request without copying it, and waits for one: view tells where it lies in the channel's memory.
///
/// The bytes may be read until the request is replied to, released or given up: what happens with the id ends the view.
/// Until then they stay, whatever the client does.
///
/// timeout_ns is in nanoseconds: negative waits for ever, 0 tries once.
///
/// Return value: the request's length, 0 for an empty one, or
/// -EAGAIN: timeout_ns is 0 and there is none;
/// -ETIMEDOUT: none came in time;
/// -EINTR: a signal handler ran while the call waited; call again, with what is left of the time;
/// -EPERM: the system does not let this process sleep;
/// -EINVAL: srv or view is null, or the channel is one of integers;
/// -EUSERS, -ENOTCONN: in a forked child only, see FORKING;
/// -ESHUTDOWN: the handle was stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_recv_view(srv: *mut rr_server, view: *mut rr_view, timeout_ns: i64) -> i64 {
    count(|| {
        // SAFETY: the caller's pointers are null or valid.
        let server = unsafe { handle(srv) }?;
        // SAFETY: as above.
        let view = unsafe { place("view", view) }?;
        let request = server.0.take_next(&server.0.channel().deadline(Timeout::from_nanos(timeout_ns)))?;
        *view = view_of(&server.0, &request);
        Ok(request.length)
    })
}

/// Takes up to n requests in their order without copying them, as rr_recv_view does, and waits for the first only: one
/// wake-up for many. Each is described in one of views, and replied to by its own id.
///
/// Return value: how many there are, 1 to n, or
/// -EAGAIN: timeout_ns is 0 and there is none;
/// -ETIMEDOUT: none came in time;
/// -EINTR: a signal handler ran while the call waited; call again, with what is left of the time;
/// -EPERM: the system does not let this process sleep;
/// -EINVAL: srv or views is null, or n is 0, or the channel is one of integers;
/// -EUSERS, -ENOTCONN: in a forked child only, see FORKING;
/// -ESHUTDOWN: the handle was stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_recv_batch(
    srv: *mut rr_server,
    views: *mut rr_view,
    n: usize,
    timeout_ns: i64,
) -> i64 {
    // SAFETY: the caller's pointers are null or valid.
    count(|| unsafe { batch(srv, views, n, Timeout::from_nanos(timeout_ns)) })
}

/// Takes up to n requests as rr_recv_batch does, but never waits.
///
/// Return value: how many there are, 1 to n, or
/// -EAGAIN: there is none;
/// -EINVAL: srv or views is null, or n is 0, or the channel is one of integers;
/// -EUSERS, -ENOTCONN: in a forked child only, see FORKING;
/// -ESHUTDOWN: the handle was stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_drain(srv: *mut rr_server, views: *mut rr_view, n: usize) -> i64 {
    // SAFETY: the caller's pointers are null or valid.
    count(|| unsafe { batch(srv, views, n, Timeout::NOW) })
}

/// # Safety
/// Pointers must be null or valid, `views` for `n` structures.
unsafe fn batch(srv: *mut rr_server, views: *mut rr_view, n: usize, timeout: Timeout) -> Result<usize> {
    // SAFETY: the caller's.
    let server = unsafe { handle(srv) }?;
    // SAFETY: the caller's.
    let first: *mut rr_view = unsafe { place("views", views) }?;
    server.0.take_batch(n, timeout, |index, request| {
        // SAFETY: the index is less than n.
        let view = unsafe { first.add(index) };
        // SAFETY: as above.
        unsafe { view.write(view_of(&server.0, &request)) };
    })
}

fn view_of(server: &Server, request: &Request) -> rr_view {
    request_view(request, server.bytes_of(request))
}

/// Lends room for the reply to a request, in the channel's memory: *ptr tells where, aligned to 128 bytes, and *cap how
/// many bytes, the channel's longest response. What is there is left from an earlier reply. rr_reply_commit sends it.
/// The room may be written to until then, or until the request ends otherwise.
///
/// Return value: 0, or
/// -ESTALE: the client gave up, or the request has been replied to, or the id is none that this handle took; its view
/// has ended with it;
/// -EINVAL: srv, ptr or cap is null, or the channel is one of integers;
/// -EUSERS, -ENOTCONN: in a forked child only, see FORKING;
/// -ESHUTDOWN: the handle was stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_reply_loan(
    srv: *mut rr_server,
    id: u64,
    ptr: *mut *mut c_void,
    cap: *mut usize,
) -> c_int {
    status(|| {
        // SAFETY: the caller's pointers are null or valid.
        let server = unsafe { handle(srv) }?;
        // SAFETY: as above.
        let (ptr, cap) = (unsafe { place("ptr", ptr) }?, unsafe { place("cap", cap) }?);
        let mut buffer = server.0.lend_reply(id)?;
        (*ptr, *cap) = (buffer.as_mut_ptr().cast(), buffer.capacity());
        Ok(())
    })
}

/// Replies with the first len bytes of the buffer that rr_reply_loan lent.
///
/// Return value: 0, or
/// -ESTALE: the client gave up, or the request has been replied to, or the id is none that this handle took;
/// -EMSGSIZE: len is more than there is room for; the loan goes on;
/// -EINVAL: srv is null, or no room was lent for this reply, or the channel is one of integers;
/// -EUSERS, -ENOTCONN: in a forked child only, see FORKING;
/// -ESHUTDOWN: the handle was stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_reply_commit(srv: *mut rr_server, id: u64, len: usize) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    status(|| unsafe { handle(srv) }?.0.commit_reply(id, len, 0, 0))
}

/// Replies as rr_reply_commit does, and says what kind of message it is, as rr_reply_msg. With RR_END_ALIGNED it is the
/// last len bytes of the buffer that are sent.
///
/// Return value: as rr_reply_commit, and
/// -EINVAL: type is 1 to 127, or flags has others set than RR_UTF8 and RR_END_ALIGNED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_reply_commit_msg(
    srv: *mut rr_server,
    id: u64,
    len: usize,
    r#type: u32,
    flags: u32,
) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    status(|| unsafe { handle(srv) }?.0.commit_reply(id, len, r#type, flags))
}
