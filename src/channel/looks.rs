//! What waiting clients and idle servers do now and then, in case whoever was to do it died, or was stopped.
//!
//! Cost is by what stands in the way, not by who is attached. A client that waits asks after the servers of its requests,
//! one that found no slot after those who hold one, each once; an idle server asks after all who hold a slot and after a
//! part of the others, in turn. Of many that wait for the same thing one looks at a time: a word in shared memory counts
//! the looks, and whoever finds that another looked since its own last time leaves it. The count is a hint: if one dies
//! or is stopped at its look, the next time it has not changed.

use super::Channel;
use crate::layout::lines::{Doorbell, SharedWord};
use crate::protocol::ring::{self, Referenced};
use crate::protocol::state::{ReplyState, ReplyWord, RequestState, RequestWord};
use crate::protocol::{Id, Memory, Participant};
use crate::wait::{deadline, futex};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed};

/// So many of those who hold no slot are asked after in one look of an idle server.
const OTHERS_PER_LOOK: u32 = 64;
/// Sends that are refused one after another don't each ask the kernel: a handle rests for so many times as long as its
/// last look at who holds the slots took, and for so many nanoseconds at most.
const RESTS_PER_LOOK: i64 = 10;
const REST_MAX: i64 = 1_000_000;

/// Participant numbers, each once.
struct Numbers([u64; Self::WORDS]);

impl Numbers {
    /// One bit for each number that a word's owner field can hold.
    const WORDS: usize = 4096 / 64;

    fn new() -> Self {
        Self([0; Self::WORDS])
    }

    fn add(&mut self, number: Participant) {
        self.0[usize::from(number) / 64 % Self::WORDS] |= 1 << (number % 64);
    }

    /// In ascending order.
    fn iter(&self) -> impl Iterator<Item = Participant> {
        self.0.iter().enumerate().filter(|(_, word)| **word != 0).flat_map(|(at, word)| {
            (0..64).filter(move |bit| word >> bit & 1 != 0).map(move |bit| (at * 64 + bit) as Participant)
        })
    }
}

/// Looks that others had at the same thing.
pub(crate) struct Looks<'c> {
    count: &'c AtomicU64,
    shift: u32,
    seen: u64,
}

impl Looks<'_> {
    /// Goes on where another left off that had seen so many.
    pub(super) fn go_on_from(mut self, seen: u64) -> Self {
        self.seen = seen;
        self
    }

    /// How many it has seen.
    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    /// Whether it is this one's turn; the others leave it then. The number of the look.
    fn take_turn(&mut self) -> Option<u64> {
        let count = self.count.load(Relaxed) >> self.shift;
        let is_mine = count == self.seen;
        if is_mine {
            self.count.fetch_add(1 << self.shift, Relaxed);
        }
        self.seen = self.count.load(Relaxed) >> self.shift;
        is_mine.then_some(count)
    }
}

