//! Recovery, step by step: who rests where, and what the others do meanwhile. On the heap and in shared memory.

use super::{Recovered, Recoverer, Unpublished, mark_published, recover_slot};
use crate::Options;
use crate::protocol::allocate::allocate;
use crate::protocol::heap::Heap;
use crate::protocol::ring::{self, Known};
use crate::protocol::slot::{self, Purpose};
use crate::protocol::state::{Id, Participant};
use crate::protocol::word::Memory;
use std::sync::atomic::AtomicU64;

const CLIENT: Participant = 2;
const SERVERS: [Participant; 3] = [3, 4, 5];
const RECOVERERS: [Participant; 3] = [6, 7, 8];

/// Takes what is queued, as one who knows only the hints.
fn take(memory: &impl Memory, server: Participant) -> Option<Id> {
    let known = Known::at_attach(memory);
    let found = ring::find(memory, &known)?;
    let id = slot::claim(memory, found, server)?;
    ring::pass(memory, &known, found);
    Some(id)
}

/// Makes the request of somebody dead REQUEUED.
fn requeue(memory: &impl Memory, recoverer: Participant, dead: &[Participant]) -> Unpublished {
    let by = Recoverer { number: recoverer, redelivers: true };
    match recover_slot(memory, 0, by, |owner| dead.contains(&owner)) {
        Recovered::Unpublished(judged) => judged,
        other => panic!("{other:?}"),
    }
}

/// The first recoverer rests after it published; the next server claims by that and dies, and the second recoverer dies
/// before it publishes.
fn rest_before_marking(memory: &impl Memory, purpose: Purpose) {
    let known = Known::at_attach(memory);
    let id = allocate(memory, CLIENT, purpose, 0, 0).unwrap();
    slot::queue(memory, id, CLIENT);
    ring::publish(memory, &known, id).unwrap();

    assert_eq!(take(memory, SERVERS[0]), Some(id));
    let resting = requeue(memory, RECOVERERS[0], &SERVERS[..1]);
    ring::publish(memory, &known, id).unwrap();
    assert_eq!(take(memory, SERVERS[1]), Some(id));
    let _never_published = requeue(memory, RECOVERERS[1], &SERVERS[..2]);
    mark_published(memory, &resting, RECOVERERS[0], |owner| owner == SERVERS[0]);

    let taken_over = requeue(memory, RECOVERERS[2], &RECOVERERS[1..2]);
    ring::publish(memory, &known, id).unwrap();
    mark_published(memory, &taken_over, RECOVERERS[2], |owner| owner == RECOVERERS[1]);
    assert_eq!(take(memory, SERVERS[2]), Some(id), "it is lost");
    assert_ne!(slot::dismiss(memory, id), slot::Replied::Stale);
}

#[test]
fn what_a_recoverer_made_of_a_request_is_not_marked_by_one_who_published_it_before() {
    for purpose in [Purpose::Call, Purpose::Post] {
        rest_before_marking(&Heap::new(1, 0, 4, AtomicU64::new), purpose);
        let server = Options::new().slots(1).redeliver(true).anonymous().unwrap();
        rest_before_marking(server.channel().mapping(), purpose);
    }
}

/// A client helps to publish what was queued again, and rests in between just so.
#[test]
fn nor_by_a_client_that_helped_to_publish_it() {
    let memory = Heap::new(1, 0, 4, AtomicU64::new);
    let known = Known::at_attach(&memory);
    let id = allocate(&memory, CLIENT, Purpose::Call, 0, 0).unwrap();
    slot::queue(&memory, id, CLIENT);
    ring::publish(&memory, &known, id).unwrap();
    assert_eq!(take(&memory, SERVERS[0]), Some(id));
    requeue(&memory, RECOVERERS[0], &SERVERS[..1]);
    let helped = super::unpublished(&memory, id).expect("it is REQUEUED");
    ring::publish(&memory, &known, id).unwrap();
    assert_eq!(take(&memory, SERVERS[1]), Some(id));
    requeue(&memory, RECOVERERS[1], &SERVERS[..2]);
    mark_published(&memory, &helped, CLIENT, |_| false);
    assert!(super::unpublished(&memory, id).is_some(), "its reference is missing still");
}
