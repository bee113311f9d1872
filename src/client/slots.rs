//! How a client comes by a slot, and what it does when it has freed one.

use super::Client;
use crate::channel::looks::Looks;
use crate::channel::poll::What;
use crate::channel::rouse::Place;
use crate::channel::sleep::{STARVES, look_until_shown};
use crate::channel::stats::Counter;
use crate::channel::waiting::Awaited;
use crate::error::{Error, Result};
use crate::layout::geometry::Kind;
use crate::layout::lines::Doorbell;
use crate::protocol::allocate::{self, Care};
use crate::protocol::slot::Purpose;
use crate::protocol::{Id, Memory, Participant, doorbell};
use crate::wait::{Deadline, deadline};
use std::cell::Cell;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Slots that one poll for a free one looks at.
const SLOTS_PER_POLL: u32 = 16;

/// A slot that is free, or comes free.
struct FreeSlot<'c> {
    client: &'c Client,
    me: Participant,
    purpose: Purpose,
    deadline: &'c Deadline<'c>,
    /// Others have waited for long: this one sleeps behind them before it looks.
    gives_way: bool,
    /// Where the next poll begins: a few slots at a time, on and on.
    at: u32,
    /// Taking a slot needs counting them all, which is no poll.
    is_full: Cell<bool>,
    /// No server is there, and this handle needs one.
    is_lost: bool,
    looks: Looks<'c>,
    /// When others are to give way to this one.
    starves_from: i64,
    is_starving: bool,
}

impl FreeSlot<'_> {
    fn doorbell(&self) -> &AtomicU64 {
        self.client.channel.mapping().doorbell(Doorbell::FreeSlot)
    }

    fn search(&self) -> Option<Id> {
        let channel = &self.client.channel;
        // Whoever was refused a slot because of one that this call held for a moment may have it now.
        let gave_back = || channel.ring_doorbell(Doorbell::FreeSlot);
        let care = Care { in_time: &|| self.is_in_time(), gave_back: &gave_back };
        allocate::search(channel.mapping(), self.me, self.purpose, self.client.recent.load(Relaxed), &care)
    }

    fn is_in_time(&self) -> bool {
        self.deadline.is_now() || !self.deadline.has_passed(deadline::now())
    }

    /// The server that the table names may be dead, and in nobody's way.
    fn check_server(&mut self) {
        let channel = &self.client.channel;
        self.is_lost = channel.needs_server() && !channel.finds_living_server();
    }
}

impl Awaited for FreeSlot<'_> {
    type Found = Id;

    fn place(&self) -> Place {
        Place::FreeSlots
    }

    fn words(&self) -> u32 {
        SLOTS_PER_POLL.min(self.client.channel.slots())
    }

    fn polls(&self) -> bool {
        !self.gives_way
    }

    fn poll(&mut self) -> Option<Result<Id>> {
        if self.is_full.get() {
            return None;
        }
        let channel = &self.client.channel;
        let start = self.at % channel.mapping().slots();
        self.at = start + SLOTS_PER_POLL;
        let found = allocate::glance(channel.mapping(), self.me, self.purpose, start, SLOTS_PER_POLL, || {
            self.is_full.set(true);
            channel.ring_doorbell(Doorbell::FreeSlot);
        });
        found.map(Ok)
    }

    fn before_sleep(&mut self, _is_now: bool) -> Option<Result<Id>> {
        // Where there are many slots this takes milliseconds.
        if self.is_in_time() {
            self.client.channel.recover_slot_holders();
        }
        if !self.gives_way {
            if let Some(id) = self.search() {
                return Some(Ok(id));
            }
        }
        self.check_server();
        self.is_lost.then_some(Err(Error::NoServer))
    }

    fn nothing_now(&self) -> Error {
        Error::NoSlots
    }

    fn announce(&mut self) -> Option<u32> {
        let now = deadline::now();
        if self.starves_from == i64::MAX {
            self.starves_from = now + STARVES;
        }
        self.is_starving = now >= self.starves_from;
        let announce = if self.is_starving { doorbell::announce_starving } else { doorbell::announce };
        Some(announce(self.doorbell()))
    }

    fn look(&mut self, is_due: bool) -> Option<Result<Id>> {
        let found = look_until_shown(|| {
            // Whether it is this one's turn even while others starve.
            let is_due = is_due || self.is_starving || !doorbell::is_starving(self.doorbell());
            if is_due { self.search() } else { None }
        });
        found.map(Ok).or_else(|| self.is_lost.then_some(Err(Error::NoServer)))
    }

    fn announces_again_at(&self) -> i64 {
        if self.is_starving { i64::MAX } else { self.starves_from }
    }

    fn look_after(&mut self) {
        self.client.channel.recover_slot_holders_in_turn(&mut self.looks);
        self.check_server();
    }
}

