//! Those who stay: a server and a client of this process, on one small channel that they keep while victims come and
//! go, so that whatever leaks adds up and shows.

use crate::format::Geometry;
use shmrr::{Client, Error, Options, Server};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long survivors may take for any one thing.
pub const BOUND: Duration = Duration::from_secs(2);
/// As in victim.c.
pub const LENGTH: usize = 200;
const ANSWER_OF_VICTIM: u8 = 0x5A;
const ANSWER_OF_SURVIVOR: u8 = 0xA5;
/// The doorbell of servers.
const DOORBELL: u64 = 512;
/// A bell's bit for sleepers.
const SLEEPERS: u64 = 1;
/// A reply word's bit for a client that sleeps.
const WAITING: u64 = 1 << 4;
/// A reply word's bits for its state, and one of these.
const STATE: u64 = 0xF;
const READY: u64 = 2;
const SURVIVORS: u32 = 2;

pub const GEOMETRY: Geometry =
    Geometry { slots: 4, participants: 8, request_max: LENGTH as u64, response_max: LENGTH as u64 };

pub fn options() -> Options {
    Options::new()
        .slots(GEOMETRY.slots)
        .participants(GEOMETRY.participants)
        .request_max(GEOMETRY.request_max)
        .response_max(GEOMETRY.response_max)
}

pub struct Survivors {
    pub path: PathBuf,
    pub server: Server,
    pub client: Arc<Client>,
    file: File,
    next: u64,
}

/// Who answered a request of the survivors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    BySurvivor,
    ByVictim,
}

/// A request that a server received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    pub id: u64,
    pub payload: Vec<u8>,
}

impl Survivors {
    /// On the channel of that name, which is made unless it is there.
    pub fn on(path: &Path) -> Self {
        let server = options().server(path).unwrap();
        let client = Arc::new(options().client(path).unwrap());
        let file = File::open(path).unwrap();
        Self { path: path.to_owned(), server, client, file, next: 0 }
    }

    /// Sends a request that no other equals, a short or a long one; None if there is no slot.
    pub fn send(&mut self) -> Option<(u64, Vec<u8>)> {
        self.next += 1;
        let mut payload = self.next.to_le_bytes().to_vec();
        if self.next % 2 == 0 {
            payload.resize(LENGTH, self.next as u8);
        }
        match self.client.send(&payload) {
            Ok(id) => Some((id, payload)),
            Err(Error::NoSlots) => None,
            Err(error) => panic!("send: {error}"),
        }
    }

    /// Takes the oldest request, if there is one.
    pub fn receive(&self) -> Option<Received> {
        let mut buffer = [0; LENGTH];
        match self.server.recv(&mut buffer) {
            Ok(request) => Some(Received { id: request.id, payload: buffer[..request.length].to_vec() }),
            Err(Error::WouldBlock) => None,
            Err(error) => panic!("recv: {error}"),
        }
    }

    /// Replies to a request; false if its client is gone or gave up.
    pub fn reply(&self, request: &Received) -> bool {
        match self.server.reply(request.id, &answer(&request.payload, ANSWER_OF_SURVIVOR)) {
            Ok(()) => true,
            Err(Error::Stale) => false,
            Err(error) => panic!("reply: {error}"),
        }
    }

    /// Receives a request, which must be this one, and replies to it.
    fn serve(&self, payload: &[u8]) {
        let request = self.receive().expect("a request is queued");
        assert_eq!(request.payload, payload, "the oldest request");
        assert!(self.reply(&request), "the reply is wanted");
    }

    /// The outcome of a request of the survivors': whose answer it got, or None if its server died.
    pub fn collect(&self, id: u64, payload: &[u8]) -> Option<Answered> {
        let outcome = wait_for_reply(&self.client, id);
        assert_eq!(self.client.get(id, &mut [0; LENGTH]), Err(Error::Stale), "it is collected");
        judge(outcome, payload)
    }

    /// Nothing is left of those who are gone, and every slot works.
    pub fn assert_whole(&mut self) {
        self.assert_nothing_left();
        self.use_every_slot();
        self.assert_nothing_left();
    }

    /// Nobody else is here, and nothing in flight but so many requests of ours.
    pub fn assert_alone(&self, requests: u32) {
        let stats = self.server.channel().stats();
        let found = (stats.in_flight, stats.free, stats.participants);
        assert_eq!(found, (requests, GEOMETRY.slots - requests, SURVIVORS), "in flight, free, participants");
    }

