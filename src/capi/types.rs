//! Structures: what calls take and fill.

#![allow(non_camel_case_types)]

use super::constants::RR_KIND_BYTES;
use crate::{Client, Server};
use std::ffi::{c_char, c_int, c_void};

/// A handle that takes requests and replies to them. Any number of threads may use it at once.
pub struct rr_server(pub(super) Server);

/// A handle that sends requests and collects their replies. Any number of threads may use it at once.
pub struct rr_client(pub(super) Client);

/// The channel behind a handle. It belongs to that handle and is valid until the handle is freed.
pub struct rr_channel {
    _private: [u8; 0],
}

/// What went wrong when a channel was opened: the code that the call returned, and a sentence that names the path,
/// the field, the value found and the value expected. The message ends with a NUL and is cut if it is longer; of a
/// long path it shows the end.
#[repr(C)]
pub struct rr_error {
    pub code: i32,
    /// Zeros.
    pub reserved: [u32; 3],
    pub message: [c_char; 256],
}

/// How a call waits; initialise it with RR_WAIT_INIT, which waits for ever. A null pointer in its place does so as
/// well.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rr_wait {
    /// sizeof(rr_wait) of the caller.
    pub size: u32,
    /// RR_WAIT_ABSOLUTE, RR_WAIT_RESTART, both or 0.
    pub flags: u32,
    /// How long to wait, in nanoseconds: negative waits for ever, 0 tries once. With RR_WAIT_ABSOLUTE, until when:
    /// negative waits for ever; if the time has passed, the call tries once and fails with -ETIMEDOUT.
    pub timeout_ns: i64,
    /// A word of the caller's, or NULL. When it is not 0 the wait ends with -ECANCELED: at once if rr_server_wake or
    /// rr_client_wake is called after it was set, else at the next look. If it is set when the call begins, the call
    /// does nothing. A word that other threads set is an atomic one, or set with __atomic_store_n.
    pub cancel: *const u32,
    /// Zeros.
    pub reserved: [u64; 2],
}

impl rr_wait {
    pub(super) const DEFAULT: Self = Self {
        size: size_of::<Self>() as u32,
        flags: 0,
        timeout_ns: -1,
        cancel: std::ptr::null(),
        reserved: [0; 2],
    };
}

/// How to open a channel; initialise it with RR_OPTIONS_INIT. Zero means the default in every field.
///
/// What describes the channel (slots, participants, request_max, response_max, mode, user, RR_OPT_SPARSE,
/// RR_OPT_REDELIVER) matters only to the process that creates it: a channel that exists keeps what it was made with. A
/// kind other than the channel's is an error.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rr_options {
    /// sizeof(rr_options) of the caller.
    pub size: u32,
    /// RR_KIND_BYTES or RR_KIND_INT.
    pub kind: u32,
    /// Requests in flight at once, all clients together: 1 to 65472; default 64.
    pub slots: u32,
    /// Handles attached at once, servers and clients: 1 to 4095; default 256.
    pub participants: u32,
    /// The longest request in bytes: 1 to 1073741824, or RR_LENGTH_NONE; default 4096. With RR_KIND_INT it is 8, or 0.
    pub request_max: u64,
    /// The longest response in bytes: 1 to 1073741824, or RR_LENGTH_NONE; default 4096. With RR_KIND_INT it is 8, or 0.
    pub response_max: u64,
    /// Permission bits of the file, applied exactly whatever the umask: 1 to 0777; default 0600. Modes by which
    /// somebody may read and not write, such as 0644, are refused: such a process could lock the bytes by which
    /// participants prove that they live.
    pub mode: u32,
    /// RR_OPT_EXCLUSIVE, RR_OPT_SPARSE, RR_OPT_REDELIVER, RR_OPT_NOTIFY, RR_OPT_NEED_SERVER, RR_OPT_RESTART, or any
    /// of them together.
    pub flags: u32,
    /// How long a wait polls before it sleeps, in nanoseconds: 0 adapts, negative never polls.
    pub spin_ns: i64,
    /// How long rr_client_new waits for the channel to appear, in nanoseconds: 0 not at all, negative for ever.
    pub connect_timeout_ns: i64,
    /// A word of the creator's that all who attach can read: rr_channel_user.
    pub user: u64,
    /// How rr_client_new waits for the channel to appear; if not NULL, connect_timeout_ns is not looked at.
    pub connect: *const rr_wait,
}

impl rr_options {
    pub(super) const DEFAULT: Self = Self {
        size: size_of::<Self>() as u32,
        kind: RR_KIND_BYTES,
        slots: 0,
        participants: 0,
        request_max: 0,
        response_max: 0,
        mode: 0,
        flags: 0,
        spin_ns: 0,
        connect_timeout_ns: 0,
        user: 0,
        connect: std::ptr::null(),
    };
}

