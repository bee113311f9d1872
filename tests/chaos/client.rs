//! The calling side of the chaos test: calls, pipelines and one-way messages, copied or in place, with timeouts of all
//! lengths, and now and then a cancel.

use crate::conduct::label_of;
use crate::ledger::{self, Ledger, RUNNING};
use crate::payload::{Payload, Random};
use crate::signals::Signals;
use crate::watch::{Limit, Watch};
use crate::{Form, LARGEST, Part};
use shmrr::{Client, Error, Message, MessageFlags, Result};
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

/// Requests that a client keeps in flight; those of all together exceed the slots.
pub const WINDOW: u64 = 12;
/// One pipelined request in so many is cancelled.
const CANCELS: u64 = 20;
/// Once in so many times what is being written in place takes up to so many microseconds.
const NAPS: u64 = 32;
const NAP: u64 = 1000;
/// When nobody is stopped or killed any more, a reply comes within this.
const IN_PEACE: Limit = Limit::Within(Duration::from_secs(60));

pub struct Calling<'a> {
    pub ledger: &'a Ledger,
    pub watch: Watch<'a>,
    pub client: Client,
    pub seat: usize,
    pub random: Random,
    pub flight: Vec<(shmrr::RequestId, Sent)>,
    pub form: Form,
    pub signals: Signals,
}

/// A request, and what had happened before it was sent.
#[derive(Debug)]
pub struct Sent {
    pub payload: Payload,
    pub buried: u32,
    pub clears: u32,
}

pub fn call(part: &Part) {
    let ledger = &part.ledger;
    let watch = Watch::new(ledger, part.seat);
    let client = part.form.options().client(&part.channel).unwrap();
    client.channel().make_request_fd().unwrap();
    let random = Random::new(part.seed);
    let (seat, form, signals) = (part.seat, part.form, Signals::default());
    let mut calling = Calling { ledger, watch, client, seat, random, flight: Vec::new(), form, signals };
    while ledger.phase() == RUNNING {
        calling.signals.check(|| calling.client.channel().consume_requests().unwrap());
        if form == Form::Integers {
            calling.exchange_numbers();
            continue;
        }
        match calling.random.below(16) {
            0..4 => calling.request(),
            4 => calling.post(),
            5 => calling.abort(),
            6 => calling.wait_for_any(),
            _ => calling.pipeline(),
        }
    }
    for (id, sent) in std::mem::take(&mut calling.flight) {
        assert!(calling.collect(id, &sent, IN_PEACE), "no outcome of {sent:?}: {:#x}", calling.marks(&sent));
    }
    assert_eq!(calling.client.pending(), 0, "requests that this client never made");
}

