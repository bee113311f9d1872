//! Sending requests and collecting replies without copies.

use super::convert::{count, handle, place, status};
use super::types::{rr_client, rr_loan, rr_view};
use crate::Timeout;
use std::ffi::c_int;
use std::ptr::null_mut;

/// Takes a slot and lends room in it for a request to be written in place; waits for a free slot. loan tells where.
///
/// The slot is held until rr_client_commit sends the request, or rr_client_abort gives it back. Any thread may do
/// either.
///
/// timeout_ns is in nanoseconds: negative waits for ever, 0 tries once.
///
/// Return value: 0, or
/// -ENOBUFS: timeout_ns is 0 and no slot is free, or not for one that has not waited;
/// -ECONNREFUSED: RR_NEED_SERVER was given and no server is attached;
/// -ETIMEDOUT: no slot was free in time;
/// -EINTR: a signal handler ran while the call waited; nothing was lent;
/// -EPERM: the system does not let this process sleep;
/// -EINVAL: cli or loan is null, or the channel is one of integers;
/// -EUSERS, -ENOTCONN: in a forked child only, see FORKING;
/// -ESHUTDOWN: the handle was stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_client_loan(cli: *mut rr_client, loan: *mut rr_loan, timeout_ns: i64) -> c_int {
    status(|| {
        // SAFETY: the caller's pointers are null or valid.
        let client = unsafe { handle(cli) }?;
        // SAFETY: as above.
        let loan = unsafe { place("loan", loan) }?;
        let (id, mut buffer) = client.0.take_loan(Timeout::from_nanos(timeout_ns))?;
        let (data, capacity) = (buffer.as_mut_ptr().cast(), buffer.capacity());
        *loan = rr_loan { id, data, capacity, r#type: 0, flags: 0 };
        Ok(())
    })
}

/// Sends the first len bytes of what was written to a loan, with the type and flags that were set in it; with
/// RR_END_ALIGNED the last len bytes. The reply is collected by the number stored in id. The loan has ended: its data
/// is set to NULL.
///
/// Return value: 0, or
/// -ESTALE: the loan has ended before, or is none of this handle's;
/// -EMSGSIZE: len is more than there is room for; the loan goes on;
/// -ECONNREFUSED: RR_NEED_SERVER was given and no server is attached; the loan goes on;
/// -EINVAL: cli, loan or id is null, or the loan's type is 1 to 127, or its flags has others set than RR_UTF8 and
/// RR_END_ALIGNED; the loan goes on;
/// -EPROTO: another process has overwritten the channel's memory;
/// -EUSERS, -ENOTCONN: in a forked child only, see FORKING;
/// -ESHUTDOWN: the handle was stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_client_commit(
    cli: *mut rr_client,
    loan: *mut rr_loan,
    len: usize,
    id: *mut u64,
) -> c_int {
    status(|| {
        // SAFETY: the caller's pointers are null or valid.
        let client = unsafe { handle(cli) }?;
        // SAFETY: as above.
        let (loan, id) = (unsafe { place("loan", loan) }?, unsafe { place("id", id) }?);
        client.0.commit_loan(loan.id, len, loan.r#type, loan.flags)?;
        *id = loan.id;
        (loan.data, loan.capacity) = (null_mut(), 0);
        Ok(())
    })
}

/// Gives a loan back: nothing is sent. Its data is set to NULL.
///
/// Return value: 0, or
/// -ESTALE: the loan has ended before, or is none of this handle's;
/// -EINVAL: cli or loan is null;
/// -EUSERS, -ENOTCONN: in a forked child only, see FORKING;
/// -ESHUTDOWN: the handle was stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_client_abort(cli: *mut rr_client, loan: *mut rr_loan) -> c_int {
    status(|| {
        // SAFETY: the caller's pointers are null or valid.
        let client = unsafe { handle(cli) }?;
        // SAFETY: as above.
        let loan = unsafe { place("loan", loan) }?;
        client.0.abort_loan(loan.id)?;
        (loan.data, loan.capacity) = (null_mut(), 0);
        Ok(())
    })
}

/// Waits for the reply to a request and tells where it lies in the channel's memory, without copying it. The bytes may
/// be read until rr_client_release, or any other call that collects the id.
///
/// timeout_ns is in nanoseconds: negative waits for ever, 0 tries once.
///
/// Return value: the reply's length, 0 for an empty one, or
/// -EAGAIN: timeout_ns is 0 and it is not there yet;
/// -ETIMEDOUT: it did not come in time; the request is still pending;
/// -ECONNREFUSED: RR_NEED_SERVER was given and no server has the request or lives; the request is still pending;
/// -EINTR: a signal handler ran while the call waited; the request is still pending: call again, with what is left of
/// the time;
/// -EPERM: the system does not let this process sleep;
/// -ESTALE: the id is none of this handle's, or was collected or cancelled before;
/// -EOWNERDEAD: the server died with the request; the id is used up;
/// -EREMOTEIO: the server replied with an error; the id is used up, but for rr_client_remote_error;
/// -ECANCELED: the server let go of the request without a reply, and the id is used up; or another thread cancelled it
/// meanwhile, or somebody cleared the channel;
/// -EINVAL: cli or view is null, or the channel is one of integers;
/// -EPROTO: another process has overwritten the channel's memory; the id is used up;
/// -EUSERS, -ENOTCONN: in a forked child only, see FORKING;
/// -ESHUTDOWN: the handle was stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_client_view(
    cli: *mut rr_client,
    id: u64,
    view: *mut rr_view,
    timeout_ns: i64,
) -> i64 {
    count(|| {
        // SAFETY: the caller's pointers are null or valid.
        let client = unsafe { handle(cli) }?;
        // SAFETY: as above.
        let view = unsafe { place("view", view) }?;
        let reply = client.0.look_at(id, Timeout::from_nanos(timeout_ns))?;
        *view = rr_view {
            id,
            data: reply.bytes.cast(),
            length: reply.length,
            r#type: reply.message_type,
            flags: reply.flags,
            client: 0,
            redeliveries: 0,
        };
        Ok(reply.length)
    })
}

/// Done with a reply: its slot is free, and the id used up. It need not have been looked at.
///
/// Return value: 0, or
/// -EAGAIN: there is no reply yet; rr_client_cancel withdraws the request;
/// -ESTALE: the id is none of this handle's, or was collected or cancelled before;
/// -EINVAL: cli is null;
/// -EUSERS, -ENOTCONN: in a forked child only, see FORKING;
/// -ESHUTDOWN: the handle was stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_client_release(cli: *mut rr_client, id: u64) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    status(|| unsafe { handle(cli) }?.0.release(id))
}
