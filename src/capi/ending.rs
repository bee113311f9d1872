//! Ending the waits of a handle: stopping it, interrupting it, waking it to look at cancel words.

use super::convert::{handle, status};
use super::types::{rr_client, rr_server};
use std::ffi::c_int;

/// Ends every wait in this handle with -ESHUTDOWN, and so every later call, except rr_server_free, rr_channel_sync,
/// rr_channel_unlink, those about eventfds and those that only tell something about the channel. If rr_serve has called
/// a handler, its reply is still sent. Other handles are not concerned. Async-signal-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_server_stop(srv: *mut rr_server) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    status(|| unsafe { handle(srv) }.map(|server| server.0.stop()))
}

/// Ends with -EINTR every wait in this handle that has begun, wherever it is: polling, about to sleep, asleep. If there
/// is none, the next wait ends so. Waits that begin after one has ended so are not concerned, nor are other handles. A
/// call that finds what it waits for returns that.
///
/// Async-signal-safe: if a signal handler calls it, the wait of its thread ends even if the handler runs before the
/// wait. See SIGNALS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_server_interrupt(srv: *mut rr_server) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    status(|| unsafe { handle(srv) }.map(|server| server.0.interrupt()))
}

/// Makes every wait in this handle look at its cancel word (rr_wait) now, wherever it is: polling, about to sleep,
/// asleep. A wait whose word is set ends with -ECANCELED, and a request that such a call sent is withdrawn. All others
/// go on. Other handles are not concerned. Async-signal-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_server_wake(srv: *mut rr_server) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    status(|| unsafe { handle(srv) }.map(|server| server.0.wake()))
}

/// Ends every wait in this handle with -ESHUTDOWN, and so every later call, except rr_client_free, rr_channel_sync,
/// rr_channel_unlink, those about eventfds and those that only tell something: rr_client_pending and those about the
/// channel. Other handles are not concerned. Async-signal-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_client_stop(cli: *mut rr_client) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    status(|| unsafe { handle(cli) }.map(|client| client.0.stop()))
}

/// Ends with -EINTR every wait in this handle that has begun, or else the next, as rr_server_interrupt does.
/// Async-signal-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_client_interrupt(cli: *mut rr_client) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    status(|| unsafe { handle(cli) }.map(|client| client.0.interrupt()))
}

/// Makes every wait in this handle look at its cancel word now, as rr_server_wake does. Async-signal-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_client_wake(cli: *mut rr_client) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    status(|| unsafe { handle(cli) }.map(|client| client.0.wake()))
}
