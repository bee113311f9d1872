//! Taking requests and replying without copies.

use super::convert::{count, describe_view, handle, null, request_view, status};
use super::structures::{Elements, end_buffer, fill, read, size_of_place, wait as as_wait};
use super::types::{rr_buffer, rr_server, rr_view, rr_wait};
use crate::MessageFlags;
use crate::error::Result;
use crate::{Request, Server, Wait};
use std::ffi::c_int;
use std::mem::offset_of;

/// Takes the oldest request without copying it, and waits for one: view tells where it lies. The bytes stay until the
/// request is replied to, dismissed or released, whatever its client does.
///
/// Return value: the request's length, 0 for an empty one, or [handle], [wait].
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

/// Takes up to n requests in their order, as rr_recv_view does, and waits for the first only: one wake-up for many.
/// Each is described in one of views, of view_size bytes each (sizeof(rr_view)), and replied to by its own id.
///
/// Return value: how many there are, 1 to n, or [handle], [wait].
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

/// Takes up to n requests as rr_recv_batch does, and never waits.
///
/// Return value: how many there are, 1 to n, or [handle]; -EAGAIN: there is none.
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

/// Lends a buffer for the reply to a request. rr_reply_commit sends what was written there. It may be written to until
/// then, or until the request ends otherwise.
///
/// Return value: 0, or [handle], [taken].
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_reply_loan(srv: *mut rr_server, id: u64, buffer: *mut rr_buffer) -> c_int {
    status(|| {
        // SAFETY: the caller's pointers are null or valid.
        let server = unsafe { handle(srv) }?;
        // SAFETY: as above.
        unsafe { size_of_place(buffer) }?;
        let mut taken = server.0.lend_reply(id.into())?;
        let loan = rr_buffer {
            id,
            data: taken.as_mut_ptr().cast(),
            capacity: taken.capacity(),
            ..rr_buffer::DEFAULT
        };
        // SAFETY: as above.
        unsafe { fill(buffer, loan) }
    })
}

/// Replies with what was written to a buffer of rr_reply_loan. The buffer ends: its data is set to NULL. If the call
/// fails with -EMSGSIZE or -EINVAL it can be used on.
///
/// Return value: 0, or [handle], [taken]; -EMSGSIZE: buffer->length is more than its capacity; -EINVAL: also, no buffer
/// was given for this reply; -E2BIG: see STRUCTURES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_reply_commit(srv: *mut rr_server, buffer: *mut rr_buffer) -> c_int {
    status(|| {
        // SAFETY: the caller's pointers are null or valid.
        let server = unsafe { handle(srv) }?;
        // SAFETY: as above.
        let rr_buffer { id, length, msg_type, flags, .. } = unsafe { read(buffer) }?;
        server.0.commit_reply(id.into(), length, msg_type, MessageFlags::from_bits(flags))?;
        // SAFETY: it was read.
        unsafe { end_buffer(buffer) };
        Ok(())
    })
}