impl Client {
    /// Takes a slot; its request is then this thread's to write.
    #[inline(always)]
    pub(super) fn take_slot(
        &self,
        kind: Kind,
        purpose: Purpose,
        deadline: &Deadline<'_>,
    ) -> Result<(Participant, Id)> {
        let channel = &self.channel;
        let me = channel.enter(None)?;
        self.check_sending(kind)?;
        let mapping = channel.mapping();
        let first = self.recent.load(Relaxed);
        let gave_back = || channel.ring_doorbell(Doorbell::FreeSlot);
        let taken = if doorbell::is_starving(mapping.doorbell(Doorbell::FreeSlot)) {
            None
        } else {
            allocate::take_first(mapping, me, purpose, first, gave_back)
        };
        let id = match taken {
            Some(id) => id,
            None => self.wait_for_slot(me, purpose, deadline)?,
        };
        let next = id.slot + 1;
        self.recent.store(if next < mapping.slots() { next } else { 0 }, Relaxed);
        self.following[self.newest.load(Relaxed) as usize].store(id.slot, Relaxed);
        self.newest.store(id.slot, Relaxed);
        Ok((me, id))
    }

    /// What a handle of a loop does after it sent something: see [`crate::channel::poll`]. A call that waits for its
    /// reply does not: its thread is none of a loop.
    #[inline]
    pub(super) fn sent_by_loop(&self, id: Id, purpose: Purpose) {
        if self.channel.is_looped() {
            self.note_sent(id, purpose);
        }
    }

    #[cold]
    fn note_sent(&self, id: Id, purpose: Purpose) {
        if purpose == Purpose::Call {
            self.channel.note_sent(id.slot);
        }
        self.wait_of_loop_is_over();
        if self.channel.was_woken(What::Slots) {
            self.hand_on();
        }
    }

    /// Wakes the next client if a slot is left.
    #[cold]
    fn hand_on(&self) {
        if allocate::in_flight(self.channel.mapping()) < self.channel.slots() {
            self.channel.ring_doorbell(Doorbell::FreeSlot);
        }
    }

    #[cold]
    fn wait_for_slot(&self, me: Participant, purpose: Purpose, deadline: &Deadline<'_>) -> Result<Id> {
        // A program that waited for its descriptor has its turn when that was signalled.
        let gives_way = !self.channel.is_woken(What::Slots) && self.gives_way(deadline);
        let mut slot = FreeSlot {
            client: self,
            me,
            purpose,
            deadline,
            gives_way,
            at: self.recent.load(Relaxed),
            is_full: Cell::new(false),
            is_lost: false,
            looks: self.channel.looks_for_slot(),
            starves_from: i64::MAX,
            is_starving: false,
        };
        if !gives_way {
            if let Some(id) = slot.search() {
                return Ok(id);
            }
        }
        let waited = self.channel.wait_for(&mut slot, deadline);
        let doorbell = self.channel.mapping().doorbell(Doorbell::FreeSlot);
        let (id, has_slept) = waited.inspect_err(|error| {
            if *error == Error::NoSlots {
                self.channel.count(Counter::Full, 1);
            }
            // It may have said that it starves, and nobody else may ring for it: others say so again for themselves.
            if deadline::now() >= slot.starves_from {
                doorbell::relieve(doorbell);
            }
        })?;
        if gives_way {
            // Its turn came, so that of all who slept before it has come.
            doorbell::relieve(doorbell);
        }
        if has_slept || gives_way {
            self.hand_on();
        }
        Ok(id)
    }

    /// Remembers a slot that this handle has just freed, and wakes a client that waits for one.
    #[inline]
    pub(super) fn freed(&self, id: Id) {
        if id.slot < self.channel.slots() {
            self.recent.store(id.slot, Relaxed);
        }
        self.channel.ring_doorbell(Doorbell::FreeSlot);
    }
}
