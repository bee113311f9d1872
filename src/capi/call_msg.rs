//! Sending messages and collecting results: the general forms, for channels of either kind.

use super::convert::{buffer, count, handle, place, status};
use super::result::{Telling, left};
use super::structures::{message, wait as as_wait};
use super::types::{rr_client, rr_msg, rr_result, rr_wait};
use crate::error::Error;
use std::ffi::{c_int, c_void};

/// Sends a request, waits for its reply and copies that into buf, of cap bytes, as rr_client_req does, in a channel of
/// either kind. result tells what the reply is, and of an error reply code and text; it may be NULL.
///
/// A reply that is longer than cap stays, and result->id is what collects it; if result is NULL, the reply is dropped.
/// However else the call ends, nothing stays pending.
///
/// Return value: the reply's length, 0 for an empty one, or [handle], [wait], [send], [collect]; -EOVERFLOW: the reply
/// is longer than cap; result->length tells how long; -ESTALE: somebody cleared the channel.
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
        let id = if let Err(Error::Overflow { id, .. }) = outcome { id.to_u64() } else { 0 };
        telling.end(id, &outcome);
        outcome
    })
}

/// Sends a request as rr_client_send does, in a channel of either kind, and waits for a free slot.
///
/// Return value: 0, or [handle], [wait], [send].
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
        *id = client.0.send_msg(&message, unsafe { as_wait(wait) }?)?.into();
        Ok(())
    })
}

/// Sends a one-way message as rr_client_post does, in a channel of either kind.
///
/// Return value: 0, or [handle], [wait], [send].
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

/// Collects the reply to a request as rr_client_get_wait does, in a channel of either kind. result tells what the reply
/// is, and of an error reply code and text; it may be NULL.
///
/// Return value: as rr_client_get_wait, or [wait]; -EOVERFLOW: the reply is longer than cap, and stays; result->length
/// tells how long it is.
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
        let outcome = client.0.get_and_read(client.0.channel().kind(), id.into(), &deadline, |found| {
            // SAFETY: the caller's buffer has room for `cap` bytes.
            unsafe { telling.take(found, buf, cap) }
        });
        telling.end(left(id, &outcome), &outcome);
        outcome
    })
}
