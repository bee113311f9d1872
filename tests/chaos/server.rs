//! The serving side of the chaos test: takes some requests, replies to them in any order, now and then with an error, or
//! twice.

use crate::ledger::{self, Ledger, SERVERS_FINISH};
use crate::payload::{Payload, Random};
use crate::watch::{Limit, Watch};
use crate::{LARGEST, Part, error_for};
use shmrr::{Error, Options, Server};
use std::time::Duration;

/// Requests that a server holds at once.
const HELD: u64 = 6;
/// One reply in so many is sent once more.
const REPEATS: u64 = 16;
/// Once in so many times what is held is held for longer, up to so many microseconds: long enough to be killed with it.
const NAPS: u64 = 16;
const NAP: u64 = 4000;
const PATIENCE: Limit = Limit::Within(Duration::from_millis(100));

struct Serving<'a> {
    ledger: &'a Ledger,
    watch: Watch<'a>,
    server: Server,
    life: u32,
}

pub fn serve(part: &Part) {
    let ledger = &part.ledger;
    let watch = Watch::new(ledger, part.seat);
    let server = Options::new().server(&part.channel).unwrap();
    let serving = Serving { ledger, watch, server, life: part.life };
    let mut random = Random::new(part.seed);
    let mut held = Vec::new();
    while ledger.phase() != SERVERS_FINISH {
        let wanted = if random.below(4) == 0 { 1 + random.below(HELD) } else { 1 };
        while held.len() < wanted as usize {
            let limit = if held.is_empty() { PATIENCE } else { Limit::Now };
            let Some(taken) = serving.take(limit) else { break };
            held.push(taken);
        }
        if random.below(NAPS) == 0 {
            std::thread::sleep(Duration::from_micros(random.below(NAP)));
        }
        while !held.is_empty() {
            let (id, payload) = held.swap_remove(random.below(held.len() as u64) as usize);
            serving.reply(id, &payload);
            if random.below(REPEATS) == 0 {
                assert_eq!(serving.send(id, &payload), Err(Error::Stale), "a second reply to {payload:?}");
            }
        }
    }
}

impl Serving<'_> {
    fn take(&self, limit: Limit) -> Option<(u64, Payload)> {
        let mut buffer = [0; LARGEST];
        let (taken, _) = self.watch.call("recv", limit, || self.server.recv_wait(&mut buffer, limit));
        let request = match taken {
            Ok(request) => request,
            Err(Error::TimedOut | Error::WouldBlock) => return None,
            Err(error) => panic!("recv: {error}"),
        };
        let payload =
            Payload::check(&buffer[..request.length]).unwrap_or_else(|why| panic!("a request is {why}"));
        let marks = self.ledger.execute(payload.client as usize, payload.number, self.life);
        assert!(marks & ledger::SENT != 0, "a request was never sent: {payload:?}");
        assert_eq!(ledger::executions(marks), 0, "executed twice: {payload:?}");
        Some((request.id, payload))
    }

    fn reply(&self, id: u64, payload: &Payload) {
        let client = payload.client as usize;
        match self.send(id, payload) {
            Ok(()) => self.ledger.acknowledge(client, payload.number),
            Err(Error::Stale) => drop(self.ledger.mark(client, payload.number, ledger::REFUSED)),
            Err(error) => panic!("reply: {error}"),
        }
    }

    fn send(&self, id: u64, payload: &Payload) -> shmrr::Result<()> {
        let send = || match error_for(payload) {
            Some((code, text)) => self.server.reply_error(id, code, &text),
            None => self.server.reply(id, &payload.reply()),
        };
        self.watch.call("reply", Limit::Now, send).0
    }
}
