//! Reading a reply in place.

use super::outcome::Found;
use super::{Client, Reply};
use crate::channel::flags::MessageFlags;
use crate::channel::held::Held;
use crate::channel::message::Bytes;
use crate::error::{Error, Result};
use crate::id::RequestId;
use crate::layout::geometry::Kind;
use crate::protocol::slot::{self, Progress, Stale};
use crate::wait::{Deadline, Wait};
use std::sync::Arc;

/// A reply, in place. Dropping it collects the reply: its slot is free then. Its bytes can't be kept longer than it:
///
/// ```compile_fail,E0505
/// # use shmrr::{Options, Timeout};
/// # let server = Options::new().anonymous()?;
/// # let client = Options::new().client_from_server(&server)?;
/// # let id = client.send(b"")?;
/// let view = client.view(id, Timeout::FOREVER)?;
/// let bytes = view.bytes();
/// view.release();
/// println!("{}", bytes.to_vec().len());
/// # Ok::<(), shmrr::Error>(())
/// ```
///
/// One that [`Client::view_owned`] yields keeps its handle, and is a `ReplyView<'static>`.
#[derive(Debug)]
#[must_use = "dropping a view collects the reply"]
pub struct ReplyView<'c> {
    client: Held<'c, Client>,
    id: RequestId,
    bytes: Bytes<'c>,
    message_type: u32,
    flags: MessageFlags,
}

impl ReplyView<'_> {
    /// The payload.
    #[must_use]
    pub fn bytes(&self) -> Bytes<'_> {
        self.bytes
    }

    /// The message's type, a number of the application's; 0 if the server gave none.
    #[must_use]
    pub fn message_type(&self) -> u32 {
        self.message_type
    }

    /// The server's flags: [`MessageFlags::UTF8`], [`MessageFlags::END_ALIGNED`].
    #[must_use]
    pub fn flags(&self) -> MessageFlags {
        self.flags
    }

    /// Done with it: the same as dropping it.
    pub fn release(self) {}
}

impl Drop for ReplyView<'_> {
    fn drop(&mut self) {
        let _ = self.client.collect_unread(self.id);
    }
}

impl Client {
    /// Waits for the reply to a request and yields it in place.
    ///
    /// # Errors
    /// As [`Client::get_wait`], except for the buffer.
    pub fn view<'w>(&self, id: RequestId, wait: impl Into<Wait<'w>>) -> Result<ReplyView<'_>> {
        let found = self.look_at(id, &self.channel.deadline(&wait.into())?, |found| found.error())?;
        // SAFETY: the reply stays where it is until it is collected, which the view does when it is dropped; it can't
        // outlive the handle.
        let bytes = unsafe { Bytes::new(found.bytes, found.length) };
        let Reply { message_type, flags, .. } = found.reply();
        Ok(ReplyView { client: Held::Borrowed(self), id, bytes, message_type, flags })
    }

    /// As [`Client::view`], with a view that keeps the handle: it can be stored, passed on, and outlive all else that
    /// refers to the handle.
    ///
    /// # Errors
    /// As [`Client::view`].
    pub fn view_owned<'w>(
        self: &Arc<Self>,
        id: RequestId,
        wait: impl Into<Wait<'w>>,
    ) -> Result<ReplyView<'static>> {
        let found = self.look_at(id, &self.channel.deadline(&wait.into())?, |found| found.error())?;
        // SAFETY: as in `view`; the view keeps the handle.
        let bytes = unsafe { Bytes::new(found.bytes, found.length) };
        let Reply { message_type, flags, .. } = found.reply();
        Ok(ReplyView { client: Held::Kept(Arc::clone(self)), id, bytes, message_type, flags })
    }

    /// The reply, which stays where it lies until it is released. Any other outcome is collected at once; an error
    /// reply has been read by then.
    pub(crate) fn look_at(
        &self,
        number: RequestId,
        deadline: &Deadline<'_>,
        read_error: impl FnOnce(&Found<'_>) -> Error,
    ) -> Result<Found<'_>> {
        let me = self.channel.enter(Some(Kind::Bytes))?;
        let id = self.channel.id(number)?;
        let progress = self.wait(me, id, deadline)?;
        let result = match self.found(id, progress) {
            Ok(found) if found.is_error() => Err(read_error(&found)),
            result => result,
        };
        self.channel.note_seen(id.slot);
        if result.is_err() {
            self.collect(id, progress)?;
        }
        result
    }

    /// Ends a request whose reply was read in place, or is not to be read at all.
    pub(crate) fn release(&self, number: RequestId) -> Result<()> {
        self.channel.enter(None)?;
        self.collect_unread(number)
    }

    fn collect_unread(&self, number: RequestId) -> Result<()> {
        let me = self.channel.me()?;
        let id = self.channel.id(number)?;
        match slot::progress(self.channel.mapping(), id, me) {
            Ok(Progress::Pending(_)) => Err(Error::WouldBlock),
            Ok(progress) => self.collect(id, progress),
            Err(Stale) => Err(Error::Stale),
        }
    }
}
