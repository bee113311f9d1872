//! Producers and consumers that are stopped after any of their accesses while the ring goes round and round: what they
//! do when they go on takes nothing from anybody, and their own message is not lost.

use super::cell::Cell;
use super::heap::Heap;
use super::ring::{self, Known};
use super::slot;
use super::state::{Id, Participant, ReplyWord};
use super::word::{Memory, Word};
use std::cell::{Cell as Private, RefCell};
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU64, Ordering};

const CLIENT: Participant = 1;
const SERVER: Participant = 2;
const CELLS: u64 = 4;

/// What happens after so many accesses.
struct Stop {
    left: Private<u32>,
    meanwhile: RefCell<Option<Box<dyn FnOnce()>>>,
}

/// A word whose accesses are counted.
struct Counted {
    word: AtomicU64,
    stop: Rc<Stop>,
}

impl Counted {
    fn accessed(&self) {
        if self.stop.left.get() > 0 {
            self.stop.left.set(self.stop.left.get() - 1);
            if self.stop.left.get() == 0 {
                let meanwhile = self.stop.meanwhile.take().expect("one stop");
                meanwhile();
            }
        }
    }
}

impl Word for Counted {
    fn load(&self, order: Ordering) -> u64 {
        let value = self.word.load(order);
        self.accessed();
        value
    }
    fn store(&self, value: u64, order: Ordering) {
        self.word.store(value, order);
        self.accessed();
    }
    fn compare_exchange(&self, old: u64, new: u64, success: Ordering, failure: Ordering) -> Result<u64, u64> {
        let result = self.word.compare_exchange(old, new, success, failure);
        self.accessed();
        result
    }
    fn fetch_or(&self, bits: u64, order: Ordering) -> u64 {
        let value = self.word.fetch_or(bits, order);
        self.accessed();
        value
    }
    fn fetch_and(&self, bits: u64, order: Ordering) -> u64 {
        let value = self.word.fetch_and(bits, order);
        self.accessed();
        value
    }
    fn announced() {}
}

struct Scene {
    words: Rc<Heap<Counted>>,
    stop: Rc<Stop>,
}

impl Scene {
    /// The ring has gone round a few times; all that was in it was taken.
    fn new() -> Self {
        let stop = Rc::new(Stop { left: Private::new(0), meanwhile: RefCell::new(None) });
        let word = |value| Counted { word: AtomicU64::new(value), stop: Rc::clone(&stop) };
        let words = Rc::new(Heap::starting_at(3, 0, CELLS, 10 * CELLS + 1, 0, word));
        Self { words, stop }
    }

    fn queue(&self, slot: u32) -> Id {
        let id = Id { slot, generation: 1 };
        self.words.reply(slot).word.store(ReplyWord::pending(1, CLIENT).0, Relaxed);
        slot::queue(&*self.words, id, CLIENT);
        id
    }

    /// After so many accesses of the next operation the ring goes round so often, and the oldest that it holds then is
    /// the request in slot 2.
    fn stop_after(&self, accesses: u32, laps: u64) {
        let words = Rc::clone(&self.words);
        self.stop.left.set(accesses);
        *self.stop.meanwhile.borrow_mut() = Some(Box::new(move || {
            let mut next = words.tail.word.load(Relaxed);
            while Cell(words.cell(next).word.load(Relaxed)).laps_ahead_of(next, CELLS) >= 0 {
                next += 1;
            }
            let oldest = next + (laps - 1) * CELLS;
            for position in oldest..oldest + CELLS {
                // Those before it are dead, unless the stopped one wrote them.
                let cell = Cell(words.cell(position).word.load(Relaxed));
                words.cell(position).word.store(cell.carried_to(position, CELLS).0, Relaxed);
            }
            let kept = Id { slot: 2, generation: 1 };
            words.cell(oldest).word.store(Cell::new(oldest, CELLS, kept).0, Relaxed);
            words.tail.word.store(oldest + CELLS, Relaxed);
            words.head.word.store(oldest, Relaxed);
        }));
    }

    /// Whether the stop came.
    fn has_stopped(&self) -> bool {
        self.stop.left.set(0);
        self.stop.meanwhile.take().is_none()
    }

    /// Takes one as a server that knows the hints alone.
    fn take(&self) -> Option<u32> {
        let known = Known::at_attach(&*self.words);
        let found = ring::find(&*self.words, &known)?;
        let id = slot::claim(&*self.words, found, SERVER)?;
        ring::pass(&*self.words, &known, found);
        Some(id.slot)
    }

    fn take_all(&self) -> Vec<u32> {
        let mut taken: Vec<u32> = std::iter::from_fn(|| self.take()).collect();
        taken.sort_unstable();
        taken
    }
}

const LAPS: [u64; 10] = [
    1,
    2,
    (1 << 31) - 1,
    1 << 31,
    (1 << 31) + 1,
    (1 << 32) - 1,
    1 << 32,
    (1 << 32) + 1,
    (1 << 39) - 2,
    (1 << 39) - 1,
];

#[test]
fn a_producer_that_was_stopped_overwrites_nothing_that_is_needed_and_is_heard() {
    for laps in LAPS {
        let mut accesses = 1;
        loop {
            let scene = Scene::new();
            let known = Known::at_attach(&*scene.words);
            let (mine, _kept) = (scene.queue(0), scene.queue(2));
            scene.stop_after(accesses, laps);
            ring::publish(&*scene.words, &known, mine).unwrap();
            if !scene.has_stopped() {
                break;
            }
            let last = scene.queue(1);
            ring::publish(&*scene.words, &Known::at_attach(&*scene.words), last).unwrap();
            assert_eq!(scene.take_all(), [0, 1, 2], "stopped after {accesses} accesses for {laps} laps");
            accesses += 1;
        }
        assert!(accesses > 5, "{accesses}");
    }
}

#[test]
fn a_consumer_that_was_stopped_hides_nothing_from_others() {
    for laps in LAPS {
        let mut accesses = 1;
        loop {
            let scene = Scene::new();
            let mine = scene.queue(0);
            ring::publish(&*scene.words, &Known::at_attach(&*scene.words), mine).unwrap();
            scene.queue(2);
            let known = Known::at_attach(&*scene.words);
            scene.stop_after(accesses, laps);
            let found = ring::find(&*scene.words, &known).expect("one of the two");
            if slot::claim(&*scene.words, found, SERVER).is_some() {
                ring::pass(&*scene.words, &known, found);
            }
            if !scene.has_stopped() {
                break;
            }
            let last = scene.queue(1);
            ring::publish(&*scene.words, &Known::at_attach(&*scene.words), last).unwrap();
            let mut taken = scene.take_all();
            taken.push(found.slot);
            taken.sort_unstable();
            assert_eq!(taken, [0, 1, 2], "stopped after {accesses} accesses for {laps} laps");
            accesses += 1;
        }
        assert!(accesses > 4, "{accesses}");
    }
}
