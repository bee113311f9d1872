//! Requests that change hands.

use super::convert::{handle, status};
use super::types::{rr_client, rr_server};
use std::ffi::c_int;

/// Makes a request that another server handle has taken this one's: a handle of this process, of its parent, or of
/// whatever process told this one the id. From then on srv replies to it, and if srv's process dies it fails, or is
/// redelivered. So a server may receive, fork, and let the child reply: the child adopts the request first, which it
/// can then read where rr_recv_view showed it to the parent. One-way messages are adopted alike.
///
/// The other handle gets -ESTALE for the id from then on. It must not be in a call with the id at the same moment, as
/// no two threads reply to one id. A request that is srv's already stays so. If the channel redelivers, adopt an id
/// before the server that told it ends: otherwise another server may have taken the request meanwhile, and loses it.
///
/// Return value: 0, or [handle]; -ESTALE: nobody holds the request: the client gave up, it has been replied to, or it
/// was not taken yet; -EMLINK: it has been adopted seven times since it was taken; its owner keeps it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_server_adopt(srv: *mut rr_server, id: u64) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    status(|| unsafe { handle(srv) }?.0.adopt(id.into()))
}

/// Detaches a request that was sent: nobody collects its reply, and it is served even if cli is freed or its process
/// ends, as if it had been posted. If its outcome is there already, that is dropped. The id is stale from then on: a
/// call of another thread that waits for it ends.
///
/// The server that takes the request does not see RR_MSG_ONE_WAY; it replies as ever, and the reply is dropped.
///
/// Return value: 0, or [handle]; -ESTALE: the id is no request of this handle any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_client_detach(cli: *mut rr_client, id: u64) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    status(|| unsafe { handle(cli) }?.0.detach(id.into()))
}
