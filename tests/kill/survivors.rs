//! Those who stay: a server and a client of this process, on one small channel that they keep while victims come and
//! go, so that whatever leaks adds up and shows.

// Each test file uses a part of it.
#![allow(dead_code)]

use crate::format::Geometry;
use crate::words::{Reply, Words};
use shmrr::{
    Client, Error, Kind, MessageFlags, Options, ParticipantInfo, Request, Role, Server, Timeout, Wait,
};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long survivors may take for any one thing, on a machine that others use, too.
pub const BOUND: Duration = Duration::from_secs(10);
/// As in victim.c.
const LENGTH: usize = 200;
const ANSWER_OF_VICTIM: u8 = 0x5A;
const ANSWER_OF_SURVIVOR: u8 = 0xA5;
const SURVIVORS: u32 = 2;

/// The channel that they meet on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meeting {
    /// One of bytes.
    Plain,
    /// The same; victims have RR_OPT_NOTIFY.
    Notifying,
    /// One of bytes that redelivers.
    Redelivering,
    Integers,
    /// As the plain one, with slots for two victims.
    Spacious,
    /// As the one that redelivers, with slots for two victims.
    SpaciousRedelivering,
}

impl Meeting {
    /// What the victim is told.
    pub fn word(self) -> &'static str {
        match self {
            Self::Plain | Self::Redelivering | Self::Spacious | Self::SpaciousRedelivering => "bytes",
            Self::Notifying => "notifying",
            Self::Integers => "integers",
        }
    }

    /// Of the longest request and response.
    pub fn length(self) -> usize {
        if self == Self::Integers { 8 } else { LENGTH }
    }

    pub fn redelivers(self) -> bool {
        matches!(self, Self::Redelivering | Self::SpaciousRedelivering)
    }

    pub fn geometry(self) -> Geometry {
        let length = self.length() as u64;
        let slots = if matches!(self, Self::Spacious | Self::SpaciousRedelivering) { 12 } else { 4 };
        Geometry { slots, participants: 8, request_max: length, response_max: length }
    }

    pub fn options(self) -> Options {
        let geometry = self.geometry();
        Options::new()
            .kind(if self == Self::Integers { Kind::Int } else { Kind::Bytes })
            .redeliver(self.redelivers())
            .slots(geometry.slots)
            .participants(geometry.participants)
            .request_max(geometry.request_max)
            .response_max(geometry.response_max)
    }
}

pub struct Survivors {
    pub meeting: Meeting,
    pub path: PathBuf,
    pub server: Server,
    /// The participant number of the server.
    number: u64,
    pub client: Arc<Client>,
    pub words: Words,
    /// For each of those that die before the victim, a shortcut to where it does.
    pub shortcuts: HashMap<usize, Option<u64>>,
    next: u64,
}

/// A request that a server received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    pub id: shmrr::RequestId,
    pub payload: Vec<u8>,
    pub is_one_way: bool,
    pub redeliveries: u32,
}

impl Survivors {
    /// On the channel of that name, which is made unless it is there.
    pub fn on(path: &Path, meeting: Meeting) -> Self {
        let server = meeting.options().server(path).unwrap();
        let client = Arc::new(meeting.options().client(path).unwrap());
        let words = Words::of(path, meeting.geometry());
        let participants = server.channel().participants().unwrap();
        let is_ours =
            |one: &&ParticipantInfo| one.pid == std::process::id() && one.role == Some(Role::Server);
        let number = participants.iter().find(is_ours).expect("it has joined").number.into();
        let shortcuts = HashMap::new();
        Self { meeting, path: path.to_owned(), server, number, client, words, shortcuts, next: 0 }
    }

    /// Whether their server has this request, which it took: another may have adopted it.
    pub fn hold(&self, id: shmrr::RequestId) -> bool {
        self.words.is_held_by(id.to_u64(), self.number)
    }

