//! Waiting without taking: in a call, or with epoll and its like for peers that know nothing of it.

use super::constants::{RR_ARM_REPLY, RR_ARM_SLOT};
use super::convert::{channel, count, handle, place, status};
use super::structures::{unknown_flags, wait as given_wait};
use super::types::{rr_channel, rr_client, rr_server, rr_wait};
use crate::client::poll::ArmFor;
use crate::error::Result;
use crate::{Armed, Tended};
use rustix::fd::AsRawFd;
use std::ffi::c_int;

/// Waits until a request is there, and takes none. Another server may take it first.
///
/// Return value: 0 if one is there, or [handle], [wait].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_server_wait(srv: *mut rr_server, wait: *const rr_wait) -> c_int {
    status(|| {
        // SAFETY: the caller's pointers are null or valid.
        let server = unsafe { handle(srv) }?;
        // SAFETY: as above.
        server.0.wait(unsafe { given_wait(wait) }?)
    })
}

/// A descriptor that becomes readable when a request comes after rr_server_arm, for programs that wait for several
/// things at once with poll(2), epoll(7) or the like. It works for every channel, by name too: clients need not know of
/// it and pass nothing. It is the same descriptor at each call, and belongs to the handle: don't read, pass on or close
/// it.
///
/// A loop takes requests by rr_recv until there are none, arms, and waits for the descriptor only if rr_server_arm
/// returned 0; it also calls rr_channel_tend when that is due. The descriptor may become readable though nothing is
/// there, and it does when the handle is stopped, interrupted or woken. It stays readable until the next rr_server_arm
/// that returns 0.
///
/// The first call starts a thread for the handle: it sleeps on the channel for the program, takes nothing, and makes
/// the descriptor readable. It has all signals blocked, the scheduling of the thread that made it, 64 KiB of stack, and
/// the name shmrr-poll; rr_server_free ends it. In a forked child the descriptor is another one: ask for it again
/// there.
///
/// Return value: the descriptor, or [handle]; -ENOMEM: no memory is left, or no more threads can be started; -EMFILE,
/// -ENFILE: the process or the system has no descriptors left; -EPERM: the system does not let this process start a
/// thread or make a descriptor; -EBADF: another thread closes descriptors that it does not own; -EIO: the system failed
/// otherwise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_server_poll_fd(srv: *mut rr_server) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    count(|| unsafe { handle(srv) }?.0.poll_fd().map(|fd| fd.as_raw_fd())) as c_int
}

/// Makes the descriptor of rr_server_poll_fd readable when a request comes, unless one is there already. Call it each
/// time before the program waits: without it nothing is signalled, so that peers of a program that is awake pay
/// nothing. Several threads may arm one handle and wait for its descriptor: all of them wake up.
///
/// Return value: as rr_server_poll_fd, except that it is 0 if nothing is there and the descriptor is armed, and 1 if a
/// request is there already: take it, and arm again before waiting.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_server_arm(srv: *mut rr_server) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    count(|| unsafe { handle(srv) }?.0.arm().map(is_ready)) as c_int
}

/// A descriptor that becomes readable when something comes after rr_client_arm, as rr_server_poll_fd is for servers.
/// rr_client_free ends its threads: there is a second one from the first rr_client_arm for a slot on.
///
/// Return value: as rr_server_poll_fd.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_client_poll_fd(cli: *mut rr_client) -> c_int {
    // SAFETY: the caller's pointer is null or valid.
    count(|| unsafe { handle(cli) }?.0.poll_fd().map(|fd| fd.as_raw_fd())) as c_int
}

/// Makes the descriptor of rr_client_poll_fd readable when what is asked for comes, unless it is there already. what is
/// RR_ARM_REPLY, RR_ARM_SLOT or both.
///
/// RR_ARM_REPLY is for all requests of the handle that were sent and are to be collected, including those that are sent
/// while it is armed, and excluding those of calls that wait for their own reply. As long as one of them has an outcome
/// that was neither collected nor viewed, it is there already: if several threads share a handle, the one that arms it
/// is best the one that collects for all. RR_ARM_SLOT is for a program whose call failed with -ENOBUFS: send again when
/// the descriptor is readable. Another client may be faster; those that wait for long are preferred.
///
/// Return value: as rr_server_arm; -EINVAL: also, what is 0 or has other bits set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_client_arm(cli: *mut rr_client, what: u32) -> c_int {
    count(|| {
        // SAFETY: the caller's pointer is null or valid.
        let client = unsafe { handle(cli) }?;
        client.0.arm(armed_for(what)?).map(is_ready)
    }) as c_int
}

fn armed_for(what: u32) -> Result<ArmFor> {
    match what {
        RR_ARM_REPLY => Ok(ArmFor::REPLY),
        RR_ARM_SLOT => Ok(ArmFor::SLOT),
        _ if what == RR_ARM_REPLY | RR_ARM_SLOT => Ok(ArmFor::REPLY | ArmFor::SLOT),
        _ => Err(unknown_flags(what, "RR_ARM_REPLY (0x100), RR_ARM_SLOT (0x200) or both")),
    }
}

fn is_ready(armed: Armed) -> i32 {
    i32::from(armed == Armed::Ready)
}

/// Does what a program that does not wait in calls must do now and then, if it is due: recovers from the dead,
/// publishes what a process that was stopped did not, notices lost wake-ups, and tells whether what was sent needs a
/// server and none is there (RR_OPT_NEED_SERVER). A loop that calls this before it waits, and waits no longer than it
/// says, needs no other timer. What it finds makes the descriptor readable, if the handle is armed.
///
/// due_ns is told in how many nanoseconds to call it again, or -1: not before something is sent or armed. That is each
/// second for a server, each 25 ms for a client with requests pending or armed for a slot, and never for other clients.
/// If nothing is due, the call costs a look at the clock and at what is pending.
///
/// Return value: how many participants were recovered from, or [handle]; -ECONNREFUSED: the handle needs a server for
/// what it sent, and none is there; due_ns is told, and the requests stay pending.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rr_channel_tend(ch: *mut rr_channel, due_ns: *mut i64) -> i64 {
    count(|| {
        // SAFETY: the caller's pointers are null or valid.
        let channel = unsafe { channel(ch) }?;
        // SAFETY: as above.
        let due_ns = unsafe { place("due_ns", due_ns) }?;
        let Tended { recovered, due, lacks_server } = channel.tend()?;
        *due_ns = due.map_or(-1, |due| due.as_nanos().try_into().unwrap_or(i64::MAX));
        if lacks_server { Err(crate::Error::NoServer) } else { Ok(recovered) }
    })
}
