//! The lines of a channel, as they stand in its memory.
//!
//! A line is 128 bytes: two cache lines, because processors fetch them in pairs. All fields that another process may
//! write at any time are atomics; bytes of payloads are only ever copied through raw pointers.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64};

/// Bytes of a line.
pub(crate) const LINE: u64 = 128;
/// Payload bytes that fit into a request or reply line.
pub(crate) const INLINE: usize = 104;

/// The doorbells that all share.
#[derive(Clone, Copy)]
pub(crate) enum Doorbell {
    /// Servers sleep on it until a request comes.
    Request,
    /// Clients sleep on it until a slot is free.
    FreeSlot,
}

/// The words that all participants share, in the order in which their lines follow the header.
#[derive(Clone, Copy)]
pub(crate) enum SharedWord {
    /// Hint: a position of the ring below which all is filled.
    Tail = 0,
    /// Hint: a position of the ring below which no reference is needed any more.
    Head = 1,
    RequestDoorbell = 2,
    SlotDoorbell = 3,
    /// Whether a spare slot may be in use.
    SparesInUse = 4,
    /// How often waiting clients, and idle servers, looked after what the dead left: a half each.
    Looks = 5,
}

/// The line of one of those words.
#[repr(C, align(128))]
pub(crate) struct SharedLine {
    pub word: AtomicU64,
}

/// One participant: who it is, and what it has done. Written by that participant only, except the word, which whoever
/// finds it dead also clears, and the doorbell.
#[repr(C, align(128))]
pub(crate) struct ParticipantLine {
    /// `generation << 1 | live`.
    pub word: AtomicU64,
    pub pid: AtomicU32,
    pub role: AtomicU32,
    /// Clock ticks after boot at which the process started, as in `/proc/PID/stat`; 0 if unknown.
    pub start_time: AtomicU64,
    pub counters: [AtomicU64; COUNTERS],
    /// Doorbell of this client's threads that wait for any of several replies; servers ring it.
    pub watch: AtomicU64,
    pub reserved: AtomicU64,
}

/// Counters of one participant line.
pub(crate) const COUNTERS: usize = 11;

/// A request: who asks, what for, and its first bytes.
#[repr(C, align(128))]
pub(crate) struct RequestLine {
    pub word: AtomicU64,
    pub length: AtomicU32,
    pub message_type: AtomicU32,
    pub flags: AtomicU32,
    pub client: AtomicU32,
    pub bytes: UnsafeCell<[u8; INLINE]>,
}

/// A reply: its outcome and its first bytes. The client polls `word`.
#[repr(C, align(128))]
pub(crate) struct ReplyLine {
    pub word: AtomicU64,
    pub length: AtomicU32,
    pub message_type: AtomicU32,
    pub flags: AtomicU32,
    /// The server's error number, with [`REPLY_IS_ERROR`].
    pub code: AtomicI32,
    pub bytes: UnsafeCell<[u8; INLINE]>,
}

/// Flag of a message whose sender says that it is text in UTF-8. The library does not check that.
pub(crate) const UTF8: u32 = 1;
/// Flag of a message that stands at the end of its buffer, where builders that write backwards leave it.
pub(crate) const END_ALIGNED: u32 = 2;
/// Flag of a request that nobody waits for a reply to.
pub(crate) const ONE_WAY: u32 = 4;
/// Flag of a reply whose payload is the text of an error.
pub(crate) const REPLY_IS_ERROR: u32 = 1 << 31;

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::{align_of, offset_of, size_of};

    #[test]
    fn lines_stand_as_the_format_document_says() {
        let line = LINE as usize;
        assert_eq!((size_of::<SharedLine>(), align_of::<SharedLine>()), (line, line));
        assert_eq!((size_of::<ParticipantLine>(), align_of::<ParticipantLine>()), (line, line));
        assert_eq!((size_of::<RequestLine>(), align_of::<RequestLine>()), (line, line));
        assert_eq!((size_of::<ReplyLine>(), align_of::<ReplyLine>()), (line, line));

        assert_eq!(offset_of!(SharedLine, word), 0);
        assert_eq!(offset_of!(ParticipantLine, word), 0);
        assert_eq!(offset_of!(ParticipantLine, pid), 8);
        assert_eq!(offset_of!(ParticipantLine, role), 12);
        assert_eq!(offset_of!(ParticipantLine, start_time), 16);
        assert_eq!(offset_of!(ParticipantLine, counters), 24);
        assert_eq!(offset_of!(ParticipantLine, watch), 112);
        assert_eq!(offset_of!(ParticipantLine, reserved), 120);
        assert_eq!(offset_of!(RequestLine, word), 0);
        assert_eq!(offset_of!(RequestLine, length), 8);
        assert_eq!(offset_of!(RequestLine, message_type), 12);
        assert_eq!(offset_of!(RequestLine, flags), 16);
        assert_eq!(offset_of!(RequestLine, client), 20);
        assert_eq!(offset_of!(RequestLine, bytes), 24);
        assert_eq!(offset_of!(ReplyLine, word), 0);
        assert_eq!(offset_of!(ReplyLine, length), 8);
        assert_eq!(offset_of!(ReplyLine, message_type), 12);
        assert_eq!(offset_of!(ReplyLine, flags), 16);
        assert_eq!(offset_of!(ReplyLine, code), 20);
        assert_eq!(offset_of!(ReplyLine, bytes), 24);
    }
}
