//! What the ledger says in the end, and what is left of the channel.

use crate::SLOTS;
use crate::ledger::{self, CLIENTS, Ledger};
use shmrr::{Client, Error, Options, Server};
use std::fmt;
use std::path::Path;
use std::sync::atomic::Ordering::SeqCst;

/// How many requests came to what.
#[derive(Default, Debug)]
pub struct Tally {
    pub sent: u64,
    pub executed: u64,
    pub received: u64,
    pub owner_dead: u64,
    pub cancelled: u64,
    pub withdrawn: u64,
    pub not_sent: u64,
    /// Their client was killed before it knew.
    pub unknown: u64,
}

impl fmt::Display for Tally {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{} requests: {} executed, {} received, ", self.sent, self.executed, self.received)?;
        write!(to, "{} lost their server, {} cancelled, ", self.owner_dead, self.cancelled)?;
        write!(to, "{} withdrawn at their deadline, {} not sent, ", self.withdrawn, self.not_sent)?;
        write!(to, "{} lost their client", self.unknown)
    }
}

/// Reads all entries. `most_unknown` is how many requests a client may have left behind, by its seat.
pub fn read(ledger: &Ledger, most_unknown: impl Fn(usize) -> u64) -> Tally {
    let mut tally = Tally::default();
    for client in 0..CLIENTS {
        let before = tally.unknown;
        for number in 0..ledger.seat(client).numbered.load(SeqCst) {
            let marks = ledger.marks(client, number);
            if let Some(wrong) = contradiction(marks) {
                panic!("request {client}/{number}, with the marks {marks:#x}, {wrong}");
            }
            tally.count(marks);
        }
        let unknown = tally.unknown - before;
        let most = most_unknown(client);
        assert!(unknown <= most, "client {client} left {unknown} requests behind, at most {most} can be");
    }
    tally
}

/// What can't be true of both sides.
fn contradiction(marks: u16) -> Option<&'static str> {
    let is = |mark: u16| marks & mark != 0;
    let outcomes = (marks & ledger::OUTCOMES).count_ones();
    let executions = ledger::executions(marks);
    match () {
        () if executions > 1 => Some("was executed twice"),
        () if outcomes > 1 => Some("ended twice"),
        () if executions > 0 && !is(ledger::SENT) => Some("was executed, but never sent"),
        () if executions > 0 && is(ledger::NOT_SENT) => Some("was executed, though its send was refused"),
        () if executions == 0 && is(ledger::RECEIVED) => Some("was replied to, but never executed"),
        () if is(ledger::REPLIED) && is(ledger::REFUSED) => Some("had its reply both accepted and refused"),
        () if is(ledger::REPLIED) && outcomes == 1 && !is(ledger::RECEIVED) => {
            Some("had its reply accepted, and its client never got it")
        }
        () if is(ledger::REFUSED) && is(ledger::RECEIVED) => {
            Some("had its reply refused, and its client got one")
        }
        () if is(ledger::REFUSED) && is(ledger::OWNER_DEAD) => {
            Some("had its reply refused, and its client was told that the server died")
        }
        () => None,
    }
}

impl Tally {
    fn count(&mut self, marks: u16) {
        let has = |mark: u16| u64::from(marks & mark != 0);
        self.sent += has(ledger::SENT);
        self.executed += u64::from(ledger::executions(marks));
        self.received += has(ledger::RECEIVED);
        self.owner_dead += has(ledger::OWNER_DEAD);
        self.cancelled += has(ledger::CANCELLED);
        self.withdrawn += has(ledger::WITHDRAWN);
        self.not_sent += has(ledger::NOT_SENT);
        self.unknown += u64::from(marks & ledger::OUTCOMES == 0);
    }
}

/// The channel that all but `keeper` left or died in holds nothing and has room for all that it promises.
pub fn assert_nothing_left(keeper: &Server, name: &Path) {
    keeper.channel().recover().unwrap();
    assert_empty(keeper, name);
    let client = Options::new().client(name).unwrap();
    fill(&client);
    drop(client);
    assert_empty(keeper, name);
}

fn assert_empty(keeper: &Server, name: &Path) {
    let stats = keeper.channel().stats();
    assert_eq!((stats.in_flight, stats.queued, stats.free), (0, 0, SLOTS), "{stats:?}");
    assert_eq!(stats.participants, 1, "only the keeper is left: {stats:?}");
    let held = held_slots(name);
    assert!(held.is_empty(), "slots and reply words that are not free: {held:x?}");
}

fn fill(client: &Client) {
    let ids: Vec<u64> = (0..SLOTS).map(|_| client.send(b"").expect("a slot is free")).collect();
    assert_eq!(client.send(b""), Err(Error::NoSlots));
    for id in ids {
        client.cancel(id).unwrap();
    }
    assert_eq!(client.pending(), 0);
}

/// Reads the reply words in the file: see docs/FORMAT.md for the offsets.
fn held_slots(file: &Path) -> Vec<(usize, u64)> {
    let bytes = std::fs::read(file).unwrap();
    let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let (slots, stride) = (u64_at(88) as usize, u64_at(96) as usize);
    let words = (0..u32_at(40) + u32_at(44)).map(|slot| (slot, u64_at(slots + slot * stride + 128)));
    words.filter(|(_, word)| word & 0xF != 0).collect()
}