/// A request that was taken.
#[repr(C)]
pub struct rr_request {
    /// What to reply to. Positive as an int64_t, never 0.
    pub id: u64,
    /// Length of the payload in bytes.
    pub length: usize,
    /// The message's type: 128 and up, or 0 if the client gave none.
    pub msg_type: u32,
    /// RR_MSG_UTF8, RR_MSG_END_ALIGNED, RR_MSG_ONE_WAY, or any of them together.
    pub flags: u32,
    /// The participant number of the client.
    pub client: u32,
    /// How often it was delivered before, to servers that died with it; always 0 in a channel without
    /// RR_OPT_REDELIVER.
    pub redeliveries: u32,
    /// Not written.
    pub reserved: [u64; 2],
}

/// A message in the channel's memory, to be read in place; see VIEWS AND BUFFERS.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rr_view {
    /// The request's id. Positive as an int64_t, never 0.
    pub id: u64,
    /// The payload, aligned to 8 bytes at least unless it is RR_MSG_END_ALIGNED. Not null even if it is empty.
    pub data: *const c_void,
    /// Length of the payload in bytes.
    pub length: usize,
    /// The message's type: 128 and up, or 0 if the sender gave none.
    pub msg_type: u32,
    /// RR_MSG_UTF8, RR_MSG_END_ALIGNED, RR_MSG_ONE_WAY, or any of them together.
    pub flags: u32,
    /// Of a request, the participant number of its client; of a reply, 0.
    pub client: u32,
    /// Of a request, how often it was delivered before; see rr_request.
    pub redeliveries: u32,
    /// Not written.
    pub reserved: [u64; 2],
}

/// A message to be sent; initialise it with RR_MSG_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rr_msg {
    /// sizeof(rr_msg) of the caller.
    pub size: u32,
    /// RR_MSG_UTF8, RR_MSG_END_ALIGNED, both or 0.
    pub flags: u32,
    /// The payload; may be NULL if length is 0.
    pub data: *const c_void,
    /// Length of the payload in bytes.
    pub length: usize,
    /// The application's number for what the message is: 128 and up, or 0 for none.
    pub msg_type: u32,
    /// 0.
    pub reserved: u32,
}

/// What came back; initialise it with RR_RESULT_INIT, and set text and text_cap if you want the text of an error reply.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rr_result {
    /// sizeof(rr_result) of the caller.
    pub size: u32,
    /// Told: the reply's RR_MSG_UTF8, RR_MSG_END_ALIGNED, or both; or RR_MSG_ERROR alone.
    pub flags: u32,
    /// Told: the id of a request that is left to be collected, cancelled or released; else 0.
    pub id: u64,
    /// Told: length of the reply in bytes, even if it did not fit.
    pub length: usize,
    /// Told: the reply's type, 128 and up, or 0 if the server gave none.
    pub msg_type: u32,
    /// Told: of an error reply (-EREMOTEIO), the application's code.
    pub code: i32,
    /// To be set: where the text of an error reply is stored, with a NUL; or NULL.
    pub text: *mut c_char,
    /// To be set: bytes that text has room for. A longer text is cut.
    pub text_cap: usize,
    /// Told: length of the whole text without the NUL.
    pub text_length: usize,
    /// Zeros.
    pub reserved: [u64; 2],
}

impl rr_result {
    pub(super) const DEFAULT: Self = Self {
        size: size_of::<Self>() as u32,
        flags: 0,
        id: 0,
        length: 0,
        msg_type: 0,
        code: 0,
        text: std::ptr::null_mut(),
        text_cap: 0,
        text_length: 0,
        reserved: [0; 2],
    };
}

/// A buffer in the channel's memory, for a request or a reply to be written in place; initialise it with
/// RR_BUFFER_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rr_buffer {
    /// sizeof(rr_buffer) of the caller.
    pub size: u32,
    /// To be set, if at all: RR_MSG_UTF8, RR_MSG_END_ALIGNED, or both.
    pub flags: u32,
    /// For the library; of a reply, the request's id.
    pub id: u64,
    /// Where the message is to be written; aligned to 128 bytes. What is there is left from an earlier message. NULL
    /// once the buffer was committed or given back.
    pub data: *mut c_void,
    /// The buffer's length in bytes: the channel's longest request, or response.
    pub capacity: usize,
    /// To be set: length of the message, the first bytes of the buffer, or with RR_MSG_END_ALIGNED the last.
    pub length: usize,
    /// To be set, if at all: the message's type, 128 and up.
    pub msg_type: u32,
    /// 0.
    pub reserved: u32,
}

