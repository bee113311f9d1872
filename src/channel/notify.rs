//! Notification: an eventfd for requests and one for replies, by which programs that wait with epoll and its like learn
//! that there is something to take. Nothing is signalled unless a caller asks for it.
//!
//! The descriptors are this handle's, not the channel's: another process takes part if it inherits one, or is passed
//! one and adopts it.

use super::Channel;
use super::membership::Role;
use crate::error::{Error, Result};
use crate::wait::eventfd::EventFd;
use rustix::fd::{AsFd, BorrowedFd};
use std::sync::OnceLock;

/// The eventfds of one handle, and whether each of its messages signals one.
pub(crate) struct Notifier {
    requests: OnceLock<EventFd>,
    replies: OnceLock<EventFd>,
    each_request: bool,
    each_reply: bool,
}

impl Notifier {
    /// `each`: every message that a handle of this role sends signals.
    pub fn new(role: Role, each: bool) -> Self {
        Self {
            requests: OnceLock::new(),
            replies: OnceLock::new(),
            each_request: each && matches!(role, Role::Client),
            each_reply: each && matches!(role, Role::Server),
        }
    }
}

fn get_or_make(place: &OnceLock<EventFd>) -> Result<BorrowedFd<'_>> {
    if let Some(made) = place.get() {
        return Ok(made.fd());
    }
    let new = EventFd::new()?;
    Ok(place.get_or_init(|| new).fd())
}

fn adopt(place: &OnceLock<EventFd>, fd: BorrowedFd<'_>, what: &'static str) -> Result<()> {
    let adopted = EventFd::adopt(fd)?;
    place.set(adopted).map_err(|_| Error::HasEventFd(what))
}

fn existing<'a>(place: &'a OnceLock<EventFd>, what: &'static str) -> Result<&'a EventFd> {
    place.get().ok_or(Error::NoEventFd(what))
}

const REQUESTS: &str = "requests";
const REPLIES: &str = "replies";

impl Channel {
    /// This handle's eventfd for requests: made at the first call, the same one at each. It belongs to the handle; pass
    /// it on or let it be inherited, but don't close it.
    ///
    /// # Errors
    /// [`Error::System`] if none can be made.
    pub fn request_fd(&self) -> Result<BorrowedFd<'_>> {
        get_or_make(&self.notifier.requests)
    }

    /// This handle's eventfd for replies, as [`Channel::request_fd`].
    ///
    /// # Errors
    /// [`Error::System`] if none can be made.
    pub fn reply_fd(&self) -> Result<BorrowedFd<'_>> {
        get_or_make(&self.notifier.replies)
    }

    /// Makes an eventfd that this process inherited or was passed this handle's one for requests. It is duplicated, and
    /// made not to block.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is no eventfd; [`Error::HasEventFd`] if this handle has one already;
    /// [`Error::System`] with `EBADF` if it is not open.
    pub fn request_fd_set(&self, fd: impl AsFd) -> Result<()> {
        adopt(&self.notifier.requests, fd.as_fd(), REQUESTS)
    }

    /// As [`Channel::request_fd_set`], for replies.
    ///
    /// # Errors
    /// As [`Channel::request_fd_set`].
    pub fn reply_fd_set(&self, fd: impl AsFd) -> Result<()> {
        adopt(&self.notifier.replies, fd.as_fd(), REPLIES)
    }

    /// Signals this handle's eventfd for requests.
    ///
    /// # Errors
    /// [`Error::NoEventFd`] if it has none.
    pub fn notify_requests(&self) -> Result<()> {
        existing(&self.notifier.requests, REQUESTS).map(EventFd::signal)
    }

    /// Signals this handle's eventfd for replies.
    ///
    /// # Errors
    /// [`Error::NoEventFd`] if it has none.
    pub fn notify_replies(&self) -> Result<()> {
        existing(&self.notifier.replies, REPLIES).map(EventFd::signal)
    }

    /// Takes all signals of this handle's eventfd for requests; returns how many there were. To be called before the
    /// requests are taken, so that none that comes meanwhile is missed.
    ///
    /// # Errors
    /// [`Error::NoEventFd`] if it has none.
    pub fn consume_requests(&self) -> Result<u64> {
        existing(&self.notifier.requests, REQUESTS).map(EventFd::drain)
    }

    /// As [`Channel::consume_requests`], for replies.
    ///
    /// # Errors
    /// As [`Channel::consume_requests`].
    pub fn consume_replies(&self) -> Result<u64> {
        existing(&self.notifier.replies, REPLIES).map(EventFd::drain)
    }

    /// After a request was published: signals, if every one shall.
    #[inline]
    pub(crate) fn notify_of_request(&self) {
        if self.notifier.each_request {
            let _ = self.notify_requests();
        }
    }

    /// After a reply was published: signals, if every one shall.
    #[inline]
    pub(crate) fn notify_of_reply(&self) {
        if self.notifier.each_reply {
            let _ = self.notify_replies();
        }
    }
}
