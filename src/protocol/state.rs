//! The bits of the words, and who may change them to what.
//!
//! Request and reply words share one shape, so that one compare-and-swap checks state, owner and generation together:
//!
//! ```text
//! 63                  20 19       8 7     4 3     0
//! |     generation      |   owner  | flags | state |
//! ```
//!
//! The low half holds the state and is what a waiter's futex compares.
//!
//! **Reply word.** Generation g is the request's; the owner is its client.
//!
//! | from | to | who | when |
//! |---|---|---|---|
//! | FREE(g) | PENDING(g+1, client) | a client | it takes the slot |
//! | PENDING | PENDING + WAITING | its client | it is about to sleep |
//! | PENDING + WAITING | PENDING | its client | it is stopped |
//! | PENDING | READY | the server that claimed it | it replied |
//! | PENDING | FAILED | anyone | the server that claimed it is dead |
//! | PENDING | ABANDONED(g, 0) | its client, or anyone once the client is dead | given up while CLAIMED |
//! | PENDING | FREE(g) | its client, or anyone once the client is dead | withdrawn before it was claimed |
//! | READY, FAILED | FREE(g) | its client, or anyone once the client is dead | collected |
//! | ABANDONED | FREE(g) | the server that claimed it, or anyone once that is dead | the lease has ended |
//!
//! **Request word.** It says nothing unless its generation is the reply word's.
//!
//! | from | to | who | when |
//! |---|---|---|---|
//! | anything older | QUEUED(g, client) | the client that took the slot | the request is written |
//! | QUEUED | CLAIMED(g, server) | a server | it takes the request |
//! | QUEUED | CANCELLED(g, client) | its client, or anyone once the client is dead | withdrawn |
//!
//! **Ring cell**: `lap:32 | generation:16 | slot:16`. The generation's low bits only say that a reference is probably
//! stale; the claim compares the whole word.

/// The number of a participant, 1 to [`PARTICIPANTS_MAX`]; 0 is nobody.
pub(crate) type Participant = u16;

const OWNER_SHIFT: u32 = 8;
const GENERATION_SHIFT: u32 = 20;
/// The largest number that the owner field holds.
pub(crate) const PARTICIPANTS_MAX: u32 = (1 << (GENERATION_SHIFT - OWNER_SHIFT)) - 1;
/// The largest generation; the next after it is 1, so that no id is ever 0.
pub(crate) const GENERATION_MAX: u64 = u64::MAX >> GENERATION_SHIFT;
/// Slots that the slot field of a cell and of an id can name.
pub(crate) const SLOTS_NAMEABLE: u32 = 1 << 16;

/// The generation after `generation`.
pub(crate) fn next_generation(generation: u64) -> u64 {
    if generation >= GENERATION_MAX { 1 } else { generation + 1 }
}

fn pack(state: u64, generation: u64, owner: Participant) -> u64 {
    debug_assert!(u32::from(owner) <= PARTICIPANTS_MAX && generation <= GENERATION_MAX);
    state | u64::from(owner) << OWNER_SHIFT | generation << GENERATION_SHIFT
}

/// Names one request for as long as it exists: its slot and the slot's generation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Id {
    pub slot: u32,
    pub generation: u64,
}

impl Id {
    pub fn to_u64(self) -> u64 {
        self.generation << 16 | u64::from(self.slot)
    }

    /// The request that a caller's number names, if the channel has such a slot.
    pub fn from_u64(id: u64, total_slots: u32) -> Option<Self> {
        let slot = (id & 0xFFFF) as u32;
        let generation = id >> 16;
        (slot < total_slots && generation <= GENERATION_MAX).then_some(Self { slot, generation })
    }
}

/// What a reply word says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ReplyState {
    Free,
    Pending,
    Ready,
    Failed,
    Abandoned,
    /// Bits that no participant that keeps to the protocol writes.
    Unknown,
}

/// A loaded reply word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ReplyWord(pub u64);

impl ReplyWord {
    const WAITING: u64 = 1 << 4;

    fn new(state: u64, generation: u64, owner: Participant) -> Self {
        Self(pack(state, generation, owner))
    }
    pub fn free(generation: u64) -> Self {
        Self::new(0, generation, 0)
    }
    pub fn pending(generation: u64, client: Participant) -> Self {
        Self::new(1, generation, client)
    }
    pub fn ready(generation: u64, client: Participant) -> Self {
        Self::new(2, generation, client)
    }
    pub fn failed(generation: u64, client: Participant) -> Self {
        Self::new(3, generation, client)
    }
    pub fn abandoned(generation: u64) -> Self {
        Self::new(4, generation, 0)
    }

    pub fn state(self) -> ReplyState {
        match self.0 & 0xF {
            0 => ReplyState::Free,
            1 => ReplyState::Pending,
            2 => ReplyState::Ready,
            3 => ReplyState::Failed,
            4 => ReplyState::Abandoned,
            _ => ReplyState::Unknown,
        }
    }
    pub fn generation(self) -> u64 {
        self.0 >> GENERATION_SHIFT
    }
    pub fn owner(self) -> Participant {
        (self.0 >> OWNER_SHIFT & u64::from(PARTICIPANTS_MAX)) as Participant
    }
    /// Whether a thread of the client sleeps on this word, or is about to.
    pub fn is_waiting(self) -> bool {
        self.0 & Self::WAITING != 0
    }
    pub fn with_waiting(self) -> Self {
        Self(self.0 | Self::WAITING)
    }
    pub fn without_waiting(self) -> Self {
        Self(self.0 & !Self::WAITING)
    }
    /// Whether the word is about `id` and its client is `client`.
    pub fn belongs(self, id: Id, client: Participant) -> bool {
        self.generation() == id.generation && self.owner() == client
    }
}

