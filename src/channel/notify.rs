//! Notification: an eventfd for requests and one for replies, by which programs that wait with epoll and its like learn
//! that there is something to take. Nothing is signalled unless a caller asks for it.
//!
//! The descriptors are this handle's, not the channel's: another process takes part if it inherits one, or is passed
//! one and adopts it.

//!
//! A forked child goes on signalling what its parent's handle signalled. The signals for the handle itself stay the
//! parent's: in the child it has no such eventfd until the child makes or adopts one. So that one is kept in the handle's
//! seat, which a child finds empty.

use super::Channel;
use super::membership::Role;
use crate::error::{Error, Result};
use crate::region::fork;
use crate::region::kept::Place;
use crate::wait::eventfd::EventFd;
use rustix::fd::{AsFd, BorrowedFd};
use rustix::io::Errno;
use std::ptr;
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering::{AcqRel, Acquire};

/// The eventfd that senders of what this handle waits for signal, and whether each message of its own does.
pub(crate) struct Notifier {
    /// Of what this handle sends.
    sent: AtomicPtr<Place>,
    each_request: bool,
    each_reply: bool,
}

impl Notifier {
    /// `each`: every message that a handle of this role sends signals.
    pub fn new(role: Role, each: bool) -> Self {
        Self {
            sent: AtomicPtr::new(ptr::null_mut()),
            each_request: each && matches!(role, Role::Client),
            each_reply: each && matches!(role, Role::Server),
        }
    }
}

/// The eventfd that is kept there, unless the program closed it.
fn existing(kept: &AtomicPtr<Place>) -> Option<EventFd> {
    // SAFETY: null, or a place of the list, which stays.
    let place = unsafe { kept.load(Acquire).as_ref() }?;
    Some(EventFd::from_place(place)).filter(|event| event.fd().is_some())
}

/// Keeps an eventfd there, unless there is one; returns the one that is kept.
fn keep(kept: &AtomicPtr<Place>, new: EventFd) -> std::result::Result<EventFd, EventFd> {
    loop {
        let old = kept.load(Acquire);
        if let Some(other) = existing(kept) {
            new.close();
            return Err(other);
        }
        let place = ptr::from_ref(new.place()).cast_mut();
        if kept.compare_exchange(old, place, AcqRel, Acquire).is_ok() {
            return Ok(new);
        }
    }
}

fn sent_by(sender: Role) -> &'static str {
    match sender {
        Role::Client => "requests",
        Role::Server => "replies",
    }
}

impl Channel {
    /// Where the eventfd for what `sender` sends is kept.
    fn kept_event(&self, sender: Role) -> &AtomicPtr<Place> {
        if self.membership.role() == sender { &self.notifier.sent } else { &self.region.seat().event }
    }

    fn event(&self, sender: Role) -> Result<EventFd> {
        existing(self.kept_event(sender)).ok_or(Error::NoEventFd(sent_by(sender)))
    }

    fn event_or_new(&self, sender: Role) -> Result<BorrowedFd<'_>> {
        fork::note_process();
        let kept = self.kept_event(sender);
        let event = match existing(kept) {
            Some(event) => event,
            None => keep(kept, EventFd::new(self.region.owner())?).unwrap_or_else(|others| others),
        };
        event.fd().ok_or_else(|| Error::system("the new eventfd was closed", Errno::BADF))
    }

    fn adopt_event(&self, sender: Role, fd: BorrowedFd<'_>) -> Result<()> {
        fork::note_process();
        let adopted = EventFd::adopt(fd, self.region.owner())?;
        keep(self.kept_event(sender), adopted).map(|_| ()).map_err(|_| Error::HasEventFd(sent_by(sender)))
    }

    /// This handle's eventfd for requests: made at the first call, the same one at each. It belongs to the handle; pass
    /// it on or let it be inherited, but don't close it.
    ///
    /// # Errors
    /// [`Error::System`] if none can be made.
    pub fn request_fd(&self) -> Result<BorrowedFd<'_>> {
        self.event_or_new(Role::Client)
    }

    /// This handle's eventfd for replies, as [`Channel::request_fd`].
    ///
    /// # Errors
    /// [`Error::System`] if none can be made.
    pub fn reply_fd(&self) -> Result<BorrowedFd<'_>> {
        self.event_or_new(Role::Server)
    }

    /// Makes an eventfd that this process inherited or was passed this handle's one for requests. It is duplicated, and
    /// made not to block.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is no eventfd; [`Error::HasEventFd`] if this handle has one already;
    /// [`Error::System`] with `EBADF` if it is not open.
    pub fn request_fd_set(&self, fd: impl AsFd) -> Result<()> {
        self.adopt_event(Role::Client, fd.as_fd())
    }

    /// As [`Channel::request_fd_set`], for replies.
    ///
    /// # Errors
    /// As [`Channel::request_fd_set`].
    pub fn reply_fd_set(&self, fd: impl AsFd) -> Result<()> {
        self.adopt_event(Role::Server, fd.as_fd())
    }

    /// Signals this handle's eventfd for requests.
    ///
    /// # Errors
    /// [`Error::NoEventFd`] if it has none.
    pub fn notify_requests(&self) -> Result<()> {
        self.event(Role::Client).map(EventFd::signal)
    }

    /// Signals this handle's eventfd for replies.
    ///
    /// # Errors
    /// [`Error::NoEventFd`] if it has none.
    pub fn notify_replies(&self) -> Result<()> {
        self.event(Role::Server).map(EventFd::signal)
    }

    /// Takes all signals of this handle's eventfd for requests; returns how many there were. To be called before the
    /// requests are taken, so that none that comes meanwhile is missed.
    ///
    /// # Errors
    /// [`Error::NoEventFd`] if it has none.
    pub fn consume_requests(&self) -> Result<u64> {
        self.event(Role::Client).map(EventFd::drain)
    }

    /// As [`Channel::consume_requests`], for replies.
    ///
    /// # Errors
    /// As [`Channel::consume_requests`].
    pub fn consume_replies(&self) -> Result<u64> {
        self.event(Role::Server).map(EventFd::drain)
    }

    /// After a request was published: signals, if every message is to.
    #[inline]
    pub(crate) fn notify_of_request(&self) {
        if self.notifier.each_request {
            let _ = self.notify_requests();
        }
    }

    /// After a reply was published: signals, if every message is to.
    #[inline]
    pub(crate) fn notify_of_reply(&self) {
        if self.notifier.each_reply {
            let _ = self.notify_replies();
        }
    }
}
