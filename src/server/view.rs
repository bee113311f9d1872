//! Reading requests in place, one or several at a time.

use super::take::Received;
use super::{Request, Server};
use crate::channel::flags::MessageFlags;
use crate::channel::held::Held;
use crate::channel::message::{Buffer, Bytes, Message};
use crate::error::{Error, Result};
use crate::layout::geometry::Kind;
use crate::protocol::Memory;
use crate::wait::{Deadline, NOW, Wait};
use std::sync::Arc;

/// A request that was taken, in place. Dropping it without a reply lets go of it: its client gets
/// [`crate::Error::Dismissed`]. A view that was replied by is gone, for its bytes may be another request's then:
///
/// ```compile_fail,E0505
/// # use shmrr::{Options, Timeout};
/// # let server = Options::new().anonymous()?;
/// let view = server.recv_view(Timeout::FOREVER)?;
/// let bytes = view.bytes();
/// view.reply(b"done")?;
/// println!("{}", bytes.to_vec().len());
/// # Ok::<(), shmrr::Error>(())
/// ```
///
/// One that [`Server::recv_view_owned`] yields keeps its handle, and is a `RequestView<'static>`.
#[derive(Debug)]
#[must_use = "dropping a request lets go of it"]
pub struct RequestView<'s> {
    server: Held<'s, Server>,
    request: Request,
    bytes: Bytes<'s>,
    /// Somebody will reply by the id.
    is_kept: bool,
}

impl<'s> RequestView<'s> {
    /// What it is.
    #[must_use]
    pub fn request(&self) -> Request {
        self.request
    }

    /// Its payload.
    #[must_use]
    pub fn bytes(&self) -> Bytes<'_> {
        self.bytes
    }

    /// Replies, as [`Server::reply`].
    ///
    /// # Errors
    /// As [`Server::reply`]. The request is let go of even if the reply is too long.
    pub fn reply(self, data: &[u8]) -> Result<()> {
        self.server.reply(self.request.id, data)
    }

    /// Replies, as [`Server::reply_msg`].
    ///
    /// # Errors
    /// As [`RequestView::reply`].
    pub fn reply_msg(self, message: &Message<'_>) -> Result<()> {
        self.server.reply_msg(self.request.id, message)
    }

    /// Replies with an error, as [`Server::reply_error`].
    ///
    /// # Errors
    /// As [`RequestView::reply`].
    pub fn reply_error(self, code: i32, text: &str) -> Result<()> {
        self.server.reply_error(self.request.id, code, text)
    }

    /// The buffer for the reply, to be written in place and sent by [`RequestView::reply_commit`]; the request stays
    /// readable meanwhile. One thread writes to one reply.
    ///
    /// ```
    /// # use shmrr::{Options, Timeout};
    /// # let server = Options::new().anonymous()?;
    /// # let client = Options::new().client_from_server(&server)?;
    /// # let id = client.send(b"hello")?;
    /// let view = server.recv_view(Timeout::FOREVER)?;
    /// let mut buffer = view.reply_buffer()?;
    /// buffer.write_at(0, &view.bytes().to_vec())?;
    /// buffer.write_at(5, b" back")?;
    /// view.reply_commit(10)?;
    /// # assert_eq!(client.view(id, Timeout::NOW)?.bytes().to_vec(), b"hello back");
    /// # Ok::<(), shmrr::Error>(())
    /// ```
    ///
    /// What was committed is the client's, and can't be written to any more:
    ///
    /// ```compile_fail,E0505
    /// # use shmrr::{Options, Timeout};
    /// # let server = Options::new().anonymous()?;
    /// let view = server.recv_view(Timeout::FOREVER)?;
    /// let mut buffer = view.reply_buffer()?;
    /// view.reply_commit(10)?;
    /// buffer.write_at(5, b" back")?;
    /// # Ok::<(), shmrr::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Server::reply_loan`].
    pub fn reply_buffer(&self) -> Result<Buffer<'_>> {
        self.server.lend_reply(self.request.id)
    }

    /// Replies with the first `length` bytes of the buffer.
    ///
    /// # Errors
    /// As [`RequestView::reply`]; [`crate::Error::Invalid`] if [`RequestView::reply_buffer`] was not called.
    pub fn reply_commit(self, length: usize) -> Result<()> {
        self.reply_commit_msg(length, 0, MessageFlags::empty())
    }

    /// As [`RequestView::reply_commit`], with a type and flags as in [`Message`]. With [`MessageFlags::END_ALIGNED`] it
    /// is the last bytes of the buffer that are sent.
    ///
    /// # Errors
    /// As [`RequestView::reply_commit`] and [`Server::reply_msg`].
    pub fn reply_commit_msg(self, length: usize, message_type: u32, flags: MessageFlags) -> Result<()> {
        self.server.commit_reply(self.request.id, length, message_type, flags)
    }

    /// Ends the request without a reply, as dropping it does.
    pub fn dismiss(self) {}

    /// Keeps the request for later: it waits for a reply by its id, from whatever thread.
    #[must_use = "the id is what the reply needs"]
    pub fn keep(mut self) -> Request {
        self.is_kept = true;
        self.request
    }
}