    /// A payload that no other equals, a short or a long one.
    fn compose(&mut self) -> Vec<u8> {
        self.next += 1;
        let mut payload = self.next.to_le_bytes().to_vec();
        if self.next % 2 == 0 {
            payload.resize(self.meeting.length(), self.next as u8);
        }
        payload
    }

    /// Sends a request; None if there is no slot.
    pub fn send(&mut self) -> Option<(shmrr::RequestId, Vec<u8>)> {
        let payload = self.compose();
        let sent = match self.meeting {
            Meeting::Integers => self.client.send_i64(number(&payload)),
            _ => self.client.send(&payload),
        };
        match sent {
            Ok(id) => Some((id, payload)),
            Err(Error::NoSlots) => None,
            Err(error) => panic!("send: {error}"),
        }
    }

    /// Sends a one-way message.
    pub fn post(&mut self) -> (shmrr::RequestId, Vec<u8>) {
        let posted = |words: &Words| -> Vec<shmrr::RequestId> {
            words.slots().filter(|slot| slot.reply == Reply::Posted).map(|slot| slot.id).collect()
        };
        let payload = self.compose();
        let before = posted(&self.words);
        self.client.post(&payload, Timeout::NOW).unwrap();
        let id = posted(&self.words).into_iter().find(|id| !before.contains(id));
        (id.expect("nobody has taken it yet"), payload)
    }

    /// Takes the oldest request, if there is one.
    pub fn receive(&self) -> Option<Received> {
        self.receive_within(Timeout::NOW)
    }

    /// Takes the oldest request, and waits for one.
    pub fn receive_within<'w>(&self, timeout: impl Into<Wait<'w>>) -> Option<Received> {
        let mut buffer = [0; LENGTH];
        let taken = match self.meeting {
            Meeting::Integers => self.server.recv_wait_i64(timeout).map(|(request, value)| {
                buffer[..8].copy_from_slice(&value.to_ne_bytes());
                request
            }),
            _ => self.server.recv_wait(&mut buffer, timeout),
        };
        match taken {
            Ok(Request { id, length, flags, redeliveries, .. }) => {
                let (payload, is_one_way) =
                    (buffer[..length].to_vec(), flags.contains(MessageFlags::ONE_WAY));
                Some(Received { id, payload, is_one_way, redeliveries })
            }
            Err(Error::WouldBlock | Error::TimedOut) => None,
            Err(error) => panic!("recv: {error}"),
        }
    }

    /// Replies to a request; false if its client is gone or gave up.
    pub fn reply(&self, request: &Received) -> bool {
        let answer = answer(&request.payload, ANSWER_OF_SURVIVOR);
        let replied = match self.meeting {
            Meeting::Integers => self.server.reply_i64(request.id, number(&answer)),
            _ => self.server.reply(request.id, &answer),
        };
        match replied {
            Ok(()) => true,
            Err(Error::Stale) => false,
            Err(error) => panic!("reply: {error}"),
        }
    }

    /// Receives a request, which must be this one, and replies to it.
    fn serve(&self, payload: &[u8]) {
        let request = self.receive().expect("a request is queued");
        assert_eq!(request.payload, payload, "the oldest request");
        assert_eq!((request.is_one_way, request.redeliveries), (false, 0));
        assert!(self.reply(&request), "the reply is wanted");
    }

    /// Nothing is left of those who are gone, and every slot works.
    pub fn assert_whole(&mut self) {
        self.assert_nothing_left();
        self.use_every_slot();
        self.assert_nothing_left();
    }

    /// Nobody else is here, and nothing in flight but so many requests.
    pub fn assert_alone(&self, requests: u32) {
        let stats = self.server.channel().stats();
        let found = (stats.in_flight, stats.free, stats.participants);
        let slots = self.meeting.geometry().slots;
        assert_eq!(found, (requests, slots - requests, SURVIVORS), "in flight, free, participants");
    }

    fn assert_nothing_left(&self) {
        assert_eq!(self.receive(), None, "nothing is queued");
        assert_eq!(self.server.channel().queued(), 0);
        assert_eq!(self.client.pending(), 0);
        self.assert_alone(0);
        self.words.assert_all_free();
    }

    /// The ordinary slots, then the spare ones, while the ordinary ones belong to requests that were given up.
    fn use_every_slot(&mut self) {
        let given_up = self.fill(0);
        let taken: Vec<_> = given_up.iter().map(|_| self.receive().expect("a request is queued")).collect();
        for (id, _) in &given_up {
            assert_eq!(self.client.cancel(*id), Ok(()));
        }
        let spare = self.fill(u64::from(self.meeting.geometry().slots));
        for request in &taken {
            assert!(!self.reply(request), "it was given up");
        }
        for (id, payload) in spare {
            self.serve_and_collect(id, &payload);
        }
        for (id, payload) in self.fill(0) {
            self.serve_and_collect(id, &payload);
        }
    }

    fn serve_and_collect(&self, id: shmrr::RequestId, payload: &[u8]) {
        self.serve(payload);
        assert_eq!(judge(outcome(&self.client, self.meeting, id, BOUND), payload), End::BySurvivor);
    }

    /// Sends as many requests as there may be; they must use the slots from `first` on.
    fn fill(&mut self, first: u64) -> Vec<(shmrr::RequestId, Vec<u8>)> {
        let sent: Vec<_> = std::iter::from_fn(|| self.send()).collect();
        let mut slots: Vec<u64> = sent.iter().map(|(id, _)| id.to_u64() & 0xFFFF).collect();
        slots.sort_unstable();
        let geometry = self.meeting.geometry();
        let end = (first + u64::from(geometry.slots)).min(geometry.total_slots());
        let expected: Vec<u64> = (first..end).collect();
        assert_eq!(slots, expected, "the slots of the requests sent");
        sent
    }
}

