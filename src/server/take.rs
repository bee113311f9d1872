//! How a request is taken: wait for one, look at it, claim it.

use super::{Request, Server};
use crate::channel::Channel;
use crate::channel::flags::MessageFlags;
use crate::channel::looks::Looks;
use crate::channel::poll::What;
use crate::channel::rouse::Place;
use crate::channel::waiting::Awaited;
use crate::error::{Error, Result};
use crate::id::RequestId;
use crate::layout::geometry::Kind;
use crate::layout::lines::Doorbell;
use crate::protocol::ring::{self, Found};
use crate::protocol::{Id, Participant, doorbell, slot};
use crate::wait::{Deadline, deadline};
use std::sync::atomic::Ordering::Relaxed;

/// Requests lost to other servers after which a call looks at its deadline.
const LOSSES_PER_LOOK: u32 = 1024;

/// What became of an attempt to take a request.
pub(crate) enum Received {
    Taken(Request),
    /// It is longer than the buffer and stays queued.
    TooLong(Request),
}

/// A request that can be taken.
pub(super) struct NextRequest<'c> {
    channel: &'c Channel,
    looks: Looks<'c>,
}

impl<'c> NextRequest<'c> {
    pub fn of(channel: &'c Channel) -> Self {
        Self { channel, looks: channel.looks_around() }
    }
}

impl Awaited for NextRequest<'_> {
    type Found = Found;

    fn place(&self) -> Place {
        Place::Requests
    }

    fn poll(&mut self) -> Option<Result<Found>> {
        ring::glance(self.channel.mapping(), &self.channel.known).map(Ok)
    }

    fn before_sleep(&mut self, is_now: bool) -> Option<Result<Found>> {
        // One that is about to sleep looks when it has announced that.
        if is_now { self.look(true) } else { None }
    }

    fn announce(&mut self) -> Option<u32> {
        Some(doorbell::announce(self.channel.mapping().doorbell(Doorbell::Request)))
    }

    fn look(&mut self, _is_due: bool) -> Option<Result<Found>> {
        ring::find(self.channel.mapping(), &self.channel.known).map(Ok)
    }

    fn look_after(&mut self) {
        self.channel.look_around(&mut self.looks);
    }
}

impl Received {
    /// The request, if it was taken.
    #[inline]
    pub fn within(self, capacity: usize) -> Result<Request> {
        match self {
            Self::Taken(request) => Ok(request),
            Self::TooLong(Request { length, .. }) => {
                Err(Error::Overflow { length, capacity, id: RequestId::NONE })
            }
        }
    }
}

impl Server {
    /// Takes the oldest request, if it is no longer than `capacity`.
    #[inline]
    pub(super) fn take(&self, kind: Kind, capacity: usize, deadline: &Deadline<'_>) -> Result<Received> {
        let me = self.channel.enter(Some(kind))?;
        let mut losses = 0_u32;
        let mut was_woken = false;
        let received = loop {
            let found = match self.next_request(deadline) {
                Ok((found, woken)) => {
                    was_woken |= woken;
                    found
                }
                Err(error) => break Err(error),
            };
            let request = self.describe(found);
            if request.length > self.channel.request_max() {
                self.refuse(found, me);
                if let Err(error) = Self::check_time(deadline) {
                    break Err(error);
                }
                continue;
            }
            if request.length > capacity {
                break Ok(Received::TooLong(request));
            }
            if slot::claim(self.channel.mapping(), found, me).is_none() {
                // Somebody else was faster; nobody is so again and again except where words are overwritten.
                losses += 1;
                if losses % LOSSES_PER_LOOK == 0 {
                    if let Err(error) = Self::check_time(deadline) {
                        break Err(error);
                    }
                }
                continue;
            }
            ring::pass(self.channel.mapping(), &self.channel.known, found);
            // Its lines arrive while this request is read and replied to.
            if let Some(next) = ring::peek_after(self.channel.mapping(), found) {
                self.channel.mapping().prefetch_request(next);
                self.channel.mapping().prefetch_reply(next);
            }
            break Ok(Received::Taken(request));
        };
        if was_woken || self.channel.is_looped() {
            self.hand_on(was_woken);
        }
        received
    }

    /// Wakes the next server if a request is left. The ring that woke this one was everybody's: it took the
    /// announcement of all who sleep, and whoever published since then woke nobody.
    #[cold]
    fn hand_on(&self, was_woken: bool) {
        if !was_woken && !self.channel.was_woken(What::Requests) {
            return;
        }
        if ring::find(self.channel.mapping(), &self.channel.known).is_some() {
            self.channel.ring_doorbell(Doorbell::Request);
        }
    }

    /// Where the payload of a request lies that this server has taken.
    #[inline]
    pub(super) fn payload(&self, request: &Request) -> *const u8 {
        self.channel.mapping().request_bytes(
            Id::slot_of(request.id.to_u64()),
            request.length,
            request.flags.bits(),
        )
    }

    /// Before one more attempt: whether there is time for it.
    #[cold]
    fn check_time(deadline: &Deadline<'_>) -> Result<()> {
        if deadline.is_now() {
            Err(Error::WouldBlock)
        } else if deadline.is_canceled() {
            Err(Error::Canceled)
        } else if deadline.has_passed(deadline::now()) {
            Err(Error::TimedOut)
        } else {
            Ok(())
        }
    }

    /// The oldest request, and whether this server slept for it.
    ///
    /// Always inlined, for the reason that [`ring::find`] is.
    #[inline(always)]
    fn next_request(&self, deadline: &Deadline<'_>) -> Result<(Found, bool)> {
        let channel = &self.channel;
        let mapping = channel.mapping();
        let next = match ring::glance(mapping, &channel.known) {
            Some(found) => (found, false),
            None => channel.wait_for(&mut NextRequest::of(channel), deadline)?,
        };
        mapping.prefetch_reply(next.0.slot);
        Ok(next)
    }

    fn describe(&self, found: Found) -> Request {
        let line = self.channel.mapping().request_line(found.slot);
        Request {
            id: Id { slot: found.slot, generation: found.word.generation() }.into(),
            length: line.length.load(Relaxed) as usize,
            message_type: line.message_type.load(Relaxed),
            flags: MessageFlags::from_bits(line.flags.load(Relaxed)) & MessageFlags::RECEIVERS,
            client: line.client.load(Relaxed),
            redeliveries: found.word.times(),
        }
    }

    /// Takes a request that no client which keeps to the format can have sent, and lets it fail.
    #[cold]
    fn refuse(&self, found: Found, me: Participant) {
        if slot::claim(self.channel.mapping(), found, me).is_some() {
            ring::pass(self.channel.mapping(), &self.channel.known, found);
            self.channel.fail(found.slot, me);
        }
    }
}
