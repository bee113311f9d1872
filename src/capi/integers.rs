//! Channels of integers.

use super::convert::{describe_request, handle, place, status};
use super::types::{rr_client, rr_request, rr_server};
use crate::Timeout;
use crate::error::Result;
use std::ffi::c_int;

/// Takes the oldest request of a channel of integers, if there is one: stores its number in value, and describes it in
/// req.
///
/// Return value: 0, or
/// -EAGAIN: there is none;
/// -EINVAL: srv, value or req is null, or the channel is one of bytes;
/// -EPROTO: another process has overwritten the channel's memory;
/// -EUSERS, -ENOTCONN: in a forked child only, see FORKING;
/// -ESHUTDOWN: the handle was stopped.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_recv_i64(srv: *mut rr_server, value: *mut i64, req: *mut rr_request) -> c_int {
    // SAFETY: the caller's pointers are null or valid.
    status(|| unsafe { recv(srv, value, req, Timeout::NOW) })
}

/// Takes the oldest request of a channel of integers as rr_recv_i64 does, and waits for one.
///
/// timeout_ns is in nanoseconds: negative waits for ever, 0 tries once.
///
/// Return value: as rr_recv_i64, and
/// -ETIMEDOUT: none came in time;
/// -EINTR: a signal handler ran while the call waited; call again, with what is left of the time;
/// -EPERM: the system does not let this process sleep.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_recv_wait_i64(
    srv: *mut rr_server,
    value: *mut i64,
    req: *mut rr_request,
    timeout_ns: i64,
) -> c_int {
    // SAFETY: the caller's pointers are null or valid.
    status(|| unsafe { recv(srv, value, req, Timeout::from_nanos(timeout_ns)) })
}

/// # Safety
/// Pointers must be null or valid.
unsafe fn recv(srv: *mut rr_server, value: *mut i64, req: *mut rr_request, timeout: Timeout) -> Result<()> {
    // SAFETY: the caller's.
    let server = unsafe { handle(srv) }?;
    // SAFETY: the caller's.
    let (value, described) = (unsafe { place("value", value) }?, unsafe { place("req", req) }?);
    let (request, number) = server.0.recv_wait_i64(timeout)?;
    *value = number;
    describe_request(described, &request);
    Ok(())
}

/// Replies to a request of a channel of integers.
///
/// Return value: 0, or
/// -ESTALE: the client gave up, or the request has been replied to, or the id is none that this handle took;
/// -EINVAL: srv is null, or the channel is one of bytes;
/// -EUSERS, -ENOTCONN: in a forked child only, see FORKING;
/// -ESHUTDOWN: the handle was stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_reply_i64(srv: *mut rr_server, id: u64, value: i64) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    status(|| unsafe { handle(srv) }?.0.reply_i64(id, value))
}

/// Sends a number, waits for the reply and stores it in reply.
///
/// timeout_ns covers all of it, in nanoseconds: negative waits for ever, 0 tries once. However the call ends, nothing
/// stays pending.
///
/// Return value: 0, or
/// -ETIMEDOUT: the deadline passed;
/// -EAGAIN, -ENOBUFS: timeout_ns is 0, and the reply was not there at once, or no slot was free;
/// -EINTR: a signal handler ran while the call waited; the request was withdrawn;
/// -EPERM: the system does not let this process sleep;
/// -ECONNREFUSED: RR_OPT_NEED_SERVER was given and no server is attached, or none that lives; nothing stays pending;
/// -EOWNERDEAD: the server died with the request;
/// -EREMOTEIO: the server replied with an error; rr_client_req_msg tells which;
/// -ENOMSG: the server dismissed the request;
/// -ESTALE: somebody cleared the channel;
/// -EINVAL: cli or reply is null, or the channel is one of bytes;
/// -EPROTO: another process has overwritten the channel's memory;
/// -EUSERS, -ENOTCONN: in a forked child only, see FORKING;
/// -ESHUTDOWN: the handle was stopped.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_client_req_i64(
    cli: *mut rr_client,
    value: i64,
    reply: *mut i64,
    timeout_ns: i64,
) -> c_int {
    status(|| {
        // SAFETY: the caller's pointers are null or valid.
        let client = unsafe { handle(cli) }?;
        // SAFETY: as above.
        let reply = unsafe { place("reply", reply) }?;
        *reply = client.0.req_i64(value, Timeout::from_nanos(timeout_ns))?;
        Ok(())
    })
}

