//! Sending requests and collecting replies without copies.

use super::convert::{count, describe_view, handle, null, place, status};
use super::result::{Telling, left};
use super::structures::{end_buffer, fill, read, size_of_place, wait as as_wait};
use super::types::{rr_buffer, rr_client, rr_result, rr_view, rr_wait};
use crate::channel::flags::MessageFlags;
use std::ffi::c_int;

/// Takes a slot and lends its buffer for a request to be written in place; waits for a free slot. The slot is held
/// until rr_client_commit sends the request, or rr_client_abort gives it back. Any thread may do either.
///
/// Return value: 0, or [handle], [wait], [send].
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
        let (id, mut taken) =
            client.0.take_loan(&client.0.channel().deadline(&unsafe { as_wait(wait) }?)?)?;
        let loan = rr_buffer {
            id: id.into(),
            data: taken.as_mut_ptr().cast(),
            capacity: taken.capacity(),
            ..rr_buffer::DEFAULT
        };
        // SAFETY: as above.
        unsafe { fill(buffer, loan) }
    })
}

/// Sends what was written to a buffer of rr_client_loan. The reply is collected by the number stored in id. The buffer
/// ends: its data is set to NULL. If the call fails with -EMSGSIZE, -ECONNREFUSED, -E2BIG or -EINVAL it can be used on.
///
/// Return value: 0, or [handle]; -ESTALE: the loan has ended before, or is not this handle's; -EMSGSIZE: buffer->length
/// is more than its capacity; -ECONNREFUSED: no server is attached, and the handle has RR_OPT_NEED_SERVER; -EPROTO:
/// another process has overwritten the channel's memory; -E2BIG: see STRUCTURES.
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
        client.0.commit_loan(
            sent.id.into(),
            sent.length,
            sent.msg_type,
            MessageFlags::from_bits(sent.flags),
        )?;
        *id = sent.id;
        // SAFETY: it was read.
        unsafe { end_buffer(buffer) };
        Ok(())
    })
}

/// Gives a buffer of rr_client_loan back: nothing is sent. Its data is set to NULL.
///
/// Return value: 0, or [handle]; -ESTALE: the loan has ended before, or is not this handle's; -E2BIG: see STRUCTURES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_client_abort(cli: *mut rr_client, buffer: *mut rr_buffer) -> c_int {
    status(|| {
        // SAFETY: the caller's pointers are null or valid.
        let client = unsafe { handle(cli) }?;
        // SAFETY: as above.
        client.0.abort_loan(unsafe { read(buffer) }?.id.into())?;
        // SAFETY: it was read.
        unsafe { end_buffer(buffer) };
        Ok(())
    })
}

/// Waits for the reply to a request and tells where it lies, without copying it. The bytes may be read until
/// rr_client_release, or any other call that collects the id. result tells of an error reply code and text; it may be
/// NULL.
///
/// Return value: the reply's length, 0 for an empty one, or [handle], [wait], [collect]; -ECONNREFUSED: as
/// rr_client_get_wait.
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
        let outcome =
            client.0.look_at(id.into(), &deadline, |found| telling.take_error(found)).map(|found| {
                let reply = found.reply();
                telling.note(&reply);
                let described = rr_view {
                    id,
                    data: found.bytes.cast(),
                    length: reply.length,
                    msg_type: reply.message_type,
                    flags: reply.flags.bits(),
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
/// Return value: 0, or [handle]; -EAGAIN: there is no reply yet: rr_client_cancel withdraws the request; -ESTALE: the
/// id is no request of this handle any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_client_release(cli: *mut rr_client, id: u64) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    status(|| unsafe { handle(cli) }?.0.release(id.into()))
}
