//! The ring: the order in which requests were published.
//!
//! A circular log of references. Producers write cells, consumers only read them. Positions grow for ever; a position's
//! cell is chosen by its low bits and its lap says how often the ring went round. A cell is, seen from a position:
//!
//! | its lap | meaning for a producer | meaning for a consumer |
//! |---|---|---|
//! | older | free, if its reference is dead; else carry that reference to this lap | empty: nothing published here yet |
//! | this | filled: go on | a reference: claim it if still QUEUED or REQUEUED, else go on |
//! | newer | filled: go on from there | overwritten: go on with the oldest position the ring still holds |
//!
//! Positions are filled strictly in order, because a producer only ever fills the first old cell it meets. Nobody waits
//! for anybody to release a cell, so nobody can block anybody by dying. The lap arithmetic is that of a bounded queue
//! with stamps (crossbeam's `ArrayQueue`, after Dmitry Vyukov), without the consumers' half of it.

use super::cell::Cell;
use super::state::{Id, RequestWord};
use super::word::{Memory, Word};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

/// A producer that has walked so far without finding a place is in memory that somebody overwrites: all others together
/// can't keep it from one for that long.
const LAPS_BEFORE_GIVING_UP: u64 = 4;
const STEPS_BEFORE_GIVING_UP: u64 = 10_000;

/// The ring is not what any producer that keeps to the protocol would leave.
#[derive(Debug)]
pub(crate) struct CorruptRing;

/// What a handle knows of the ring, in private memory. Old values cost steps, never answers.
#[derive(Default, Debug)]
pub(crate) struct Known {
    /// Every position below is filled.
    tail: AtomicU64,
    /// No reference below is needed any more.
    head: AtomicU64,
}

impl Known {
    /// The position at which this handle is likely to publish next.
    #[inline]
    pub fn tail(&self) -> u64 {
        self.tail.load(Relaxed)
    }

    /// Starts from the hints that others left.
    pub fn at_attach<M: Memory>(memory: &M) -> Self {
        Self {
            tail: AtomicU64::new(memory.tail().load(Acquire)),
            head: AtomicU64::new(memory.head().load(Acquire)),
        }
    }
}

/// Of two positions the one further on; positions wrap.
fn later(a: u64, b: u64) -> u64 {
    if a.wrapping_sub(b) as i64 >= 0 { a } else { b }
}

/// Publishes the reference to a request whose word is QUEUED or REQUEUED already. A second reference to one request is
/// harmless: whoever meets it finds the request claimed. Always inlined, since sending is one function.
#[inline(always)]
pub(crate) fn publish<M: Memory>(memory: &M, known: &Known, id: Id) -> Result<(), CorruptRing> {
    publish_within(memory, known, id, &mut patience(memory))
}

/// Steps after which a producer gives up.
pub(crate) fn patience<M: Memory>(memory: &M) -> u64 {
    (LAPS_BEFORE_GIVING_UP * memory.cells()).max(STEPS_BEFORE_GIVING_UP)
}

/// As [`publish`], with so many steps for this reference and those after it.
#[inline(always)]
pub(crate) fn publish_within<M: Memory>(
    memory: &M,
    known: &Known,
    id: Id,
    steps: &mut u64,
) -> Result<(), CorruptRing> {
    let cells = memory.cells();
    let mut tail = memory.tail().load(Acquire);
    let mut position = later(known.tail.load(Relaxed), tail);
    while *steps > 0 {
        *steps -= 1;
        let word = memory.cell(position);
        // Acquire: pairs with the publish of the reference, so that `is_live` sees that request QUEUED or later.
        let found = Cell(word.load(Acquire));
        let ahead = found.laps_ahead_of(position, cells);
        if ahead >= 0 {
            position = position.wrapping_add(ahead as u64 * cells).wrapping_add(1);
            continue;
        }
        // Whoever was stopped between loading the position and the cell may see a lap so far ahead that it seems to be
        // behind. The hint has all bits, and tells. If it goes on only after this load, the cell changes, and the
        // exchange fails: it would have to find the same slot, generation and lap of 2^40 laps later.
        let now = memory.tail().load(Acquire);
        if now != tail {
            tail = now;
            position = later(position, now);
        } else if !is_resolved(memory, known, position.wrapping_sub(cells)) && is_live(memory, found) {
            let carried = found.carried_to(position, cells);
            if word.compare_exchange(found.0, carried.0, SeqCst, Relaxed).is_ok() {
                position = position.wrapping_add(1);
            }
        // Release: whoever sees the reference sees the request QUEUED and written. SeqCst: and this write is ordered
        // before the load of the doorbell that follows it (see `doorbell`).
        } else if word.compare_exchange(found.0, Cell::new(position, cells, id).0, SeqCst, Relaxed).is_ok() {
            let next = position.wrapping_add(1);
            known.tail.store(next, Relaxed);
            // Whoever is stopped before this stores an old hint when it goes on. That is true all the same, and walks
            // from it jump to what the ring holds by the lap that they find.
            memory.tail().store(next, Release);
            return Ok(());
        }
    }
    Err(CorruptRing)
}