impl Channel {
    /// Those that clients which wait for a slot have; they stand in the low half of the word.
    pub(crate) fn looks_for_slot(&self) -> Looks<'_> {
        self.looks(0)
    }

    /// Those that idle servers have; they stand in the high half. A look of the others carries into it once in 2^32.
    pub(crate) fn looks_around(&self) -> Looks<'_> {
        self.looks(32)
    }

    fn looks(&self, shift: u32) -> Looks<'_> {
        let count = self.mapping.shared(SharedWord::Looks);
        Looks { count, shift, seen: count.load(Relaxed) >> shift }
    }

    /// A client that finds no slot asks after those who hold one, unless this handle did so just now.
    pub(crate) fn recover_slot_holders(&self) {
        let begun = deadline::now();
        if begun >= self.looks_for_slot_from.load(Relaxed) {
            self.recover_some(self.holders().iter());
            let now = deadline::now();
            let rest = (now - begun).saturating_mul(RESTS_PER_LOOK).min(REST_MAX);
            self.looks_for_slot_from.store(now + rest, Relaxed);
        }
    }

    /// As [`Channel::recover_slot_holders`], for one of many who wait.
    pub(crate) fn recover_slot_holders_in_turn(&self, looks: &mut Looks<'_>) {
        if looks.take_turn().is_some() {
            self.recover_slot_holders();
        }
    }

    /// What an idle server does in its turn: one-way messages that a dead process left have nobody else to look after
    /// them, nor have messages that were never published by one who was stopped.
    pub(crate) fn look_around(&self, looks: &mut Looks<'_>) {
        let Some(turn) = looks.take_turn() else { return };
        let participants = self.geometry().participants;
        let parts = u64::from(participants.div_ceil(OTHERS_PER_LOOK));
        let first = (turn % parts) as u32 * OTHERS_PER_LOOK;
        let mut asked = self.holders();
        (first..participants.min(first + OTHERS_PER_LOOK))
            .for_each(|index| asked.add(index as Participant + 1));
        self.recover_some(asked.iter());
        if ring::find(&self.mapping, &self.known).is_none() {
            // For all slots together, as in recovery.
            let mut steps = ring::patience(&self.mapping);
            (0..self.mapping.total_slots()).for_each(|slot| self.publish_if_claimable(slot, &mut steps));
        }
    }

    /// Whoever has to act next in some slot: its client, its server or who queued it again.
    fn holders(&self) -> Numbers {
        let mut holders = Numbers::new();
        for slot in 0..self.mapping.total_slots() {
            let reply = ReplyWord(self.mapping.reply(slot).load(Relaxed));
            if reply.state() == ReplyState::Free {
                continue;
            }
            holders.add(reply.owner());
            let request = RequestWord(self.mapping.request(slot).load(Relaxed));
            let is_current = request.generation() == reply.generation();
            if is_current && matches!(request.state(), RequestState::Claimed | RequestState::Requeued) {
                holders.add(request.owner());
            }
        }
        holders
    }

    /// Nothing in the ring can be claimed: what can be in a slot lacks its reference, or is just being published.
    fn publish_if_claimable(&self, slot: u32, steps: &mut u64) {
        let reply = ReplyWord(self.mapping.reply(slot).load(Acquire));
        let request = RequestWord(self.mapping.request(slot).load(Acquire));
        let is_wanted = matches!(reply.state(), ReplyState::Pending | ReplyState::Posted);
        if is_wanted && request.is_claimable() && request.generation() == reply.generation() {
            self.publish_once_more(Id { slot, generation: reply.generation() }, steps);
        }
    }

    /// What a client does that waits for replies: a wake-up may have been lost with whoever was to give it, or a server
    /// with a request, or a reference with whoever was to publish it.
    pub(crate) fn look_after(&self, pending: impl Iterator<Item = Id>) {
        let look = self.looks.fetch_add(1, Relaxed);
        let mut net = Net { look, referenced: None };
        let mut servers = Numbers::new();
        let mut is_queued = false;
        let mut steps = ring::patience(&self.mapping);
        for id in pending {
            let request = RequestWord(self.mapping.request(id.slot).load(Acquire));
            if request.is(RequestState::Claimed, id.generation) {
                servers.add(request.owner());
                continue;
            }
            if request.is(RequestState::Lost, id.generation) {
                // Whoever found its server dead may have died, or been stopped, before the client was told.
                self.recover_slot(id.slot, self.geometry().redelivers, |_| false, &mut steps);
                continue;
            }
            if !request.is_claimable() || request.generation() != id.generation {
                continue;
            }
            is_queued = true;
            // Whoever queued it again may have died, or been stopped, before it was published.
            if request.state() == RequestState::Requeued || net.catches(self, id) {
                self.publish_once_more(id, &mut steps);
            }
        }
        self.recover_some(servers.iter());
        if is_queued {
            // Without looking at the doorbell: its announcement may have been taken by one who then died.
            futex::wake_up(self.mapping.doorbell(Doorbell::Request), 1);
        }
    }
}