impl Drop for RequestView<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            self.server.let_go_unless_ended(self.request.id);
        }
    }
}

impl Server {
    /// Takes the oldest request without copying it; waits for one.
    ///
    /// # Errors
    /// As [`Server::recv_wait`], except for the buffer.
    pub fn recv_view<'w>(&self, wait: impl Into<Wait<'w>>) -> Result<RequestView<'_>> {
        self.view_next(&self.channel.deadline(&wait.into())?)
    }

    /// As [`Server::recv_view`], with a view that keeps the handle: it can be stored, passed on, and outlive all else
    /// that refers to the handle.
    ///
    /// # Errors
    /// As [`Server::recv_view`].
    pub fn recv_view_owned<'w>(self: &Arc<Self>, wait: impl Into<Wait<'w>>) -> Result<RequestView<'static>> {
        self.take_next(&self.channel.deadline(&wait.into())?).map(|request| self.owned_view_of(request))
    }

    /// As [`Server::recv_batch`], with views that keep the handle.
    ///
    /// # Errors
    /// As [`Server::recv_batch`].
    pub fn recv_batch_owned<'w>(
        self: &Arc<Self>,
        views: &mut Vec<RequestView<'static>>,
        most: usize,
        wait: impl Into<Wait<'w>>,
    ) -> Result<usize> {
        let keep = |request| self.owned_view_of(request);
        self.batch_by(views, most, &self.channel.deadline(&wait.into())?, keep)
    }

    fn owned_view_of(self: &Arc<Self>, request: Request) -> RequestView<'static> {
        // SAFETY: as in `bytes_of`; the view keeps the handle.
        let bytes = unsafe { Bytes::new(self.payload(&request), request.length) };
        RequestView { server: Held::Kept(Arc::clone(self)), request, bytes, is_kept: false }
    }

    /// Takes up to `most` requests in their order, and appends them to `views`; waits for the first only. Returns how
    /// many it took.
    ///
    /// # Errors
    /// As [`Server::recv_view`]; [`crate::Error::Invalid`] if `most` is 0; [`crate::Error::NoMemory`] if `views` can't
    /// grow, and nothing is taken.
    pub fn recv_batch<'s, 'w>(
        &'s self,
        views: &mut Vec<RequestView<'s>>,
        most: usize,
        wait: impl Into<Wait<'w>>,
    ) -> Result<usize> {
        self.batch_by(views, most, &self.channel.deadline(&wait.into())?, |request| self.view_of(request))
    }

    fn batch_by<'v>(
        &self,
        views: &mut Vec<RequestView<'v>>,
        most: usize,
        deadline: &Deadline<'_>,
        view: impl Fn(Request) -> RequestView<'v>,
    ) -> Result<usize> {
        // Before any is taken. More than there are slots are never there at once.
        let room = most.min(self.channel.mapping().total_slots() as usize);
        views.try_reserve(room).map_err(|_| Error::NoMemory)?;
        self.take_batch(room, deadline, |_, request| views.push(view(request)))
    }

    /// As [`Server::recv_batch`], except that it never waits.
    ///
    /// # Errors
    /// As [`Server::recv_batch`]; [`crate::Error::WouldBlock`] if there is no request.
    pub fn drain<'s>(&'s self, views: &mut Vec<RequestView<'s>>, most: usize) -> Result<usize> {
        self.batch_by(views, most, &NOW, |request| self.view_of(request))
    }

    /// Takes up to `most` requests and gives each, with its place in the batch, to `keep`.
    pub(crate) fn take_batch(
        &self,
        most: usize,
        deadline: &Deadline<'_>,
        mut keep: impl FnMut(usize, Request),
    ) -> Result<usize> {
        if most == 0 {
            return Err(crate::Error::bad_argument("n", 0, "1 or more"));
        }
        keep(0, self.take_next(deadline)?);
        for index in 1..most {
            match self.take_next(&NOW) {
                Ok(request) => keep(index, request),
                // None is left, or the handle was stopped: what was taken is the caller's all the same.
                Err(_) => return Ok(index),
            }
        }
        Ok(most)
    }

    pub(crate) fn take_next(&self, deadline: &Deadline<'_>) -> Result<Request> {
        // Any request that passes is as long as the channel allows at most.
        match self.take(Kind::Bytes, usize::MAX, deadline)? {
            Received::Taken(request) | Received::TooLong(request) => Ok(request),
        }
    }

    /// Where the payload of a request lies that was taken and not replied to.
    pub(crate) fn bytes_of(&self, request: &Request) -> Bytes<'_> {
        // SAFETY: the request's length was checked when it was taken; the mapping lives as long as the handle.
        unsafe { Bytes::new(self.payload(request), request.length) }
    }

    pub(super) fn view_next(&self, deadline: &Deadline<'_>) -> Result<RequestView<'_>> {
        self.take_next(deadline).map(|request| self.view_of(request))
    }

    fn view_of(&self, request: Request) -> RequestView<'_> {
        let bytes = self.bytes_of(&request);
        RequestView { server: Held::Borrowed(self), request, bytes, is_kept: false }
    }
}
