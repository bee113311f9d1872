//! Writing a request in place.

use super::Client;
use crate::channel::message::{Room, check_label};
use crate::error::{Error, Result};
use crate::layout::geometry::Kind;
use crate::protocol::Id;
use crate::protocol::slot::{self, Purpose, Stale};
use crate::wait::{Deadline, Timeout};

/// A slot that a client has taken, with room for a request to be written in place. Dropping it gives the slot back.
///
/// ```
/// # use shmrr::{Options, Timeout};
/// # let server = Options::new().anonymous()?;
/// # let client = Options::new().client_from_server(&server)?;
/// let mut loan = client.loan(Timeout::FOREVER)?;
/// loan.write_at(0, b"hello")?;
/// let id = loan.commit(5)?;
/// # client.cancel(id)?;
/// # Ok::<(), shmrr::Error>(())
/// ```
///
/// What was committed is the server's, and can't be written to any more:
///
/// ```compile_fail,E0382
/// # use shmrr::{Options, Timeout};
/// # let server = Options::new().anonymous()?;
/// # let client = Options::new().client_from_server(&server)?;
/// let mut loan = client.loan(Timeout::FOREVER)?;
/// let id = loan.commit(5)?;
/// loan.write_at(0, b"hello")?;
/// # Ok::<(), shmrr::Error>(())
/// ```
#[must_use = "dropping a loan gives its slot back"]
pub struct RequestLoan<'c> {
    client: &'c Client,
    id: u64,
    room: Room,
    message_type: u32,
    flags: u32,
}

impl RequestLoan<'_> {
    /// Bytes there is room for: the channel's longest request.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.room.capacity
    }

    /// Where they are to be written; what is there now is left from an earlier request.
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

    /// Sends the first `length` bytes; the reply is collected by the id that this returns.
    ///
    /// # Errors
    /// [`Error::MessageSize`] if that is more than there is room for; [`Error::Invalid`] for a type or flags that no
    /// sender may give; [`Error::Stopped`]. The slot is given back.
    pub fn commit(self, length: usize) -> Result<u64> {
        self.client.commit_loan(self.id, length, self.message_type, self.flags)?;
        let id = self.id;
        std::mem::forget(self);
        Ok(id)
    }

    /// Gives the slot back; nothing is sent.
    pub fn abort(self) {}
}

impl Drop for RequestLoan<'_> {
    fn drop(&mut self) {
        let _ = self.client.give_loan_back(self.id);
    }
}

impl Client {
    /// Takes a slot for a request to be written in place; waits for a free one.
    ///
    /// # Errors
    /// As [`Client::send_wait`], but for the length.
    pub fn loan(&self, timeout: impl Into<Timeout>) -> Result<RequestLoan<'_>> {
        let (id, room) = self.take_loan(timeout.into())?;
        Ok(RequestLoan { client: self, id, room, message_type: 0, flags: 0 })
    }

    pub(crate) fn take_loan(&self, timeout: Timeout) -> Result<(u64, Room)> {
        let (_, id) = self.take_slot(Kind::Bytes, Purpose::Call, &Deadline::new(timeout))?;
        let start = self.channel.view().request_buffer(id.slot);
        Ok((id.to_u64(), Room { start, capacity: self.channel.request_max() }))
    }

    /// Sends what was written in place.
    pub(crate) fn commit_loan(
        &self,
        number: u64,
        length: usize,
        message_type: u32,
        flags: u32,
    ) -> Result<()> {
        self.channel.check_running()?;
        check_label(message_type, flags)?;
        let limit = self.channel.request_max();
        if length > limit {
            return Err(Error::MessageSize { length, limit });
        }
        let me = self.channel.me()?;
        let id = self.id(number)?;
        let view = self.channel.view();
        // From here on the slot is this thread's: one that ends the loan at the same time must not write to it.
        slot::end_loan(view, id, me).map_err(|Stale| Error::Stale)?;
        view.settle_request(id.slot, length, flags);
        self.label(me, id, length, message_type, flags);
        slot::queue(view, id, me);
        self.publish(me, id, Purpose::Call, length)
    }

    /// Gives a loan back unsent.
    pub(crate) fn abort_loan(&self, number: u64) -> Result<()> {
        self.channel.check_running()?;
        self.give_loan_back(number)
    }

    fn give_loan_back(&self, number: u64) -> Result<()> {
        let me = self.channel.me()?;
        let id: Id = self.id(number)?;
        slot::abort_loan(self.channel.view(), id, me).map_err(|Stale| Error::Stale)?;
        self.freed(id);
        Ok(())
    }
}
