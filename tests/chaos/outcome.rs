//! What the calls of the chaos test's clients came to. The ledger says what servers made of a request, and what both
//! sides saw must agree.

use crate::client::{Calling, Sent};
use crate::conduct::{Answer, answer_to, check_label};
use crate::ledger;
use crate::watch::{Limit, Span};
use crate::{Form, LARGEST};
use shmrr::{Error, Result};

/// One reply in so many is asked for once more.
const REPEATS: u64 = 16;
/// Servers that must have died before a request fails in a channel that redelivers: the first, and 15 more.
const DELIVERIES: u32 = 16;

impl Calling<'_> {
    /// False if the request is still pending.
    pub fn collect(&mut self, id: shmrr::RequestId, sent: &Sent, limit: Limit) -> bool {
        let was_done = self.is_done(sent);
        let is_pending = if self.form == Form::Integers {
            self.collect_number(id, sent, limit)
        } else if self.random.below(2) == 0 {
            self.collect_copy(id, sent, limit)
        } else {
            self.collect_in_place(id, sent, limit)
        };
        if is_pending {
            assert!(!was_done, "what a server answered to {sent:?} was acknowledged and is lost");
            return false;
        }
        if self.random.below(REPEATS) == 0 {
            assert_eq!(self.client.cancel(id), Err(Error::Stale), "delivered twice: {sent:?}");
        }
        true
    }

    /// Whether a server's answer has been accepted.
    fn is_done(&self, sent: &Sent) -> bool {
        self.marks(sent) & (ledger::REPLIED | ledger::RELEASED) != 0
    }

    /// True if the request is still pending.
    fn collect_copy(&self, id: shmrr::RequestId, sent: &Sent, limit: Limit) -> bool {
        let mut buffer = [0; LARGEST];
        let get = || self.client.get_wait(id, &mut buffer, limit);
        let (result, span) = self.watch.call("get", limit, get);
        let is_pending = matches!(result, Err(Error::TimedOut | Error::WouldBlock));
        if !is_pending {
            self.end(sent, result.map(|length| &buffer[..length]), span);
        }
        is_pending
    }

    /// As [`Self::collect_copy`], with a look at the reply where it lies, twice.
    fn collect_in_place(&mut self, id: shmrr::RequestId, sent: &Sent, limit: Limit) -> bool {
        let nap = self.nap();
        let (result, span) = self.watch.call("view", limit, || self.client.view(id, limit));
        let view = match result {
            Err(Error::TimedOut | Error::WouldBlock) => return true,
            Err(error) => {
                self.end(sent, Err(error), span);
                return false;
            }
            Ok(view) => view,
        };
        check_label(&sent.payload, view.message_type(), view.flags());
        let seen = view.bytes().to_vec();
        nap();
        assert!(view.bytes().to_vec() == seen, "a reply changed under its client: {sent:?}");
        view.release();
        self.end(sent, Ok(&seen), span);
        false
    }

    pub fn wait_for_any(&mut self) {
        if self.flight.is_empty() {
            return;
        }
        let limit = self.limit();
        let mut ids: Vec<shmrr::RequestId> = self.flight.iter().map(|(id, _)| *id).collect();
        ids.insert(self.random.below(ids.len() as u64) as usize, shmrr::RequestId::NONE);
        let was_done = self.flight.iter().any(|(_, sent)| self.is_done(sent));
        let (result, span) = self.watch.call("wait_any", limit, || self.client.wait_any(&ids, limit));
        match result {
            Ok(index) => {
                let done = self.flight.iter().filter_map(|(_, sent)| self.answered_at(sent)).min();
                if let Some(at) = done {
                    self.watch.check("waiting for one of several replies", span, at);
                }
                let at = self.flight.iter().position(|(id, _)| *id == ids[index]).expect("an id");
                let (id, sent) = self.flight.swap_remove(at);
                assert!(self.collect(id, &sent, Limit::Now), "wait_any told of it: {sent:?}");
            }
            Err(Error::TimedOut | Error::WouldBlock) => {
                assert!(!was_done, "what a server answered was acknowledged, and wait_any did not tell");
            }
            Err(Error::Stale) => {
                let flight = std::mem::take(&mut self.flight);
                let count = flight.len();
                for (id, sent) in flight {
                    if !self.collect(id, &sent, Limit::Now) {
                        self.flight.push((id, sent));
                    }
                }
                assert!(self.flight.len() < count, "wait_any ended for a request that is gone, and none is");
            }
            Err(error) => panic!("wait_any: {error}"),
        }
    }

    fn answered_at(&self, sent: &Sent) -> Option<u64> {
        self.ledger.acknowledged_at(self.seat, sent.payload.number)
    }

    /// What a call came to that neither failed to send nor met its deadline.
    pub fn end(&self, sent: &Sent, result: Result<&[u8]>, span: Span) {
        let answer = answer_to(&sent.payload);
        match (result, answer) {
            (Ok(reply), Answer::Reply) => {
                assert!(reply == sent.payload.reply(), "a wrong reply to {sent:?}");
                self.answered(sent, ledger::RECEIVED, span);
            }
            (Err(Error::Remote { code, text }), Answer::Error(right_code, right_text)) => {
                assert_eq!(
                    (code, text.as_str()),
                    (right_code, right_text.as_str()),
                    "a wrong error to {sent:?}"
                );
                self.answered(sent, ledger::RECEIVED, span);
            }
            (Err(Error::Dismissed), Answer::None)
                if self.marks(sent) & ledger::RELEASED != 0 || !self.may_be_cleared(sent) =>
            {
                self.answered(sent, ledger::DISMISSED, span);
            }
            (Err(Error::Dismissed | Error::Stale), _) => self.miss(sent),
            (Err(Error::OwnerDead), _) => self.mourn(sent, span),
            (result, _) => panic!("{sent:?}, {:#x}, ends with {result:?}", self.marks(sent)),
        }
    }

    fn answered(&self, sent: &Sent, outcome: u32, span: Span) {
        self.record(sent, outcome);
        assert_ne!(ledger::executions(self.marks(sent)), 0, "an answer, but nobody executed {sent:?}");
        if let Some(at) = self.answered_at(sent) {
            self.watch.check("waiting for an answer that was there", span, at);
        }
    }

    /// Whether the channel was cleared since the request was sent, or is being cleared.
    fn may_be_cleared(&self, sent: &Sent) -> bool {
        self.ledger.clears().begun() > sent.clears
    }

    /// The request is gone, and the client did not end it.
    pub fn miss(&self, sent: &Sent) {
        self.record(sent, ledger::CLEARED);
        assert!(self.may_be_cleared(sent), "gone, and nobody cleared the channel: {sent:?}");
    }

    fn mourn(&self, sent: &Sent, span: Span) {
        self.record(sent, ledger::OWNER_DEAD);
        let deaths = self.ledger.condemned() - sent.buried;
        let least = if self.form.redelivers() { DELIVERIES } else { 1 };
        assert!(deaths >= least, "failed after {deaths} deaths, not {least}: {sent:?}");
        let Some(life) = self.ledger.executor(self.seat, sent.payload.number) else { return };
        assert!(self.ledger.is_condemned(life), "a server was taken for dead that lives: {sent:?}");
        if let Some(at) = self.ledger.buried_at(life) {
            self.watch.check("waiting for a server that was dead", span, at);
        }
    }
}