/// Whether the reference at `position`, one lap back, is known to be unneeded without looking at its slot, which is
/// likely to be in another processor's cache. Reads the shared hint only when the private copy does not say so.
fn is_resolved<M: Memory>(memory: &M, known: &Known, position: u64) -> bool {
    let below = |head: u64| (position.wrapping_sub(head) as i64) < 0;
    if below(known.head.load(Relaxed)) {
        return true;
    }
    let head = memory.head().load(Acquire);
    known.head.store(head, Relaxed);
    below(head)
}

fn is_live<M: Memory>(memory: &M, cell: Cell) -> bool {
    if cell.slot() >= memory.total_slots() {
        return false;
    }
    let request = RequestWord(memory.request(cell.slot()).load(Acquire));
    request.is_claimable() && cell.refers_to(request)
}

/// A request that could be claimed when it was found, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub slot: u32,
    pub word: RequestWord,
    position: u64,
}

/// Laps that one look for a request walks at most. It takes one to reach what the ring holds and one to see all of
/// that; more only where others fill it meanwhile, and then the next look goes on from there.
const LAPS_PER_LOOK: u64 = 2;

/// Steps of a [`glance`].
const STEPS_PER_GLANCE: u64 = 64;

/// The oldest request that can be claimed.
pub(crate) fn find<M: Memory>(memory: &M, known: &Known) -> Option<Found> {
    look(memory, known, LAPS_PER_LOOK * memory.cells())
}

/// As [`find`], except that it goes a few steps only, and on from there the next time: for polling, where the clock has
/// to be looked at now and then.
#[inline(always)]
pub(crate) fn glance<M: Memory>(memory: &M, known: &Known) -> Option<Found> {
    look(memory, known, STEPS_PER_GLANCE)
}

/// Always inlined: what it finds must stay in registers. Returned through memory, the parts are read back wider than
/// they were written, and that waits until every earlier store has reached its line.
#[inline(always)]
fn look<M: Memory>(memory: &M, known: &Known, steps: u64) -> Option<Found> {
    let cells = memory.cells();
    let mut position = later(known.head.load(Relaxed), memory.head().load(Relaxed));
    for _ in 0..steps {
        // Acquire: pairs with `publish`. SeqCst: and it comes after the announcement of a server that is about to
        // sleep (see `doorbell`).
        let cell = Cell(memory.cell(position).load(SeqCst));
        let ahead = cell.laps_ahead_of(position, cells);
        if ahead < 0 {
            known.head.store(position, Relaxed);
            return None;
        }
        if ahead == 0 && cell.slot() < memory.total_slots() {
            let slot = cell.slot();
            let word = RequestWord(memory.request(slot).load(Acquire));
            if word.is_claimable() && cell.refers_to(word) {
                return Some(Found { slot, word, position });
            }
        }
        // The oldest position that the ring still holds is one lap behind the cell's, and one on.
        let skip = if ahead == 0 { 1 } else { (ahead as u64 - 1) * cells + 1 };
        position = position.wrapping_add(skip);
    }
    known.head.store(position, Relaxed);
    None
}

