//! Constants: kinds, roles, flags, what handlers return.

/// Kind of a channel whose payloads are byte strings.
pub const RR_KIND_BYTES: u32 = 0;
/// Kind of a channel whose payloads are one int64_t each way.
pub const RR_KIND_INT: u32 = 1;

/// For request_max and response_max: payloads have no bytes. 0 means the default there.
pub const RR_LENGTH_NONE: u64 = u64::MAX;

/// Role of a participant that takes requests.
pub const RR_ROLE_SERVER: u32 = 1;
/// Role of a participant that sends requests.
pub const RR_ROLE_CLIENT: u32 = 2;

/// Option: rr_server_new must create the channel; -EEXIST if it is there.
pub const RR_OPT_EXCLUSIVE: u32 = 0x1_0000;
/// Option: pages are not reserved when the channel is created. A file system that fills up later then ends a process
/// that touches a new page by SIGBUS.
pub const RR_OPT_SPARSE: u32 = 0x2_0000;
/// Option: a request that a server held when it died is served again, by another, up to 15 times, instead of failing
/// with -EOWNERDEAD. rr_request and rr_view tell how often that happened.
pub const RR_OPT_REDELIVER: u32 = 0x4_0000;
/// Option: every request that this handle sends, or every reply, signals its eventfd for requests, or for replies, if
/// it has one; see rr_channel_request_fd_make.
pub const RR_OPT_NOTIFY: u32 = 0x8_0000;
/// Option: calls of this client handle that send (rr_client_req, rr_client_send, rr_client_post and their like,
/// rr_client_loan, rr_client_commit) fail at once with -ECONNREFUSED when no server is attached, instead of waiting
/// for one; and a wait for the reply to a request that no server has taken does so, 25 ms late at most, when the last
/// one has gone. A server that died counts as attached until the first call that waits, for a reply or for a slot. A
/// server handle ignores this flag.
pub const RR_OPT_NEED_SERVER: u32 = 0x10_0000;
/// Option: all waits of this handle go on after signal handlers, as one with RR_WAIT_RESTART does.
pub const RR_OPT_RESTART: u32 = 0x20_0000;

/// Message flag: the sender says that the payload is text in UTF-8. shmrr does not check that.
pub const RR_MSG_UTF8: u32 = 1;
/// Message flag: the payload stands at the end of its buffer, where builders that write backwards leave it. That end
/// is aligned to 128 bytes if request_max, or response_max, is a multiple of them. Payloads of up to 104 bytes are
/// moved, to where they begin at a multiple of 8.
pub const RR_MSG_END_ALIGNED: u32 = 2;
/// Message flag that receivers see: nobody waits for a reply. Set by rr_client_post and its like only.
pub const RR_MSG_ONE_WAY: u32 = 4;

/// Message flag that results have: the reply is an error reply.
pub const RR_MSG_ERROR: u32 = 8;

const _: () = assert!(
    RR_MSG_UTF8 == crate::MessageFlags::UTF8.bits()
        && RR_MSG_END_ALIGNED == crate::MessageFlags::END_ALIGNED.bits()
        && RR_MSG_ONE_WAY == crate::MessageFlags::ONE_WAY.bits()
);

/// What a handler returns to have its reply sent.
pub const RR_SERVE_CONTINUE: i32 = 0;
/// What a handler returns, alone or added to another of these, to have rr_serve return after this request.
pub const RR_SERVE_STOP: i32 = 1;
/// What a handler returns if it, or somebody, will reply later by the request's id.
pub const RR_SERVE_LATER: i32 = 2;
/// What a handler returns that failed without a number of its own: for bindings, whose callbacks may fail in any way.
pub const RR_SERVE_ERROR: i32 = -1;

/// Wait flag: timeout_ns is a time of CLOCK_MONOTONIC, in nanoseconds.
pub const RR_WAIT_ABSOLUTE: u32 = 0x100_0000;
/// Wait flag: when a signal handler has run the wait goes on, under its one deadline, instead of ending with -EINTR.
pub const RR_WAIT_RESTART: u32 = 0x200_0000;

/// rr_client_arm: an outcome of a request that was sent, which is neither collected nor viewed.
pub const RR_ARM_REPLY: u32 = 0x100;
/// rr_client_arm: a free slot.
pub const RR_ARM_SLOT: u32 = 0x200;

// The two say the same.
const _: () = assert!(RR_LENGTH_NONE == crate::LENGTH_NONE);
