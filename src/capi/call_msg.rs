//! Sending messages and collecting results: the general forms, for channels of either kind.

use super::convert::{buffer, count, handle, place, status};
use super::result::{Telling, left};
use super::structures::{message, wait as as_wait};
use super::types::{rr_client, rr_msg, rr_result, rr_wait};
use crate::error::Error;
use std::ffi::{c_int, c_void};

/// Sends a request, waits for its reply and copies that into buf, of cap bytes. result tells what the reply is, and,
/// of an error reply, code and text; it may be NULL.
///
/// wait covers all of it. If the call ends otherwise than by a reply, the request is withdrawn. A reply that is longer
/// than cap stays: result->id is what collects it. If result is NULL, it is dropped.
///
/// Return value: the reply's length, 0 for an empty one, or
/// -ETIMEDOUT: the deadline passed;
/// -EAGAIN, -ENOBUFS: wait says to try once, and the reply was not there at once, or no slot was free;
/// -EINTR: a signal handler ran while the call waited; the request was withdrawn;
/// -EPERM: the system does not let this process sleep;
/// -ECONNREFUSED: RR_OPT_NEED_SERVER was given and no server is attached, or none that lives;
/// -EMSGSIZE: the request is longer than the channel allows, and was not sent;
/// -EOVERFLOW: the reply is longer than cap; result->length tells how long;
/// -EOWNERDEAD: the server died with the request;
/// -EREMOTEIO: the server replied with an error, which result tells;
/// -ENOMSG: the server dismissed the request;
/// -ESTALE: somebody cleared the channel;
/// -E2BIG: msg, result or wait has fields set that this version does not know;
/// -EINVAL: cli or msg is null, or msg->data or buf is null with a length that is not 0, or a structure's size is that
/// of none, or msg->msg_type is 1 to 127, or msg->flags has others set than RR_MSG_UTF8 and RR_MSG_END_ALIGNED, or
/// msg->length is not 8 in a channel of integers;
/// -EPROTO: another process has overwritten the channel's memory;
/// -EUSERS, -ENOTCONN: in a forked child only, see FORKING;
/// -ESHUTDOWN: the handle was stopped.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_client_req_msg(
    cli: *mut rr_client,
    msg: *const rr_msg,
    buf: *mut c_void,
    cap: usize,
    result: *mut rr_result,
    wait: *const rr_wait,
) -> i64 {
    count(|| {
        // SAFETY: the caller's pointers are null or valid.
        let client = unsafe { handle(cli) }?;
        // SAFETY: as above.
        let message = unsafe { message(msg) }?;
        let buf = buffer(buf, cap)?;
        // SAFETY: as above.
        let deadline = client.0.channel().deadline(&unsafe { as_wait(wait) }?)?;
        // SAFETY: as above.
        let mut telling = unsafe { Telling::begin(result) }?;
        let keeps = telling.is_wanted();
        let outcome = client.0.req_and_read(&message, &deadline, keeps, |found| {
            // SAFETY: the caller's buffer has room for `cap` bytes.
            unsafe { telling.take(found, buf, cap) }
        });
        let id = if let Err(Error::Overflow { id, .. }) = outcome { id } else { 0 };
        telling.end(id, &outcome);
        outcome
    })
}

