//! What came of a request: where its reply lies, and how that is read.

use super::Client;
use crate::channel::flags::MessageFlags;
use crate::channel::message::Bytes;
use crate::error::text::TEXT_MAX;
use crate::error::{Error, Result, Text};
use crate::id::RequestId;
use crate::layout::lines::{INLINE, REPLY_IS_ERROR, ReplyLine};
use crate::protocol::Id;
use crate::protocol::slot::Progress;
use std::sync::atomic::Ordering::Relaxed;

/// What a reply is, beside its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reply {
    /// Length of the payload in bytes.
    pub length: usize,
    /// The message's type, a number of the application's; 0 if the server gave none.
    pub message_type: u32,
    /// The server's flags: [`MessageFlags::UTF8`], [`MessageFlags::END_ALIGNED`].
    pub flags: MessageFlags,
}

/// A reply in the channel's memory, an error reply among others. Its length has been checked.
pub(crate) struct Found<'c> {
    pub bytes: *const u8,
    pub length: usize,
    flags: u32,
    line: &'c ReplyLine,
}

impl Found<'_> {
    #[inline]
    pub fn is_error(&self) -> bool {
        self.flags & REPLY_IS_ERROR != 0
    }

    /// Of an error reply, the application's number.
    pub fn code(&self) -> i32 {
        self.line.code.load(Relaxed)
    }

    #[inline]
    pub fn reply(&self) -> Reply {
        Reply {
            length: self.length,
            message_type: self.line.message_type.load(Relaxed),
            flags: MessageFlags::from_bits(self.flags) & MessageFlags::RECEIVERS,
        }
    }

    /// The payload.
    pub fn payload(&self) -> Bytes<'_> {
        // SAFETY: the bytes are those of a reply, within its slot.
        unsafe { Bytes::new(self.bytes, self.length) }
    }

    /// Copies the payload; returns its length.
    ///
    /// # Errors
    /// [`Error::Overflow`] if there is no room for it; [`Error::Remote`] if it is an error reply.
    ///
    /// # Safety
    /// `buffer` must be writable for `capacity` bytes.
    #[inline]
    pub unsafe fn copy_to(&self, buffer: *mut u8, capacity: usize) -> Result<usize> {
        if self.is_error() {
            return Err(self.error());
        }
        if self.length > capacity {
            return Err(Error::Overflow { length: self.length, capacity, id: RequestId::NONE });
        }
        // SAFETY: the length is within the slot's bytes and, checked above, within the buffer.
        unsafe { self.bytes.copy_to_nonoverlapping(buffer, self.length) };
        Ok(self.length)
    }

    /// What an error reply says.
    #[cold]
    pub fn error(&self) -> Error {
        let mut text = [0; TEXT_MAX];
        let copied = self.payload().read_at(0, &mut text);
        Error::Remote { code: self.code(), text: Text::of_bytes(&text[..copied], copied < self.length) }
    }
}

impl Client {
    /// The reply to a request that is no longer pending, or the error that it ended with.
    #[inline]
    pub(super) fn found(&self, id: Id, progress: Progress) -> Result<Found<'_>> {
        match progress {
            Progress::Failed(_) => return Err(Error::OwnerDead),
            Progress::Dismissed(_) => return Err(Error::Dismissed),
            Progress::Pending(_) | Progress::Ready(_) => {}
        }
        let mapping = self.channel.mapping();
        let line = mapping.reply_line(id.slot);
        let length = line.length.load(Relaxed) as usize;
        let flags = line.flags.load(Relaxed);
        let limit = self.channel.response_max();
        if length > if flags & REPLY_IS_ERROR != 0 { limit.max(INLINE) } else { limit } {
            return Err(Error::Corrupt);
        }
        let bytes = mapping.response_bytes(id.slot, length, flags).cast_const();
        Ok(Found { bytes, length, flags, line })
    }
}
