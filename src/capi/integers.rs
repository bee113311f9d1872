//! Channels of integers.

use super::convert::{describe_request, handle, place, status};
use super::types::{rr_client, rr_request, rr_server};
use crate::Timeout;
use crate::error::Result;
use std::ffi::c_int;

/// Takes the oldest request, if there is one: stores its number in value, and describes it in req.
///
/// Return value: 0, or [handle]; -EAGAIN: there is none; -EPROTO: another process has overwritten the channel's memory.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_recv_i64(srv: *mut rr_server, value: *mut i64, req: *mut rr_request) -> c_int {
    // SAFETY: the caller's pointers are null or valid.
    status(|| unsafe { recv(srv, value, req, Timeout::NOW) })
}

/// Takes the oldest request as rr_recv_i64 does, and waits for one.
///
/// Return value: as rr_recv_i64, or [timeout].
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

/// Replies to a request with a number, as rr_reply does.
///
/// Return value: 0, or [handle], [taken].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_reply_i64(srv: *mut rr_server, id: u64, value: i64) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    status(|| unsafe { handle(srv) }?.0.reply_i64(id.into(), value))
}

/// Sends a number, waits for the reply and stores it in reply, as rr_client_req does.
///
/// Return value: 0, or [handle], [timeout], [send], [collect]; -ESTALE: somebody cleared the channel.
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

/// Sends a number and returns at once, as rr_client_send does.
///
/// Return value: 0, or [handle], [send].
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_client_send_i64(cli: *mut rr_client, value: i64, id: *mut u64) -> c_int {
    // SAFETY: the caller's pointers are null or valid.
    status(|| unsafe { send(cli, value, id, Timeout::NOW) })
}

/// Sends a number as rr_client_send_i64 does, and waits for a free slot.
///
/// Return value: 0, or [handle], [timeout], [send].
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
/// Return value: 0, or [handle], [timeout], [send].
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
    *id = client.0.send_wait_i64(value, timeout)?.into();
    Ok(())
}

/// Collects the reply to a request, if it is there, and stores it in value. The id is used up.
///
/// Return value: 0, or [handle], [collect]; -EAGAIN: it is not there yet.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_client_get_i64(cli: *mut rr_client, id: u64, value: *mut i64) -> c_int {
    // SAFETY: the caller's pointers are null or valid.
    status(|| unsafe { get(cli, id, value, Timeout::NOW) })
}

/// Collects the reply to a request as rr_client_get_i64 does, and waits for it. If the wait ends without a reply, the
/// request is still pending: call again.
///
/// Return value: as rr_client_get_i64, or [timeout]; -ECONNREFUSED: as rr_client_get_wait.
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
    *value = client.0.get_wait_i64(id.into(), timeout)?;
    Ok(())
}
