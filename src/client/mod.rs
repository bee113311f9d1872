//! The calling side: send requests, collect replies.
//!
//! | file | what |
//! |---|---|
//! | this | the calls that copy payloads |
//! | [`loan`], [`view`] | writing a request and reading a reply in place |
//! | [`poll`] | waiting with epoll |
//! | `reply` | waiting for a reply |
//! | `wait_any` | waiting for any of several replies |
//! | `done` | all that is done |
//! | `detach` | letting go of a call |
//! | `integers` | the calls for channels of integers |
//! | `steps` | what all of them are made of |
//! | `outcome` | what came of a request, and how that is read |
//! | `slots` | how a client comes by a slot |
//! | `turns` | whose turn it is to take a slot |

mod detach;
mod done;
mod integers;
pub(crate) mod loan;
mod outcome;
pub(crate) mod poll;
mod reply;
mod slots;
mod steps;
mod turns;
pub(crate) mod view;
mod wait_any;

use crate::channel::Channel;
use crate::channel::message::Message;
use crate::error::{Error, Result};
use crate::id::RequestId;
use crate::layout::geometry::Kind;
use crate::memory;
use crate::protocol::Memory;
use crate::protocol::slot::{self, Purpose, Withdrawn};
use crate::protocol::state::{ReplyState, ReplyWord, RequestWord};
use crate::wait::{Deadline, NOW, Wait};
use done::Lists;
pub(crate) use outcome::Found;
pub use outcome::Reply;
use std::fmt;
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::sync::atomic::{AtomicI64, AtomicU32, fence};

/// A handle that sends requests and collects their replies. Any number of threads may use it at once.
///
/// Dropping it leaves the channel: requests that it has not collected are withdrawn.
pub struct Client {
    channel: Channel,
    /// The slot most likely to be free and in this processor's cache.
    recent: AtomicU32,
    /// The slot of the newest request, and for each slot the one of the request sent after its own: replies are mostly
    /// collected in that order.
    newest: AtomicU32,
    /// What kind of payload may be sent with nothing else to be looked at: the channel's, or none of any kind.
    sends_freely: Option<Kind>,
    /// Since when calls that don't wait have been refused in favour of clients that have waited for long, or 0.
    gives_way_since: AtomicI64,
    following: Vec<AtomicU32>,
    lists: Lists,
    /// When this handle was last armed for a slot, and the first time of that wait.
    armed_at: AtomicI64,
    waits_since: AtomicI64,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("channel", &self.channel).finish_non_exhaustive()
    }
}

impl Client {
    pub(crate) fn new(channel: Channel) -> Result<Self> {
        // Clients start apart from each other, so that they keep to slots of their own as long as there are enough.
        let spread = channel.me().map_or(0, u32::from).wrapping_mul(5) % channel.slots();
        let following = memory::array((0..channel.mapping().total_slots()).map(AtomicU32::new))?;
        let lists = Lists::new(channel.mapping().total_slots())?;
        let sends_freely = (!channel.needs_server()).then(|| channel.kind());
        Ok(Self {
            channel,
            recent: AtomicU32::new(spread),
            newest: AtomicU32::new(0),
            sends_freely,
            gives_way_since: AtomicI64::new(0),
            following,
            lists,
            armed_at: AtomicI64::new(i64::MIN / 2),
            waits_since: AtomicI64::new(0),
        })
    }

