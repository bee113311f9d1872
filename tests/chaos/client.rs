//! The calling side of the chaos test: calls and pipelines with timeouts of all lengths, and now and then a cancel. The
//! ledger says what servers made of a request, and what both sides saw must agree.

use crate::ledger::{self, Ledger, RUNNING};
use crate::payload::{Payload, Random};
use crate::watch::{Limit, Span, Watch};
use crate::{LARGEST, Part, error_for};
use shmrr::{Client, Error, Options, Result};
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

/// Requests that a client keeps in flight; those of all together exceed the slots.
pub const WINDOW: u64 = 12;
/// One pipelined request in so many is cancelled.
const CANCELS: u64 = 20;
/// One reply in so many is asked for once more.
const REPEATS: u64 = 16;
/// When nobody is stopped or killed any more, a reply comes within this.
const IN_PEACE: Limit = Limit::Within(Duration::from_secs(10));

struct Calling<'a> {
    ledger: &'a Ledger,
    watch: Watch<'a>,
    client: Client,
    seat: usize,
    random: Random,
    flight: Vec<(u64, Payload)>,
}

pub fn call(part: &Part) {
    let ledger = &part.ledger;
    let watch = Watch::new(ledger, part.seat);
    let client = Options::new().client(&part.channel).unwrap();
    let random = Random::new(part.seed);
    let mut calling = Calling { ledger, watch, client, seat: part.seat, random, flight: Vec::new() };
    while ledger.phase() == RUNNING {
        if calling.random.below(3) == 0 { calling.request() } else { calling.pipeline() }
    }
    for (id, sent) in std::mem::take(&mut calling.flight) {
        assert!(calling.collect(id, &sent, IN_PEACE), "no outcome of {sent:?}: {:?}", calling.marks(&sent));
    }
    assert_eq!(calling.client.pending(), 0, "requests that this client never made");
}

