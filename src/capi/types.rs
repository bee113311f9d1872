//! Structures and constants.

#![allow(non_camel_case_types)]

use crate::{Client, Server};
use std::ffi::c_char;

/// A handle that takes requests and replies to them. Any number of threads may use it at once.
pub struct rr_server(pub(super) Server);

/// A handle that sends requests and collects their replies. Any number of threads may use it at once.
pub struct rr_client(pub(super) Client);

/// The channel behind a handle. It belongs to that handle and is valid until the handle is freed.
pub struct rr_channel {
    _private: [u8; 0],
}

/// What went wrong when a channel was opened: the code that the call returned, and a sentence that names the path, the
/// field, the value found and the value expected. The message ends with a NUL and is cut if it is longer.
#[repr(C)]
pub struct rr_error {
    pub code: i32,
    pub message: [c_char; 256],
}

/// Payloads are byte strings.
pub const RR_BYTES: u32 = 0;

/// Option flag: rr_server_new must create the channel; -EEXIST if it is there.
pub const RR_EXCLUSIVE: u32 = 1;
/// Option flag: pages are not reserved when the channel is created. A file system that fills up later then ends a
/// process that touches a new page by SIGBUS.
pub const RR_SPARSE: u32 = 2;

/// How to open a channel; initialise it with RR_OPTIONS_INIT. Zero means the default in every field.
///
/// What describes the channel (kind, slots, participants, request_max, response_max, mode, RR_SPARSE) matters only to
/// whoever creates it: a channel that exists keeps what it was made with. A kind other than the channel's is an error.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rr_options {
    /// sizeof(rr_options) of the caller.
    pub size: u32,
    /// RR_BYTES.
    pub kind: u32,
    /// Requests in flight at once, all clients together: 1 to 65472; default 64.
    pub slots: u32,
    /// Handles attached at once, servers and clients: 1 to 4095; default 256.
    pub participants: u32,
    /// The longest request in bytes: 1 to 1073741824; default 4096.
    pub request_max: u64,
    /// The longest response in bytes: 1 to 1073741824; default 4096.
    pub response_max: u64,
    /// Permission bits of the file, applied exactly whatever the umask: 1 to 0777; default 0600.
    pub mode: u32,
    /// RR_EXCLUSIVE, RR_SPARSE, or both.
    pub flags: u32,
    /// How long a wait polls before it sleeps, in nanoseconds: 0 adapts, negative never polls.
    pub spin_ns: i64,
    /// How long rr_client_new waits for the channel to appear, in nanoseconds: 0 not at all, negative for ever.
    pub connect_timeout_ns: i64,
}

impl rr_options {
    pub(super) const DEFAULT: Self = Self {
        size: size_of::<Self>() as u32,
        kind: RR_BYTES,
        slots: 0,
        participants: 0,
        request_max: 0,
        response_max: 0,
        mode: 0,
        flags: 0,
        spin_ns: 0,
        connect_timeout_ns: 0,
    };
}

/// A request that was taken.
#[repr(C)]
pub struct rr_request {
    /// What to reply to. Positive as an int64_t, never 0.
    pub id: u64,
    /// Length of the payload in bytes.
    pub length: u64,
    /// What kind of message it is; 0 if the client gave none.
    pub r#type: u32,
    /// The client's flags.
    pub flags: u32,
    /// The participant number of the client.
    pub client: u32,
    /// Always 0.
    pub reserved: u32,
}

/// A snapshot of a channel; initialise it with RR_STATS_INIT. Its parts are read one after the other while others work,
/// so they need not add up. Threads that share a handle may lose counts to each other.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rr_stats {
    /// sizeof(rr_stats) of the caller.
    pub size: u32,
    /// Requests that may be in flight at once.
    pub slots: u32,
    /// Requests that wait for a server.
    pub queued: u32,
    /// Requests sent and not collected, including those queued.
    pub in_flight: u32,
    /// Requests that could be sent now.
    pub free: u32,
    /// Handles attached, including those of dead processes that nobody has swept up after yet.
    pub participants: u32,
    /// Requests sent.
    pub requests: u64,
    /// Replies that reached a client that waited for them.
    pub replies: u64,
    /// Calls that met their deadline.
    pub timeouts: u64,
    /// Requests withdrawn by their clients.
    pub cancels: u64,
    /// Replies that came too late.
    pub stale_replies: u64,
    /// Sends refused for want of a free slot.
    pub full: u64,
    /// Dead participants swept up after.
    pub recoveries: u64,
    /// Times that somebody slept.
    pub sleeps: u64,
    /// Bytes of the requests sent.
    pub request_bytes: u64,
    /// Bytes of the replies that reached a client.
    pub reply_bytes: u64,
}
