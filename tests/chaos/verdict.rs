//! What the ledger says in the end.

use crate::conduct::{Answer, answer_to};
use crate::ledger::{self, CLIENTS, Clears, Ledger};
use crate::payload::Payload;
use std::fmt;
use std::sync::atomic::Ordering::SeqCst;

/// How many requests and one-way messages came to what.
#[derive(Default, Debug)]
pub struct Tally {
    pub sent: u64,
    pub executed: u64,
    /// Executed once more after a server's death.
    pub repeated: u64,
    pub received: u64,
    pub owner_dead: u64,
    pub dismissed: u64,
    pub cleared: u64,
    pub cancelled: u64,
    pub withdrawn: u64,
    pub not_sent: u64,
    /// Their client was killed before it knew.
    pub unknown: u64,
    pub posted: u64,
    /// One-way messages that no server noted, though their sending was accepted.
    pub unserved: u64,
    /// Of those cleared, the ones that no server can have let go of instead.
    certainly_cleared: u64,
    /// All that may have been cleared.
    possibly_cleared: u64,
}

impl fmt::Display for Tally {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{} requests: {} executed, {} again, ", self.sent, self.executed, self.repeated)?;
        write!(to, "{} received, {} lost their server, ", self.received, self.owner_dead)?;
        write!(to, "{} dismissed, {} cleared, {} cancelled, ", self.dismissed, self.cleared, self.cancelled)?;
        write!(to, "{} withdrawn at their deadline, {} not sent, ", self.withdrawn, self.not_sent)?;
        write!(to, "{} lost their client; ", self.unknown)?;
        write!(to, "{} one-way messages posted, {} of them unserved", self.posted, self.unserved)
    }
}

/// Reads all entries. `most_unknown` is how many requests a client may have left behind, by its seat.
pub fn read(ledger: &Ledger, redelivers: bool, most_unknown: impl Fn(usize) -> u64) -> Tally {
    let mut tally = Tally::default();
    for client in 0..CLIENTS {
        let before = tally.unknown;
        for number in 0..ledger.seat(client).numbered.load(SeqCst) {
            let marks = ledger.marks(client, number);
            let is_one_way = marks & ledger::ONE_WAY != 0;
            let wrong = if is_one_way { contradiction_of_post(marks) } else { contradiction(marks) };
            let wrong = wrong.or(if redelivers { None } else { repetition(marks) });
            if let Some(wrong) = wrong {
                panic!("request {client}/{number}, with the marks {marks:#x}, {wrong}");
            }
            tally.count(marks, answer_to(&Payload::new(client as u32, number, 0)) == Answer::None);
        }
        let unknown = tally.unknown - before;
        let most = most_unknown(client);
        assert!(unknown <= most, "client {client} left {unknown} requests behind, at most {most} can be");
    }
    tally
}

fn repetition(marks: u32) -> Option<&'static str> {
    (ledger::executions(marks) > 1).then_some("was executed twice")
}

/// What can't be true of both sides.
fn contradiction(marks: u32) -> Option<&'static str> {
    let is = |mark: u32| marks & mark != 0;
    let outcomes = (marks & ledger::OUTCOMES).count_ones();
    let executions = ledger::executions(marks);
    match () {
        () if outcomes > 1 => Some("ended twice"),
        () if executions > 0 && !is(ledger::SENT) => Some("was executed, but never sent"),
        () if executions > 0 && is(ledger::NOT_SENT) => Some("was executed, though its send was refused"),
        () if executions == 0 && is(ledger::RECEIVED | ledger::DISMISSED) => {
            Some("was answered, but never executed")
        }
        () if is(ledger::REPLIED) && is(ledger::RELEASED) => Some("was both replied to and let go of"),
        () if is(ledger::REPLIED | ledger::RELEASED) && is(ledger::REFUSED) => {
            Some("had its answer both accepted and refused")
        }
        () if is(ledger::REPLIED) && outcomes == 1 && !is(ledger::RECEIVED) => {
            Some("had its reply accepted, and its client never got it")
        }
        () if is(ledger::RELEASED) && outcomes == 1 && !is(ledger::DISMISSED | ledger::CLEARED) => {
            Some("was let go of, and its client was never told")
        }
        () if is(ledger::REFUSED) && is(ledger::RECEIVED | ledger::DISMISSED) => {
            Some("had its answer refused, and its client got one")
        }
        () if is(ledger::REFUSED) && is(ledger::OWNER_DEAD) => {
            Some("had its answer refused, and its client was told that the server died")
        }
        () => None,
    }
}

fn contradiction_of_post(marks: u32) -> Option<&'static str> {
    let is = |mark: u32| marks & mark != 0;
    let executions = ledger::executions(marks);
    match () {
        () if (marks & ledger::OUTCOMES & !(ledger::POSTED | ledger::NOT_SENT)) != 0 => {
            Some("is one-way, and ended as if it were not")
        }
        () if is(ledger::POSTED) && is(ledger::NOT_SENT) => Some("ended twice"),
        () if executions > 0 && is(ledger::NOT_SENT) => Some("was executed, though it was refused"),
        () if is(ledger::REFUSED) => Some("is one-way, and could not be ended"),
        () if executions == 0 && is(ledger::REPLIED | ledger::RELEASED) => {
            Some("was ended, but never executed")
        }
        () => None,
    }
}

impl Tally {
    fn count(&mut self, marks: u32, is_dismissed: bool) {
        let has = |mark: u32| u64::from(marks & mark != 0);
        let executions = u64::from(ledger::executions(marks));
        let is_known = marks & ledger::OUTCOMES != 0;
        self.unknown += u64::from(!is_known);
        self.not_sent += has(ledger::NOT_SENT);
        self.repeated += executions.saturating_sub(1);
        if marks & ledger::ONE_WAY != 0 {
            self.posted += has(ledger::POSTED);
            self.unserved += u64::from(executions == 0) * has(ledger::POSTED);
            self.possibly_cleared += u64::from(has(ledger::REPLIED | ledger::RELEASED) == 0);
            return;
        }
        self.sent += has(ledger::SENT);
        self.executed += executions.min(1);
        self.received += has(ledger::RECEIVED);
        self.owner_dead += has(ledger::OWNER_DEAD);
        self.dismissed += has(ledger::DISMISSED);
        self.cleared += has(ledger::CLEARED);
        self.cancelled += has(ledger::CANCELLED);
        self.withdrawn += has(ledger::WITHDRAWN);
        self.certainly_cleared += u64::from(!is_dismissed) * has(ledger::CLEARED);
        self.possibly_cleared += u64::from(!is_known) | has(ledger::CLEARED);
    }

    /// Compares with what the manager was told that it cancelled; one that it was killed in can have cancelled
    /// `at_once`. `unnoted` is how many messages servers may have taken and not noted.
    pub fn compare(&self, clears: &Clears, at_once: u64, unnoted: u64) {
        let told = clears.cancelled.load(SeqCst);
        let most = told + at_once * u64::from(clears.interrupted());
        assert!(self.certainly_cleared <= most, "at most {most} were cleared: {self:?}");
        assert!(told <= self.possibly_cleared, "{told} were cleared: {self:?}");
        let missing = most - self.certainly_cleared + unnoted;
        assert!(self.unserved <= missing, "at most {missing} messages can be unserved: {self:?}");
    }
}
