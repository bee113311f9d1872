//! The serving side: take requests, reply to them.
//!
//! | file | what |
//! |---|---|
//! | this | the calls that copy payloads |
//! | [`view`], [`loan`] | reading a request and writing its reply in place |
//! | `integers` | the calls for channels of integers |
//! | [`serve`] | a loop around a handler |
//! | `adopt` | taking over what another handle has taken |
//! | `take` | how a request is taken |
//! | `wait` | waiting without taking, in a call or with epoll |

mod adopt;
mod integers;
pub(crate) mod loan;
pub(crate) mod serve;
mod take;
pub(crate) mod view;
mod wait;

use crate::channel::Channel;
use crate::channel::flags::MessageFlags;
use crate::channel::message::{Message, check_length};
use crate::channel::stats::Counter;
use crate::error::{Error, Result};
use crate::id::RequestId;
use crate::layout::geometry::{INT_SIZE, Kind};
use crate::layout::lines::{Doorbell, INLINE, REPLY_IS_ERROR};
use crate::memory;
use crate::protocol::slot::{self, Replied};
use crate::protocol::{Id, Memory, Participant};
use crate::wait::{Deadline, NOW, Wait};
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
pub(crate) use take::Received;

/// A request that was taken. The reply may be sent later, out of order and from another thread; the id is all it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// What to reply to. Never 0.
    pub id: RequestId,
    /// Length of the payload in bytes.
    pub length: usize,
    /// The message's type, a number of the application's; 0 if the client gave none.
    pub message_type: u32,
    /// The client's flags: [`MessageFlags::UTF8`], [`MessageFlags::END_ALIGNED`]; and [`MessageFlags::ONE_WAY`] for a
    /// message that nobody waits for a reply to.
    pub flags: MessageFlags,
    /// The participant number of the client.
    pub client: u32,
    /// How often it has been delivered before, to servers that died with it: always 0 except in a channel that
    /// redelivers.
    pub redeliveries: u32,
}

/// A handle that takes requests and replies to them. Any number of threads may use it at once.
///
/// Dropping it leaves the channel: requests that it took and did not reply to fail with [`Error::OwnerDead`].
pub struct Server {
    channel: Channel,
    /// For each slot the generation of the request whose reply is being written in place.
    loans: Vec<AtomicU64>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("channel", &self.channel).finish_non_exhaustive()
    }
}

impl Server {
    pub(crate) fn new(channel: Channel) -> Result<Self> {
        let loans = memory::array((0..channel.mapping().total_slots()).map(|_| AtomicU64::new(0)))?;
        Ok(Self { channel, loans })
    }

