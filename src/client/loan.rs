//! Writing a request in place.

use super::Client;
use crate::channel::flags::MessageFlags;
use crate::channel::held::Held;
use crate::channel::message::{Buffer, check_label, check_length};
use crate::error::{Error, Result};
use crate::id::RequestId;
use crate::layout::geometry::Kind;
use crate::protocol::Id;
use crate::protocol::slot::{self, Purpose, Stale};
use crate::wait::{Deadline, Wait};
use std::sync::Arc;

/// A slot that a client has taken, with its buffer for a request to be written in place. Dropping it gives the slot
/// back.
///
/// ```
/// # use shmrr::{Options, Timeout};
/// # let server = Options::new().anonymous()?;
/// # let client = Options::new().client_from_server(&server)?;
/// let mut loan = client.loan(Timeout::FOREVER)?;
/// loan.buffer().write_at(0, b"hello")?;
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
/// loan.buffer().write_at(0, b"hello")?;
/// # Ok::<(), shmrr::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "dropping a loan gives its slot back"]
pub struct RequestLoan<'c> {
    client: Held<'c, Client>,
    id: RequestId,
    buffer: Buffer<'c>,
    is_sent: bool,
}

impl RequestLoan<'_> {
    /// Where the request is to be written.
    pub fn buffer(&mut self) -> Buffer<'_> {
        self.buffer.reborrow()
    }

    /// Sends the first `length` bytes; the reply is collected by the id that this returns.
    ///
    /// # Errors
    /// [`Error::MessageSize`] if that is more than there is room for; [`Error::NoServer`] if the handle needs a server
    /// and none is there; [`Error::Stopped`]. The slot is given back.
    pub fn commit(self, length: usize) -> Result<RequestId> {
        self.commit_msg(length, 0, MessageFlags::empty())
    }

    /// As [`RequestLoan::commit`], with a type and flags as in [`crate::Message`]. With [`MessageFlags::END_ALIGNED`]
    /// it is the last bytes of the buffer that are sent.
    ///
    /// # Errors
    /// Those of [`RequestLoan::commit`]; [`Error::Invalid`] for a type or flags that no sender may give.
    pub fn commit_msg(mut self, length: usize, message_type: u32, flags: MessageFlags) -> Result<RequestId> {
        self.client.commit_loan(self.id, length, message_type, flags)?;
        self.is_sent = true;
        Ok(self.id)
    }

    /// Gives the slot back; nothing is sent.
    pub fn abort(self) {}
}

impl Drop for RequestLoan<'_> {
    fn drop(&mut self) {
        if !self.is_sent {
            let _ = self.client.give_loan_back(self.id);
        }
    }
}

impl Client {
    /// Takes a slot for a request to be written in place; waits for a free one.
    ///
    /// # Errors
    /// As [`Client::send_wait`], except for the length.
    pub fn loan<'w>(&self, wait: impl Into<Wait<'w>>) -> Result<RequestLoan<'_>> {
        let (id, buffer) = self.take_loan(&self.channel.deadline(&wait.into())?)?;
        Ok(RequestLoan { client: Held::Borrowed(self), id, buffer, is_sent: false })
    }

    /// As [`Client::loan`], with a loan that keeps the handle: it can be stored, passed on, and outlive all else that
    /// refers to the handle.
    ///
    /// # Errors
    /// As [`Client::loan`].
    pub fn loan_owned<'w>(self: &Arc<Self>, wait: impl Into<Wait<'w>>) -> Result<RequestLoan<'static>> {
        let (id, mut buffer) = self.take_loan(&self.channel.deadline(&wait.into())?)?;
        // SAFETY: as in `take_loan`; the loan keeps the handle.
        let buffer = unsafe { Buffer::new(buffer.as_mut_ptr(), buffer.capacity()) };
        Ok(RequestLoan { client: Held::Kept(Arc::clone(self)), id, buffer, is_sent: false })
    }

    pub(crate) fn take_loan(&self, deadline: &Deadline<'_>) -> Result<(RequestId, Buffer<'_>)> {
        let (_, id) = self.take_slot(Kind::Bytes, Purpose::Call, deadline)?;
        let start = self.channel.mapping().request_buffer(id.slot);
        // SAFETY: the slot's buffer, which is in the mapping for as long as the handle.
        let buffer = unsafe { Buffer::new(start, self.channel.request_max()) };
        Ok((id.into(), buffer))
    }

    /// Sends what was written in place.
    pub(crate) fn commit_loan(
        &self,
        number: RequestId,
        length: usize,
        message_type: u32,
        flags: MessageFlags,
    ) -> Result<()> {
        let me = self.channel.enter(None)?;
        check_label(message_type, flags)?;
        check_length(length, self.channel.request_max())?;
        self.check_sending(Kind::Bytes)?;
        let id = self.channel.id(number)?;
        let mapping = self.channel.mapping();
        // From here on the slot is this thread's: one that ends the loan at the same time must not write to it.
        slot::end_loan(mapping, id, me).map_err(|Stale| Error::Stale)?;
        mapping.place_request(id.slot, length, flags.bits());
        self.label(me, id, length, message_type, flags);
        slot::queue(mapping, id, me);
        self.publish(me, id, Purpose::Call, length)?;
        self.sent_by_loop(id, Purpose::Call);
        Ok(())
    }

    /// Gives a loan back unsent.
    pub(crate) fn abort_loan(&self, number: RequestId) -> Result<()> {
        self.channel.enter(None)?;
        self.give_loan_back(number)
    }

    fn give_loan_back(&self, number: RequestId) -> Result<()> {
        let me = self.channel.me()?;
        let id: Id = self.channel.id(number)?;
        slot::abort_loan(self.channel.mapping(), id, me).map_err(|Stale| Error::Stale)?;
        self.freed(id);
        Ok(())
    }
}
