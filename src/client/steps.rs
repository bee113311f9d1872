//! The steps that a client's calls are made of: take a slot and publish a request, wait for its outcome, copy that out,
//! or withdraw it.

use super::Client;
use crate::channel::message::{Bytes, Message, RECEIVERS_FLAGS, check_length};
use crate::channel::stats::Counter;
use crate::error::text::TEXT_MAX;
use crate::error::{Error, Result, Text};
use crate::layout::geometry::Kind;
use crate::layout::lines::{CursorName, INLINE, ONE_WAY, REPLY_IS_ERROR};
use crate::protocol::allocate::{self, Care};
use crate::protocol::slot::{self, Progress, Purpose, Stale, Withdrawn};
use crate::protocol::{Id, Memory, Participant, bell, ring};
use crate::wait::{Deadline, Polled, deadline};
use std::cell::Cell;
use std::sync::atomic::Ordering::Relaxed;

/// Slots that one poll for a free one looks at.
const SLOTS_PER_POLL: u32 = 16;

impl Client {
    pub(super) fn id(&self, number: u64) -> Result<Id> {
        Id::from_u64(number, self.channel.view().total_slots()).ok_or(Error::Stale)
    }

    /// Takes a slot, writes the request and publishes it. One function on purpose: what it is made of is always
    /// inlined, so that nothing on the way passes through memory.
    pub(super) fn begin(
        &self,
        kind: Kind,
        message: &Message<'_>,
        deadline: &Deadline,
    ) -> Result<(Participant, Id)> {
        self.begin_for(Purpose::Call, kind, message, deadline)
    }

    /// As [`Client::begin`], for a one-way message.
    pub(super) fn begin_post(&self, message: &Message<'_>, deadline: &Deadline) -> Result<()> {
        self.begin_for(Purpose::Post, Kind::Bytes, message, deadline).map(|_| ())
    }

    #[inline(always)]
    fn begin_for(
        &self,
        purpose: Purpose,
        kind: Kind,
        message: &Message<'_>,
        deadline: &Deadline,
    ) -> Result<(Participant, Id)> {
        let length = message.data.len();
        let limit = self.channel.request_max();
        if length > limit {
            self.channel.check_running()?;
            self.channel.check_kind(kind)?;
            return Err(Error::MessageSize { length, limit });
        }
        let (me, id) = self.take_slot(kind, purpose, deadline)?;
        let view = self.channel.view();
        let bytes = view.request_bytes(id.slot, length, message.flags);
        // SAFETY: the length is within the slot's bytes.
        unsafe { bytes.copy_from_nonoverlapping(message.data.as_ptr(), length) };
        let one_way = if purpose == Purpose::Post { ONE_WAY } else { 0 };
        self.label(me, id, length, message.message_type, message.flags | one_way);
        slot::queue(view, id, me);
        self.publish(me, id, purpose, length)?;
        Ok((me, id))
    }

    /// Takes a slot; its request is then this thread's to write.
    #[inline(always)]
    pub(super) fn take_slot(
        &self,
        kind: Kind,
        purpose: Purpose,
        deadline: &Deadline,
    ) -> Result<(Participant, Id)> {
        let channel = &self.channel;
        channel.check_running()?;
        self.check_sending(kind)?;
        let me = channel.me()?;
        let view = channel.view();
        let first = self.recent.load(Relaxed);
        let gave_back = || channel.ring(CursorName::Room);
        let taken = if bell::is_starving(view.cursor(CursorName::Room)) {
            None
        } else {
            allocate::take_first(view, me, purpose, first, gave_back)
        };
        let id = match taken {
            Some(id) => id,
            None => self.wait_for_slot(me, purpose, deadline)?,
        };
        let next = id.slot + 1;
        self.recent.store(if next < view.slots() { next } else { 0 }, Relaxed);
        self.following[self.newest.load(Relaxed) as usize].store(id.slot, Relaxed);
        self.newest.store(id.slot, Relaxed);
        Ok((me, id))
    }

