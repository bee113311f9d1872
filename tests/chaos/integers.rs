//! The chaos test in a channel of integers: a request is a number that says whose it is and which, and its reply is that
//! number's complement.

use crate::client::{Calling, Sent};
use crate::ledger::{self, CLIENTS};
use crate::payload::Payload;
use crate::server::{Held, Serving};
use crate::watch::Limit;
use shmrr::{Error, Result};

/// Spreads small numbers over all there are; multiplying by the other takes it back.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
const GATHER: u64 = 0xF1DE_83E1_9937_733D;
const _: () = assert!(SPREAD.wrapping_mul(GATHER) == 1);

fn number_of(request: &Payload) -> i64 {
    (u64::from(request.client) << 32 | u64::from(request.number)).wrapping_mul(SPREAD) as i64
}

fn request_of(number: i64) -> Payload {
    let key = (number as u64).wrapping_mul(GATHER);
    let client = (key >> 32) as u32;
    assert!((client as usize) < CLIENTS, "nobody sent {number:#x}");
    Payload::new(client, key as u32, 0)
}

/// The reply as the ledger's other channels have it, if the number is right.
fn reply_of(request: &Payload, reply: Result<i64>) -> Result<Vec<u8>> {
    let reply = reply?;
    assert!(reply == !number_of(request), "a wrong reply to {request:?}: {reply:#x}");
    Ok(request.reply())
}

impl Calling<'_> {
    pub fn exchange_numbers(&mut self) {
        match self.random.below(8) {
            0..3 => self.request_number(),
            3 => self.wait_for_any(),
            _ => self.pipeline(),
        }
    }

    fn request_number(&mut self) {
        let (limit, sent) = (self.limit_for_slot(), self.next(0));
        let number = number_of(&sent.payload);
        let (result, span) = self.watch.call("req_i64", limit, || self.client.req_i64(number, limit));
        match result {
            Err(Error::NoSlots) => self.record(&sent, ledger::NOT_SENT),
            Err(Error::TimedOut | Error::WouldBlock) => {
                self.signals.may_come();
                self.record(&sent, ledger::WITHDRAWN);
            }
            result => {
                self.signals.comes();
                let reply = reply_of(&sent.payload, result);
                self.end(&sent, reply.as_deref().map_err(Clone::clone), span);
            }
        }
    }

    pub fn send_number(&mut self, sent: &Sent) -> Result<shmrr::RequestId> {
        let number = number_of(&sent.payload);
        self.watch.call("send_i64", Limit::Now, || self.client.send_i64(number)).0
    }

    /// True if the request is still pending.
    pub fn collect_number(&self, id: shmrr::RequestId, sent: &Sent, limit: Limit) -> bool {
        let get = || self.client.get_wait_i64(id, limit);
        let (result, span) = self.watch.call("get_i64", limit, get);
        let is_pending = matches!(result, Err(Error::TimedOut | Error::WouldBlock));
        if !is_pending {
            let reply = reply_of(&sent.payload, result);
            self.end(sent, reply.as_deref().map_err(Clone::clone), span);
        }
        is_pending
    }
}

impl Serving<'_> {
    pub fn take_number(&self, limit: Limit) -> Result<Vec<Held<'_>>> {
        let take = || self.server.recv_wait_i64(limit);
        let (request, number) = self.watch.call("recv_i64", limit, take).0?;
        Ok(vec![self.hold(request, &request_of(number).request(), None)])
    }

    pub fn reply_number(&self, id: shmrr::RequestId, request: &Payload) -> Result<()> {
        let number = !number_of(request);
        self.watch.call("reply_i64", Limit::Now, || self.server.reply_i64(id, number)).0
    }
}