impl Calling<'_> {
    /// Mostly longer than anything takes that is not stopped, so that most calls come to a good end.
    pub fn limit(&mut self) -> Limit {
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

    /// A limit for a call that takes a slot. Replies to this very client may be what fills the slots, so that it must
    /// not wait for ever.
    pub fn limit_for_slot(&mut self) -> Limit {
        match self.limit() {
            Limit::Forever if !self.flight.is_empty() => Limit::Now,
            limit => limit,
        }
    }

    /// A request with a number that no other has.
    pub fn next(&mut self, kind: u32) -> Sent {
        let number = self.ledger.seat(self.seat).numbered.fetch_add(1, SeqCst);
        let size = match self.random.below(16) {
            0 => self.random.below(LARGEST as u64 + 1),
            1..4 => self.random.below(400),
            _ => self.random.below(64),
        };
        self.ledger.mark(self.seat, number, ledger::SENT | kind);
        let payload = Payload::new(self.seat as u32, number, size as usize);
        Sent { payload, buried: self.ledger.buried(), clears: self.ledger.clears().ended() }
    }

    pub fn marks(&self, sent: &Sent) -> u32 {
        self.ledger.marks(self.seat, sent.payload.number)
    }

    pub fn record(&self, sent: &Sent, outcome: u32) {
        let before = self.ledger.mark(self.seat, sent.payload.number, outcome);
        assert_eq!(before & ledger::OUTCOMES, 0, "{sent:?} ends with {outcome:#x} and has {before:#x}");
    }

    fn request(&mut self) {
        let (limit, sent) = (self.limit_for_slot(), self.next(0));
        let mut buffer = [0; LARGEST];
        let bytes = sent.payload.request();
        let call = || self.client.req(&bytes, &mut buffer, limit);
        let (result, span) = self.watch.call("req", limit, call);
        match result {
            Err(Error::NoSlots) => self.record(&sent, ledger::NOT_SENT),
            Err(Error::TimedOut | Error::WouldBlock) => {
                self.signals.may_come();
                self.record(&sent, ledger::WITHDRAWN);
            }
            result => {
                self.signals.comes();
                self.end(&sent, result.map(|length| &buffer[..length]), span);
            }
        }
    }

    fn post(&mut self) {
        let (limit, sent) = (self.limit_for_slot(), self.next(ledger::ONE_WAY));
        let bytes = sent.payload.request();
        match self.watch.call("post", limit, || self.client.post(&bytes, limit)).0 {
            Ok(()) => {
                self.signals.comes();
                self.record(&sent, ledger::POSTED);
            }
            Err(Error::NoSlots | Error::TimedOut) => self.record(&sent, ledger::NOT_SENT),
            Err(error) => panic!("post: {error}"),
        }
    }

    pub fn pipeline(&mut self) {
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

    fn any(&mut self) -> (shmrr::RequestId, Sent) {
        let at = self.random.below(self.flight.len() as u64) as usize;
        self.flight.swap_remove(at)
    }

    fn send(&mut self) {
        let limit = if self.random.below(2) == 0 { Limit::Now } else { self.limit_for_slot() };
        let sent = self.next(0);
        let bytes = sent.payload.request();
        let (message_type, flags) = label_of(&sent.payload);
        let message = Message { data: &bytes, message_type, flags };
        let result = match self.random.below(3) {
            _ if self.form == Form::Integers => self.send_number(&sent),
            0 => self.watch.call("send", limit, || self.client.send_wait(&bytes, limit)).0,
            1 => self.watch.call("send_msg", limit, || self.client.send_msg(&message, limit)).0,
            _ => self.send_in_place(&message, limit),
        };
        match result {
            Ok(id) => {
                self.signals.comes();
                self.flight.push((id, sent));
            }
            Err(Error::NoSlots | Error::TimedOut) => self.record(&sent, ledger::NOT_SENT),
            Err(error) => panic!("send: {error}"),
        }
    }

    fn send_in_place(&mut self, message: &Message, limit: Limit) -> Result<shmrr::RequestId> {
        let nap = self.nap();
        let loan = self.watch.call("loan", limit, || self.client.loan(limit)).0;
        let mut loan = loan?;
        let length = message.data.len();
        let start = if message.flags.contains(MessageFlags::END_ALIGNED) {
            loan.buffer().capacity() - length
        } else {
            0
        };
        let (first, last) = message.data.split_at(length / 2);
        loan.buffer().write_at(start, first).unwrap();
        nap();
        loan.buffer().write_at(start + first.len(), last).unwrap();
        let commit = || loan.commit_msg(length, message.message_type, message.flags);
        Ok(self.watch.call("commit", Limit::Now, commit).0.expect("a loan can be committed"))
    }

    /// Takes a slot and gives it back.
    fn abort(&mut self) {
        let (limit, nap) = (self.limit_for_slot(), self.nap());
        match self.watch.call("loan", limit, || self.client.loan(limit)).0 {
            Ok(mut loan) => {
                let garbage = vec![0xEE; loan.buffer().capacity()];
                loan.buffer().write_at(0, &garbage).unwrap();
                nap();
                self.watch.call("abort", Limit::Now, || loan.abort());
            }
            Err(Error::NoSlots | Error::TimedOut) => {}
            Err(error) => panic!("loan: {error}"),
        }
    }

    /// Something that takes its time now and then: long enough to be killed at it.
    pub fn nap(&mut self) -> impl Fn() + use<> {
        let time = if self.random.below(NAPS) == 0 { self.random.below(NAP) } else { 0 };
        move || {
            if time > 0 {
                std::thread::sleep(Duration::from_micros(time));
            }
        }
    }

    fn cancel_one(&mut self) {
        if self.flight.is_empty() {
            return;
        }
        let (id, sent) = self.any();
        match self.watch.call("cancel", Limit::Now, || self.client.cancel(id)).0 {
            Ok(()) => {
                self.record(&sent, ledger::CANCELLED);
                assert_eq!(self.client.cancel(id), Err(Error::Stale), "cancelled {sent:?}");
            }
            Err(Error::AlreadyReplied) => {
                let collected = self.collect(id, &sent, Limit::Now);
                assert!(collected, "can neither be cancelled nor collected: {sent:?}");
            }
            Err(Error::Stale) => self.miss(&sent),
            Err(error) => panic!("cancel of {sent:?}, {:#x}: {error}", self.marks(&sent)),
        }
    }
}
