//! Ending waits of a handle, or having them look why they might end, from within its process: stopping and interrupting
//! the handle, and waking it for its waits' cancel words ([`crate::wait::interrupts`]).
//!
//! The handle counts which of its threads sleep where, in its own memory: so this costs by who sleeps, and disturbs no
//! other handle. Others sleep on the same doorbells; they are told apart by the bits that they gave the kernel. The
//! counts are hints that are never too low: a thread counts itself before it announces that it sleeps. One that left a
//! sleep by a jump, or slept when its process forked, stays counted, which costs a look.
//!
//! Everything here is async-signal-safe: loads, stores and futex calls only.

use super::Channel;
use crate::error::Result;
use crate::memory;
use crate::protocol::{Participant, doorbell, slot};
use crate::wait::futex::{self, Bits};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;

/// What a thread sleeps on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The doorbell for requests.
    Requests,
    /// The doorbell for free slots.
    FreeSlots,
    /// The reply word of a slot.
    Reply(u32),
    /// The doorbell of the client of this number.
    AnyReply(Participant),
}

/// How many threads of a handle sleep where.
pub(super) struct Asleep {
    requests: AtomicU32,
    slots: AtomicU32,
    any: AtomicU32,
    replies: Vec<AtomicU32>,
}

/// A thread that sleeps, or is about to.
pub(super) struct Sleeper<'h>(&'h AtomicU32);

impl Asleep {
    /// For a handle whose threads may wait for replies in so many slots.
    pub fn new(slots: u32) -> Result<Self> {
        let [requests, free_slots, any] = [(); 3].map(|()| AtomicU32::new(0));
        let replies = memory::array((0..slots).map(|_| AtomicU32::new(0)))?;
        Ok(Self { requests, slots: free_slots, any, replies })
    }

    pub fn enter(&self, place: Place) -> Sleeper<'_> {
        let count = match place {
            Place::Requests => &self.requests,
            Place::FreeSlots => &self.slots,
            Place::AnyReply(_) => &self.any,
            Place::Reply(slot) => &self.replies[slot as usize],
        };
        // SeqCst, as the loads in `rouse`: before the fence of the check before the sleep, whose partner is the one
        // after which these are loaded.
        count.fetch_add(1, SeqCst);
        Sleeper(count)
    }
}

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

fn has_any(count: &AtomicU32) -> bool {
    count.load(SeqCst) != 0
}

impl Channel {
    /// Ends all waits of this handle.
    pub(crate) fn stop(&self) {
        self.interrupts.stop();
        self.rouse();
    }

    /// Ends the waits of this handle that have begun, or the next.
    pub(crate) fn interrupt(&self) {
        self.interrupts.ask();
        self.rouse();
    }

    /// Has the waits of this handle look at their cancel words.
    pub(crate) fn wake(&self) {
        self.interrupts.look_again();
        self.rouse();
    }

    /// Wakes all threads of this handle that sleep, keeps those awake that are about to, and wakes its event loop.
    fn rouse(&self) {
        self.rouse_threads();
        self.fire_all();
    }

    fn rouse_threads(&self) {
        // A forked child that has not joined has no threads that sleep.
        let Some(me) = self.membership.number() else { return };
        let asleep = &self.asleep;
        for (count, place) in [(&asleep.requests, Place::Requests), (&asleep.slots, Place::FreeSlots)] {
            if has_any(count) {
                let word = self.word(place);
                doorbell::nudge(word);
                futex::wake_only(word, Bits::of_handle(me));
            }
        }
        for (slot, _) in (0..).zip(&asleep.replies).filter(|(_, count)| has_any(count)) {
            if let Some(before) = slot::disturb(&self.mapping, slot, me) {
                self.wake_sleepers(slot, before);
            }
        }
        if has_any(&asleep.any) {
            self.disturb_watchers(me);
        }
    }
}
