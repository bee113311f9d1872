//! Sending requests, collecting replies.

use super::convert::{buffer, count, handle, numbers, payload, place, status};
use super::structures::wait as as_wait;
use super::types::{rr_client, rr_wait};
use crate::error::Result;
use crate::{Kind, Timeout};
use std::ffi::{c_int, c_void};

/// Sends a request of len bytes of data, waits for its reply and copies that into buf, of cap bytes. data may be NULL
/// if len is 0, and buf if cap is 0.
///
/// timeout_ns covers all of it, in nanoseconds: negative waits for ever, 0 tries once. However the call ends, nothing
/// stays pending. After -ETIMEDOUT, -EAGAIN, -EINTR, -EOWNERDEAD, -ENOMSG, -ESTALE and -ESHUTDOWN a server may have
/// acted on the request, or not.
///
/// Return value: the reply's length, 0 for an empty one, or
/// -ETIMEDOUT: the deadline passed;
/// -EAGAIN, -ENOBUFS: timeout_ns is 0, and the reply was not there at once, or no slot was free;
/// -EINTR: a signal handler ran while the call waited; the request was withdrawn;
/// -EPERM: the system does not let this process sleep;
/// -ECONNREFUSED: RR_OPT_NEED_SERVER was given and no server is attached, or none that lives; nothing stays pending;
/// -EMSGSIZE: the request is longer than the channel allows, and was not sent; or the reply is longer than cap, and
/// was dropped: give room for rr_channel_response_max bytes, or send and collect in two calls;
/// -EOWNERDEAD: the server died with the request;
/// -EREMOTEIO: the server replied with an error; rr_client_req_msg tells which;
/// -ENOMSG: the server dismissed the request;
/// -ESTALE: somebody cleared the channel;
/// -EINVAL: cli is null, or data or buf is null with a length that is not 0, or the channel is one of integers;
/// -EPROTO: another process has overwritten the channel's memory;
/// -EUSERS, -ENOTCONN: in a forked child only, see FORKING;
/// -ESHUTDOWN: the handle was stopped.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_client_req(
    cli: *mut rr_client,
    data: *const c_void,
    len: usize,
    buf: *mut c_void,
    cap: usize,
    timeout_ns: i64,
) -> i64 {
    count(|| {
        // SAFETY: the caller's pointers are null or valid.
        let client = unsafe { handle(cli) }?;
        // SAFETY: as above.
        let data = unsafe { payload(data, len) }?;
        let buf = buffer(buf, cap)?;
        let deadline = client.0.channel().deadline(&Timeout::from_nanos(timeout_ns).into())?;
        // SAFETY: the caller's buffer has room for `cap` bytes.
        unsafe { client.0.req_into(Kind::Bytes, data, buf, cap, &deadline) }
    })
}

/// Sends a request of len bytes of data and returns at once; its reply is collected later by the number stored in id.
/// data may be NULL if len is 0.
///
/// As many requests can be in flight as the channel has slots, all clients together; each holds its slot until it is
/// collected or cancelled.
///
/// Return value: 0, or
/// -ENOBUFS: no slot is free, or not for one that has not waited;
/// -ECONNREFUSED: RR_OPT_NEED_SERVER was given and no server is attached;
/// -EMSGSIZE: the request is longer than the channel allows;
/// -EINVAL: cli or id is null, or data is null and len is not 0, or the channel is one of integers;
/// -EPROTO: another process has overwritten the channel's memory;
/// -EUSERS, -ENOTCONN: in a forked child only, see FORKING;
/// -ESHUTDOWN: the handle was stopped.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_client_send(
    cli: *mut rr_client,
    data: *const c_void,
    len: usize,
    id: *mut u64,
) -> c_int {
    // SAFETY: the caller's pointers are null or valid.
    status(|| unsafe { send(cli, data, len, Timeout::NOW, id) })
}

