//! What follows a death: the survivors come to terms with what is left, and bring every request to its one end.

use crate::cast::HEAD;
use crate::fate::Fate;
use crate::scene::{Manner, Scene, Sleeper};
use crate::survivors::{BOUND, End, Outcome, judge, outcome};
use crate::words::{Reply, Request, Slot};
use shmrr::Error;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// How long survivors wait before they do something else for each other. A client looks after its request meanwhile.
const TURN: Duration = Duration::from_millis(30);

impl Scene<'_> {
    pub(super) fn survive(&mut self, manner: Manner) {
        self.tell_fates();
        match manner {
            Manner::Recover => drop(self.survivors.server.channel().recover().unwrap()),
            Manner::Attach => drop(self.survivors.meeting.options().client(&self.survivors.path).unwrap()),
            Manner::Exhaust => {
                self.hear_sleepers();
                while self.ask() {}
                let slots = self.survivors.meeting.geometry().slots;
                assert_eq!(self.survivors.client.pending() + self.posts(), slots, "all slots are ours");
                // Who holds no slot stands in nobody's way, and keeps its entry until somebody looks after all.
                self.survivors.server.channel().recover().unwrap();
            }
            Manner::Wait => {}
        }
        self.hear_sleepers();
        if !matches!(manner, Manner::Wait) {
            let is_there = |id: &shmrr::RequestId| self.fates.get(id) != Some(&Fate::Gone);
            let asked = self.asked.iter().filter(|(id, _)| is_there(id)).count() as u32;
            self.survivors.assert_alone(asked + self.posts());
        }
        self.serve();
        self.answer_leases();
        for (id, payload) in self.asked.clone() {
            self.collect(id, &payload);
        }
        if matches!(manner, Manner::Wait) {
            self.wait_for_posts();
        }
        self.assert_posts_delivered();
        self.survivors.server.channel().recover().unwrap();
        self.survivors.assert_whole();
    }

    /// Looks at what is left before anybody has done anything about it; sleepers may, and then it comes to the same.
    fn tell_fates(&mut self) {
        let ids = self.leases.iter().map(|request| request.id);
        let leased: HashSet<shmrr::RequestId> = ids.filter(|id| !self.is_adopted(*id)).collect();
        let redelivers = self.survivors.meeting.redelivers();
        // A message that was received, and then adopted by the dead, is theirs.
        let adopted: Vec<shmrr::RequestId> =
            self.told.iter().copied().filter(|id| self.is_adopted(*id)).collect();
        self.posted.retain(|(id, _)| !adopted.contains(id));
        let fate = |slot: Slot| (slot.id, Fate::of(&slot, leased.contains(&slot.id), redelivers));
        self.fates = self.survivors.words.slots().map(fate).collect();
        if !redelivers {
            self.note_lost_posts();
        }
        for (id, payload) in &self.asked {
            // What is not in its slot any more, another request of the victim's may have followed.
            let fate = self.fates.entry(*id).or_insert(Fate::Gone);
            if self.answered.contains(payload) {
                *fate = Fate::Ended(End::BySurvivor);
            }
            assert!(
                !redelivers || *fate != Fate::Ended(End::Failed),
                "nothing fails where it is redelivered"
            );
        }
    }

    /// Messages that others hold who are dead, or are about to be killed.
    pub(super) fn note_lost_posts(&mut self) {
        let is_leased = |slot: &Slot| {
            self.leases.iter().any(|request| request.id == slot.id) && !self.is_adopted(slot.id)
        };
        let is_claimed = |slot: &Slot| matches!(slot.request, Request::Claimed { .. });
        let is_lost = |slot: &Slot| slot.reply == Reply::Posted && is_claimed(slot) && !is_leased(slot);
        self.lost_posts += self.survivors.words.slots().filter(is_lost).count();
    }

    /// One-way messages that hold their slots.
    fn posts(&self) -> u32 {
        self.survivors.words.slots().filter(|slot| slot.reply == Reply::Posted).count() as u32
    }

    /// Whether one-way messages are there that survivors will receive or have received.
    fn are_posts_due(&self) -> bool {
        let is_due = |slot: Slot| slot.reply == Reply::Posted && self.fates[&slot.id].is_received();
        self.survivors.words.slots().any(is_due)
    }

    /// What the sleepers wait for was the victim's to give, unless it is redelivered.
    fn hear_sleepers(&mut self) {
        let deadline = Instant::now() + BOUND;
        while let Some(Sleeper { id, payload, outcome }) = self.sleepers.last() {
            let (id, payload, outcome) = (*id, payload.clone(), outcome.recv_timeout(TURN));
            let Ok(outcome) = outcome else {
                assert!(Instant::now() < deadline, "the sleeper wakes up");
                self.serve();
                self.answer_leases();
                continue;
            };
            let found = judge(outcome, &payload);
            match self.fates.get(&id) {
                // It may have collected its reply before anybody looked.
                None | Some(Fate::Gone) => {
                    assert!(
                        matches!(found, End::ByVictim | End::Failed | End::Dismissed | End::Stale),
                        "{found:?}"
                    );
                }
                Some(fate) => assert_eq!(found, fate.end(), "{fate:?}"),
            }
            self.assert_answered_once(found, &payload);
            self.sleepers.pop();
        }
    }

    pub(super) fn answer_leases(&mut self) {
        for request in std::mem::take(&mut self.leases) {
            self.answer(&request);
        }
    }

    /// Waits for the outcome of a request, and serves meanwhile: it may have to be served first.
    fn collect(&mut self, id: shmrr::RequestId, payload: &[u8]) {
        let deadline = Instant::now() + BOUND;
        let found = loop {
            match self.wait_a_turn(id) {
                Err(Error::TimedOut) => {
                    assert!(Instant::now() < deadline, "the call ends");
                    self.serve();
                }
                found => break judge(found, payload),
            }
        };
        assert_eq!(self.wait_a_turn(id), Err(Error::Stale), "it is collected");
        // What was sent since is served by those who are left.
        let fate = self.fates.get(&id).copied().unwrap_or(Fate::Served { redeliveries: 0 });
        assert_eq!(found, fate.end(), "{fate:?}");
        self.assert_answered_once(found, payload);
    }

    fn wait_a_turn(&self, id: shmrr::RequestId) -> Outcome {
        outcome(&self.survivors.client, self.survivors.meeting, id, TURN)
    }

    fn assert_answered_once(&self, found: End, payload: &[u8]) {
        let was_answered = self.answered.contains(payload);
        assert_eq!(found == End::BySurvivor, was_answered, "{found:?} for {payload:?}");
    }

    /// Waits as an idle server does, until all that is to be delivered has been.
    fn wait_for_posts(&mut self) {
        let deadline = Instant::now() + BOUND;
        while self.are_posts_due() {
            assert!(Instant::now() < deadline, "every message is delivered");
            if let Some(request) = self.survivors.receive_within(TURN) {
                self.register(&request);
                self.answer(&request);
            }
        }
    }

    fn assert_posts_delivered(&self) {
        assert!(!self.are_posts_due(), "all are delivered and done with");
        let posted = self.players().flat_map(|player| player.posted());
        let is_missing =
            |payload: &Vec<u8>| !self.seen.contains(payload) && !self.taken.contains(&payload[..HEAD]);
        let missing = posted.filter(is_missing).count();
        // Some may have been with a server that died.
        assert!(missing <= self.lost_posts, "the call had returned: {missing} are missing");
        for (id, payload) in &self.posted {
            let is_due = self.fates.get(id).is_some_and(|fate| fate.is_received());
            assert_eq!(self.seen.contains(payload), is_due, "{:?} {payload:?}", self.fates.get(id));
        }
    }
}