/// Sends a request and waits for a free slot; its reply is collected later by the number stored in id.
///
/// Return value: 0, or
/// -ENOBUFS: wait says to try once, and no slot is free, or not for one that has not waited;
/// -ETIMEDOUT: no slot was free in time;
/// -EINTR: a signal handler ran while the call waited; nothing was sent;
/// -EPERM: the system does not let this process sleep;
/// -ECONNREFUSED: RR_OPT_NEED_SERVER was given and no server is attached;
/// -EMSGSIZE: the request is longer than the channel allows;
/// -E2BIG: msg or wait has fields set that this version does not know;
/// -EINVAL: cli, msg or id is null, or msg->data is null and its length is not 0, or a structure's size is that of
/// none, or msg->msg_type is 1 to 127, or msg->flags has others set than RR_MSG_UTF8 and RR_MSG_END_ALIGNED, or
/// msg->length is not 8 in a channel of integers;
/// -EPROTO: another process has overwritten the channel's memory;
/// -EUSERS, -ENOTCONN: in a forked child only, see FORKING;
/// -ESHUTDOWN: the handle was stopped.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_client_send_msg(
    cli: *mut rr_client,
    msg: *const rr_msg,
    id: *mut u64,
    wait: *const rr_wait,
) -> c_int {
    status(|| {
        // SAFETY: the caller's pointers are null or valid.
        let client = unsafe { handle(cli) }?;
        // SAFETY: as above.
        let message = unsafe { message(msg) }?;
        // SAFETY: as above.
        let id = unsafe { place("id", id) }?;
        // SAFETY: as above.
        *id = client.0.send_msg(&message, unsafe { as_wait(wait) }?)?;
        Ok(())
    })
}

/// Sends a one-way message, as rr_client_post does.
///
/// Return value: as rr_client_send_msg, except that there is no id.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_client_post_msg(
    cli: *mut rr_client,
    msg: *const rr_msg,
    wait: *const rr_wait,
) -> c_int {
    status(|| {
        // SAFETY: the caller's pointers are null or valid.
        let client = unsafe { handle(cli) }?;
        // SAFETY: as above.
        let message = unsafe { message(msg) }?;
        // SAFETY: as above.
        client.0.post_msg(&message, unsafe { as_wait(wait) }?)
    })
}

/// Collects the reply to a request, and waits for it: copies it into buf, of cap bytes. result tells what the reply
/// is, and, of an error reply, code and text; it may be NULL.
///
/// Return value: the reply's length, 0 for an empty one, or
/// -EAGAIN: wait says to try once, and it is not there yet;
/// -ETIMEDOUT: it did not come in time; the request is still pending;
/// -ECONNREFUSED: RR_OPT_NEED_SERVER was given and no server has the request or lives; the request is still pending;
/// -EINTR: a signal handler ran while the call waited; the request is still pending: call again, with what is left of
/// the time;
/// -EPERM: the system does not let this process sleep;
/// -EOVERFLOW: the reply is longer than cap, and stays; result->length tells how long it is;
/// -ESTALE: the id is no request of this handle any more; see CODES;
/// -EOWNERDEAD: the server died with the request; the id is used up;
/// -EREMOTEIO: the server replied with an error, which result tells; the id is used up;
/// -ENOMSG: the server dismissed the request; the id is used up;
/// -E2BIG: result or wait has fields set that this version does not know;
/// -EINVAL: cli is null, or buf is null and cap is not 0, or a structure's size is that of none;
/// -EPROTO: another process has overwritten the channel's memory; the id is used up;
/// -EUSERS, -ENOTCONN: in a forked child only, see FORKING;
/// -ESHUTDOWN: the handle was stopped.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_client_get_msg(
    cli: *mut rr_client,
    id: u64,
    buf: *mut c_void,
    cap: usize,
    result: *mut rr_result,
    wait: *const rr_wait,
) -> i64 {
    count(|| {
        // SAFETY: the caller's pointers are null or valid.
        let client = unsafe { handle(cli) }?;
        let buf = buffer(buf, cap)?;
        // SAFETY: as above.
        let deadline = client.0.channel().deadline(&unsafe { as_wait(wait) }?)?;
        // SAFETY: as above.
        let mut telling = unsafe { Telling::begin(result) }?;
        let outcome = client.0.get_and_read(client.0.channel().kind(), id, &deadline, |found| {
            // SAFETY: the caller's buffer has room for `cap` bytes.
            unsafe { telling.take(found, buf, cap) }
        });
        telling.end(left(id, &outcome), &outcome);
        outcome
    })
}