/// Sends a number and returns at once; its reply is collected later by the number stored in id.
///
/// Return value: 0, or
/// -ENOBUFS: no slot is free, or not for one that has not waited;
/// -ECONNREFUSED: RR_OPT_NEED_SERVER was given and no server is attached;
/// -EINVAL: cli or id is null, or the channel is one of bytes;
/// -EPROTO: another process has overwritten the channel's memory;
/// -EUSERS, -ENOTCONN: in a forked child only, see FORKING;
/// -ESHUTDOWN: the handle was stopped.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_client_send_i64(cli: *mut rr_client, value: i64, id: *mut u64) -> c_int {
    // SAFETY: the caller's pointers are null or valid.
    status(|| unsafe { send(cli, value, id, Timeout::NOW) })
}

/// Sends a number as rr_client_send_i64 does, and waits for a free slot.
///
/// Return value: as rr_client_send_i64 (-ENOBUFS only if timeout_ns is 0), and
/// -ETIMEDOUT: no slot was free in time;
/// -EINTR: a signal handler ran while the call waited; nothing was sent;
/// -EPERM: the system does not let this process sleep.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_client_send_wait_i64(
    cli: *mut rr_client,
    value: i64,
    id: *mut u64,
    timeout_ns: i64,
) -> c_int {
    // SAFETY: the caller's pointers are null or valid.
    status(|| unsafe { send(cli, value, id, Timeout::from_nanos(timeout_ns)) })
}

/// Sends a number as a one-way message, as rr_client_post does.
///
/// Return value: as rr_client_send_wait_i64, except that there is no id.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_client_post_i64(cli: *mut rr_client, value: i64, timeout_ns: i64) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    status(|| unsafe { handle(cli) }?.0.post_i64(value, Timeout::from_nanos(timeout_ns)))
}

/// # Safety
/// Pointers must be null or valid.
unsafe fn send(cli: *mut rr_client, value: i64, id: *mut u64, timeout: Timeout) -> Result<()> {
    // SAFETY: the caller's.
    let client = unsafe { handle(cli) }?;
    // SAFETY: the caller's.
    let id = unsafe { place("id", id) }?;
    *id = client.0.send_wait_i64(value, timeout)?;
    Ok(())
}

/// Collects the reply to a request of a channel of integers, if it is there, and stores it in value. The id is used
/// up.
///
/// Return value: 0, or
/// -EAGAIN: it is not there yet;
/// -ESTALE: the id is no request of this handle any more; see CODES;
/// -EOWNERDEAD: the server died with the request; the id is used up;
/// -EREMOTEIO: the server replied with an error, which rr_client_get_msg tells; the id is used up;
/// -ENOMSG: the server dismissed the request; the id is used up;
/// -EINVAL: cli or value is null, or the channel is one of bytes;
/// -EPROTO: another process has overwritten the channel's memory; the id is used up;
/// -EUSERS, -ENOTCONN: in a forked child only, see FORKING;
/// -ESHUTDOWN: the handle was stopped.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_client_get_i64(cli: *mut rr_client, id: u64, value: *mut i64) -> c_int {
    // SAFETY: the caller's pointers are null or valid.
    status(|| unsafe { get(cli, id, value, Timeout::NOW) })
}

/// Collects the reply to a request of a channel of integers as rr_client_get_i64 does, and waits for it.
///
/// timeout_ns is in nanoseconds: negative waits for ever, 0 tries once.
///
/// Return value: as rr_client_get_i64, and
/// -ETIMEDOUT: it did not come in time; the request is still pending;
/// -ECONNREFUSED: RR_OPT_NEED_SERVER was given and no server has the request or lives; the request is still pending;
/// -EINTR: a signal handler ran while the call waited; the request is still pending: call again, with what is left of
/// the time;
/// -EPERM: the system does not let this process sleep.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_client_get_wait_i64(
    cli: *mut rr_client,
    id: u64,
    value: *mut i64,
    timeout_ns: i64,
) -> c_int {
    // SAFETY: the caller's pointers are null or valid.
    status(|| unsafe { get(cli, id, value, Timeout::from_nanos(timeout_ns)) })
}

/// # Safety
/// Pointers must be null or valid.
unsafe fn get(cli: *mut rr_client, id: u64, value: *mut i64, timeout: Timeout) -> Result<()> {
    // SAFETY: the caller's.
    let client = unsafe { handle(cli) }?;
    // SAFETY: the caller's.
    let value = unsafe { place("value", value) }?;
    *value = client.0.get_wait_i64(id, timeout)?;
    Ok(())
}
