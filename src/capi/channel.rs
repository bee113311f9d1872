//! Geometry, statistics, identity.

use super::convert::{channel, copy_text, count, of_channel, place, status};
use super::structures::{fill, size_of_place};
use super::types::{rr_channel, rr_client, rr_server, rr_stats};
use crate::error::{Error, Text};
use rustix::fd::AsRawFd;
use std::ffi::{c_char, c_int};
use std::os::unix::ffi::OsStrExt;

/// The channel behind a server handle, for the calls below.
///
/// Return value: the channel, valid until the handle is freed; NULL if srv is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_server_channel(srv: *mut rr_server) -> *mut rr_channel {
    // SAFETY: the caller's pointer is null or valid.
    unsafe { srv.as_ref() }.map_or(std::ptr::null_mut(), |server| of_channel(server.0.channel()))
}

/// The channel behind a client handle, for the calls below.
///
/// Return value: the channel, valid until the handle is freed; NULL if cli is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_client_channel(cli: *mut rr_client) -> *mut rr_channel {
    // SAFETY: the caller's pointer is null or valid.
    unsafe { cli.as_ref() }.map_or(std::ptr::null_mut(), |client| of_channel(client.0.channel()))
}

/// Requests that may be in flight at once, all clients together.
///
/// Return value: their number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_channel_slots(ch: *const rr_channel) -> i64 {
    // SAFETY: the caller's pointer is null or valid.
    count(|| unsafe { channel(ch) }.map(|channel| channel.slots()))
}

/// The longest request, in bytes.
///
/// Return value: the length.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_channel_request_max(ch: *const rr_channel) -> i64 {
    // SAFETY: the caller's pointer is null or valid.
    count(|| unsafe { channel(ch) }.map(|channel| channel.request_max()))
}

/// The longest response, in bytes.
///
/// Return value: the length.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_channel_response_max(ch: *const rr_channel) -> i64 {
    // SAFETY: the caller's pointer is null or valid.
    count(|| unsafe { channel(ch) }.map(|channel| channel.response_max()))
}

/// Counts the requests and one-way messages that wait for a server. A snapshot.
///
/// Return value: their number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_channel_queued(ch: *const rr_channel) -> i64 {
    // SAFETY: the caller's pointer is null or valid.
    count(|| unsafe { channel(ch) }.map(|channel| channel.queued()))
}

/// Whether no request and no one-way message waits for a server. A snapshot.
///
/// Return value: 1 if so, 0 if something waits.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_channel_is_empty(ch: *const rr_channel) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    count(|| unsafe { channel(ch) }.map(|channel| u32::from(channel.is_empty()))) as c_int
}

/// The user word of the channel's options, as its creator set it.
///
/// Return value: the word; 0 if ch is NULL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_channel_user(ch: *const rr_channel) -> u64 {
    // SAFETY: the caller's pointer is null or valid.
    unsafe { channel(ch) }.map_or(0, |channel| channel.user())
}

/// What the payloads are.
///
/// Return value: RR_KIND_BYTES or RR_KIND_INT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_channel_kind(ch: *const rr_channel) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    count(|| unsafe { channel(ch) }.map(|channel| channel.kind() as u32)) as c_int
}

/// Copies the channel's path, with a NUL, into buf, of cap bytes; the empty string for a channel without one.
///
/// Return value: the path's length without the NUL, or -ERANGE: path and NUL do not fit.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_channel_path(ch: *const rr_channel, buf: *mut c_char, cap: usize) -> i64 {
    count(|| {
        // SAFETY: the caller's pointers are null or valid.
        let path = unsafe { channel(ch) }?.path();
        // SAFETY: as above.
        let buf = unsafe { place("buf", buf) }?;
        let bytes = path.map_or(&b""[..], |path| path.as_os_str().as_bytes());
        if bytes.len() >= cap {
            let length = bytes.len();
            let what = Text::of(format_args!("buf: found {cap} bytes, expected room for {length} and a NUL"));
            return Err(Error::System { what, errno: libc::ERANGE });
        }
        // SAFETY: the caller's buffer has room for `cap` bytes.
        Ok(unsafe { copy_text(bytes, buf, cap) })
    })
}

/// The descriptor of the channel's memory, to be passed to another process, which attaches to it with rr_server_from_fd
/// or rr_client_from_fd. It belongs to the handle: don't close it. It is closed on exec.
///
/// Return value: the descriptor, or -EBADF: the program has closed it, and no path leads to the channel.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_channel_fd(ch: *const rr_channel) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    count(|| unsafe { channel(ch) }?.fd().map(|fd| fd.as_raw_fd())) as c_int
}

/// Takes a snapshot of a channel: fills as much of stats as stats->size says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_channel_stats(ch: *const rr_channel, stats: *mut rr_stats) -> c_int {
    status(|| {
        // SAFETY: the caller's pointers are null or valid.
        let channel = unsafe { channel(ch) }?;
        // SAFETY: as above. Before the work is done.
        unsafe { size_of_place(stats) }?;
        // SAFETY: as above.
        unsafe { fill(stats, snapshot(channel)) }
    })
}

fn snapshot(channel: &crate::Channel) -> rr_stats {
    let stats = channel.stats();
    rr_stats {
        size: size_of::<rr_stats>() as u32,
        slots: stats.slots,
        queued: stats.queued,
        in_flight: stats.in_flight,
        free: stats.free,
        participants: stats.participants,
        requests: stats.requests,
        replies: stats.replies,
        posts: stats.posts,
        timeouts: stats.timeouts,
        cancels: stats.cancels,
        stale_replies: stats.stale_replies,
        full: stats.full,
        recoveries: stats.recoveries,
        sleeps: stats.sleeps,
        request_bytes: stats.request_bytes,
        reply_bytes: stats.reply_bytes,
    }
}