    /// That a request of this kind may be sent: the channel is one for it, and if this handle needs a server, there is
    /// one.
    #[inline(always)]
    pub(super) fn check_sending(&self, kind: Kind) -> Result<()> {
        if self.sends_freely == Some(kind) { Ok(()) } else { self.check_sending_closely(kind) }
    }

    #[cold]
    fn check_sending_closely(&self, kind: Kind) -> Result<()> {
        self.channel.check_kind(kind)?;
        if !self.channel.needs_server() || self.channel.finds_server() {
            Ok(())
        } else {
            Err(Error::NoServer)
        }
    }

    /// Says in the request's line what the message is.
    #[inline]
    pub(super) fn label(&self, me: Participant, id: Id, length: usize, message_type: u32, flags: u32) {
        let line = self.channel.view().request_line(id.slot);
        line.length.store(length as u32, Relaxed);
        line.message_type.store(message_type, Relaxed);
        line.flags.store(flags, Relaxed);
        line.client.store(me.into(), Relaxed);
    }

    /// Publishes a request that is QUEUED, and wakes a server.
    #[inline(always)]
    pub(super) fn publish(&self, me: Participant, id: Id, purpose: Purpose, length: usize) -> Result<()> {
        let channel = &self.channel;
        let view = channel.view();
        if ring::publish(view, &channel.known, id).is_err() {
            self.take_back(me, id, purpose);
            return Err(Error::Corrupt);
        }
        view.prefetch_cell(channel.known.tail());
        channel.ring(CursorName::Work);
        channel.notify_of_request();
        let messages = if purpose == Purpose::Post { Counter::Posts } else { Counter::Requests };
        channel.count_message(me, messages, Counter::RequestBytes, length);
        Ok(())
    }

    /// Ends a request that could not be published.
    #[cold]
    fn take_back(&self, me: Participant, id: Id, purpose: Purpose) {
        match purpose {
            Purpose::Call => {
                self.withdraw(me, id);
            }
            Purpose::Post => {
                slot::clear(self.channel.view(), id, me);
                self.freed(id);
            }
        }
    }

    #[cold]
    fn wait_for_slot(&self, me: Participant, purpose: Purpose, deadline: &Deadline) -> Result<Id> {
        let channel = &self.channel;
        let view = channel.view();
        // Whoever was refused a slot because of one that this call held for a moment may have it now.
        let gave_back = || channel.ring(CursorName::Room);
        let in_time = || deadline.is_now() || !deadline.has_passed(deadline::now());
        let care = Care { in_time: &in_time, gave_back: &gave_back };
        let allocate = || allocate::search(view, me, purpose, self.recent.load(Relaxed), &care);
        let gives_way = self.gives_way(deadline);
        if !gives_way {
            if let Some(id) = allocate() {
                return Ok(id);
            }
        }
        if !deadline.is_now() && !gives_way {
            // A few slots at a time, on and on; and no longer where taking one needs counting them all.
            let (mut at, is_full) = (self.recent.load(Relaxed), Cell::new(false));
            let glance = || {
                if is_full.get() {
                    return None;
                }
                let start = at % view.slots();
                at = start + SLOTS_PER_POLL;
                allocate::glance(view, me, purpose, start, SLOTS_PER_POLL, || {
                    is_full.set(true);
                    gave_back();
                })
            };
            let words = SLOTS_PER_POLL.min(channel.slots());
            match channel.spinners.slot.until(deadline, &channel.interrupts, words, glance) {
                Polled::Found(id) => return Ok(id),
                Polled::Nothing => {}
                Polled::Interrupted => return Err(channel.interrupted(deadline)),
            }
        }
        // Where there are many slots this takes milliseconds.
        if in_time() {
            channel.recover_room();
        }
        if !gives_way {
            if let Some(id) = allocate() {
                return Ok(id);
            }
        }
        // The one that the table names may be dead, and in nobody's way.
        let lacks_server = || channel.needs_server() && !channel.finds_living_server();
        if lacks_server() {
            return Err(Error::NoServer);
        }
        if deadline.is_now() {
            channel.count(Counter::Full, 1);
            return Err(Error::NoSlots);
        }
        let lost = Cell::new(false);
        let mut looks = channel.looks_for_room();
        let recover = || {
            channel.recover_room_in_turn(&mut looks);
            lost.set(lacks_server());
        };
        let bell = view.cursor(CursorName::Room);
        let allocate = |is_due: bool| {
            let found = if is_due || !bell::is_starving(bell) { allocate() } else { None };
            found.map(Ok).or_else(|| lost.get().then_some(Err(Error::NoServer)))
        };
        let (id, was_woken) = channel
            .sleep_on(CursorName::Room, deadline, allocate, recover)
            .inspect_err(|error| self.count_timeout(error))?;
        if gives_way {
            // Its turn came, so that of all who slept before it has come.
            bell::relieve(bell);
        }
        if (was_woken || gives_way) && allocate::in_flight(channel.view()) < channel.slots() {
            channel.ring(CursorName::Room);
        }
        id
    }

