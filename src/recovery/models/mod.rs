//! Loom models of recovery: somebody died after each of its steps, and two recoverers race with the living.
//!
//! The dead has done its steps before the threads start: the kernel says that a process is dead only after its last
//! instruction. What is asked each time: the slot comes free, a request is served at most once, and nobody waits for a
//! reply that can't come.

mod calls;
mod clearing;
mod passing;
mod posts;
mod redelivery;

use super::{Recovered, Recoverer, mark_published, recover_slot};
use crate::protocol::models::{Model, SERVERS, explore};
use crate::protocol::ring::{self, Known};
use crate::protocol::slot::{self, Progress, Purpose, Replied, Withdrawn};
use crate::protocol::state::{Id, Participant, RequestState, RequestWord};
use crate::protocol::word::Memory;
use loom::thread::{self, JoinHandle};
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, Release};

const DEAD: Participant = 7;
const LIVING: Participant = 1;
const RECOVERER: Participant = 9;

/// As `Channel::recover_slots` does it, except for waking.
fn recover_as(model: &Model, by: Recoverer, gone: impl Fn(Participant) -> bool) {
    let known = Known::at_attach(&model.words);
    for slot in 0..model.words.total_slots() {
        if let Recovered::Unpublished(judged) = recover_slot(&model.words, slot, by, &gone) {
            ring::publish(&model.words, &known, judged.id).unwrap();
            mark_published(&model.words, &judged, by.number, &gone);
        }
    }
}

/// In a channel that does not redeliver.
fn recover(model: &Model, gone: Participant) {
    recover_as(model, Recoverer { number: RECOVERER, redelivers: false }, |owner| owner == gone);
}

/// A thread that recovers from the deaths.
fn recoverer_thread(model: &Arc<Model>, number: Participant, redelivers: bool) -> JoinHandle<()> {
    let model = Arc::clone(model);
    thread::spawn(move || recover_as(&model, Recoverer { number, redelivers }, |owner| owner == DEAD))
}

fn two_recoverers(model: &Arc<Model>, redelivers: bool) -> [JoinHandle<()>; 2] {
    [RECOVERER, RECOVERER + 1].map(|number| recoverer_thread(model, number, redelivers))
}

fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// That no slot holds anything, and no server would find anything to take.
fn assert_nothing_is_left(model: &Model) {
    assert!(ring::find(&model.words, &Known::at_attach(&model.words)).is_none(), "something can be claimed");
    model.assert_all_free();
}