/// Slots that the ring refers to, each with a request that can be claimed by that reference: one bit for each, or where
/// there are more slots than bits, for some that share it. Which slots share one changes at each look, so that a
/// slot which is taken for another's now is seen at a later one.
pub(crate) struct Referenced {
    bits: [u64; Self::BITS as usize / 64],
    spread: Option<u32>,
}

impl Referenced {
    /// As few as that, for this lies on the stack of a thread that waits.
    const BITS: u32 = 4096;

    fn none<M: Memory>(memory: &M, look: u32) -> Self {
        let spread = (memory.total_slots() > Self::BITS).then_some(look);
        Self { bits: [0; Self::BITS as usize / 64], spread }
    }

    fn bit(&self, slot: u32) -> u32 {
        match self.spread {
            None => slot % Self::BITS,
            // The high bits of a product with an odd number depend on all bits of its factors.
            Some(look) => (slot ^ look << 16).wrapping_mul(0x9E37_79B1) >> (32 - Self::BITS.trailing_zeros()),
        }
    }

    fn add(&mut self, slot: u32) {
        let bit = self.bit(slot);
        self.bits[bit as usize / 64] |= 1 << (bit % 64);
    }

    pub fn contains(&self, slot: u32) -> bool {
        let bit = self.bit(slot);
        self.bits[bit as usize / 64] >> (bit % 64) & 1 != 0
    }
}

/// What servers may still find, from the shared hint on. `look`: a number that is another each time.
pub(crate) fn referenced<M: Memory>(memory: &M, look: u32) -> Referenced {
    let cells = memory.cells();
    let mut found = Referenced::none(memory, look);
    let mut position = memory.head().load(Acquire);
    for _ in 0..LAPS_PER_LOOK * cells {
        let cell = Cell(memory.cell(position).load(Acquire));
        let ahead = cell.laps_ahead_of(position, cells);
        if ahead < 0 {
            break;
        }
        if ahead == 0 && is_live(memory, cell) {
            found.add(cell.slot());
        }
        let skip = if ahead == 0 { 1 } else { (ahead as u64 - 1) * cells + 1 };
        position = position.wrapping_add(skip);
    }
    found
}

/// How many requests a server would find. `WORDS` times 64 is no less than there are slots: a request that is referred to
/// twice counts once.
pub(crate) fn count<M: Memory, const WORDS: usize>(memory: &M, known: &Known) -> u32 {
    let cells = memory.cells();
    let mut seen = [0_u64; WORDS];
    let mut count = 0;
    let mut position = later(known.head.load(Relaxed), memory.head().load(Relaxed));
    for _ in 0..LAPS_PER_LOOK * cells {
        let cell = Cell(memory.cell(position).load(Acquire));
        let ahead = cell.laps_ahead_of(position, cells);
        if ahead < 0 {
            break;
        }
        if ahead == 0 && is_live(memory, cell) {
            let (word, bit) = (cell.slot() as usize / 64 % WORDS, 1 << (cell.slot() % 64));
            count += u32::from(seen[word] & bit == 0);
            seen[word] |= bit;
        }
        let skip = if ahead == 0 { 1 } else { (ahead as u64 - 1) * cells + 1 };
        position = position.wrapping_add(skip);
    }
    count
}

/// The slot that was published next after `found`, if one was: a hint.
#[inline]
pub(crate) fn peek_after<M: Memory>(memory: &M, found: Found) -> Option<u32> {
    let position = found.position.wrapping_add(1);
    let cell = Cell(memory.cell(position).load(Relaxed));
    let is_filled = cell.laps_ahead_of(position, memory.cells()) == 0 && cell.slot() < memory.total_slots();
    is_filled.then_some(cell.slot())
}

/// Remembers that nothing up to and including `found` is needed any more.
pub(crate) fn pass<M: Memory>(memory: &M, known: &Known, found: Found) {
    let next = found.position.wrapping_add(1);
    known.head.store(next, Relaxed);
    // As with the tail, an old hint does no harm.
    memory.head().store(next, Release);
}