/// Sends a request as rr_client_send does, and waits for a free slot.
///
/// timeout_ns is in nanoseconds: negative waits for ever, 0 tries once.
///
/// Return value: as rr_client_send (-ENOBUFS only if timeout_ns is 0), and
/// -ETIMEDOUT: no slot was free in time;
/// -EINTR: a signal handler ran while the call waited; nothing was sent;
/// -EPERM: the system does not let this process sleep.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_client_send_wait(
    cli: *mut rr_client,
    data: *const c_void,
    len: usize,
    id: *mut u64,
    timeout_ns: i64,
) -> c_int {
    // SAFETY: the caller's pointers are null or valid.
    status(|| unsafe { send(cli, data, len, Timeout::from_nanos(timeout_ns), id) })
}

/// Sends a one-way message of len bytes of data: nobody replies to it, and nothing is left to be collected. Waits for
/// a free slot, and not for a server. data may be NULL if len is 0.
///
/// The message is delivered even if this process ends before a server takes it. One that a server held when it died
/// is lost, except in a channel with RR_OPT_REDELIVER, where another server gets it. It holds its slot until its
/// server is done with it.
///
/// timeout_ns is in nanoseconds: negative waits for ever, 0 tries once.
///
/// Return value: 0, or
/// -ENOBUFS: timeout_ns is 0 and no slot is free, or not for one that has not waited;
/// -ECONNREFUSED: RR_OPT_NEED_SERVER was given and no server is attached;
/// -ETIMEDOUT: no slot was free in time;
/// -EINTR: a signal handler ran while the call waited; nothing was sent;
/// -EPERM: the system does not let this process sleep;
/// -EMSGSIZE: the message is longer than the channel's longest request;
/// -EINVAL: cli is null, or data is null and len is not 0, or the channel is one of integers;
/// -EPROTO: another process has overwritten the channel's memory;
/// -EUSERS, -ENOTCONN: in a forked child only, see FORKING;
/// -ESHUTDOWN: the handle was stopped.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_client_post(
    cli: *mut rr_client,
    data: *const c_void,
    len: usize,
    timeout_ns: i64,
) -> c_int {
    status(|| {
        // SAFETY: the caller's pointers are null or valid.
        let client = unsafe { handle(cli) }?;
        // SAFETY: as above.
        client.0.post(unsafe { payload(data, len) }?, Timeout::from_nanos(timeout_ns))
    })
}

/// # Safety
/// Pointers must be null or valid.
unsafe fn send(
    cli: *mut rr_client,
    data: *const c_void,
    len: usize,
    timeout: Timeout,
    id: *mut u64,
) -> Result<()> {
    // SAFETY: the caller's.
    let client = unsafe { handle(cli) }?;
    // SAFETY: the caller's.
    let id = unsafe { place("id", id) }?;
    // SAFETY: the caller's.
    *id = client.0.send_wait(unsafe { payload(data, len) }?, timeout)?;
    Ok(())
}

/// Collects the reply to a request, if it is there: copies it into buf, of cap bytes. The id is used up. buf may be
/// NULL if cap is 0.
///
/// Return value: the reply's length, 0 for an empty one, or
/// -EAGAIN: it is not there yet;
/// -EOVERFLOW: it is longer than cap, and stays: no reply is longer than rr_channel_response_max;
/// -ESTALE: the id is no request of this handle any more; see CODES;
/// -EOWNERDEAD: the server died with the request; the id is used up;
/// -EREMOTEIO: the server replied with an error, which rr_client_get_msg tells; the id is used up;
/// -ENOMSG: the server dismissed the request; the id is used up;
/// -EINVAL: cli is null, or buf is null and cap is not 0, or the channel is one of integers;
/// -EPROTO: another process has overwritten the channel's memory; the id is used up;
/// -EUSERS, -ENOTCONN: in a forked child only, see FORKING;
/// -ESHUTDOWN: the handle was stopped.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_client_get(cli: *mut rr_client, id: u64, buf: *mut c_void, cap: usize) -> i64 {
    // SAFETY: the caller's pointers are null or valid.
    count(|| unsafe { get(cli, id, buf, cap, Timeout::NOW) })
}

