//! The serving side: take requests, reply to them.

use crate::channel::Channel;
use crate::channel::stats::Counter;
use crate::error::{Error, Result};
use crate::layout::lines::{CursorName, REPLY_IS_ERROR};
use crate::protocol::ring::{self, Found};
use crate::protocol::slot::{self, Replied};
use crate::protocol::{Id, Memory, Participant};
use crate::recovery::mend;
use crate::wait::{Deadline, Timeout, deadline};
use std::sync::atomic::Ordering::Relaxed;

/// A request that was taken. The reply may be sent later, out of order and from another thread; the id is all it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// What to reply to. Never 0.
    pub id: u64,
    /// Length of the payload in bytes.
    pub length: usize,
    /// The application's number for what kind of message this is; 0 if the client gave none.
    pub message_type: u32,
    /// The client's flags.
    pub flags: u32,
    /// The participant number of the client.
    pub client: u32,
}

/// A handle that takes requests and replies to them. Any number of threads may use it at once.
///
/// Dropping it leaves the channel: requests that it took and did not reply to fail with [`Error::OwnerDead`].
pub struct Server {
    channel: Channel,
}

/// Requests lost to other servers after which a call looks at its deadline.
const LOSSES_PER_LOOK: u32 = 1024;

/// What became of an attempt to take a request.
pub(crate) enum Received {
    Taken(Request),
    /// It is longer than the buffer and stays queued.
    TooLong(Request),
}

impl Server {
    pub(crate) fn new(channel: Channel) -> Self {
        Self { channel }
    }