impl Calling<'_> {
    /// Mostly longer than anything takes that is not stopped, so that most calls come to a good end.
    fn limit(&mut self) -> Limit {
        let milliseconds = match self.random.below(32) {
            0 => return Limit::Now,
            1 => return Limit::Forever,
            2..6 => 1 + self.random.below(4),
            6..16 => 5 + self.random.below(50),
            16..28 => 100 + self.random.below(400),
            _ => 2000,
        };
        Limit::Within(Duration::from_millis(milliseconds))
    }

    /// A request with a number that no other has.
    fn next(&mut self) -> Payload {
        let number = self.ledger.seat(self.seat).numbered.fetch_add(1, SeqCst);
        let size = match self.random.below(16) {
            0 => self.random.below(LARGEST as u64 + 1),
            1..4 => self.random.below(400),
            _ => self.random.below(64),
        };
        self.ledger.mark(self.seat, number, ledger::SENT);
        Payload::new(self.seat as u32, number, size as usize)
    }

    fn marks(&self, sent: &Payload) -> u16 {
        self.ledger.marks(self.seat, sent.number)
    }

    fn settle(&self, sent: &Payload, outcome: u16) {
        let before = self.ledger.mark(self.seat, sent.number, outcome);
        assert_eq!(before & ledger::OUTCOMES, 0, "{sent:?} ends with {outcome:#x} and has {before:#x}");
    }

    fn request(&mut self) {
        let (limit, sent) = (self.limit(), self.next());
        let mut buffer = [0; LARGEST];
        let bytes = sent.request();
        let call = || self.client.req(&bytes, &mut buffer, limit);
        let (result, span) = self.watch.call("req", limit, call);
        match result {
            Err(Error::NoSlots) => self.settle(&sent, ledger::NOT_SENT),
            Err(Error::TimedOut | Error::WouldBlock) => self.settle(&sent, ledger::WITHDRAWN),
            result => self.end(&sent, result, &buffer, span),
        }
    }

    fn pipeline(&mut self) {
        self.send();
        if self.random.below(CANCELS) == 0 {
            self.cancel_one();
        }
        while self.flight.len() as u64 > self.random.below(WINDOW) {
            let (id, sent) = self.any();
            let limit = self.limit();
            if !self.collect(id, &sent, limit) {
                self.flight.push((id, sent));
                break;
            }
        }
        while self.flight.len() as u64 >= WINDOW {
            self.cancel_one();
        }
    }

    fn any(&mut self) -> (u64, Payload) {
        let at = self.random.below(self.flight.len() as u64) as usize;
        self.flight.swap_remove(at)
    }

    fn send(&mut self) {
        let limit = if self.random.below(2) == 0 { Limit::Now } else { self.limit() };
        let sent = self.next();
        let bytes = sent.request();
        // Replies to this very client may be what fills the slots, so that it must not wait for ever.
        let limit = if matches!(limit, Limit::Forever) { Limit::Now } else { limit };
        match self.watch.call("send", limit, || self.client.send_wait(&bytes, limit)).0 {
            Ok(id) => self.flight.push((id, sent)),
            Err(Error::NoSlots | Error::TimedOut) => self.settle(&sent, ledger::NOT_SENT),
            Err(error) => panic!("send: {error}"),
        }
    }

    fn cancel_one(&mut self) {
        if self.flight.is_empty() {
            return;
        }
        let (id, sent) = self.any();
        match self.watch.call("cancel", Limit::Now, || self.client.cancel(id)).0 {
            Ok(()) => {
                self.settle(&sent, ledger::CANCELLED);
                assert_eq!(self.client.get(id, &mut [0; LARGEST]), Err(Error::Stale), "cancelled {sent:?}");
            }
            Err(Error::AlreadyReplied) => {
                assert!(
                    self.collect(id, &sent, Limit::Now),
                    "can neither be cancelled nor collected: {sent:?}"
                );
            }
            Err(error) => panic!("cancel of {sent:?}, {:#x}: {error}", self.marks(&sent)),
        }
    }

    /// False if the request is still pending.
    fn collect(&mut self, id: u64, sent: &Payload, limit: Limit) -> bool {
        let acknowledged = self.marks(sent) & ledger::REPLIED != 0;
        let mut buffer = [0; LARGEST];
        let get = || self.client.get_wait(id, &mut buffer, limit);
        let (result, span) = self.watch.call("get", limit, get);
        if matches!(result, Err(Error::TimedOut | Error::WouldBlock)) {
            assert!(!acknowledged, "the reply to {sent:?} was acknowledged and is lost");
            return false;
        }
        self.end(sent, result, &buffer, span);
        if self.random.below(REPEATS) == 0 {
            assert_eq!(self.client.get(id, &mut buffer), Err(Error::Stale), "delivered twice: {sent:?}");
        }
        true
    }

    /// What a call came to that neither failed to send nor met its deadline.
    fn end(&self, sent: &Payload, result: Result<usize>, buffer: &[u8], span: Span) {
        match (result, error_for(sent)) {
            (Ok(length), None) => {
                assert!(buffer[..length] == *sent.reply(), "a wrong reply to {sent:?}");
                self.receive(sent, span);
            }
            (Err(Error::Remote { code, text }), Some(expected)) => {
                assert_eq!((code, text), expected, "a wrong error to {sent:?}");
                self.receive(sent, span);
            }
            (Err(Error::OwnerDead), _) => self.mourn(sent, span),
            (result, _) => panic!("{sent:?}, {:#x}, ends with {result:?}", self.marks(sent)),
        }
    }

    fn receive(&self, sent: &Payload, span: Span) {
        self.settle(sent, ledger::RECEIVED);
        assert_ne!(ledger::executions(self.marks(sent)), 0, "a reply, but nobody executed {sent:?}");
        if let Some(at) = self.ledger.acknowledged_at(self.seat, sent.number) {
            self.watch.check("waiting for a reply that was there", span, at);
        }
    }

    fn mourn(&self, sent: &Payload, span: Span) {
        self.settle(sent, ledger::OWNER_DEAD);
        let Some(life) = self.ledger.executor(self.seat, sent.number) else { return };
        assert!(self.ledger.is_condemned(life), "a server was taken for dead that lives: {sent:?}");
        if let Some(at) = self.ledger.buried_at(life) {
            self.watch.check("waiting for a server that was dead", span, at);
        }
    }
}