    fn assert_nothing_left(&self) {
        assert_eq!(self.receive(), None, "nothing is queued");
        assert_eq!(self.server.channel().queued(), 0);
        assert_eq!(self.client.pending(), 0);
        self.assert_alone(0);
        for slot in 0..GEOMETRY.total_slots() {
            let word = self.reply_word(slot);
            assert_eq!(word & 0xFFFFF, 0, "the reply word of slot {slot} is {word:#x}");
        }
    }

    /// The ordinary slots, then the spare ones, while the ordinary ones belong to requests that were given up.
    fn use_every_slot(&mut self) {
        let given_up = self.fill(0);
        let taken: Vec<_> = given_up.iter().map(|_| self.receive().expect("a request is queued")).collect();
        for (id, _) in &given_up {
            assert_eq!(self.client.cancel(*id), Ok(()));
        }
        let spare = self.fill(u64::from(GEOMETRY.slots));
        for request in &taken {
            assert!(!self.reply(request), "it was given up");
        }
        for (id, payload) in spare {
            self.serve(&payload);
            assert_eq!(self.collect(id, &payload), Some(Answered::BySurvivor));
        }
        for (id, payload) in self.fill(0) {
            self.serve(&payload);
            assert_eq!(self.collect(id, &payload), Some(Answered::BySurvivor));
        }
    }

    /// Sends as many requests as there may be; they must use the slots from `first` on.
    fn fill(&mut self, first: u64) -> Vec<(u64, Vec<u8>)> {
        let sent: Vec<_> = std::iter::from_fn(|| self.send()).collect();
        let mut slots: Vec<u64> = sent.iter().map(|(id, _)| id & 0xFFFF).collect();
        slots.sort_unstable();
        let expected: Vec<u64> = (first..first + u64::from(GEOMETRY.slots)).collect();
        assert_eq!(slots, expected, "the slots of the requests sent");
        sent
    }

    fn reply_word(&self, slot: u64) -> u64 {
        self.word(GEOMETRY.slots_offset() + slot * GEOMETRY.slot_stride() + 128)
    }

    fn word(&self, offset: u64) -> u64 {
        let mut bytes = [0; 8];
        self.file.read_exact_at(&mut bytes, offset).unwrap();
        u64::from_ne_bytes(bytes)
    }

    /// Whether there is a reply to a request.
    pub fn is_replied(&self, id: u64) -> bool {
        self.reply_word(id & 0xFFFF) & STATE == READY
    }

    /// Whether a server sleeps, or is about to.
    pub fn a_server_sleeps(&self) -> bool {
        self.word(DOORBELL) & SLEEPERS != 0
    }

    /// Whether the client of some request sleeps, or is about to.
    pub fn a_client_sleeps(&self) -> bool {
        (0..GEOMETRY.total_slots()).any(|slot| self.reply_word(slot) & WAITING != 0)
    }
}

/// What became of a request: a reply, or an error.
pub type Outcome = Result<Vec<u8>, Error>;

pub fn wait_for_reply(client: &Client, id: u64) -> Outcome {
    let mut buffer = [0; LENGTH];
    client.get_wait(id, &mut buffer, BOUND).map(|length| buffer[..length].to_vec())
}

pub fn judge(outcome: Outcome, payload: &[u8]) -> Option<Answered> {
    match outcome {
        Ok(reply) if reply == answer(payload, ANSWER_OF_SURVIVOR) => Some(Answered::BySurvivor),
        Ok(reply) if reply == answer(payload, ANSWER_OF_VICTIM) => Some(Answered::ByVictim),
        Ok(reply) => panic!("a wrong reply: {reply:?}"),
        Err(Error::OwnerDead) => None,
        Err(error) => panic!("get: {error}"),
    }
}

fn answer(payload: &[u8], key: u8) -> Vec<u8> {
    payload.iter().map(|byte| byte ^ key).collect()
}

/// Whether this is the request of a victim, and whole.
pub fn is_of_victim(payload: &[u8]) -> bool {
    let is_whole = || {
        let byte = |at: usize| (7 * at).wrapping_add(payload[0].into()) as u8;
        (5..LENGTH).all(|at| payload[at] == byte(at))
    };
    payload.len() == LENGTH && is_whole()
}
