//! Who is attached; clearing, recovering, writing to disk; what the path leads to, and removing it.

use super::constants::{RR_ROLE_CLIENT, RR_ROLE_SERVER};
use super::convert::{channel, count, path as as_path, status, string};
use super::structures::Elements;
use super::types::{rr_channel, rr_participant};
use crate::{ParticipantInfo, Role};
use std::ffi::{c_char, c_int};

/// Tells who is attached to a channel, in the order of their numbers: fills up to n elements of out, of out_size bytes
/// each (sizeof(rr_participant)). out may be NULL if n is 0. A snapshot.
///
/// Return value: how many are attached, which may be more than n, or -ENOMEM: no memory is left to count what each
/// holds.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rr_channel_participants(
    ch: *const rr_channel,
    out: *mut rr_participant,
    out_size: usize,
    n: usize,
) -> i64 {
    count(|| {
        // SAFETY: the caller's pointer is null or valid.
        let channel = unsafe { channel(ch) }?;
        let out = Elements::new("out", out, out_size, n, size_of::<rr_participant>())?;
        let mut found = 0;
        channel.each_participant(|participant| {
            if found < n {
                // SAFETY: the caller gave n elements.
                let place = unsafe { out.at(found) };
                // SAFETY: an element has that size.
                unsafe { place.cast::<u8>().write_bytes(0, out.size()) };
                // SAFETY: an element is as long as the structure at least.
                unsafe { place.write(describe(&participant)) };
            }
            found += 1;
        })?;
        Ok(found)
    })
}

fn describe(participant: &ParticipantInfo) -> rr_participant {
    let role = match participant.role {
        Some(Role::Server) => RR_ROLE_SERVER,
        Some(Role::Client) => RR_ROLE_CLIENT,
        None => 0,
    };
    rr_participant {
        number: participant.number,
        role,
        pid: participant.pid as i32,
        alive: participant.is_alive.into(),
        start_time: participant.start_time,
        held: participant.held,
        reserved: 0,
    }
}

/// Counts the servers that are attached to a channel and live: the kernel is asked whether each lives. A snapshot.
///
/// Return value: their number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_channel_servers(ch: *const rr_channel) -> i64 {
    // SAFETY: the caller's pointer is null or valid.
    count(|| unsafe { channel(ch) }.map(|channel| channel.servers()))
}

/// Tells whether the channel's path still names this channel: whoever opens that path now gets the same one. If not,
/// somebody has removed the file or put another in its place, as a restart that cleans /dev/shm does, and processes
/// that open it do not meet this handle: free it and open the path anew.
///
/// A symbolic link of that name is another file. A path that is not absolute is looked up from where the process is
/// now.
///
/// Return value: 1 if it does, 0 if there is no file of that name, or another, or -EINVAL: also, the channel was not
/// opened by a path; -EACCES, -EPERM: the system does not let this process look; -ENOMEM: no memory is left; -EINTR: a
/// signal interrupted the file system; -EIO: the system failed otherwise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_channel_is_current(ch: *const rr_channel) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    count(|| unsafe { channel(ch) }?.is_current().map(i32::from)) as c_int
}

/// Cancels every request that has no outcome yet, of all clients. Queued ones are never seen by a server. What servers
/// hold is given up: their replies will be refused with -ESTALE. A client that waits for one of these requests gets
/// -ESTALE at once. Queued one-way messages are dropped. Replies that are there stay for their clients, and so do
/// loans, and one-way messages that servers hold.
///
/// Return value: how many requests and messages were cancelled, or [handle]; -ENOMEM: no memory is left to note which
/// are meant; nothing was cancelled.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_channel_clear(ch: *mut rr_channel) -> i64 {
    // SAFETY: the caller's pointer is null or valid.
    count(|| unsafe { channel(ch) }?.clear())
}

/// Writes the channel's pages to its file, and waits until they are there. Processes see each other's changes without
/// this; it protects them against a power failure. Nothing happens to a channel in memory.
///
/// Return value: 0, or -EIO: the system could not write them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_channel_sync(ch: *mut rr_channel) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    status(|| unsafe { channel(ch) }?.sync())
}

/// Recovers from all participants whose process died: fails the requests that dead servers held, frees the slots of
/// dead clients. A process that attaches, finds no free slot or waits for a reply does the same by itself.
///
/// Return value: how many participants were recovered from, or [handle].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_channel_recover(ch: *mut rr_channel) -> i64 {
    // SAFETY: the caller's pointer is null or valid.
    count(|| unsafe { channel(ch) }?.recover())
}

/// Removes the channel's name. Handles that are attached go on; nobody else can attach by that name.
///
/// Return value: 0, or [file]; -EINVAL: also, the channel has no name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_channel_unlink(ch: *mut rr_channel) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    status(|| unsafe { channel(ch) }?.unlink())
}

/// Removes a channel's name, as rr_server_new takes it. Handles that are attached go on; nobody else can attach by that
/// name.
///
/// Return value: 0, or [file].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_unlink(path: *const c_char) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    status(|| crate::unlink(as_path(unsafe { string("path", path) }?)))
}