/// How a request of the survivors' ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With a reply, and whose.
    BySurvivor,
    ByVictim,
    /// Its server died.
    Failed,
    /// Its server dismissed it.
    Dismissed,
    /// It was cleared.
    Stale,
}

/// A reply, or an error.
pub type Outcome = Result<Vec<u8>, Error>;

/// Waits for the outcome of a request.
pub fn outcome(client: &Client, meeting: Meeting, id: shmrr::RequestId, timeout: Duration) -> Outcome {
    if meeting == Meeting::Integers {
        return client.get_wait_i64(id, timeout).map(|value| value.to_ne_bytes().to_vec());
    }
    let mut buffer = [0; LENGTH];
    client.get_wait(id, &mut buffer, timeout).map(|length| buffer[..length].to_vec())
}

pub fn judge(outcome: Outcome, payload: &[u8]) -> End {
    match outcome {
        Ok(reply) if reply == answer(payload, ANSWER_OF_SURVIVOR) => End::BySurvivor,
        Ok(reply) if reply == answer(payload, ANSWER_OF_VICTIM) => End::ByVictim,
        Ok(reply) => panic!("a wrong reply: {reply:?}"),
        Err(Error::Remote { .. }) => End::ByVictim,
        Err(Error::OwnerDead) => End::Failed,
        Err(Error::Dismissed) => End::Dismissed,
        Err(Error::Stale) => End::Stale,
        Err(error) => panic!("get: {error}"),
    }
}

/// Whether this is the answer that somebody gives to that.
pub fn is_answer(reply: &[u8], payload: &[u8]) -> bool {
    [ANSWER_OF_SURVIVOR, ANSWER_OF_VICTIM].iter().any(|key| reply == answer(payload, *key))
}

fn answer(payload: &[u8], key: u8) -> Vec<u8> {
    payload.iter().map(|byte| byte ^ key).collect()
}

fn number(payload: &[u8]) -> i64 {
    i64::from_ne_bytes(payload.try_into().unwrap())
}
