//! Writing a reply in place.

use super::Server;
use crate::channel::message::{Room, check_label};
use crate::error::{Error, Result};
use crate::layout::geometry::Kind;
use crate::protocol::slot;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};

/// Room for a reply, to be written in place. Dropping it sends nothing: the request still waits for its reply.
#[must_use = "a loan that is not committed sends nothing"]
pub struct ReplyLoan<'s> {
    server: &'s Server,
    id: u64,
    room: Room,
    message_type: u32,
    flags: u32,
}

impl ReplyLoan<'_> {
    /// Bytes there is room for: the channel's longest response.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.room.capacity
    }

    /// Where they are to be written; what is there now is left from an earlier reply.
    #[must_use]
    pub fn as_mut_ptr(&mut self) -> *mut u8 {
        self.room.start
    }

    /// Writes `data` from byte `offset` on.
    ///
    /// # Errors
    /// [`Error::MessageSize`] if it does not fit.
    pub fn write_at(&mut self, offset: usize, data: &[u8]) -> Result<()> {
        self.room.write_at(offset, data)
    }

    /// Gives the message a type, as in [`crate::Message`].
    pub fn message_type(mut self, message_type: u32) -> Self {
        self.message_type = message_type;
        self
    }

    /// Gives the message flags, as in [`crate::Message`]. With [`crate::END_ALIGNED`] it is the last bytes of the room
    /// that are sent.
    pub fn flags(mut self, flags: u32) -> Self {
        self.flags = flags;
        self
    }

    /// Replies with the first `length` bytes.
    ///
    /// # Errors
    /// As [`Server::reply_msg`].
    pub fn commit(self, length: usize) -> Result<()> {
        self.server.commit_reply(self.id, length, self.message_type, self.flags)
    }
}

impl Server {
    /// Room for the reply to a request, in place. One thread writes to one reply.
    ///
    /// # Errors
    /// [`Error::Stale`] if the client gave up, or the request has been replied to; [`Error::WrongKind`] in a channel of
    /// integers; [`Error::Stopped`].
    pub fn reply_loan(&self, id: u64) -> Result<ReplyLoan<'_>> {
        let room = self.lend_reply(id)?;
        Ok(ReplyLoan { server: self, id, room, message_type: 0, flags: 0 })
    }

    pub(crate) fn lend_reply(&self, number: u64) -> Result<Room> {
        self.channel.check_running()?;
        self.channel.check_kind(Kind::Bytes)?;
        self.lend_reply_of_taken(number)
    }

    pub(super) fn lend_reply_of_taken(&self, number: u64) -> Result<Room> {
        let id = self.id(number)?;
        let me = self.channel.me()?;
        let view = self.channel.view();
        if let Err(replied) = slot::may_write(view, id, me) {
            self.ended(&replied)?;
        }
        self.loans[id.slot as usize].store(id.generation, Relaxed);
        Ok(Room { start: view.response_buffer(id.slot), capacity: self.channel.response_max() })
    }

    pub(crate) fn commit_reply(
        &self,
        number: u64,
        length: usize,
        message_type: u32,
        flags: u32,
    ) -> Result<()> {
        self.channel.check_running()?;
        self.channel.check_kind(Kind::Bytes)?;
        check_label(message_type, flags)?;
        let limit = self.channel.response_max();
        if length > limit {
            return Err(Error::MessageSize { length, limit });
        }
        self.send_in_place(number, length, message_type, flags)
    }

    /// Sends a reply that was written in place, and whose length has been checked.
    pub(super) fn send_in_place(
        &self,
        number: u64,
        length: usize,
        message_type: u32,
        flags: u32,
    ) -> Result<()> {
        let id = self.id(number)?;
        let me = self.channel.me()?;
        let view = self.channel.view();
        if let Err(replied) = slot::may_reply(view, id, me) {
            return self.ended(&replied);
        }
        // What lies in the buffer without a loan is somebody else's.
        let loan = &self.loans[id.slot as usize];
        if loan.compare_exchange(id.generation, 0, AcqRel, Relaxed).is_err() {
            return Err(Error::bad_argument(
                "id",
                "one without a loan",
                "one that rr_reply_loan lent room for",
            ));
        }
        view.settle_response(id.slot, length, flags);
        self.label(id, length, message_type, flags, 0);
        self.deliver(me, id, length)
    }
}
