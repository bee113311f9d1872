//! Sending requests, collecting replies.

use super::convert::{buffer, count, handle, ids_in, ids_to_sort, payload, place, status};
use super::structures::wait as as_wait;
use super::types::{rr_client, rr_wait};
use crate::error::Result;
use crate::{Kind, Timeout};
use std::ffi::{c_int, c_void};

/// Sends a request of len bytes of data, waits for its reply and copies that into buf, of cap bytes. data may be NULL
/// if len is 0, and buf if cap is 0. timeout_ns covers all of it. However the call ends, nothing stays pending; if it
/// fails for another reason than [send], a server may have acted on the request.
///
/// Return value: the reply's length, 0 for an empty one, or [handle], [timeout], [send], [collect]; -EOVERFLOW: the
/// reply is longer than cap, and was dropped: rr_client_req_msg keeps it; -ESTALE: somebody cleared the channel.
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
/// data may be NULL if len is 0. As many requests can be in flight as the channel has slots, all clients together; each
/// holds its slot until it is collected or cancelled.
///
/// Return value: 0, or [handle], [send].
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
/// Return value: 0, or [handle], [timeout], [send].
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

/// Sends a one-way message of len bytes of data: nobody replies to it, and nothing is left to be collected. Waits for a
/// free slot, and not for a server. data may be NULL if len is 0.
///
/// The message is delivered even if this process ends before a server takes it. It holds its slot until a server is
/// done with it. If that server dies first, another gets the message in a channel with RR_OPT_REDELIVER; otherwise it
/// is lost.
///
/// Return value: 0, or [handle], [timeout], [send].
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
    *id = client.0.send_wait(unsafe { payload(data, len) }?, timeout)?.into();
    Ok(())
}

/// Collects the reply to a request, if it is there: copies it into buf, of cap bytes. The id is used up. buf may be
/// NULL if cap is 0.
///
/// Return value: the reply's length, 0 for an empty one, or [handle], [collect]; -EAGAIN: it is not there yet;
/// -EOVERFLOW: it is longer than cap, and stays: no reply is longer than rr_channel_response_max.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_client_get(cli: *mut rr_client, id: u64, buf: *mut c_void, cap: usize) -> i64 {
    // SAFETY: the caller's pointers are null or valid.
    count(|| unsafe { get(cli, id, buf, cap, Timeout::NOW) })
}

/// Collects the reply to a request as rr_client_get does, and waits for it. If the wait ends without a reply, the
/// request is still pending: call again.
///
/// Return value: as rr_client_get, or [timeout]; -ECONNREFUSED: the handle has RR_OPT_NEED_SERVER, no server has taken
/// the request, and none lives.
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
    unsafe {
        client.0.get_into(Kind::Bytes, id.into(), buf, cap, &client.0.channel().deadline(&timeout.into())?)
    }
}

/// Waits until one of n requests has its outcome, a reply or another, and tells which. Collecting it tells what the
/// outcome is. Ids that are 0 are passed over. If several have an outcome, the call tells the first of them.
///
/// Return value: an index into ids, 0 to n - 1, or [handle], [wait]; -ECONNREFUSED: as rr_client_get_wait; -ESTALE:
/// none has an outcome, and one of the ids is no request of this handle any more; -EINVAL: also, all ids are 0.
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
        let ids = unsafe { ids_in("ids", ids, n) }?;
        // SAFETY: as above.
        client.0.wait_any(ids, unsafe { as_wait(wait) }?)
    })
}

/// Moves those of n requests that have their outcome, a reply or another, to the front of ids, in the order in which
/// they stand there; the others follow in any order. Collecting tells what the outcome is. The call never waits;
/// rr_client_wait_any does.
///
/// An id that is no request of this handle, or no longer one, counts as one with an outcome: collecting it tells so,
/// too. If another client has its slot by then, that may take 25 ms. Ids that are 0 are passed over. ids may be NULL if
/// n is 0.
///
/// The call reads all ids, and looks at a request in the channel when the handle is first asked after it, and when it
/// is done: what is pending costs next to nothing. It looks after servers that died, and after outcomes that nobody told
/// of because their process died, every 25 ms.
///
/// Return value: how many have an outcome, 0 if none has, or [handle].
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_client_done(cli: *mut rr_client, ids: *mut u64, n: usize) -> i64 {
    count(|| {
        // SAFETY: the caller's pointers are null or valid.
        let client = unsafe { handle(cli) }?;
        // SAFETY: as above.
        client.0.done(unsafe { ids_to_sort("ids", ids, n) }?)
    })
}

/// Withdraws a request. If it is queued, no server sees it. If a server holds it, it is given up: the server's reply
/// will be refused with -ESTALE, and another request can be sent at once in its place. A thread that waits for the
/// request gets -ESTALE.
///
/// What servers hold of requests that were given up is kept in spare slots: a quarter of the channel's slots, 4 at
/// least and 64 at most. If servers hold more than that, each takes the place of a request in flight.
///
/// Return value: 0, or [handle]; -EALREADY: its reply, or another outcome, is there: collect it; -ESTALE: the id is no
/// request of this handle any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_client_cancel(cli: *mut rr_client, id: u64) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    status(|| unsafe { handle(cli) }?.0.cancel(id.into()))
}

/// Counts the requests of this handle that are sent and not yet collected or cancelled, without loans and one-way
/// messages.
///
/// Return value: their number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_client_pending(cli: *const rr_client) -> i64 {
    // SAFETY: the caller's pointer is null or valid.
    count(|| unsafe { handle(cli) }.map(|client| client.0.pending()))
}
