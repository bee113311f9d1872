//! Writing a reply in place.

use super::Server;
use crate::channel::flags::MessageFlags;
use crate::channel::held::Held;
use crate::channel::message::{Buffer, check_label, check_length};
use crate::error::{Error, Result};
use crate::id::RequestId;
use crate::layout::geometry::Kind;
use crate::protocol::slot;
use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};

/// The buffer for a reply, to be written in place. Dropping it sends nothing: the request still waits for its reply.
#[derive(Debug)]
#[must_use = "a loan that is not committed sends nothing"]
pub struct ReplyLoan<'s> {
    server: Held<'s, Server>,
    id: RequestId,
    buffer: Buffer<'s>,
}

impl ReplyLoan<'_> {
    /// Where the reply is to be written.
    pub fn buffer(&mut self) -> Buffer<'_> {
        self.buffer.reborrow()
    }

    /// Replies with the first `length` bytes.
    ///
    /// # Errors
    /// As [`Server::reply`].
    pub fn commit(self, length: usize) -> Result<()> {
        self.commit_msg(length, 0, MessageFlags::empty())
    }

    /// As [`ReplyLoan::commit`], with a type and flags as in [`crate::Message`]. With [`MessageFlags::END_ALIGNED`] it
    /// is the last bytes of the buffer that are sent.
    ///
    /// # Errors
    /// As [`Server::reply_msg`].
    pub fn commit_msg(self, length: usize, message_type: u32, flags: MessageFlags) -> Result<()> {
        self.server.commit_reply(self.id, length, message_type, flags)
    }
}

impl Server {
    /// The buffer for the reply to a request, in place. One thread writes to one reply.
    ///
    /// # Errors
    /// [`Error::Stale`] if the client gave up, or the request has been replied to; [`Error::WrongKind`] in a channel of
    /// integers; [`Error::Stopped`].
    pub fn reply_loan(&self, id: RequestId) -> Result<ReplyLoan<'_>> {
        let buffer = self.lend_reply(id)?;
        Ok(ReplyLoan { server: Held::Borrowed(self), id, buffer })
    }

    /// As [`Server::reply_loan`], with a loan that keeps the handle: it can be stored, passed on, and outlive all else
    /// that refers to the handle.
    ///
    /// # Errors
    /// As [`Server::reply_loan`].
    pub fn reply_loan_owned(self: &Arc<Self>, id: RequestId) -> Result<ReplyLoan<'static>> {
        let mut buffer = self.lend_reply(id)?;
        // SAFETY: as in `lend_reply_of_taken`; the loan keeps the handle.
        let buffer = unsafe { Buffer::new(buffer.as_mut_ptr(), buffer.capacity()) };
        Ok(ReplyLoan { server: Held::Kept(Arc::clone(self)), id, buffer })
    }

    pub(crate) fn lend_reply(&self, number: RequestId) -> Result<Buffer<'_>> {
        self.channel.enter(Some(Kind::Bytes))?;
        self.lend_reply_of_taken(number)
    }

    pub(super) fn lend_reply_of_taken(&self, number: RequestId) -> Result<Buffer<'_>> {
        let id = self.channel.id(number)?;
        let me = self.channel.me()?;
        let mapping = self.channel.mapping();
        if let Err(replied) = slot::may_write(mapping, id, me) {
            self.ended(&replied)?;
        }
        self.loans[id.slot as usize].store(id.generation, Relaxed);
        // SAFETY: the slot's buffer, which is in the mapping for as long as the handle.
        Ok(unsafe { Buffer::new(mapping.response_buffer(id.slot), self.channel.response_max()) })
    }

    pub(crate) fn commit_reply(
        &self,
        number: RequestId,
        length: usize,
        message_type: u32,
        flags: MessageFlags,
    ) -> Result<()> {
        self.channel.enter(Some(Kind::Bytes))?;
        check_label(message_type, flags)?;
        check_length(length, self.channel.response_max())?;
        self.send_in_place(number, length, message_type, flags)
    }

    /// Sends a reply that was written in place, and whose length has been checked.
    pub(super) fn send_in_place(
        &self,
        number: RequestId,
        length: usize,
        message_type: u32,
        flags: MessageFlags,
    ) -> Result<()> {
        let id = self.channel.id(number)?;
        let me = self.channel.me()?;
        let mapping = self.channel.mapping();
        if let Err(replied) = slot::may_reply(mapping, id, me) {
            return self.ended(&replied);
        }
        // What lies in the buffer without a loan is somebody else's.
        let loan = &self.loans[id.slot as usize];
        if loan.compare_exchange(id.generation, 0, AcqRel, Relaxed).is_err() {
            return Err(Error::bad_argument(
                "id",
                "one without a loan",
                "one that rr_reply_loan gave a buffer for",
            ));
        }
        mapping.place_response(id.slot, length, flags.bits());
        self.label(id, length, message_type, flags, 0);
        self.deliver(me, id, length)
    }
}