/// What a request word says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RequestState {
    Idle,
    Queued,
    Claimed,
    Cancelled,
    /// Bits that no participant that keeps to the protocol writes.
    Unknown,
}

/// A loaded request word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RequestWord(pub u64);

impl RequestWord {
    fn new(state: u64, generation: u64, owner: Participant) -> Self {
        Self(pack(state, generation, owner))
    }
    pub fn queued(generation: u64, client: Participant) -> Self {
        Self::new(1, generation, client)
    }
    pub fn claimed(generation: u64, server: Participant) -> Self {
        Self::new(2, generation, server)
    }
    pub fn cancelled(generation: u64, client: Participant) -> Self {
        Self::new(3, generation, client)
    }

    pub fn state(self) -> RequestState {
        match self.0 & 0xF {
            0 => RequestState::Idle,
            1 => RequestState::Queued,
            2 => RequestState::Claimed,
            3 => RequestState::Cancelled,
            _ => RequestState::Unknown,
        }
    }
    pub fn generation(self) -> u64 {
        self.0 >> GENERATION_SHIFT
    }
    pub fn owner(self) -> Participant {
        (self.0 >> OWNER_SHIFT & u64::from(PARTICIPANTS_MAX)) as Participant
    }
    /// Whether the word is in `state` for the request of `generation`.
    pub fn is(self, state: RequestState, generation: u64) -> bool {
        self.state() == state && self.generation() == generation
    }
}

/// A loaded ring cell: which request was published at the position whose lap it carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cell(pub u64);

impl Cell {
    pub fn new(position: u64, cells: u64, id: Id) -> Self {
        let lap = lap(position, cells);
        Self(u64::from(lap) << 32 | (id.generation & 0xFFFF) << 16 | u64::from(id.slot))
    }
    /// The same reference, moved to the same cell of another lap.
    pub fn carried_to(self, position: u64, cells: u64) -> Self {
        Self(u64::from(lap(position, cells)) << 32 | self.0 & 0xFFFF_FFFF)
    }
    pub fn slot(self) -> u32 {
        (self.0 & 0xFFFF) as u32
    }
    /// Whether the request word may be the one that this cell refers to.
    pub fn refers_to(self, request: RequestWord) -> bool {
        request.generation() & 0xFFFF == self.0 >> 16 & 0xFFFF
    }
    /// How many laps the cell is ahead of `position`: negative where the position is not filled yet, 0 where it holds
    /// this position's reference, positive where a later lap overwrote it. Laps wrap, so only their difference counts.
    pub fn laps_ahead_of(self, position: u64, cells: u64) -> i64 {
        let own = (self.0 >> 32) as u32;
        i64::from(own.wrapping_sub(lap(position, cells)) as i32)
    }
}

/// The lap of a position, cut to the bits that a cell holds. Laps start at 1, so that a zeroed cell is an unfilled one.
fn lap(position: u64, cells: u64) -> u32 {
    ((position >> cells.trailing_zeros()) as u32).wrapping_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_keeps_its_fields_at_their_largest() {
        let word = ReplyWord::pending(GENERATION_MAX, PARTICIPANTS_MAX as Participant).with_waiting();
        assert_eq!(word.generation(), GENERATION_MAX);
        assert_eq!(u32::from(word.owner()), PARTICIPANTS_MAX);
        assert_eq!(word.state(), ReplyState::Pending);
        assert!(word.is_waiting() && !word.without_waiting().is_waiting());
    }

    #[test]
    fn an_id_is_positive_never_zero_and_survives_the_trip() {
        let last = Id { slot: SLOTS_NAMEABLE - 1, generation: GENERATION_MAX };
        assert!(i64::try_from(last.to_u64()).unwrap() > 0);
        assert_eq!(Id::from_u64(last.to_u64(), SLOTS_NAMEABLE), Some(last));
        assert_eq!(next_generation(GENERATION_MAX), 1);
        assert_eq!(Id::from_u64(5, 5), None);
        assert_eq!(Id::from_u64(u64::MAX, SLOTS_NAMEABLE), None);
    }

    #[test]
    fn laps_compare_across_their_wrap() {
        let cells = 16;
        let id = Id { slot: 3, generation: 9 };
        let last_lap = (u64::from(u32::MAX) - 1) * cells;
        let cell = Cell::new(last_lap, cells, id);
        assert_eq!(cell.laps_ahead_of(last_lap, cells), 0);
        assert_eq!(cell.laps_ahead_of(last_lap + cells, cells), -1);
        assert_eq!(cell.laps_ahead_of(last_lap - cells, cells), 1);
        assert_eq!(Cell(0).laps_ahead_of(0, cells), -1);
    }
}
