//! Notification: an eventfd for requests and one for replies, by which programs that wait with epoll and its like learn
//! that there is something to take. Nothing is signalled unless a caller asks for it.
//!
//! The descriptors are this handle's, not the channel's: another process takes part if it inherits one, or is passed
//! one and sets it.

//!
//! A forked child goes on signalling what its parent's handle signalled. The signals for the handle itself stay the
//! parent's: in the child it has no such eventfd until the child makes or sets one. So that one is kept in the handle's
//! seat, which a child finds empty.

use super::Channel;
use super::membership::Role;
use crate::error::{Error, Result};
use crate::region::fork;
use crate::region::kept::Place;
use crate::wait::eventfd::EventFd;
use rustix::fd::BorrowedFd;
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

/// What a place that is kept stands for.
fn of(place: *mut Place) -> Option<EventFd> {
    // SAFETY: null, or a place of the list, which stays.
    unsafe { place.as_ref() }.map(EventFd::from_place)
}

/// The eventfd that is kept there, unless the program closed it. Another thread may set it aside meanwhile: then it can
/// be signalled or emptied still, to no effect.
fn existing(kept: &AtomicPtr<Place>) -> Option<EventFd> {
    of(kept.load(Acquire)).filter(|event| event.fd().is_some())
}

fn pointer(event: EventFd) -> *mut Place {
    ptr::from_ref(event.place()).cast_mut()
}

/// Keeps an eventfd there, unless there is one; returns the one that is kept.
fn keep(kept: &AtomicPtr<Place>, new: EventFd) -> EventFd {
    loop {
        let old = kept.load(Acquire);
        if let Some(other) = existing(kept) {
            new.set_aside();
            return other;
        }
        // Release for what the list says of it; acquire is of no use, and comes with it.
        if kept.compare_exchange(old, pointer(new), AcqRel, Acquire).is_ok() {
            return new;
        }
    }
}

/// Keeps an eventfd there, or none. The last of several threads prevails, whole: what the others brought is set aside.
fn replace(kept: &AtomicPtr<Place>, new: Option<EventFd>) {
    let new = new.map_or(ptr::null_mut(), pointer);
    // Release as in `keep`; acquire for what the list says of the old one.
    if let Some(old) = of(kept.swap(new, AcqRel)) {
        old.set_aside();
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

    fn event_fd(&self, sender: Role) -> Result<BorrowedFd<'_>> {
        self.event(sender)?.fd().ok_or(Error::NoEventFd(sent_by(sender)))
    }

    fn event_or_new(&self, sender: Role) -> Result<BorrowedFd<'_>> {
        fork::note_process();
        let kept = self.kept_event(sender);
        let event = match existing(kept) {
            Some(event) => event,
            None => keep(kept, EventFd::new(self.region.owner())?),
        };
        event.fd().ok_or_else(|| Error::system("the new eventfd was closed", Errno::BADF))
    }

    fn set_event(&self, sender: Role, fd: Option<BorrowedFd<'_>>) -> Result<()> {
        fork::note_process();
        let new = fd.map(|fd| EventFd::adopt(fd, self.region.owner())).transpose()?;
        replace(self.kept_event(sender), new);
        Ok(())
    }

    /// This handle's eventfd for requests. It belongs to the handle; pass it on or let it be inherited, but don't close
    /// it. Once it is replaced, its number is the handle's to use for another.
    ///
    /// # Errors
    /// [`Error::NoEventFd`] if it has none.
    pub fn request_fd(&self) -> Result<BorrowedFd<'_>> {
        self.event_fd(Role::Client)
    }

    /// This handle's eventfd for replies, as [`Channel::request_fd`].
    ///
    /// # Errors
    /// As [`Channel::request_fd`].
    pub fn reply_fd(&self) -> Result<BorrowedFd<'_>> {
        self.event_fd(Role::Server)
    }

    /// As [`Channel::request_fd`], made if there is none.
    ///
    /// # Errors
    /// [`Error::System`] if none can be made.
    pub fn make_request_fd(&self) -> Result<BorrowedFd<'_>> {
        self.event_or_new(Role::Client)
    }

    /// As [`Channel::reply_fd`], made if there is none.
    ///
    /// # Errors
    /// [`Error::System`] if none can be made.
    pub fn make_reply_fd(&self) -> Result<BorrowedFd<'_>> {
        self.event_or_new(Role::Server)
    }

    /// Makes an eventfd that this process made, inherited or was passed this handle's one for requests, instead of what
    /// it has; `None`: it has none from here on. The eventfd is duplicated, and made not to block. Signals of calls that
    /// began before may still go to the old one.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is no eventfd; [`Error::System`] with `EBADF` if it is not open. What the handle has
    /// stays then.
    pub fn set_request_fd(&self, fd: Option<BorrowedFd<'_>>) -> Result<()> {
        self.set_event(Role::Client, fd)
    }

    /// As [`Channel::set_request_fd`], for replies.
    ///
    /// # Errors
    /// As [`Channel::set_request_fd`].
    pub fn set_reply_fd(&self, fd: Option<BorrowedFd<'_>>) -> Result<()> {
        self.set_event(Role::Server, fd)
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