impl rr_msg {
    pub(super) const DEFAULT: Self = Self {
        size: size_of::<Self>() as u32,
        flags: 0,
        data: std::ptr::null(),
        length: 0,
        msg_type: 0,
        reserved: 0,
    };
}

impl rr_buffer {
    pub(super) const DEFAULT: Self = Self {
        size: size_of::<Self>() as u32,
        flags: 0,
        id: 0,
        data: std::ptr::null_mut(),
        capacity: 0,
        length: 0,
        msg_type: 0,
        reserved: 0,
    };
}

/// What rr_serve calls with each request. ctx is what rr_serve was given. The request may be read until the handler
/// returns, or, with RR_SERVE_LATER, until somebody replies. reply is a buffer for the reply, of length 0.
///
/// A handler must not unwind: a binding catches what its language throws, and returns RR_SERVE_ERROR. If one does
/// unwind, by a C++ exception, pthread_exit or cancellation, the request is dismissed and the call of rr_serve is
/// left as well; see LEAVING A CALL SIDEWAYS.
///
/// Return value: RR_SERVE_CONTINUE: the reply that was written is sent; RR_SERVE_STOP: likewise, and rr_serve
/// returns; RR_SERVE_LATER: nothing is sent, somebody will reply by the request's id; or a negative number of the
/// application's, or RR_SERVE_ERROR: the client's call fails with -EREMOTEIO, and is told that number and, as text,
/// the reply->length bytes that were written to reply->data, up to 1024, or a sentence of rr_strerror's if there are
/// none. Any other number fails the request likewise, with -EINVAL, and so does a reply whose length, msg_type or
/// flags can't be sent.
pub type rr_handler = Option<
    unsafe extern "C-unwind" fn(ctx: *mut c_void, request: *const rr_view, reply: *mut rr_buffer) -> c_int,
>;

/// One that is attached to a channel.
#[repr(C)]
pub struct rr_participant {
    /// Its number, from 1 on.
    pub number: u32,
    /// RR_ROLE_SERVER or RR_ROLE_CLIENT; 0 if its entry doesn't say so properly.
    pub role: u32,
    /// Its process, as seen in the PID namespace of that process: in another namespace the number means nothing.
    pub pid: i32,
    /// 1 if its process lives, 0 if it is dead and nobody has recovered from it yet.
    pub alive: u32,
    /// When its process started, in clock ticks after boot, as field 22 of /proc/PID/stat; 0 if unknown.
    pub start_time: u64,
    /// Requests that it holds: a server those it took and did not reply to, a client those it did not collect, and its
    /// loans.
    pub held: u32,
    /// Always 0.
    pub reserved: u32,
}

/// A snapshot of a channel; initialise it with RR_STATS_INIT. Its parts are read one after the other while others
/// work, so they need not add up. Threads that share a handle may lose counts to each other.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rr_stats {
    /// sizeof(rr_stats) of the caller.
    pub size: u32,
    /// Requests that may be in flight at once.
    pub slots: u32,
    /// Requests and one-way messages that wait for a server.
    pub queued: u32,
    /// Requests sent and not collected, and one-way messages not done with, including those queued; and loans.
    pub in_flight: u32,
    /// Requests that could be sent now.
    pub free: u32,
    /// Handles attached, including those of dead processes that nobody has recovered from yet.
    pub participants: u32,
    /// Requests sent that are replied to.
    pub requests: u64,
    /// Replies that reached a client that waited for them.
    pub replies: u64,
    /// One-way messages sent.
    pub posts: u64,
    /// Calls that ended at their deadline.
    pub timeouts: u64,
    /// Requests withdrawn by their clients, or cleared.
    pub cancels: u64,
    /// Replies that came too late.
    pub stale_replies: u64,
    /// Sends that found no free slot.
    pub full: u64,
    /// Dead participants recovered from.
    pub recoveries: u64,
    /// Times that a call slept.
    pub sleeps: u64,
    /// Bytes of the requests and one-way messages sent.
    pub request_bytes: u64,
    /// Bytes of the replies that reached a client.
    pub reply_bytes: u64,
}

impl rr_stats {
    pub(super) const DEFAULT: Self = Self {
        size: size_of::<Self>() as u32,
        slots: 0,
        queued: 0,
        in_flight: 0,
        free: 0,
        participants: 0,
        requests: 0,
        replies: 0,
        posts: 0,
        timeouts: 0,
        cancels: 0,
        stale_replies: 0,
        full: 0,
        recoveries: 0,
        sleeps: 0,
        request_bytes: 0,
        reply_bytes: 0,
    };
}
