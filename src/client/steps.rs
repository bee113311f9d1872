//! The steps that a client's calls are made of: take a slot and publish a request, wait for its outcome, copy that out,
//! or withdraw it.

use super::Client;
use crate::channel::stats::Counter;
use crate::error::{Error, Result};
use crate::layout::lines::{CursorName, REPLY_IS_ERROR};
use crate::protocol::slot::{self, Progress, Stale, Withdrawn};
use crate::protocol::{Id, Memory, Participant, allocate, ring};
use crate::wait::{Deadline, deadline};
use std::sync::atomic::Ordering::Relaxed;

impl Client {
    pub(super) fn id(&self, number: u64) -> Result<Id> {
        Id::from_u64(number, self.channel.view().total_slots()).ok_or(Error::Stale)
    }

    /// Takes a slot, writes the request and publishes it.
    pub(super) fn begin(&self, data: &[u8], deadline: &Deadline) -> Result<(Participant, Id)> {
        let channel = &self.channel;
        channel.check_running()?;
        let limit = channel.request_max();
        if data.len() > limit {
            return Err(Error::MessageSize { length: data.len(), limit });
        }
        let me = channel.me()?;
        let view = channel.view();
        let first = self.recent.load(Relaxed);
        let id = match allocate::allocate(view, me, first, first) {
            Some(id) => id,
            None => self.wait_for_slot(me, deadline)?,
        };
        let next = id.slot + 1;
        self.recent.store(if next < view.slots() { next } else { 0 }, Relaxed);

        self.following[self.newest.load(Relaxed) as usize].store(id.slot, Relaxed);
        self.newest.store(id.slot, Relaxed);
        let line = view.request_line(id.slot);
        line.length.store(data.len() as u32, Relaxed);
        line.message_type.store(0, Relaxed);
        line.flags.store(0, Relaxed);
        line.client.store(me.into(), Relaxed);
        let bytes = view.request_bytes(id.slot, data.len());
        // SAFETY: the length is within the slot's bytes.
        unsafe { bytes.copy_from_nonoverlapping(data.as_ptr(), data.len()) };

        slot::queue(view, id, me);
        if ring::publish(view, &channel.known, id).is_err() {
            self.withdraw(me, id);
            return Err(Error::Corrupt);
        }
        view.prefetch_cell(channel.known.tail());
        channel.ring(CursorName::Work);
        channel.count_message(me, Counter::Requests, Counter::RequestBytes, data.len());
        Ok((me, id))
    }

    #[cold]
    fn wait_for_slot(&self, me: Participant, deadline: &Deadline) -> Result<Id> {
        let channel = &self.channel;
        let allocate = || {
            let start = self.recent.load(Relaxed);
            allocate::allocate(channel.view(), me, start, start)
        };
        if !deadline.is_now() {
            if let Some(id) = channel.spinner.until(deadline, channel.stop_flag(), allocate) {
                return Ok(id);
            }
        }
        channel.recover_dead();
        if let Some(id) = allocate() {
            return Ok(id);
        }
        if deadline.is_now() {
            channel.count(Counter::Full, 1);
            return Err(Error::NoSlots);
        }
        let recover = || {
            channel.recover_dead();
        };
        let (id, was_woken) = channel
            .sleep_on(CursorName::Room, deadline, allocate, recover)
            .inspect_err(|error| self.count_timeout(error))?;
        if was_woken && allocate::in_flight(channel.view()) < channel.slots() {
            channel.ring(CursorName::Room);
        }
        Ok(id)
    }

    /// Waits until the request is no longer pending.
    pub(super) fn wait(&self, me: Participant, id: Id, deadline: &Deadline) -> Result<Progress> {
        let channel = &self.channel;
        let view = channel.view();
        let done = || match slot::progress(view, id, me) {
            Ok(Progress::Pending(_)) => None,
            other => Some(other),
        };
        if let Some(done) = done() {
            return done.map_err(|Stale| Error::Stale);
        }
        if let Some(done) = channel.spinner.until(deadline, channel.stop_flag(), done) {
            return done.map_err(|Stale| if deadline.is_now() { Error::Stale } else { Error::Canceled });
        }
        if deadline.is_now() {
            return Err(Error::WouldBlock);
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
                    channel.spinner.learn(deadline::now() - begun);
                    return Ok(done);
                }
                Err(Stale) => return Err(Error::Canceled),
            };
            std::mem::replace(&mut ended, Ok(()))?;
            if let Some(waiting) = slot::announce_waiting(channel.view(), id, word) {
                channel.check_running_before_sleep()?;
                ended = channel.sleep_on_reply(id, waiting.0, deadline);
            }
        }
    }

    /// Copies a reply out and says what it was.
    ///
    /// # Safety
    /// `buffer` must be writable for `capacity` bytes.
    pub(super) unsafe fn copy_out(
        &self,
        id: Id,
        progress: Progress,
        buffer: *mut u8,
        capacity: usize,
    ) -> Result<usize> {
        if let Progress::Failed(_) = progress {
            return Err(Error::OwnerDead);
        }
        let view = self.channel.view();
        let line = view.reply_line(id.slot);
        let length = line.length.load(Relaxed) as usize;
        if length > self.channel.response_max() {
            return Err(Error::Corrupt);
        }
        let bytes = view.response_bytes(id.slot, length);
        if line.flags.load(Relaxed) & REPLY_IS_ERROR != 0 {
            let mut text = vec![0; length];
            // SAFETY: the length is within the slot's bytes, and that of the vector.
            unsafe { bytes.copy_to_nonoverlapping(text.as_mut_ptr(), length) };
            let text = String::from_utf8_lossy(&text).into_owned();
            return Err(Error::Remote { code: line.code.load(Relaxed), text });
        }
        if length > capacity {
            return Err(Error::MessageSize { length, limit: capacity });
        }
        // SAFETY: the length is within the slot's bytes and, checked above, within the buffer.
        unsafe { bytes.copy_to_nonoverlapping(buffer, length) };
        Ok(length)
    }

    /// Ends a request that only this call knows and whose wait failed; or, if its outcome came at the last moment, yields
    /// that after all. That the request is gone can only be somebody's overwriting of the words.
    pub(super) fn withdraw_unless_done(&self, me: Participant, id: Id, error: Error) -> Result<Progress> {
        match (self.withdraw(me, id), error) {
            (Withdrawn::TooLate, _) => {
                slot::progress(self.channel.view(), id, me).map_err(|Stale| Error::Corrupt)
            }
            (_, Error::Stale | Error::Canceled) => Err(Error::Corrupt),
            (_, error) => Err(error),
        }
    }

    pub(super) fn withdraw(&self, me: Participant, id: Id) -> Withdrawn {
        let withdrawn = slot::withdraw(self.channel.view(), id, me);
        if let Withdrawn::Unseen { waiting } | Withdrawn::Abandoned { waiting } = withdrawn {
            if waiting {
                self.channel.wake_client(id.slot);
            }
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
