//! Sending requests and collecting replies without copies.

use super::convert::{count, describe_view, handle, null, place, status};
use super::result::{Telling, left};
use super::structures::{end_buffer, fill, read, size_of_place, wait as as_wait};
use super::types::{rr_buffer, rr_client, rr_result, rr_view, rr_wait};
use std::ffi::c_int;

/// Takes a slot and lends its buffer, in the channel's memory, for a request to be written in place; waits for a free
/// slot.
///
/// The slot is held until rr_client_commit sends the request, or rr_client_abort gives it back. Any thread may do
/// either.
///
/// Return value: 0, or
/// -ENOBUFS: wait says to try once, and no slot is free, or not for one that has not waited;
/// -ECONNREFUSED: RR_OPT_NEED_SERVER was given and no server is attached;
/// -ETIMEDOUT: no slot was free in time;
/// -EINTR: a signal handler ran while the call waited; nothing was lent;
/// -EPERM: the system does not let this process sleep;
/// -E2BIG: wait has fields set that this version does not know;
/// -EINVAL: cli or buffer is null, or buffer->size is that of no rr_buffer, or wait is not valid, or the channel is
/// one of integers;
/// -EUSERS, -ENOTCONN: in a forked child only, see FORKING;
/// -ESHUTDOWN: the handle was stopped.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_client_loan(
    cli: *mut rr_client,
    buffer: *mut rr_buffer,
    wait: *const rr_wait,
) -> c_int {
    status(|| {
        // SAFETY: the caller's pointers are null or valid.
        let client = unsafe { handle(cli) }?;
        // SAFETY: as above.
        unsafe { size_of_place(buffer) }?;
        // SAFETY: as above.
        let (id, mut lent_buffer) =
            client.0.take_loan(&client.0.channel().deadline(&unsafe { as_wait(wait) }?)?)?;
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

/// Sends what was written to a buffer that rr_client_loan lent. The reply is collected by the number stored in id. The
/// buffer has ended: its data is set to NULL.
///
/// Return value: 0, or
/// -ESTALE: the loan has ended before, or is none of this handle's;
/// -EMSGSIZE: buffer->length is more than the buffer's capacity; the loan goes on;
/// -ECONNREFUSED: RR_OPT_NEED_SERVER was given and no server is attached; the loan goes on;
/// -E2BIG: buffer has fields set that this version does not know; the loan goes on;
/// -EINVAL: cli, buffer or id is null, or buffer->size is that of no rr_buffer, or its msg_type is 1 to 127, or its
/// flags has others set than RR_MSG_UTF8 and RR_MSG_END_ALIGNED; the loan goes on;
/// -EPROTO: another process has overwritten the channel's memory;
/// -EUSERS, -ENOTCONN: in a forked child only, see FORKING;
/// -ESHUTDOWN: the handle was stopped.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_client_commit(
    cli: *mut rr_client,
    buffer: *mut rr_buffer,
    id: *mut u64,
) -> c_int {
    status(|| {
        // SAFETY: the caller's pointers are null or valid.
        let client = unsafe { handle(cli) }?;
        // SAFETY: as above.
        let sent = unsafe { read(buffer) }?;
        // SAFETY: as above.
        let id = unsafe { place("id", id) }?;
        client.0.commit_loan(sent.id, sent.length, sent.msg_type, sent.flags)?;
        *id = sent.id;
        // SAFETY: it was read.
        unsafe { end_buffer(buffer) };
        Ok(())
    })
}

/// Gives a buffer that rr_client_loan lent back: nothing is sent. Its data is set to NULL.
///
/// Return value: 0, or
/// -ESTALE: the loan has ended before, or is none of this handle's;
/// -E2BIG: buffer has fields set that this version does not know;
/// -EINVAL: cli or buffer is null, or buffer->size is that of no rr_buffer;
/// -EUSERS, -ENOTCONN: in a forked child only, see FORKING;
/// -ESHUTDOWN: the handle was stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_client_abort(cli: *mut rr_client, buffer: *mut rr_buffer) -> c_int {
    status(|| {
        // SAFETY: the caller's pointers are null or valid.
        let client = unsafe { handle(cli) }?;
        // SAFETY: as above.
        client.0.abort_loan(unsafe { read(buffer) }?.id)?;
        // SAFETY: it was read.
        unsafe { end_buffer(buffer) };
        Ok(())
    })
}

/// Waits for the reply to a request and tells where it lies in the channel's memory, without copying it. result tells
/// of an error reply its code and text; it may be NULL. The bytes may be read until rr_client_release, or any other
/// call that collects the id.
///
/// Return value: the reply's length, 0 for an empty one, or
/// -EAGAIN: wait says to try once, and it is not there yet;
/// -ETIMEDOUT: it did not come in time; the request is still pending;
/// -ECONNREFUSED: RR_OPT_NEED_SERVER was given and no server has the request or lives; the request is still pending;
/// -EINTR: a signal handler ran while the call waited; the request is still pending: call again, with what is left of
/// the time;
/// -EPERM: the system does not let this process sleep;
/// -ESTALE: the id is no request of this handle any more; see CODES;
/// -EOWNERDEAD: the server died with the request; the id is used up;
/// -EREMOTEIO: the server replied with an error, which result tells; the id is used up;
/// -ENOMSG: the server dismissed the request; the id is used up;
/// -E2BIG: result or wait has fields set that this version does not know;
/// -EINVAL: cli or view is null, or result or wait is not valid, or the channel is one of integers;
/// -EPROTO: another process has overwritten the channel's memory; the id is used up;
/// -EUSERS, -ENOTCONN: in a forked child only, see FORKING;
/// -ESHUTDOWN: the handle was stopped.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_client_view(
    cli: *mut rr_client,
    id: u64,
    view: *mut rr_view,
    result: *mut rr_result,
    wait: *const rr_wait,
) -> i64 {
    count(|| {
        // SAFETY: the caller's pointers are null or valid.
        let client = unsafe { handle(cli) }?;
        if view.is_null() {
            return Err(null("view"));
        }
        // SAFETY: as above.
        let deadline = client.0.channel().deadline(&unsafe { as_wait(wait) }?)?;
        // SAFETY: as above.
        let mut telling = unsafe { Telling::begin(result) }?;
        let outcome = client.0.look_at(id, &deadline, |found| telling.take_error(found)).map(|found| {
            let reply = found.reply();
            telling.note(&reply);
            let described = rr_view {
                id,
                data: found.bytes.cast(),
                length: reply.length,
                msg_type: reply.message_type,
                flags: reply.flags,
                client: 0,
                redeliveries: 0,
                reserved: [0; 2],
            };
            // SAFETY: as above.
            unsafe { describe_view(view, &described) };
            reply.length
        });
        telling.end(if outcome.is_ok() { id } else { left(id, &outcome) }, &outcome);
        outcome
    })
}

/// Done with a reply: its slot is free, and the id used up. It need not have been looked at.
///
/// Return value: 0, or
/// -EAGAIN: there is no reply yet; rr_client_cancel withdraws the request;
/// -ESTALE: the id is no request of this handle any more; see CODES;
/// -EINVAL: cli is null;
/// -EUSERS, -ENOTCONN: in a forked child only, see FORKING;
/// -ESHUTDOWN: the handle was stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_client_release(cli: *mut rr_client, id: u64) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    status(|| unsafe { handle(cli) }?.0.release(id))
}