    /// Waits until the request is no longer pending.
    pub(super) fn wait(&self, me: Participant, id: Id, deadline: &Deadline) -> Result<Progress> {
        let channel = &self.channel;
        let view = channel.view();
        let done = || match slot::progress(view, id, me) {
            Ok(Progress::Pending(_)) => None,
            other => Some(other),
        };
        match done() {
            Some(done) => done.map_err(|Stale| Error::Stale),
            None => self.poll_and_sleep(me, id, deadline),
        }
    }

    #[inline(never)]
    fn poll_and_sleep(&self, me: Participant, id: Id, deadline: &Deadline) -> Result<Progress> {
        let channel = &self.channel;
        if deadline.is_now() {
            return Err(Error::WouldBlock);
        }
        let done = || match slot::progress(channel.view(), id, me) {
            Ok(Progress::Pending(_)) => None,
            other => Some(other),
        };
        match channel.spinners.reply.until(deadline, &channel.interrupts, 1, done) {
            Polled::Found(done) => return done.map_err(|Stale| Error::Canceled),
            Polled::Nothing => {}
            Polled::Interrupted => return Err(channel.interrupted(deadline)),
        }
        self.sleep_until_done(me, id, deadline).inspect_err(|error| self.count_timeout(error))
    }

    #[cold]
    fn sleep_until_done(&self, me: Participant, id: Id, deadline: &Deadline) -> Result<Progress> {
        let channel = &self.channel;
        let mut ended = Ok(());
        let begun = deadline::now();
        loop {
            let word = match slot::progress(channel.view(), id, me) {
                Ok(Progress::Pending(word)) => word,
                Ok(done) => {
                    channel.spinners.reply.slept(deadline::now() - begun);
                    return Ok(done);
                }
                Err(Stale) => return Err(Error::Canceled),
            };
            std::mem::replace(&mut ended, Ok(()))?;
            if channel.lacks_server(std::iter::once(id)) {
                ended = Err(Error::NoServer);
                continue;
            }
            if let Some(waiting) = slot::announce_waiting(channel.view(), id, word) {
                channel.check_before_sleep(deadline)?;
                ended = channel.sleep_on_reply(id, waiting.0, deadline);
            }
        }
    }

    /// Where a reply lies and what it is, or the error that the request ended with.
    pub(super) fn outcome(&self, id: Id, progress: Progress) -> Result<Reply> {
        match progress {
            Progress::Failed(_) => return Err(Error::OwnerDead),
            Progress::Dismissed(_) => return Err(Error::Canceled),
            Progress::Pending(_) | Progress::Ready(_) => {}
        }
        let view = self.channel.view();
        let line = view.reply_line(id.slot);
        let length = line.length.load(Relaxed) as usize;
        let flags = line.flags.load(Relaxed);
        let is_error = flags & REPLY_IS_ERROR != 0;
        let limit = self.channel.response_max();
        if length > if is_error { limit.max(INLINE) } else { limit } {
            return Err(Error::Corrupt);
        }
        let bytes = view.response_bytes(id.slot, length, flags).cast_const();
        if is_error {
            return Err(remote_error(line.code.load(Relaxed), bytes, length));
        }
        let message_type = line.message_type.load(Relaxed);
        Ok(Reply { bytes, length, message_type, flags: flags & RECEIVERS_FLAGS })
    }