/// Finds requests that are QUEUED and that the ring doesn't refer to. That is so for a moment before each publish, so a
/// client casts it only at every second look.
struct Net {
    /// Which look of the handle it is.
    look: u32,
    referenced: Option<Referenced>,
}

impl Net {
    fn catches(&mut self, channel: &Channel, id: Id) -> bool {
        let mapping = &channel.mapping;
        let look = self.look;
        let referenced = || ring::referenced(mapping, look);
        look % 2 == 1 && !self.referenced.get_or_insert_with(referenced).contains(id.slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_kept_once_and_in_order() {
        let mut numbers = Numbers::new();
        [4095, 1, 64, 63, 1, 4095].into_iter().for_each(|number| numbers.add(number));
        assert_eq!(numbers.iter().collect::<Vec<_>>(), [1, 63, 64, 4095]);
    }

    /// Questions to the kernel since the last time.
    fn asked(channel: &Channel) -> u32 {
        channel.asked.swap(0, Relaxed)
    }

    #[test]
    fn what_a_look_costs_depends_on_who_stands_in_the_way_and_not_on_who_is_attached() {
        let options = crate::Options::new().participants(256).slots(4).spin(std::time::Duration::ZERO);
        let server = options.anonymous().unwrap();
        let clients: Vec<_> = (0..200).map(|_| options.client_from_server(&server).unwrap()).collect();
        for _ in 0..4 {
            clients[0].send(b"").unwrap();
        }
        let refused = clients[1].channel();
        asked(refused);
        for _ in 0..10 {
            assert_eq!(clients[1].send(b""), Err(crate::Error::NoSlots));
        }
        // Nobody, and the one who holds all slots, in the first look and in a few later ones.
        assert!((1..40).contains(&asked(refused)), "each refused send asks after all");

        let mut looks = server.channel().looks_around();
        asked(server.channel());
        server.channel().look_around(&mut looks);
        assert!((64..=66).contains(&asked(server.channel())), "an idle server asks after all");
        let mut others = clients[2].channel().looks_around();
        asked(clients[2].channel());
        server.channel().look_around(&mut looks);
        clients[2].channel().look_around(&mut others);
        assert_eq!(asked(clients[2].channel()), 0, "another has just looked");

        let ids: Vec<crate::RequestId> = (0..4).map(|_| server.recv(&mut []).unwrap().id).collect();
        let pending = || ids.iter().map(|id| server.channel().id(*id).unwrap());
        asked(clients[0].channel());
        clients[0].channel().look_after(pending());
        assert_eq!(asked(clients[0].channel()), 1, "the server of all four is asked after once");
    }

    #[test]
    fn more_dead_than_one_pass_recovers_from_are_all_found() {
        let options = crate::Options::new().participants(200);
        let server = options.anonymous().unwrap();
        for number in 2..=200 {
            server.channel().mapping.participant(number).word.store(3, Relaxed);
        }
        assert_eq!(server.channel().recover(), Ok(199));
        assert_eq!(server.channel().recover(), Ok(0));
    }

    #[test]
    fn of_many_that_wait_one_looks_at_a_time_and_another_if_that_one_does_not_come_back() {
        let server = crate::Options::new().anonymous().unwrap();
        let channel = server.channel();
        let mut waiters = [channel.looks_for_slot(), channel.looks_for_slot(), channel.looks_for_slot()];
        let round = |waiters: &mut [Looks<'_>]| waiters.iter_mut().filter_map(Looks::take_turn).count();
        for _ in 0..10 {
            assert_eq!(round(&mut waiters), 1);
        }
        assert!((1..=2).contains(&(round(&mut waiters[1..]) + round(&mut waiters[1..]))));
        let mut servers = channel.looks_around();
        assert_eq!(servers.take_turn(), Some(0), "they count for themselves");
    }
}
