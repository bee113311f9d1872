//! Memory laid out to make one call take as long as it can: what a walk, a recovery or a retry costs at its worst, in the
//! largest channel or under somebody who never lets go.

use super::payload::Random;
use super::region::{HEAD, LENGTH, REQUEST_DOORBELL, Region, SLOT_DOORBELL, SPARES_IN_USE, TAIL, WATCH};
use std::sync::atomic::Ordering::Relaxed;

const PENDING: u64 = 1;
const POSTED: u64 = 5;
const QUEUED: u64 = 1;
const REQUEUED: u64 = 5;
const READY: u64 = 2;
const GENERATION: u64 = 7;
/// So many laps ahead still counts as ahead, and four times as many as none.
const QUARTER: u64 = 1 << 38;

fn word(state: u64) -> u64 {
    GENERATION << 20 | state
}

fn cell(lap: u64, slot: u64) -> u64 {
    lap << 24 | GENERATION << 16 | slot
}

/// A ring in which the next cell is always there, or overwritten by a later lap, all the way round and on.
fn lay_endless_ring(region: &Region, slot: &mut impl FnMut() -> u64) {
    let mut lap = 1;
    for position in 0..region.geometry.cells() {
        // In turn: a later lap, whose oldest position is looked for behind the next cell; and that next cell.
        lap = if position % 2 == 0 { lap + QUARTER } else { lap - 1 };
        region.word(region.cell_at(position)).store(cell(lap, slot()), Relaxed);
    }
    region.word(HEAD).store(0, Relaxed);
    region.word(TAIL).store(0, Relaxed);
}

/// References to requests that nobody queued.
pub fn endless_laps(region: &Region) {
    let mut random = Random::new(1);
    let total = region.geometry.total_slots();
    lay_endless_ring(region, &mut || random.below(total));
}

/// Every place of the ring is taken by a request that still waits, so that a producer carries them on and on.
pub fn waiting_requests_everywhere(region: &Region) {
    let mut random = Random::new(2);
    let cells = region.geometry.cells();
    let total = region.geometry.total_slots();
    // A client begins at the first slots.
    let first = total / 2;
    for slot in first..total {
        region.word(region.request(slot)).store(word(QUEUED), Relaxed);
    }
    for position in 0..cells {
        let slot = first + random.below(total - first);
        region.word(region.cell_at(position)).store(cell(1, slot), Relaxed);
    }
    region.word(HEAD).store(0, Relaxed);
    region.word(TAIL).store(cells, Relaxed);
}

/// Every slot is in use, and whoever has an entry seems to be dead.
pub fn everybody_dead_and_no_slot_free(region: &Region) {
    for slot in 0..region.geometry.total_slots() {
        region.word(region.reply(slot)).store(word(PENDING), Relaxed);
    }
    everybody_is_dead(region);
}

fn everybody_is_dead(region: &Region) {
    for number in 1..=u64::from(region.geometry.participants) {
        let word = region.word(region.participant(number));
        word.store(word.load(Relaxed) | 1, Relaxed);
    }
}

/// Whoever recovers finds a one-way message in every slot that has to be published once more, and a ring without room.
pub fn messages_that_nobody_published(region: &Region) {
    let mut random = Random::new(3);
    let (cells, total) = (region.geometry.cells(), region.geometry.total_slots());
    for position in 0..cells {
        region.word(region.cell_at(position)).store(cell(1, random.below(total)), Relaxed);
    }
    region.word(HEAD).store(0, Relaxed);
    region.word(TAIL).store(cells, Relaxed);
    for slot in 0..total {
        region.word(region.request(slot)).store(word(REQUEUED), Relaxed);
        region.word(region.reply(slot)).store(word(POSTED), Relaxed);
    }
    everybody_is_dead(region);
}

/// Every slot holds a request that is longer than any may be.
pub fn too_long_requests_everywhere(region: &Region) {
    let total = region.geometry.total_slots();
    for slot in 0..total {
        region.half(region.request(slot) + LENGTH).store(u32::MAX, Relaxed);
        region.word(region.reply(slot)).store(word(PENDING), Relaxed);
        region.word(region.request(slot)).store(word(QUEUED), Relaxed);
        region.word(region.cell_at(slot)).store(cell(1, slot), Relaxed);
    }
    region.word(TAIL).store(total, Relaxed);
}

/// One request that is longer than any may be and is queued again whenever somebody has taken it.
pub fn too_long_request_again_and_again(region: &Region) {
    lay_endless_ring(region, &mut || 0);
    region.half(region.request(0) + LENGTH).store(u32::MAX, Relaxed);
    for _ in 0..100_000 {
        region.word(region.reply(0)).store(word(PENDING), Relaxed);
        region.word(region.request(0)).store(word(QUEUED), Relaxed);
    }
}

/// Requests of generation 0, which is nobody's: in the first slot their id would be 0.
pub fn requests_of_no_generation(region: &Region) {
    let total = region.geometry.total_slots();
    for slot in 0..total {
        region.word(region.reply(slot)).store(PENDING, Relaxed);
        region.word(region.request(slot)).store(QUEUED, Relaxed);
    }
    for position in 0..region.geometry.cells() {
        region.word(region.cell_at(position)).store((1 << 24) | (position % total), Relaxed);
    }
    region.word(HEAD).store(0, Relaxed);
    region.word(TAIL).store(region.geometry.cells(), Relaxed);
}

/// Words on which calls compare and swap, each hammered for a while.
pub fn words_that_never_stand_still(region: &Region) {
    let participants = u64::from(region.geometry.participants.min(8));
    let watches = (1..=participants).map(|number| region.participant(number) + WATCH);
    let slots = 0..region.geometry.total_slots();
    // A slot's two words keep their owners, so that both sides take them for their own still.
    let words = slots.flat_map(|slot| [region.reply(slot), region.request(slot)]);
    let shared = [REQUEST_DOORBELL, SLOT_DOORBELL, SPARES_IN_USE, region.outcomes(0)];
    for offset in shared.into_iter().chain(watches).chain(words) {
        let target = region.word(offset);
        for times in 0..200_000_u64 {
            let next = if offset < region.geometry.slots_offset() {
                // A doorbell counts on.
                target.load(Relaxed).wrapping_add(1)
            } else {
                target.load(Relaxed) ^ (times & 7) << 4
            };
            target.store(next, Relaxed);
        }
    }
    region.heal();
}

/// Every reply is there, and said to be an error as long as replies can be.
pub fn errors_everywhere(region: &Region) {
    let most = region.geometry.response_max as u32;
    for slot in 0..region.geometry.total_slots() {
        let reply = region.reply(slot);
        region.half(reply + LENGTH).store(most, Relaxed);
        region.half(reply + LENGTH + 8).store(u32::MAX, Relaxed);
        let old = region.word(reply).load(Relaxed);
        if old & 0xF == PENDING {
            region.word(reply).store(old & !0xF | READY, Relaxed);
        }
    }
}