    /// The channel behind this handle.
    #[must_use]
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Takes the oldest request, if there is one, and copies it into `buffer`.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] if there is none; [`Error::MessageSize`] if it is longer than the buffer, and it stays
    /// queued; [`Error::Stopped`].
    pub fn recv(&self, buffer: &mut [u8]) -> Result<Request> {
        self.recv_wait(buffer, Timeout::NOW)
    }

    /// Takes the oldest request and copies it into `buffer`; waits for one.
    ///
    /// # Errors
    /// As [`Server::recv`], and [`Error::TimedOut`], [`Error::Interrupted`].
    pub fn recv_wait(&self, buffer: &mut [u8], timeout: impl Into<Timeout>) -> Result<Request> {
        // SAFETY: the buffer is writable for its length.
        match unsafe { self.recv_into(buffer.as_mut_ptr(), buffer.len(), timeout.into()) }? {
            Received::Taken(request) => Ok(request),
            Received::TooLong(request) => {
                Err(Error::MessageSize { length: request.length, limit: buffer.len() })
            }
        }
    }

    /// # Safety
    /// `buffer` must be writable for `capacity` bytes.
    pub(crate) unsafe fn recv_into(
        &self,
        buffer: *mut u8,
        capacity: usize,
        timeout: Timeout,
    ) -> Result<Received> {
        self.channel.check_running()?;
        let me = self.channel.me()?;
        let deadline = Deadline::new(timeout);
        let mut losses = 0_u32;
        loop {
            let (found, was_woken) = self.next_request(&deadline)?;
            let request = self.describe(found);
            if request.length > self.channel.request_max() {
                self.refuse(found, me);
                Self::check_time(&deadline)?;
                continue;
            }
            if request.length > capacity {
                return Ok(Received::TooLong(request));
            }
            if slot::claim(self.channel.view(), found, me).is_none() {
                // Somebody else was faster; nobody is so again and again but where words are overwritten.
                losses += 1;
                if losses % LOSSES_PER_LOOK == 0 {
                    Self::check_time(&deadline)?;
                }
                continue;
            }
            ring::pass(self.channel.view(), &self.channel.known, found);
            if was_woken && ring::find(self.channel.view(), &self.channel.known).is_some() {
                self.channel.ring(CursorName::Work);
            }
            // Its lines arrive while this request is read and replied to.
            if let Some(next) = ring::peek_after(self.channel.view(), found) {
                self.channel.view().prefetch_request(next);
                self.channel.view().prefetch_reply(next);
            }
            let bytes = self.channel.view().request_bytes(found.slot, request.length);
            // SAFETY: the length is within the slot's bytes and, checked above, within the buffer.
            unsafe { bytes.copy_to_nonoverlapping(buffer, request.length) };
            return Ok(Received::Taken(request));
        }
    }

    /// Before one more attempt: whether there is time for it.
    #[cold]
    fn check_time(deadline: &Deadline) -> Result<()> {
        if deadline.is_now() {
            Err(Error::WouldBlock)
        } else if deadline.has_passed(deadline::now()) {
            Err(Error::TimedOut)
        } else {
            Ok(())
        }
    }

    /// The oldest request, and whether this server was woken for it.
    ///
    /// Always inlined, for the reason that [`ring::find`] is.
    #[inline(always)]
    fn next_request(&self, deadline: &Deadline) -> Result<(Found, bool)> {
        let channel = &self.channel;
        let find = || ring::find(channel.view(), &channel.known);
        let glance = || ring::glance(channel.view(), &channel.known);
        if let Some(found) = channel.spinner.until(deadline, channel.stop_flag(), glance) {
            channel.view().prefetch_reply(found.slot);
            return Ok((found, false));
        }
        if deadline.is_now() {
            return find().map(|found| (found, false)).ok_or(Error::WouldBlock);
        }
        channel.sleep_on(CursorName::Work, deadline, find, || ()).inspect_err(|error| {
            if *error == Error::TimedOut {
                channel.count(Counter::Timeouts, 1);
            }
        })
    }

    fn describe(&self, found: Found) -> Request {
        let line = self.channel.view().request_line(found.slot);
        Request {
            id: Id { slot: found.slot, generation: found.word.generation() }.to_u64(),
            length: line.length.load(Relaxed) as usize,
            message_type: line.message_type.load(Relaxed),
            flags: line.flags.load(Relaxed),
            client: line.client.load(Relaxed),
        }
    }

    /// Takes a request that no client which keeps to the format can have sent, and lets it fail.
    #[cold]
    fn refuse(&self, found: Found, me: Participant) {
        if slot::claim(self.channel.view(), found, me).is_some() {
            ring::pass(self.channel.view(), &self.channel.known, found);
            self.channel.settle(found.slot, mend(self.channel.view(), found.slot, |owner| owner == me));
        }
    }

    /// Replies to a request and wakes its client.
    ///
    /// # Errors
    /// [`Error::Stale`] if the client gave up, or the request has been replied to; [`Error::MessageSize`] if the reply
    /// is longer than the channel allows, and the request still waits for one; [`Error::Stopped`].
    pub fn reply(&self, id: u64, data: &[u8]) -> Result<()> {
        self.send(id, data, 0, 0)
    }

    /// Replies with an error: the client's call fails with [`Error::Remote`], the code and the text.
    ///
    /// # Errors
    /// As [`Server::reply`].
    pub fn reply_error(&self, id: u64, code: i32, text: &str) -> Result<()> {
        self.send_error(id, code, text.as_bytes())
    }

    pub(crate) fn send_error(&self, id: u64, code: i32, text: &[u8]) -> Result<()> {
        self.send(id, text, REPLY_IS_ERROR, code)
    }

    fn send(&self, id: u64, data: &[u8], flags: u32, code: i32) -> Result<()> {
        self.channel.check_running()?;
        let me = self.channel.me()?;
        let view = self.channel.view();
        let id = Id::from_u64(id, view.total_slots()).ok_or(Error::Stale)?;
        let limit = self.channel.response_max();
        if data.len() > limit {
            return Err(Error::MessageSize { length: data.len(), limit });
        }
        slot::may_reply(view, id, me).map_err(|replied| self.too_late(&replied))?;

        let line = view.reply_line(id.slot);
        line.length.store(data.len() as u32, Relaxed);
        line.message_type.store(0, Relaxed);
        line.flags.store(flags, Relaxed);
        line.code.store(code, Relaxed);
        let bytes = view.response_bytes(id.slot, data.len());
        // SAFETY: the length is within the slot's bytes.
        unsafe { bytes.copy_from_nonoverlapping(data.as_ptr(), data.len()) };

        match slot::reply(view, id) {
            Replied::Delivered { waiting } => {
                if waiting {
                    self.channel.wake_client(id.slot);
                }
                self.channel.count_message(me, Counter::Replies, Counter::ReplyBytes, data.len());
                Ok(())
            }
            replied => Err(self.too_late(&replied)),
        }
    }

    #[cold]
    fn too_late(&self, replied: &Replied) -> Error {
        if *replied == Replied::Freed {
            self.channel.ring(CursorName::Room);
        }
        self.channel.count(Counter::StaleReplies, 1);
        Error::Stale
    }

    /// Ends all waits of this handle with [`Error::Stopped`], and so every later call. Async-signal-safe.
    pub fn stop(&self) {
        self.channel.stop();
    }
}