    /// The channel behind this handle.
    #[must_use]
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Sends a request, waits for its reply and copies that into `buffer`; returns the reply's length. The timeout
    /// covers all of it. However the call ends, nothing stays pending.
    ///
    /// # Errors
    /// [`Error::MessageSize`] if the request is longer than the channel allows, and is not sent; [`Error::Overflow`] if
    /// the reply is longer than the buffer, and is dropped; [`Error::WouldBlock`] or [`Error::NoSlots`] if the timeout
    /// is 0; [`Error::TimedOut`]; [`Error::Interrupted`]; [`Error::NoServer`] if the handle needs a server and none is
    /// there; [`Error::OwnerDead`] if the server died with the request; [`Error::Remote`] if it replied with an error;
    /// [`Error::Dismissed`] if it said that no reply will come; [`Error::Stale`] if somebody cleared the channel;
    /// [`Error::WrongKind`] in a channel of integers; [`Error::Stopped`]. After any of these that come after the
    /// sending the server may have acted on the request.
    pub fn req<'w>(&self, data: &[u8], buffer: &mut [u8], wait: impl Into<Wait<'w>>) -> Result<usize> {
        // SAFETY: the buffer is writable for its length.
        unsafe {
            self.req_into(
                Kind::Bytes,
                data,
                buffer.as_mut_ptr(),
                buffer.len(),
                &self.channel.deadline(&wait.into())?,
            )
        }
    }

    /// As [`Client::req`], with a type and flags both ways, in a channel of either kind: in one of integers, payloads
    /// are the number's 8 bytes. A reply that is longer than the buffer stays, to be collected by the id that
    /// [`Error::Overflow`] has.
    ///
    /// # Errors
    /// As [`Client::req`], and [`Error::Invalid`] for a type or flags that no sender may give, or for a length other
    /// than 8 in a channel of integers.
    pub fn req_msg<'w>(
        &self,
        message: &Message<'_>,
        buffer: &mut [u8],
        wait: impl Into<Wait<'w>>,
    ) -> Result<Reply> {
        let (to, capacity) = (buffer.as_mut_ptr(), buffer.len());
        self.req_and_read(message, &self.channel.deadline(&wait.into())?, true, |found| {
            // SAFETY: the buffer is writable for its length.
            unsafe { found.copy_to(to, capacity) }.map(|_| found.reply())
        })
    }

    /// # Safety
    /// `buffer` must be writable for `capacity` bytes.
    pub(crate) unsafe fn req_into(
        &self,
        kind: Kind,
        data: &[u8],
        buffer: *mut u8,
        capacity: usize,
        deadline: &Deadline<'_>,
    ) -> Result<usize> {
        self.req_of_kind(kind, &Message::of(data), deadline, false, |found| {
            // SAFETY: the caller's.
            unsafe { found.copy_to(buffer, capacity) }
        })
    }

    /// In a channel of either kind. `keeps` a reply that `read` has no room for.
    pub(crate) fn req_and_read<T>(
        &self,
        message: &Message<'_>,
        deadline: &Deadline<'_>,
        keeps: bool,
        read: impl FnOnce(&Found<'_>) -> Result<T>,
    ) -> Result<T> {
        let kind = self.channel.kind();
        message.check(kind)?;
        self.req_of_kind(kind, message, deadline, keeps, read)
    }

    #[inline(always)]
    fn req_of_kind<T>(
        &self,
        kind: Kind,
        message: &Message<'_>,
        deadline: &Deadline<'_>,
        keeps: bool,
        read: impl FnOnce(&Found<'_>) -> Result<T>,
    ) -> Result<T> {
        let (me, id) = self.begin(Purpose::Call, kind, message, deadline)?;
        let mut outcome = self.wait(me, id, deadline);
        if let Err(error) = outcome {
            outcome = self.withdraw_unless_done(me, id, error);
        }
        let progress = outcome?;
        self.channel.mapping().prefetch_request(id.slot);
        let result = self.found(id, progress).and_then(|found| read(&found));
        if let (true, Err(Error::Overflow { length, capacity, .. })) = (keeps, &result) {
            return Err(Error::Overflow { length: *length, capacity: *capacity, id: id.into() });
        }
        slot::collect_unshared(self.channel.mapping(), id);
        self.freed(id);
        result
    }

    /// Sends a request; its reply is collected later by the id that this returns.
    ///
    /// # Errors
    /// [`Error::NoSlots`] if no slot is free, or not for one that has not waited; [`Error::MessageSize`] if the request
    /// is longer than the channel allows; [`Error::NoServer`] if the handle needs a server and none is there;
    /// [`Error::WrongKind`] in a channel of integers; [`Error::Stopped`].
    pub fn send(&self, data: &[u8]) -> Result<RequestId> {
        self.send_of_kind(Kind::Bytes, &Message::of(data), &NOW)
    }

    /// As [`Client::send`], except that it waits for a free slot.
    ///
    /// # Errors
    /// As [`Client::send`], and [`Error::TimedOut`], [`Error::Interrupted`].
    pub fn send_wait<'w>(&self, data: &[u8], wait: impl Into<Wait<'w>>) -> Result<RequestId> {
        self.send_of_kind(Kind::Bytes, &Message::of(data), &self.channel.deadline(&wait.into())?)
    }

    /// As [`Client::send_wait`], with a type and flags, in a channel of either kind.
    ///
    /// # Errors
    /// As [`Client::send_wait`], and [`Error::Invalid`] for a type or flags that no sender may give, or for a length
    /// other than 8 in a channel of integers.
    pub fn send_msg<'w>(&self, message: &Message<'_>, wait: impl Into<Wait<'w>>) -> Result<RequestId> {
        let kind = self.channel.kind();
        message.check(kind)?;
        self.send_of_kind(kind, message, &self.channel.deadline(&wait.into())?)
    }

    #[inline]
    fn send_of_kind(&self, kind: Kind, message: &Message<'_>, deadline: &Deadline<'_>) -> Result<RequestId> {
        let (_, id) = self.begin(Purpose::Call, kind, message, deadline)?;
        self.sent_by_loop(id, Purpose::Call);
        Ok(id.into())
    }

    fn post_of_kind(&self, kind: Kind, message: &Message<'_>, deadline: &Deadline<'_>) -> Result<()> {
        let (_, id) = self.begin(Purpose::Post, kind, message, deadline)?;
        self.sent_by_loop(id, Purpose::Post);
        Ok(())
    }

    /// Sends a one-way message: nobody replies to it, and nothing is left to be collected. Waits for a free slot, and
    /// not for a server: the message is delivered even if this process ends before one takes it. A message that a
    /// server held when it died is lost, unless the channel redelivers.
    ///
    /// # Errors
    /// As [`Client::send_wait`].
    pub fn post<'w>(&self, data: &[u8], wait: impl Into<Wait<'w>>) -> Result<()> {
        self.post_of_kind(Kind::Bytes, &Message::of(data), &self.channel.deadline(&wait.into())?)
    }

    /// As [`Client::post`], with a type and flags, in a channel of either kind.
    ///
    /// # Errors
    /// As [`Client::send_msg`].
    pub fn post_msg<'w>(&self, message: &Message<'_>, wait: impl Into<Wait<'w>>) -> Result<()> {
        let kind = self.channel.kind();
        message.check(kind)?;
        self.post_of_kind(kind, message, &self.channel.deadline(&wait.into())?)
    }

    /// Collects the reply to a request, if it is there: copies it into `buffer` and returns its length.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] if it is not; [`Error::Overflow`] if it is longer than the buffer, and it stays;
    /// [`Error::Stale`] if the id is none of this handle's, or was collected or cancelled, or somebody cleared the
    /// channel; [`Error::OwnerDead`] if the server died with the request; [`Error::Remote`] if it replied with an
    /// error; [`Error::Dismissed`] if it said that no reply will come; [`Error::WrongKind`] in a channel of integers;
    /// [`Error::Stopped`].
    pub fn get(&self, id: RequestId, buffer: &mut [u8]) -> Result<usize> {
        // SAFETY: the buffer is writable for its length.
        unsafe { self.get_into(Kind::Bytes, id, buffer.as_mut_ptr(), buffer.len(), &NOW) }
    }

    /// As [`Client::get`], except that it waits for the reply.
    ///
    /// # Errors
    /// As [`Client::get`], and [`Error::TimedOut`], [`Error::Interrupted`], and, if the handle needs a server,
    /// [`Error::NoServer`], after all of which the request is still pending.
    pub fn get_wait<'w>(&self, id: RequestId, buffer: &mut [u8], wait: impl Into<Wait<'w>>) -> Result<usize> {
        // SAFETY: the buffer is writable for its length.
        unsafe {
            self.get_into(
                Kind::Bytes,
                id,
                buffer.as_mut_ptr(),
                buffer.len(),
                &self.channel.deadline(&wait.into())?,
            )
        }
    }

    /// As [`Client::get_wait`], with the reply's type and flags, in a channel of either kind.
    ///
    /// # Errors
    /// As [`Client::get_wait`].
    pub fn get_msg<'w>(&self, id: RequestId, buffer: &mut [u8], wait: impl Into<Wait<'w>>) -> Result<Reply> {
        let (to, capacity) = (buffer.as_mut_ptr(), buffer.len());
        self.get_and_read(self.channel.kind(), id, &self.channel.deadline(&wait.into())?, |found| {
            // SAFETY: the buffer is writable for its length.
            unsafe { found.copy_to(to, capacity) }.map(|_| found.reply())
        })
    }

    /// # Safety
    /// `buffer` must be writable for `capacity` bytes.
    pub(crate) unsafe fn get_into(
        &self,
        kind: Kind,
        number: RequestId,
        buffer: *mut u8,
        capacity: usize,
        deadline: &Deadline<'_>,
    ) -> Result<usize> {
        self.get_and_read(kind, number, deadline, |found| {
            // SAFETY: the caller's.
            unsafe { found.copy_to(buffer, capacity) }
        })
    }

    /// Collects a reply that `read` has read, unless it had no room for it.
    #[inline(always)]
    pub(crate) fn get_and_read<T>(
        &self,
        kind: Kind,
        number: RequestId,
        deadline: &Deadline<'_>,
        read: impl FnOnce(&Found<'_>) -> Result<T>,
    ) -> Result<T> {
        let me = self.channel.enter(Some(kind))?;
        let id = self.channel.id(number)?;
        self.channel.mapping().prefetch_request(id.slot);
        self.channel.mapping().prefetch_reply(self.following[id.slot as usize].load(Relaxed));
        let progress = self.wait(me, id, deadline)?;
        let result = self.found(id, progress).and_then(|found| read(&found));
        if let Err(Error::Overflow { length, capacity, .. }) = result {
            // Another thread may have collected it meanwhile; then the length was that of a later reply.
            fence(Acquire);
            let is_there = slot::progress(self.channel.mapping(), id, me) == Ok(progress);
            return Err(if is_there {
                Error::Overflow { length, capacity, id: number }
            } else {
                Error::Stale
            });
        }
        self.collect(id, progress)?;
        result
    }

    /// Withdraws a request. A queued one is never seen by a server; one that a server holds is given up, and its reply
    /// will be refused.
    ///
    /// # Errors
    /// [`Error::AlreadyReplied`] if the reply is there: collect it; [`Error::Stale`] if the id is none of this
    /// handle's, or was collected or cancelled before; [`Error::Stopped`].
    pub fn cancel(&self, id: RequestId) -> Result<()> {
        let me = self.channel.enter(None)?;
        match self.withdraw(me, self.channel.id(id)?) {
            Withdrawn::Unseen { .. } | Withdrawn::Abandoned { .. } => Ok(()),
            Withdrawn::TooLate => Err(Error::AlreadyReplied),
            Withdrawn::Stale => Err(Error::Stale),
        }
    }

    /// Requests of this handle that are not yet collected; loans and one-way messages don't count.
    #[must_use]
    pub fn pending(&self) -> u32 {
        let Ok(me) = self.channel.me() else { return 0 };
        let mapping = self.channel.mapping();
        let is_mine = |slot: &u32| {
            let word = ReplyWord(mapping.reply(*slot).load(Relaxed));
            let is_sent = match word.state() {
                ReplyState::Pending => {
                    RequestWord(mapping.request(*slot).load(Relaxed)).generation() == word.generation()
                }
                ReplyState::Ready | ReplyState::Failed | ReplyState::Dismissed => true,
                _ => false,
            };
            is_sent && word.owner() == me
        };
        (0..mapping.total_slots()).filter(is_mine).count() as u32
    }

    /// Ends all waits of this handle with [`Error::Stopped`], and so every later call. Async-signal-safe.
    pub fn stop(&self) {
        self.channel.stop();
    }

    /// Ends with [`Error::Interrupted`] all waits of this handle that have begun, wherever they are, or else the next
    /// one. Those that begin after one has ended so wait as ever. Async-signal-safe: a signal handler that calls this
    /// ends the wait of its thread even if it runs before that sleeps.
    pub fn interrupt(&self) {
        self.channel.interrupt();
    }
    /// Has all waits of this handle look at their cancel words now ([`Wait::cancel`]); those whose word is not set go
    /// on. Async-signal-safe.
    pub fn wake(&self) {
        self.channel.wake();
    }
}
