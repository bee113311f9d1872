//! Recovery from participants that are gone: finding them, recovering every slot, waking those whom it concerns.

use super::stats::Counter;
use super::{Channel, membership};
use crate::layout::lines::Doorbell;
use crate::memory;
use crate::protocol::ring;
use crate::protocol::{Id, Memory, Participant};
use crate::recovery::{self, Recovered, Recoverer, Unpublished};
use std::sync::atomic::Ordering::Acquire;

/// The most participants that one pass over the slots recovers from where there is no memory for more.
const PASS: usize = 64;

/// Participants that were found dead, each with its incarnation, in the order of their numbers.
struct Dead {
    found: [(Participant, u64); PASS],
    count: usize,
}

impl Dead {
    /// Some of these, as many as there is room for.
    fn some_of(dead: impl Iterator<Item = (Participant, u64)>) -> Self {
        let mut these = Self { found: [(0, 0); PASS], count: 0 };
        for (place, one) in these.found.iter_mut().zip(dead) {
            *place = one;
            these.count += 1;
        }
        these
    }

    fn all(&self) -> &[(Participant, u64)] {
        &self.found[..self.count]
    }
}

impl Channel {
    /// Recovers from all who are dead; returns how many those were.
    pub(crate) fn recover_dead(&self) -> u32 {
        self.recover_some(1..=self.geometry().participants as Participant)
    }

    /// Recovers from those of some participants who are dead.
    pub(super) fn recover_some(&self, some: impl Iterator<Item = Participant>) -> u32 {
        let find = |number| {
            #[cfg(test)]
            self.asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Some((number, self.membership.find_dead(&self.region, &self.mapping, number)?))
        };
        let mut dead = some.filter_map(find).fuse();
        let mut steps = ring::patience(&self.mapping);
        let mut these = Dead::some_of(dead.by_ref());
        if these.count == PASS {
            // A pass for each few would take seconds where there are many slots.
            if let Ok(mut all) = memory::reserved(self.geometry().participants as usize) {
                all.extend(these.all().iter().copied().chain(dead));
                return self.recover_these(&all, &mut steps);
            }
        }
        let mut recovered = 0;
        while !these.all().is_empty() {
            recovered += self.recover_these(these.all(), &mut steps);
            these = Dead::some_of(dead.by_ref());
        }
        recovered
    }

    /// Recovers from participants that were found dead, in one pass over the slots.
    fn recover_these(&self, dead: &[(Participant, u64)], steps: &mut u64) -> u32 {
        let word = |number| &self.mapping.participant(number).word;
        let gone = |owner| {
            let found = dead.binary_search_by_key(&owner, |(number, _)| *number);
            found.is_ok_and(|at| word(owner).load(Acquire) == dead[at].1)
        };
        self.recover_slots(gone, steps);
        let released =
            |(number, incarnation): &&(Participant, u64)| membership::release(word(*number), *incarnation);
        let recovered = dead.iter().filter(released).count();
        self.count(Counter::Recoveries, recovered as u64);
        recovered as u32
    }

    /// Finishes or undoes all that participants that are gone left in the slots.
    ///
    /// `steps` are for all slots together: as many references as there are slots fill half the ring.
    pub(super) fn recover_slots(&self, gone: impl Fn(Participant) -> bool, steps: &mut u64) {
        for slot in 0..self.mapping.total_slots() {
            self.recover_slot(slot, self.geometry().redelivers, &gone, steps);
        }
    }

    /// Lets a request fail that this server has taken, whether or not the channel redelivers.
    pub(crate) fn fail(&self, slot: u32, me: Participant) {
        self.recover_slot(slot, false, |owner| owner == me, &mut ring::patience(&self.mapping));
    }

    /// Finishes or undoes what participants that are gone left in one slot, and wakes whom that concerns.
    pub(super) fn recover_slot(
        &self,
        slot: u32,
        redelivers: bool,
        gone: impl Fn(Participant) -> bool,
        steps: &mut u64,
    ) {
        let number = self.membership.number().unwrap_or(0);
        let by = Recoverer { number, redelivers };
        match recovery::recover_slot(&self.mapping, slot, by, &gone) {
            Recovered::Nothing => {}
            Recovered::Freed | Recovered::Abandoned => self.ring_doorbell(Doorbell::FreeSlot),
            Recovered::Failed { before } => self.wake_sleepers(slot, before),
            Recovered::Unpublished(judged) => {
                self.publish_again(&judged, &gone, steps);
                self.ring_doorbell(Doorbell::Request);
            }
        }
    }

    /// Publishes a request that may lack its reference, though whoever was to publish it may be alive.
    pub(super) fn publish_once_more(&self, id: Id, steps: &mut u64) {
        match recovery::unpublished(&self.mapping, id) {
            Some(judged) => self.publish_again(&judged, |_| false, steps),
            // If that fails, the ring is not what participants that keep to the protocol leave.
            None => drop(ring::publish_within(&self.mapping, &self.known, id, steps)),
        }
    }

    /// Publishes a REQUEUED request, whoever queued it again: two references are as good as one.
    fn publish_again(&self, judged: &Unpublished, gone: impl Fn(Participant) -> bool, steps: &mut u64) {
        if ring::publish_within(&self.mapping, &self.known, judged.id, steps).is_ok() {
            let number = self.membership.number().unwrap_or(0);
            recovery::mark_published(&self.mapping, judged, number, gone);
        }
    }
}
