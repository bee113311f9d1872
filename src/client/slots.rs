//! How a client comes by a slot, and what it does when it has freed one.

use super::Client;
use crate::channel::poll::What;
use crate::channel::sleep::STARVES;
use crate::channel::stats::Counter;
use crate::error::{Error, Result};
use crate::layout::geometry::Kind;
use crate::layout::lines::Doorbell;
use crate::protocol::allocate::{self, Care};
use crate::protocol::slot::Purpose;
use crate::protocol::{Id, Memory, Participant, doorbell};
use crate::wait::{Deadline, Polled, deadline};
use std::cell::Cell;
use std::sync::atomic::Ordering::Relaxed;

/// Slots that one poll for a free one looks at.
const SLOTS_PER_POLL: u32 = 16;

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
        channel.check_running()?;
        self.check_sending(kind)?;
        let me = channel.me()?;
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

    /// What a handle of a loop does after it sent something: see [`crate::channel::poll`]. A call that waits for its reply
    /// does not: its thread is none of a loop.
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
        let channel = &self.channel;
        let mapping = channel.mapping();
        // Whoever was refused a slot because of one that this call held for a moment may have it now.
        let gave_back = || channel.ring_doorbell(Doorbell::FreeSlot);
        let in_time = || deadline.is_now() || !deadline.has_passed(deadline::now());
        let care = Care { in_time: &in_time, gave_back: &gave_back };
        let allocate = || allocate::search(mapping, me, purpose, self.recent.load(Relaxed), &care);
        // A program that waited for its descriptor has its turn when that was signalled.
        let gives_way = !channel.is_woken(What::Slots) && self.gives_way(deadline);
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
                let start = at % mapping.slots();
                at = start + SLOTS_PER_POLL;
                allocate::glance(mapping, me, purpose, start, SLOTS_PER_POLL, || {
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
            channel.recover_slot_holders();
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
        let mut looks = channel.looks_for_slot();
        let recover = || {
            channel.recover_slot_holders_in_turn(&mut looks);
            lost.set(lacks_server());
        };
        let doorbell = mapping.doorbell(Doorbell::FreeSlot);
        let allocate = |is_due: bool| {
            let found = if is_due || !doorbell::is_starving(doorbell) { allocate() } else { None };
            found.map(Ok).or_else(|| lost.get().then_some(Err(Error::NoServer)))
        };
        let begun = deadline::now();
        let slept = channel.sleep_on(Doorbell::FreeSlot, deadline, allocate, recover);
        let (id, was_woken) = slept.inspect_err(|error| {
            // It may have said that it starves, and nobody else may ring for it: others say so again for themselves.
            if deadline::now() >= begun + STARVES {
                doorbell::relieve(doorbell);
            }
            self.count_timeout(error);
        })?;
        if gives_way {
            // Its turn came, so that of all who slept before it has come.
            doorbell::relieve(doorbell);
        }
        if was_woken || gives_way {
            self.hand_on();
        }
        id
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
