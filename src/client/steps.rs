//! The steps that a client's calls are made of: publish a request in a slot, wait for its outcome, copy that out, or
//! withdraw it.

use super::Client;
use crate::channel::flags::MessageFlags;
use crate::channel::message::Message;
use crate::channel::stats::Counter;
use crate::error::{Error, Result};
use crate::layout::geometry::Kind;
use crate::layout::lines::Doorbell;
use crate::protocol::slot::{self, Progress, Purpose, Stale, Withdrawn};
use crate::protocol::{Id, Participant, clearing, ring};
use crate::wait::Deadline;
use std::sync::atomic::Ordering::Relaxed;

impl Client {
    /// Takes a slot, writes the request or the one-way message and publishes it. One function on purpose: what it is
    /// made of is always inlined, so that nothing on the way passes through memory.
    pub(super) fn begin(
        &self,
        purpose: Purpose,
        kind: Kind,
        message: &Message<'_>,
        deadline: &Deadline<'_>,
    ) -> Result<(Participant, Id)> {
        let length = message.data.len();
        let limit = self.channel.request_max();
        if length > limit {
            self.channel.enter(Some(kind))?;
            return Err(Error::MessageSize { length, limit });
        }
        let (me, id) = self.take_slot(kind, purpose, deadline)?;
        let mapping = self.channel.mapping();
        let bytes = mapping.request_bytes(id.slot, length, message.flags.bits());
        // SAFETY: the length is within the slot's bytes.
        unsafe { bytes.copy_from_nonoverlapping(message.data.as_ptr(), length) };
        let one_way = if purpose == Purpose::Post { MessageFlags::ONE_WAY } else { MessageFlags::empty() };
        self.label(me, id, length, message.message_type, message.flags | one_way);
        slot::queue(mapping, id, me);
        self.publish(me, id, purpose, length)?;
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
    pub(super) fn label(
        &self,
        me: Participant,
        id: Id,
        length: usize,
        message_type: u32,
        flags: MessageFlags,
    ) {
        let line = self.channel.mapping().request_line(id.slot);
        line.length.store(length as u32, Relaxed);
        line.message_type.store(message_type, Relaxed);
        line.flags.store(flags.bits(), Relaxed);
        line.client.store(me.into(), Relaxed);
    }

    /// Publishes a request that is QUEUED, and wakes a server.
    #[inline(always)]
    pub(super) fn publish(&self, me: Participant, id: Id, purpose: Purpose, length: usize) -> Result<()> {
        let channel = &self.channel;
        let mapping = channel.mapping();
        if ring::publish(mapping, &channel.known, id).is_err() {
            self.take_back(me, id, purpose);
            return Err(Error::Corrupt);
        }
        mapping.prefetch_cell(channel.known.tail());
        channel.ring_doorbell(Doorbell::Request);
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
                clearing::clear(self.channel.mapping(), id, me);
                self.freed(id);
            }
        }
    }

    /// Ends a request whose outcome has been looked at.
    #[inline]
    pub(super) fn collect(&self, id: Id, progress: Progress) -> Result<()> {
        let (Progress::Pending(word)
        | Progress::Ready(word)
        | Progress::Failed(word)
        | Progress::Dismissed(word)) = progress;
        slot::collect(self.channel.mapping(), id, word).map_err(|Stale| Error::Stale)?;
        self.freed(id);
        Ok(())
    }

    /// Ends a request that only this call knows and whose wait failed; or, if its outcome came at the last moment,
    /// yields that after all. If the request is gone, somebody cleared the channel.
    pub(super) fn withdraw_unless_done(&self, me: Participant, id: Id, error: Error) -> Result<Progress> {
        match (self.withdraw(me, id), error) {
            (Withdrawn::TooLate, _) => {
                slot::progress(self.channel.mapping(), id, me).map_err(|Stale| Error::Stale)
            }
            (Withdrawn::Stale, _) => Err(Error::Stale),
            (_, error) => Err(error),
        }
    }

    pub(super) fn withdraw(&self, me: Participant, id: Id) -> Withdrawn {
        let withdrawn = slot::withdraw(self.channel.mapping(), id, me);
        if let Withdrawn::Unseen { before } | Withdrawn::Abandoned { before } = withdrawn {
            self.channel.wake_sleepers(id.slot, before);
            self.channel.count(Counter::Cancels, 1);
            // An abandoned request holds its slot, but a spare one may now stand in for it.
            self.freed(id);
        }
        withdrawn
    }
}