/// Collects the reply to a request as rr_client_get does, and waits for it.
///
/// timeout_ns is in nanoseconds: negative waits for ever, 0 tries once.
///
/// Return value: as rr_client_get, and
/// -ETIMEDOUT: it did not come in time; the request is still pending;
/// -ECONNREFUSED: RR_OPT_NEED_SERVER was given and no server has the request or lives; the request is still pending;
/// -EINTR: a signal handler ran while the call waited; the request is still pending: call again, with what is left of
/// the time;
/// -EPERM: the system does not let this process sleep.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_client_get_wait(
    cli: *mut rr_client,
    id: u64,
    buf: *mut c_void,
    cap: usize,
    timeout_ns: i64,
) -> i64 {
    // SAFETY: the caller's pointers are null or valid.
    count(|| unsafe { get(cli, id, buf, cap, Timeout::from_nanos(timeout_ns)) })
}

/// # Safety
/// Pointers must be null or valid.
unsafe fn get(cli: *mut rr_client, id: u64, buf: *mut c_void, cap: usize, timeout: Timeout) -> Result<usize> {
    // SAFETY: the caller's.
    let client = unsafe { handle(cli) }?;
    let buf = buffer(buf, cap)?;
    // SAFETY: the caller's buffer has room for `cap` bytes.
    unsafe { client.0.get_into(Kind::Bytes, id, buf, cap, &client.0.channel().deadline(&timeout.into())?) }
}

/// Waits until one of n requests has its outcome, a reply or another, and tells which. Collecting it tells what the
/// outcome is. Ids that are 0 are passed over. If several have an outcome, the call tells the first of them.
///
/// Return value: an index into ids, 0 to n - 1, or
/// -EAGAIN: wait says to try once, and none has one;
/// -ETIMEDOUT: none had one in time;
/// -ECONNREFUSED: RR_OPT_NEED_SERVER was given, none has one, and no server lives; the requests are still pending;
/// -EINTR: a signal handler ran while the call waited; call again, with what is left of the time;
/// -EPERM: the system does not let this process sleep;
/// -ESTALE: none has one, and one of the ids is no request of this handle any more; see CODES;
/// -E2BIG: wait has fields set that this version does not know;
/// -EINVAL: cli or ids is null, or n is 0, or all ids are 0, or wait is not valid;
/// -EUSERS, -ENOTCONN: in a forked child only, see FORKING;
/// -ESHUTDOWN: the handle was stopped.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_client_wait_any(
    cli: *mut rr_client,
    ids: *const u64,
    n: usize,
    wait: *const rr_wait,
) -> i64 {
    count(|| {
        // SAFETY: the caller's pointers are null or valid.
        let client = unsafe { handle(cli) }?;
        // SAFETY: as above.
        let ids = unsafe { numbers("ids", ids, n) }?;
        // SAFETY: as above.
        client.0.wait_any(ids, unsafe { as_wait(wait) }?)
    })
}

/// Withdraws a request. A queued one is never seen by a server. One that a server holds is given up: the server's
/// reply will be refused with -ESTALE, and another request can be sent at once in its place. A thread that waits for
/// the request gets -ESTALE.
///
/// What servers hold of requests that were given up is kept in spare slots, a quarter of the channel's slots, 4 at
/// least and 64 at most; when servers hold more than that, each takes the place of a request in flight.
///
/// Return value: 0 if it was withdrawn, or
/// -EALREADY: its reply, or another outcome, is there: collect it;
/// -ESTALE: the id is no request of this handle any more; see CODES;
/// -EINVAL: cli is null;
/// -EUSERS, -ENOTCONN: in a forked child only, see FORKING;
/// -ESHUTDOWN: the handle was stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_client_cancel(cli: *mut rr_client, id: u64) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    status(|| unsafe { handle(cli) }?.0.cancel(id))
}

/// Counts the requests of this handle that are sent and not yet collected or cancelled. Loans and one-way messages are
/// not among them.
///
/// Return value: their number, or
/// -EINVAL: cli is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_client_pending(cli: *const rr_client) -> i64 {
    // SAFETY: the caller's pointer is null or valid.
    count(|| unsafe { handle(cli) }.map(|client| client.0.pending()))
}
