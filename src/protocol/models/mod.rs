//! Loom models of the protocol: the real code, in every interleaving of a few threads and with every value that the
//! memory model allows a load to see. Payloads are cells that loom watches: two accesses that nothing orders are found.
//!
//! `SHMRR_MODEL=full` explores those that take long more deeply, for a minute or so.
//!
//! What a thread waits for is not polled, which would make the models endless: each thread tries its step a bounded
//! number of times, and what is left when all have ended is finished by the main thread.

mod arming;
mod clearing;
mod listing;
mod order;
mod passing;
mod requests;
mod spares;
mod waking;
mod watching;

use crate::protocol::allocate::allocate;
use crate::protocol::heap::Heap;
use crate::protocol::ring::{self, Known};
use crate::protocol::slot::{self, Progress, Purpose, Replied};
use crate::protocol::state::{Id, Participant, ReplyState, ReplyWord};
use crate::protocol::word::{Memory, Word};
use loom::cell::UnsafeCell;

use loom::sync::atomic::AtomicU64;
use loom::thread::{self, JoinHandle};
use std::sync::Arc;
use std::sync::atomic::Ordering::{self, Relaxed, SeqCst};

impl Word for AtomicU64 {
    fn load(&self, order: Ordering) -> u64 {
        self.load(order)
    }
    fn store(&self, value: u64, order: Ordering) {
        self.store(value, order);
    }
    fn compare_exchange(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64> {
        self.compare_exchange(current, new, success, failure)
    }
    fn fetch_or(&self, bits: u64, order: Ordering) -> u64 {
        self.fetch_or(bits, order)
    }
    fn fetch_and(&self, bits: u64, order: Ordering) -> u64 {
        self.fetch_and(bits, order)
    }
    fn announced() {
        loom::sync::atomic::fence(SeqCst);
    }
}

/// The number of the first server.
pub(crate) const SERVERS: Participant = 100;

/// A channel whose payloads are one number each way.
pub(crate) struct Model {
    pub words: Heap<AtomicU64>,
    requests: Vec<UnsafeCell<u64>>,
    responses: Vec<UnsafeCell<u64>>,
}

impl Model {
    pub fn new(slots: u32, spares: u32, cells: u64) -> Arc<Self> {
        Self::starting_at(slots, spares, cells, 0, 0)
    }

    /// As if the ring had come to `position`, and each slot to `generation`.
    #[expect(clippy::arc_with_non_send_sync, reason = "loom runs its threads one at a time")]
    pub fn starting_at(slots: u32, spares: u32, cells: u64, position: u64, generation: u64) -> Arc<Self> {
        let payloads = || (0..slots + spares).map(|_| UnsafeCell::new(0)).collect();
        let words = Heap::starting_at(slots, spares, cells, position, generation, AtomicU64::new);
        Arc::new(Self { words, requests: payloads(), responses: payloads() })
    }

    pub fn try_send(&self, known: &Known, me: Participant, payload: u64) -> Option<Id> {
        self.try_begin(known, me, Purpose::Call, payload)
    }

    pub fn post(&self, known: &Known, me: Participant, payload: u64) -> Id {
        self.try_begin(known, me, Purpose::Post, payload).expect("a slot is free")
    }

    fn try_begin(&self, known: &Known, me: Participant, purpose: Purpose, payload: u64) -> Option<Id> {
        let id = allocate(&self.words, me, purpose, 0, 0)?;
        // SAFETY: the slot is this thread's until it is queued; loom reports if it is not.
        self.requests[id.slot as usize].with_mut(|bytes| unsafe { *bytes = payload });
        slot::queue(&self.words, id, me);
        ring::publish(&self.words, known, id).unwrap();
        Some(id)
    }

    pub fn send(&self, known: &Known, me: Participant, payload: u64) -> Id {
        self.try_send(known, me, payload).expect("a slot is free")
    }

    /// Takes the oldest request, if any, and what it carries.
    pub fn receive(&self, known: &Known, me: Participant) -> Option<(Id, u64)> {
        while let Some(found) = ring::find(&self.words, known) {
            if let Some(id) = slot::claim(&self.words, found, me) {
                ring::pass(&self.words, known, found);
                // SAFETY: the claim makes the payload this thread's to read; loom reports if it does not.
                let payload = self.requests[id.slot as usize].with(|bytes| unsafe { *bytes });
                return Some((id, payload));
            }
        }
        None
    }

    pub fn reply(&self, id: Id, me: Participant, payload: u64) -> Replied {
        if let Err(refused) = slot::may_reply(&self.words, id, me) {
            return refused;
        }
        // SAFETY: only the server that claimed the request writes its response; loom reports if that is not so.
        self.responses[id.slot as usize].with_mut(|bytes| unsafe { *bytes = payload });
        slot::reply(&self.words, id)
    }

    /// Lets go of a request, or is done with a message.
    pub fn release(&self, id: Id, me: Participant) -> Replied {
        slot::may_reply(&self.words, id, me).map_or_else(|ended| ended, |()| slot::dismiss(&self.words, id))
    }

    /// Serves one request, if there is one, by ten times its number.
    pub fn serve(&self, known: &Known, me: Participant) -> bool {
        let Some((id, payload)) = self.receive(known, me) else { return false };
        assert_ne!(self.reply(id, me, payload * 10), Replied::Stale);
        true
    }

    pub fn collect(&self, id: Id, me: Participant) -> Option<u64> {
        match slot::progress(&self.words, id, me).expect("not collected before") {
            Progress::Pending(_) => None,
            Progress::Ready(word) => {
                // SAFETY: READY makes the response this thread's to read; loom reports if it does not.
                let payload = self.responses[id.slot as usize].with(|bytes| unsafe { *bytes });
                slot::collect(&self.words, id, word).unwrap();
                Some(payload)
            }
            Progress::Failed(_) | Progress::Dismissed(_) => panic!("nobody died or gave up"),
        }
    }

    fn server(self: &Arc<Self>, number: Participant, tries: u32) -> JoinHandle<u32> {
        let model = Arc::clone(self);
        thread::spawn(move || {
            let known = Known::at_attach(&model.words);
            (0..tries).map(|_| u32::from(model.serve(&known, SERVERS + number))).sum()
        })
    }

    pub fn assert_all_free(&self) {
        for slot in 0..self.words.total_slots() {
            let word = ReplyWord(self.words.reply(slot).load(Relaxed));
            assert_eq!(word.state(), ReplyState::Free, "slot {slot}");
        }
    }
}

/// How many preemptions a model that takes long is explored with: `full` ones if `SHMRR_MODEL` says so, else fewer.
pub(crate) fn preemptions(full: usize, short: usize) -> usize {
    if std::env::var("SHMRR_MODEL").is_ok_and(|mode| mode == "full") { full } else { short }
}

pub(crate) fn explore(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}
