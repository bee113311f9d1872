//! A loop around a handler.

use super::constants::{RR_SERVE_CONTINUE, RR_SERVE_ERROR, RR_SERVE_LATER, RR_SERVE_STOP};
use super::convert::{handle, null, request_view, status};
use super::library::sentence;
use super::structures::wait as as_wait;
use super::types::{rr_buffer, rr_handler, rr_server, rr_wait};
use crate::MessageFlags;
use crate::error::text::TEXT_MAX;
use crate::error::{Error, Result, Text};
use crate::{Failure, Response};
use std::ffi::{c_int, c_void};
use std::slice;

/// Takes requests one after the other, calls handler with each, and sends the reply that it wrote (see rr_handler),
/// until a handler says RR_SERVE_STOP, the handle is stopped, or the time is over and no request is there. ctx is
/// passed on to the handler.
///
/// If a handler has been called, its reply is sent even if the handle is stopped meanwhile, by itself, by another
/// thread or by a signal handler. It may call any function of shmrr except rr_server_free on this handle. What it
/// writes in answer to a one-way message is dropped. Several threads may serve one handle at once; RR_SERVE_STOP ends
/// the call that it is returned to. No request is lost when the call ends, by -EINTR or otherwise.
///
/// Return value: 0 after RR_SERVE_STOP, or [handle], [wait].
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C-unwind" fn rr_serve(
    srv: *mut rr_server,
    handler: rr_handler,
    ctx: *mut c_void,
    wait: *const rr_wait,
) -> c_int {
    let _only_foreign = AbortPanics;
    status(|| {
        // SAFETY: the caller's pointer is null or valid.
        let server = unsafe { handle(srv) }?;
        let handler = handler.ok_or_else(|| null("handler"))?;
        // SAFETY: the caller's pointer is null or valid.
        let wait = unsafe { as_wait(wait) }?;
        server.0.serve(wait, |request, response| {
            let request = request_view(&request.request(), request.bytes());
            let mut written = rr_buffer {
                id: request.id,
                data: response.buffer().as_mut_ptr().cast(),
                capacity: response.buffer().capacity(),
                ..rr_buffer::DEFAULT
            };
            // SAFETY: a function of the caller's, called as its type says.
            let code = unsafe { handler(ctx, &raw const request, &raw mut written) };
            // SAFETY: the room is the response's, which outlives this.
            unsafe { finish(code, &written, response) }
        })
    })
}

/// Lets what a handler throws pass, and nothing else: a panic of the library's own ends the process here, as it does
/// at every `extern "C"`.
pub(super) struct AbortPanics;

impl Drop for AbortPanics {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}

/// # Safety
/// `written.data` must be readable for the capacity of the response.
unsafe fn finish(code: c_int, written: &rr_buffer, response: &mut Response<'_>) -> Result<(), Failure> {
    if code < 0 {
        let length = written.length.min(response.buffer().capacity());
        // SAFETY: the caller's; this server's alone until the reply is sent.
        return Err(unsafe { failure(code, written.data, length) });
    }
    let refused = |error: Error| Failure::new(-error.errno(), Text::of(error));
    let unknown = code & !(RR_SERVE_CONTINUE | RR_SERVE_STOP | RR_SERVE_LATER);
    if unknown != 0 {
        let expected = "RR_SERVE_... or a negative number";
        return Err(refused(Error::bad_argument("what the handler returned", code, expected)));
    }
    if code & RR_SERVE_STOP != 0 {
        response.stop();
    }
    if code & RR_SERVE_LATER != 0 {
        response.later();
        return Ok(());
    }
    let set = response.set_length(written.length);
    set.and_then(|()| response.set_label(written.msg_type, MessageFlags::from_bits(written.flags)))
        .map_err(refused)
}

/// # Safety
/// `text` must be readable for `length` bytes.
unsafe fn failure(code: c_int, text: *const c_void, length: usize) -> Failure {
    if length > 0 {
        // SAFETY: the caller's.
        let bytes = unsafe { slice::from_raw_parts(text.cast::<u8>(), length.min(TEXT_MAX)) };
        let is_cut = length > TEXT_MAX;
        return Failure::new(code, Text::of_bytes(bytes, is_cut));
    }
    if code == RR_SERVE_ERROR {
        return Failure::new(code, Text::fixed("the handler failed"));
    }
    Failure::new(code, Text::fixed(sentence(code).to_str().unwrap_or_default()))
}