    /// The channel behind this handle.
    #[must_use]
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Takes the oldest request, if there is one, and copies it into `buffer`.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] if there is none; [`Error::Overflow`] if it is longer than the buffer, and it stays
    /// queued; [`Error::WrongKind`] in a channel of integers; [`Error::Stopped`].
    pub fn recv(&self, buffer: &mut [u8]) -> Result<Request> {
        self.recv_by(buffer, &NOW)
    }

    /// Takes the oldest request and copies it into `buffer`; waits for one.
    ///
    /// # Errors
    /// As [`Server::recv`], and [`Error::TimedOut`], [`Error::Interrupted`].
    pub fn recv_wait<'w>(&self, buffer: &mut [u8], wait: impl Into<Wait<'w>>) -> Result<Request> {
        self.recv_by(buffer, &self.channel.deadline(&wait.into())?)
    }

    #[inline]
    fn recv_by(&self, buffer: &mut [u8], deadline: &Deadline<'_>) -> Result<Request> {
        // SAFETY: the buffer is writable for its length.
        unsafe { self.recv_into(Kind::Bytes, buffer.as_mut_ptr(), buffer.len(), deadline) }?
            .within(buffer.len())
    }

    /// As [`Server::recv_wait`], in a channel of either kind: in one of integers, the payload is the number's 8 bytes.
    ///
    /// # Errors
    /// As [`Server::recv_wait`].
    pub fn recv_msg<'w>(&self, buffer: &mut [u8], wait: impl Into<Wait<'w>>) -> Result<Request> {
        let kind = self.channel.kind();
        // SAFETY: the buffer is writable for its length.
        unsafe {
            self.recv_of_kind(kind, buffer.as_mut_ptr(), buffer.len(), &self.channel.deadline(&wait.into())?)
        }?
        .within(buffer.len())
    }

    /// As [`Server::recv_into`]; in a channel of integers, the request is one.
    ///
    /// # Safety
    /// As [`Server::recv_into`].
    pub(crate) unsafe fn recv_of_kind(
        &self,
        kind: Kind,
        buffer: *mut u8,
        capacity: usize,
        deadline: &Deadline<'_>,
    ) -> Result<Received> {
        // SAFETY: the caller's.
        let received = unsafe { self.recv_into(kind, buffer, capacity, deadline) }?;
        match &received {
            // No client that keeps to the format sends that.
            Received::Taken(request) if kind == Kind::Int && request.length != INT_SIZE as usize => {
                self.let_go_unless_ended(request.id);
                Err(Error::Corrupt)
            }
            _ => Ok(received),
        }
    }

    /// # Safety
    /// `buffer` must be writable for `capacity` bytes.
    #[inline]
    pub(crate) unsafe fn recv_into(
        &self,
        kind: Kind,
        buffer: *mut u8,
        capacity: usize,
        deadline: &Deadline<'_>,
    ) -> Result<Received> {
        let received = self.take(kind, capacity, deadline)?;
        if let Received::Taken(request) = &received {
            let bytes = self.payload(request);
            // SAFETY: the length is within the slot's bytes and, checked when it was taken, within the buffer.
            unsafe { bytes.copy_to_nonoverlapping(buffer, request.length) };
        }
        Ok(received)
    }

    /// Replies to a request and wakes its client. The reply to a one-way message is dropped, and the message released.
    ///
    /// # Errors
    /// [`Error::Stale`] if the client gave up, or the request has been replied to; [`Error::MessageSize`] if the reply
    /// is longer than the channel allows, and the request still waits for one; [`Error::WrongKind`] in a channel of
    /// integers; [`Error::Stopped`].
    pub fn reply(&self, id: RequestId, data: &[u8]) -> Result<()> {
        self.reply_of_kind(Kind::Bytes, id, &Message::of(data))
    }

    /// As [`Server::reply`], with a type and flags, in a channel of either kind.
    ///
    /// # Errors
    /// As [`Server::reply`], and [`Error::Invalid`] for a type or flags that no sender may give, or for a length other
    /// than 8 in a channel of integers.
    pub fn reply_msg(&self, id: RequestId, message: &Message<'_>) -> Result<()> {
        let kind = self.channel.kind();
        message.check(kind)?;
        self.reply_of_kind(kind, id, message)
    }

    #[inline]
    fn reply_of_kind(&self, kind: Kind, id: RequestId, message: &Message<'_>) -> Result<()> {
        let me = self.channel.enter(Some(kind))?;
        check_length(message.data.len(), self.channel.response_max())?;
        self.send(me, id, message, 0)
    }

    /// Replies with an error: the client's call fails with [`Error::Remote`], the code and the text, which may have 104
    /// bytes even where replies are shorter.
    ///
    /// # Errors
    /// As [`Server::reply`].
    pub fn reply_error(&self, id: RequestId, code: i32, text: &str) -> Result<()> {
        self.reply_error_bytes(id, code, text.as_bytes())
    }

    pub(crate) fn reply_error_bytes(&self, id: RequestId, code: i32, text: &[u8]) -> Result<()> {
        let me = self.channel.enter(None)?;
        check_length(text.len(), self.channel.response_max().max(INLINE))?;
        self.send_error(me, id, code, text)
    }

    fn send_error(&self, me: Participant, id: RequestId, code: i32, text: &[u8]) -> Result<()> {
        self.send(
            me,
            id,
            &Message { data: text, message_type: 0, flags: MessageFlags::from_bits(REPLY_IS_ERROR) },
            code,
        )
    }

    /// Sends a reply whose length has been checked.
    #[inline]
    fn send(&self, me: Participant, id: RequestId, message: &Message<'_>, code: i32) -> Result<()> {
        let id = self.channel.id(id)?;
        let mapping = self.channel.mapping();
        if let Err(replied) = slot::may_reply(mapping, id, me) {
            return self.ended(&replied);
        }
        let length = message.data.len();
        self.label(id, length, message.message_type, message.flags, code);
        let bytes = mapping.response_bytes(id.slot, length, message.flags.bits());
        // SAFETY: the length is within the slot's bytes.
        unsafe { bytes.copy_from_nonoverlapping(message.data.as_ptr(), length) };
        self.deliver(me, id, length)
    }

    /// Says in the reply's line what the message is.
    #[inline]
    fn label(&self, id: Id, length: usize, message_type: u32, flags: MessageFlags, code: i32) {
        let line = self.channel.mapping().reply_line(id.slot);
        line.length.store(length as u32, Relaxed);
        line.message_type.store(message_type, Relaxed);
        line.flags.store(flags.bits(), Relaxed);
        line.code.store(code, Relaxed);
    }

    /// Hands a reply that is written to the client, and wakes it.
    #[inline(always)]
    fn deliver(&self, me: Participant, id: Id, length: usize) -> Result<()> {
        match slot::reply(self.channel.mapping(), id) {
            Replied::Delivered { before } => {
                self.channel.wake_sleepers(id.slot, before);
                self.channel.notify_of_reply();
                self.channel.count_message(me, Counter::Replies, Counter::ReplyBytes, length);
                Ok(())
            }
            replied => self.ended(&replied),
        }
    }

    /// Ends a request without a reply: its client's call fails with [`Error::Dismissed`] at once. A one-way message is
    /// released.
    ///
    /// # Errors
    /// [`Error::Stale`] if the client gave up, or the request has been replied to; [`Error::Stopped`].
    pub fn dismiss(&self, id: RequestId) -> Result<()> {
        self.channel.enter(None)?;
        self.let_go(id)
    }

    /// Done with a one-way message: its slot is free.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a client waits for a reply: see [`Server::dismiss`]; [`Error::Stale`] if the message was
    /// released before; [`Error::Stopped`].
    pub fn release(&self, id: RequestId) -> Result<()> {
        let me = self.channel.enter(None)?;
        match slot::release(self.channel.mapping(), self.channel.id(id)?, me) {
            Some(replied) => self.ended(&replied),
            None => Err(Error::bad_argument("id", "a request that waits for its reply", "a one-way message")),
        }
    }

    fn let_go(&self, id: RequestId) -> Result<()> {
        let id = self.channel.id(id)?;
        let me = self.channel.me()?;
        let mapping = self.channel.mapping();
        if let Err(replied) = slot::may_reply(mapping, id, me) {
            return self.ended(&replied);
        }
        match slot::dismiss(mapping, id) {
            Replied::Delivered { before } => {
                self.channel.wake_sleepers(id.slot, before);
                self.channel.notify_of_reply();
                Ok(())
            }
            replied => self.ended(&replied),
        }
    }

    /// Lets go of a request that may have been replied to.
    fn let_go_unless_ended(&self, number: RequestId) {
        let (Ok(id), Ok(me)) = (self.channel.id(number), self.channel.me()) else { return };
        match slot::may_write(self.channel.mapping(), id, me) {
            Ok(()) => {
                let _ = self.let_go(number);
            }
            Err(Replied::Freed | Replied::Released) => self.channel.ring_doorbell(Doorbell::FreeSlot),
            Err(_) => {}
        }
    }

    /// A request that ended otherwise than by a reply.
    #[cold]
    fn ended(&self, replied: &Replied) -> Result<()> {
        if matches!(replied, Replied::Freed | Replied::Released) {
            self.channel.ring_doorbell(Doorbell::FreeSlot);
        }
        if *replied == Replied::Released {
            return Ok(());
        }
        self.channel.count(Counter::StaleReplies, 1);
        Err(Error::Stale)
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
