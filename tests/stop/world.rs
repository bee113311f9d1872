//! What the others do while a victim is stopped: enough for the ring to go round several times and for each slot to be
//! used again and again. A stopped process is alive, so nothing of its own may be lost by that.

use crate::clock::Clock;
use crate::scene::{Scene, Sleeper};
use crate::survivors::{BOUND, End, judge, outcome};
use crate::words::{Reply, Request};
use std::sync::Arc;
use std::time::Duration;

/// What the world is like when a victim goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// The ring went round three times, and all requests that the survivors held have been answered.
    Round,
    /// The ring went round more often than laps of 32 bits could be told apart, and each free slot was used just so
    /// often that a cell can't tell.
    Wrapped,
    /// As after one round, and all slots are in use.
    Full,
    /// As after one round, and two requests are queued.
    Queued,
}

impl World {
    pub const ALL: [Self; 4] = [Self::Round, Self::Wrapped, Self::Full, Self::Queued];
}

const TRIPS: u32 = 200;
const TRIPS_AFTER_WRAP: u32 = 10;
const LAPS: u64 = (1 << 31) + 1;
const NOW: Duration = Duration::ZERO;

impl Scene<'_> {
    pub(super) fn go_round(&mut self, world: World) {
        self.keep_up();
        self.recover();
        if world == World::Round {
            self.answer_leases();
            self.keep_up();
        }
        self.make_trips(TRIPS);
        self.join_and_leave();
        if world == World::Wrapped {
            let clock = Clock::of(&self.survivors.path, self.survivors.meeting.geometry());
            clock.turn(LAPS);
            clock.wrap_generations_of_cells();
            self.make_trips(TRIPS_AFTER_WRAP);
        }
        self.recover();
        match world {
            World::Round | World::Wrapped => {}
            World::Full => while self.ask() {},
            World::Queued => {
                for _ in 0..2 {
                    self.ask();
                }
            }
        }
        self.assert_within_slots();
    }

    /// The survivors serve all that is there, and collect what they have got.
    pub(super) fn keep_up(&mut self) {
        self.serve();
        for (id, payload) in std::mem::take(&mut self.asked) {
            if self.answered.contains(&payload) {
                self.collect_answered(id, &payload);
            } else {
                self.asked.push((id, payload));
            }
        }
        for sleeper in std::mem::take(&mut self.sleepers) {
            if self.answered.contains(&sleeper.payload) {
                let Sleeper { payload, outcome, .. } = sleeper;
                let found = outcome.recv_timeout(BOUND).expect("the sleeper wakes up");
                assert_eq!(judge(found, &payload), End::BySurvivor);
                self.answered.remove(&payload);
            } else {
                self.sleepers.push(sleeper);
            }
        }
        let seen = &self.seen;
        self.posted.retain(|(_, payload)| !seen.contains(payload));
    }

    fn collect_answered(&mut self, id: shmrr::RequestId, payload: &[u8]) {
        let found = outcome(&self.survivors.client, self.survivors.meeting, id, NOW);
        assert_eq!(judge(found, payload), End::BySurvivor);
        self.answered.remove(payload);
    }

    fn make_trips(&mut self, trips: u32) {
        for trip in 0..trips {
            if !self.make_space() {
                return;
            }
            self.make_trip();
            let can_post = self.survivors.meeting.length() > 8;
            if can_post && trip % 8 == 0 && self.make_space() {
                self.post();
                let (_, payload) = self.posted.last().expect("one was posted").clone();
                self.keep_up();
                assert!(self.seen.contains(&payload), "a message is served at once");
            }
        }
    }

    /// A request is served at once, and its reply is there.
    fn make_trip(&mut self) {
        let Some((id, payload)) = self.survivors.send() else { return };
        self.asked.push((id, payload.clone()));
        self.serve();
        assert!(self.answered.contains(&payload), "a request is served at once");
        self.asked.retain(|(asked, _)| *asked != id);
        self.collect_answered(id, &payload);
    }

    /// Sees to it that there is a slot for one request; it may be that all are the victims'.
    pub(super) fn make_space(&mut self) -> bool {
        loop {
            if let Some((id, payload)) = self.survivors.send() {
                self.asked.push((id, payload));
                self.keep_up();
                return true;
            }
            self.was_full = true;
            if !self.asked_any() {
                return false;
            }
            self.let_go_of_oldest();
        }
    }

    /// Collects or gives up the oldest request.
    fn let_go_of_oldest(&mut self) {
        let (id, payload) = self.asked.remove(0);
        match self.survivors.client.cancel(id) {
            Ok(()) => self.note_given_up(id, payload),
            Err(shmrr::Error::AlreadyReplied) => {
                let found = judge(outcome(&self.survivors.client, self.survivors.meeting, id, NOW), &payload);
                assert_ne!(found, End::Stale);
            }
            Err(error) => assert_eq!(error, shmrr::Error::Stale, "it may have been cleared"),
        }
    }

    /// A client and a server come, make themselves useful and go.
    fn join_and_leave(&mut self) {
        let (options, path) = (self.survivors.meeting.options(), self.survivors.path.clone());
        let client = Arc::new(options.client(&path).unwrap());
        let usual = std::mem::replace(&mut self.survivors.client, client);
        self.make_trip();
        self.survivors.client = usual;
        let server = options.server(&path).unwrap();
        let usual = std::mem::replace(&mut self.survivors.server, server);
        self.make_trip();
        self.survivors.server = usual;
    }

    /// Recovers from the dead, whom the stopped are not among.
    fn recover(&mut self) {
        let channel = self.survivors.server.channel();
        channel.recover().unwrap();
        assert_eq!(channel.recover(), Ok(0), "nobody is dead any more");
        let found = channel.participants().unwrap();
        for victim in self.victims.iter().filter(|victim| victim.has_joined()) {
            assert!(victim.is_dead || found.iter().any(|one| one.pid == victim.pid() && one.is_alive));
        }
        self.keep_up();
    }

    pub(super) fn assert_within_slots(&self) {
        let in_flight = self.survivors.server.channel().stats().in_flight;
        let slots = self.survivors.meeting.geometry().slots;
        assert!(in_flight <= slots, "{in_flight} requests are in flight, of {slots}");
    }

    /// However many the survivors send, there are no more than there may be.
    pub(super) fn assert_never_too_many(&mut self) {
        while self.ask() {
            self.assert_within_slots();
        }
        self.keep_up();
    }

    /// Whoever was to publish a request has done so: none is queued where no server finds it.
    pub(super) fn assert_nothing_queued(&mut self) {
        self.keep_up();
        for slot in self.survivors.words.slots() {
            let is_wanted = matches!(slot.reply, Reply::Pending | Reply::Posted);
            let is_queued = matches!(slot.request, Request::Queued { .. });
            assert!(!(is_wanted && is_queued), "it is lost: {slot:?}");
        }
    }
}
