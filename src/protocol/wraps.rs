//! Counters that wrap: positions, laps and generations start just below their largest values, and requests go through
//! as ever.

use super::allocate::allocate;
use super::heap::Heap;
use super::ring::{self, Known};
use super::slot::{self, Progress, Purpose, Replied};
use super::state::{GENERATION_MAX, Id, Participant};
use std::sync::atomic::AtomicU64;

const CLIENT: Participant = 1;
const SERVER: Participant = 2;

fn round_trip(words: &Heap<AtomicU64>, producer: &Known, consumer: &Known) -> Id {
    let id = allocate(words, CLIENT, Purpose::Call, 0, 0).expect("a slot is free");
    slot::queue(words, id, CLIENT);
    ring::publish(words, producer, id).unwrap();
    let found = ring::find(words, consumer).expect("published");
    let claimed = slot::claim(words, found, SERVER).expect("nobody else takes it");
    ring::pass(words, consumer, found);
    assert_eq!(claimed, id);
    assert!(matches!(slot::reply(words, claimed), Replied::Delivered { .. }));
    let Ok(Progress::Ready(word)) = slot::progress(words, id, CLIENT) else { panic!("not ready") };
    slot::collect(words, id, word).unwrap();
    assert!(ring::find(words, consumer).is_none());
    id
}

fn exchange_across(position: u64, generation: u64) {
    let words = Heap::starting_at(2, 0, 4, position, generation, AtomicU64::new);
    let (producer, consumer) = (Known::at_attach(&words), Known::at_attach(&words));
    let mut ids = Vec::new();
    for turn in 0..40 {
        ids.push(round_trip(&words, &producer, &consumer).to_u64());
        if turn % 7 == 0 {
            // A handle that attaches now starts from the hints alone.
            ids.push(round_trip(&words, &Known::at_attach(&words), &Known::at_attach(&words)).to_u64());
        }
    }
    assert!(ids.iter().all(|id| *id != 0));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 46, "every request has an id of its own");
}

#[test]
fn positions_wrap() {
    exchange_across(u64::MAX - 9, 0);
}

#[test]
fn laps_wrap() {
    exchange_across(((1 << 40) - 4) * 4, 0);
}

#[test]
fn generations_wrap() {
    exchange_across(0, GENERATION_MAX - 9);
}

#[test]
fn the_generation_bits_of_a_cell_wrap() {
    exchange_across(0, 0xFF - 9);
}

/// A handle that slept through many laps finds the oldest request that is still queued.
#[test]
fn a_consumer_left_laps_behind_catches_up() {
    let words = Heap::new(2, 0, 4, AtomicU64::new);
    let (producer, consumer, late) =
        (Known::at_attach(&words), Known::at_attach(&words), Known::at_attach(&words));
    for _ in 0..100 {
        round_trip(&words, &producer, &consumer);
    }
    // Without the shared hint it has to walk.
    words.head.store(0, std::sync::atomic::Ordering::Relaxed);
    round_trip(&words, &producer, &late);
}