    /// Copies a reply out.
    ///
    /// # Safety
    /// `buffer` must be writable for `capacity` bytes.
    #[inline]
    pub(super) unsafe fn copy_out(
        &self,
        id: Id,
        progress: Progress,
        buffer: *mut u8,
        capacity: usize,
    ) -> Result<usize> {
        let Reply { bytes, length, .. } = self.outcome(id, progress)?;
        check_length(length, capacity)?;
        // SAFETY: the length is within the slot's bytes and, checked above, within the buffer.
        unsafe { bytes.copy_to_nonoverlapping(buffer, length) };
        Ok(length)
    }

    /// Ends a request whose outcome has been looked at.
    #[inline]
    pub(super) fn collect(&self, id: Id, progress: Progress) -> Result<()> {
        let (Progress::Pending(word)
        | Progress::Ready(word)
        | Progress::Failed(word)
        | Progress::Dismissed(word)) = progress;
        slot::collect(self.channel.view(), id, word).map_err(|Stale| Error::Stale)?;
        self.freed(id);
        Ok(())
    }

    /// Keeps an error reply for who asks for it later. `by_caller`: nobody was told the id.
    #[inline]
    pub(super) fn remember<T>(&self, id: Id, by_caller: bool, result: &Result<T>) {
        if let Err(Error::Remote { code, text }) = result {
            self.remote_errors.remember(id.to_u64(), by_caller, *code, text);
        }
    }

    /// Ends a request that only this call knows and whose wait failed; or, if its outcome came at the last moment,
    /// yields that after all. If the request is gone, somebody cleared the channel.
    pub(super) fn withdraw_unless_done(&self, me: Participant, id: Id, error: Error) -> Result<Progress> {
        match (self.withdraw(me, id), error) {
            (Withdrawn::TooLate, _) => {
                slot::progress(self.channel.view(), id, me).map_err(|Stale| Error::Canceled)
            }
            (Withdrawn::Stale, _) | (_, Error::Stale) => Err(Error::Canceled),
            (_, error) => Err(error),
        }
    }

    pub(super) fn withdraw(&self, me: Participant, id: Id) -> Withdrawn {
        let withdrawn = slot::withdraw(self.channel.view(), id, me);
        if let Withdrawn::Unseen { before } | Withdrawn::Abandoned { before } = withdrawn {
            self.channel.wake_sleepers(id.slot, before);
            self.channel.count(Counter::Cancels, 1);
            // An abandoned request holds its slot, but a spare one may now stand in for it.
            self.freed(id);
        }
        withdrawn
    }

    /// Remembers a slot that this handle has just freed, and wakes who waits for one.
    #[inline]
    pub(super) fn freed(&self, id: Id) {
        if id.slot < self.channel.slots() {
            self.recent.store(id.slot, Relaxed);
        }
        self.channel.ring(CursorName::Room);
    }

    fn count_timeout(&self, error: &Error) {
        if *error == Error::TimedOut {
            self.channel.count(Counter::Timeouts, 1);
        }
    }
}

/// Where a reply lies, in the channel's memory, and what it is.
pub(crate) struct Reply {
    pub bytes: *const u8,
    pub length: usize,
    pub message_type: u32,
    pub flags: u32,
}

#[cold]
fn remote_error(code: i32, bytes: *const u8, length: usize) -> Error {
    let mut text = [0; TEXT_MAX];
    // SAFETY: the bytes are those of a reply, within its slot.
    let copied = unsafe { Bytes::new(bytes, length) }.read_at(0, &mut text);
    Error::Remote { code, text: Text::of_bytes(&text[..copied], copied < length) }
}
