//! Taking requests and replying without copies.

use super::convert::{count, describe_view, handle, null, request_view, status};
use super::structures::{Elements, end_buffer, fill, read, size_of_place, wait as as_wait};
use super::types::{rr_buffer, rr_server, rr_view, rr_wait};
use crate::error::Result;
use crate::{Request, Server, Wait};
use std::ffi::c_int;
use std::mem::offset_of;

/// Takes the oldest request without copying it, and waits for one: view tells where it lies in the channel's memory.
///
/// The bytes may be read until the request is replied to, dismissed or given up: what happens with the id ends the
/// view. Until then they stay, whatever the client does.
///
/// Return value: the request's length, 0 for an empty one, or
/// -EAGAIN: wait says to try once, and there is none;
/// -ETIMEDOUT: none came in time;
/// -EINTR: a signal handler ran while the call waited; call again, with what is left of the time;
/// -EPERM: the system does not let this process sleep;
/// -E2BIG: wait has fields set that this version does not know;
/// -EINVAL: srv or view is null, or wait is not valid, or the channel is one of integers;
/// -EUSERS, -ENOTCONN: in a forked child only, see FORKING;
/// -ESHUTDOWN: the handle was stopped.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_recv_view(srv: *mut rr_server, view: *mut rr_view, wait: *const rr_wait) -> i64 {
    count(|| {
        // SAFETY: the caller's pointers are null or valid.
        let server = unsafe { handle(srv) }?;
        if view.is_null() {
            return Err(null("view"));
        }
        // SAFETY: as above.
        let deadline = server.0.channel().deadline(&unsafe { as_wait(wait) }?)?;
        let request = server.0.take_next(&deadline)?;
        // SAFETY: as above.
        unsafe { describe_view(view, &view_of(&server.0, &request)) };
        Ok(request.length)
    })
}

/// Takes up to n requests in their order without copying them, as rr_recv_view does, and waits for the first only: one
/// wake-up for many. Each is described in one of views, of view_size bytes each, which is sizeof(rr_view), and replied
/// to by its own id.
///
/// Return value: how many there are, 1 to n, or
/// -EAGAIN: wait says to try once, and there is none;
/// -ETIMEDOUT: none came in time;
/// -EINTR: a signal handler ran while the call waited; call again, with what is left of the time;
/// -EPERM: the system does not let this process sleep;
/// -E2BIG: wait has fields set that this version does not know;
/// -EINVAL: srv or views is null, or n is 0, or view_size is that of no rr_view, or wait is not valid, or the channel
/// is one of integers;
/// -EUSERS, -ENOTCONN: in a forked child only, see FORKING;
/// -ESHUTDOWN: the handle was stopped.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_recv_batch(
    srv: *mut rr_server,
    views: *mut rr_view,
    view_size: usize,
    n: usize,
    wait: *const rr_wait,
) -> i64 {
    count(|| {
        // SAFETY: the caller's pointer is null or valid.
        let wait = unsafe { as_wait(wait) }?;
        // SAFETY: as above.
        unsafe { batch(srv, views, view_size, n, &wait) }
    })
}

/// Takes up to n requests as rr_recv_batch does, but never waits.
///
/// Return value: how many there are, 1 to n, or
/// -EAGAIN: there is none;
/// -EINVAL: srv or views is null, or n is 0, or view_size is that of no rr_view, or the channel is one of integers;
/// -EUSERS, -ENOTCONN: in a forked child only, see FORKING;
/// -ESHUTDOWN: the handle was stopped.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_drain(
    srv: *mut rr_server,
    views: *mut rr_view,
    view_size: usize,
    n: usize,
) -> i64 {
    // SAFETY: the caller's pointers are null or valid.
    count(|| unsafe { batch(srv, views, view_size, n, &Wait::NOW) })
}

/// # Safety
/// Pointers must be null or valid, `views` for `n` structures of `size` bytes.
unsafe fn batch(
    srv: *mut rr_server,
    views: *mut rr_view,
    size: usize,
    n: usize,
    wait: &Wait<'_>,
) -> Result<usize> {
    // SAFETY: the caller's.
    let server = unsafe { handle(srv) }?;
    if views.is_null() {
        return Err(null("views"));
    }
    let views = Elements::new("views", views, size, n, offset_of!(rr_view, reserved))?;
    let deadline = server.0.channel().deadline(wait)?;
    server.0.take_batch(n, &deadline, |index, request| {
        // SAFETY: the index is less than n.
        let view = unsafe { views.at(index) };
        // SAFETY: as above.
        unsafe { describe_view(view, &view_of(&server.0, &request)) };
    })
}

fn view_of(server: &Server, request: &Request) -> rr_view {
    request_view(request, server.bytes_of(request))
}

/// Lends a buffer for the reply to a request, in the channel's memory. rr_reply_commit sends what was written there.
/// It may be written to until then, or until the request ends otherwise.
///
/// Return value: 0, or
/// -ESTALE: the client gave up, or the request has been replied to, or the id is none that this handle took; its view
/// has ended with it;
/// -EINVAL: srv or buffer is null, or buffer->size is that of no rr_buffer, or the channel is one of integers;
/// -EUSERS, -ENOTCONN: in a forked child only, see FORKING;
/// -ESHUTDOWN: the handle was stopped.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_reply_loan(srv: *mut rr_server, id: u64, buffer: *mut rr_buffer) -> c_int {
    status(|| {
        // SAFETY: the caller's pointers are null or valid.
        let server = unsafe { handle(srv) }?;
        // SAFETY: as above.
        unsafe { size_of_place(buffer) }?;
        let mut lent_buffer = server.0.lend_reply(id)?;
        let lent = rr_buffer {
            id,
            data: lent_buffer.as_mut_ptr().cast(),
            capacity: lent_buffer.capacity(),
            ..rr_buffer::DEFAULT
        };
        // SAFETY: as above.
        unsafe { fill(buffer, lent) }
    })
}

/// Replies with what was written to a buffer that rr_reply_loan lent. The buffer has ended: its data is set to NULL.
///
/// Return value: 0, or
/// -ESTALE: the client gave up, or the request has been replied to, or the id is none that this handle took;
/// -EMSGSIZE: buffer->length is more than the buffer's capacity; the buffer can be used on;
/// -E2BIG: buffer has fields set that this version does not know;
/// -EINVAL: srv or buffer is null, or buffer->size is that of no rr_buffer, or none was lent for this reply, or the
/// channel is one of integers; or its msg_type is 1 to 127, or its flags has others set than RR_MSG_UTF8 and
/// RR_MSG_END_ALIGNED, and the buffer can be used on;
/// -EUSERS, -ENOTCONN: in a forked child only, see FORKING;
/// -ESHUTDOWN: the handle was stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_reply_commit(srv: *mut rr_server, buffer: *mut rr_buffer) -> c_int {
    status(|| {
        // SAFETY: the caller's pointers are null or valid.
        let server = unsafe { handle(srv) }?;
        // SAFETY: as above.
        let rr_buffer { id, length, msg_type, flags, .. } = unsafe { read(buffer) }?;
        server.0.commit_reply(id, length, msg_type, flags)?;
        // SAFETY: it was read.
        unsafe { end_buffer(buffer) };
        Ok(())
    })
}
