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
//! | FREE(g) | PENDING(g+1, client) | a client | it takes the slot for a call |
//! | FREE(g) | POSTED(g+1, client) | a client | it takes the slot for a one-way message |
//! | PENDING | PENDING + WAITING | its client | it is about to sleep on this word |
//! | PENDING | PENDING + WATCHING | its client | it is about to sleep on the doorbell in its participant line |
//! | PENDING | PENDING + LISTED | its client | it looks for all that is done, and wants to be told of this one |
//! | PENDING + WAITING or WATCHING | PENDING | its client | it is stopped; LISTED stays |
//! | PENDING | READY | the server that claimed it | it replied |
//! | PENDING | DISMISSED | the server that claimed it | it will not reply |
//! | PENDING | FAILED | anyone | the request is LOST |
//! | PENDING | POSTED(g, client) | its client | it lets go of the call, which goes on as a one-way message |
//! | PENDING | ABANDONED(g, 0) | its client, or anyone once the client is dead, or whoever clears the channel | given up while CLAIMED |
//! | PENDING, POSTED | FREE(g) | its client, or anyone once the client is dead | withdrawn before it was claimed |
//! | PENDING | FREE(g) | whoever clears the channel | it claimed the request to that end |
//! | READY, FAILED, DISMISSED | FREE(g) | its client, or anyone once the client is dead | collected, or let go of |
//! | ABANDONED | FREE(g) | the server that claimed it, or anyone once that is dead | the lease has ended |
//! | ABANDONED | FREE(g) | whoever withdrew the request word | it had been queued again |
//! | POSTED | FREE(g) | who holds it, or anyone once that is dead | done with |
//! | POSTED | FREE(g) | anyone | its client died before it was QUEUED |
//! | POSTED | POSTED(g, 0) | anyone | its client is gone, and its reference is published for certain |
//!
//! **Request word.** It says nothing unless its generation is the reply word's. Its flags are the number of times that
//! the request was queued again, and the low bits of CLAIMED that of the times that it was adopted since, so that no value
//! comes back, whatever becomes of participants' numbers. What is CLAIMED can be adopted 7 times.
//!
//! | from | to | who | when |
//! |---|---|---|---|
//! | anything older | QUEUED(g, client) | the client that took the slot | the request is written |
//! | anything older | CANCELLED(g, client) | the client that took the slot | it ends a loan, to write it down or give it back |
//! | CANCELLED(g, client) | QUEUED(g, client) | the thread that ended the loan | the request is written |
//! | QUEUED, REQUEUED | CLAIMED(g, server) | a server, or whoever clears the channel | it takes the request |
//! | QUEUED, REQUEUED | CANCELLED(g, client) | its client, or anyone once the client is dead | withdrawn |
//! | CLAIMED(g, server) | CLAIMED(g, other server), once more | the other server | it adopts the request |
//! | CLAIMED | REQUEUED(g, recoverer), once more | anyone | the server is dead, and the channel redelivers |
//! | CLAIMED | LOST(g, recoverer) | anyone | the server is dead, and a client waits for the reply |
//! | CLAIMED | CANCELLED(g, client) | anyone | the server is dead, and nobody waits for a reply |
//! | QUEUED | REQUEUED(g, recoverer) | anyone | the client of a one-way message is dead: its reference may be missing |
//! | REQUEUED | REQUEUED(g, other recoverer) | anyone | the recoverer is dead: its reference may be missing |
//! | REQUEUED | QUEUED(g, who published) | the recoverer, or its client if it waits long | its reference is published |

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

    /// The slot in the number of a request that is known.
    pub fn slot_of(id: u64) -> u32 {
        (id & 0xFFFF) as u32
    }

    /// The request that a caller's number names, if the channel has such a slot.
    pub fn from_u64(id: u64, total_slots: u32) -> Option<Self> {
        let slot = Self::slot_of(id);
        let generation = id >> 16;
        (slot < total_slots && 0 < generation && generation <= GENERATION_MAX)
            .then_some(Self { slot, generation })
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
    Posted,
    Dismissed,
    /// Bits that no participant that keeps to the protocol writes.
    Unknown,
}

/// A loaded reply word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ReplyWord(pub u64);

impl ReplyWord {
    const WAITING: u64 = 1 << 4;
    const WATCHING: u64 = 1 << 5;
    const LISTED: u64 = 1 << 6;

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
    pub fn posted(generation: u64, client: Participant) -> Self {
        Self::new(5, generation, client)
    }
    pub fn dismissed(generation: u64, client: Participant) -> Self {
        Self::new(6, generation, client)
    }

    pub fn state(self) -> ReplyState {
        match self.0 & 0xF {
            0 => ReplyState::Free,
            1 => ReplyState::Pending,
            2 => ReplyState::Ready,
            3 => ReplyState::Failed,
            4 => ReplyState::Abandoned,
            5 => ReplyState::Posted,
            6 => ReplyState::Dismissed,
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
    /// Whether a thread of the client sleeps on its doorbell for this request among others, or is about to.
    pub fn is_watching(self) -> bool {
        self.0 & Self::WATCHING != 0
    }
    pub fn with_waiting(self) -> Self {
        Self(self.0 | Self::WAITING)
    }
    pub fn with_watching(self) -> Self {
        Self(self.0 | Self::WATCHING)
    }
    /// Whether its client is to be told by a bit that the request has its outcome; see [`super::listing`].
    pub fn is_listed(self) -> bool {
        self.0 & Self::LISTED != 0
    }
    pub fn with_listed(self) -> Self {
        Self(self.0 | Self::LISTED)
    }
    /// Whether somebody has to be woken or told when this word changes.
    pub fn has_listeners(self) -> bool {
        self.0 & (Self::WAITING | Self::WATCHING | Self::LISTED) != 0
    }
    /// Whether somebody has to be woken when this word changes.
    pub fn has_sleepers(self) -> bool {
        self.0 & (Self::WAITING | Self::WATCHING) != 0
    }
    pub fn without_sleepers(self) -> Self {
        Self(self.0 & !(Self::WAITING | Self::WATCHING))
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
    Lost,
    Requeued,
    /// Bits that no participant that keeps to the protocol writes.
    Unknown,
}

/// A loaded request word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RequestWord(pub u64);

/// A request is queued again at most this often: what ends each server that takes it must end somewhere.
pub(crate) const REDELIVERIES_MAX: u32 = 15;

impl RequestWord {
    const TIMES_SHIFT: u32 = 4;
    const TIMES: u64 = (REDELIVERIES_MAX as u64) << Self::TIMES_SHIFT;
    const CLAIMED: u64 = 8;
    /// In a CLAIMED word: how often the request was adopted.
    const ADOPTIONS: u64 = 7;

    fn new(state: u64, generation: u64, owner: Participant) -> Self {
        Self(pack(state, generation, owner))
    }
    pub fn queued(generation: u64, client: Participant) -> Self {
        Self::new(1, generation, client)
    }
    pub fn claimed(generation: u64, server: Participant) -> Self {
        Self::new(Self::CLAIMED, generation, server)
    }
    pub fn cancelled(generation: u64, client: Participant) -> Self {
        Self::new(3, generation, client)
    }
    /// The same request in another state, with another owner.
    fn turned(self, state: u64, owner: Participant) -> Self {
        let kept = u64::MAX << GENERATION_SHIFT | Self::TIMES;
        Self(self.0 & kept | state | u64::from(owner) << OWNER_SHIFT)
    }
    pub fn to_claimed(self, server: Participant) -> Self {
        self.turned(Self::CLAIMED, server)
    }
    /// Held by another server, if the word can count that.
    pub fn adopted_by(self, server: Participant) -> Option<Self> {
        let adoptions = self.0 & Self::ADOPTIONS;
        (adoptions < Self::ADOPTIONS).then(|| self.turned(Self::CLAIMED + adoptions + 1, server))
    }
    pub fn to_lost(self, recoverer: Participant) -> Self {
        self.turned(4, recoverer)
    }
    pub fn to_cancelled(self, client: Participant) -> Self {
        self.turned(3, client)
    }
    pub fn to_queued(self, recoverer: Participant) -> Self {
        self.turned(1, recoverer)
    }
    /// Taken over by another recoverer.
    pub fn to_requeued(self, recoverer: Participant) -> Self {
        self.turned(5, recoverer)
    }
    /// Queued once more, if it may be.
    pub fn once_more(self, recoverer: Participant) -> Option<Self> {
        let again = Self(self.0 + (1 << Self::TIMES_SHIFT));
        (self.times() < REDELIVERIES_MAX).then(|| again.to_requeued(recoverer))
    }
    /// How often it has been queued again.
    pub fn times(self) -> u32 {
        ((self.0 & Self::TIMES) >> Self::TIMES_SHIFT) as u32
    }

    pub fn state(self) -> RequestState {
        match self.0 & 0xF {
            0 => RequestState::Idle,
            1 => RequestState::Queued,
            3 => RequestState::Cancelled,
            4 => RequestState::Lost,
            5 => RequestState::Requeued,
            Self::CLAIMED.. => RequestState::Claimed,
            _ => RequestState::Unknown,
        }
    }
    pub fn generation(self) -> u64 {
        self.0 >> GENERATION_SHIFT
    }
    pub fn owner(self) -> Participant {
        (self.0 >> OWNER_SHIFT & u64::from(PARTICIPANTS_MAX)) as Participant
    }
    /// Whether a server may take it.
    #[inline]
    pub fn is_claimable(self) -> bool {
        // QUEUED or REQUEUED, which are 1 and 5; and no request is of generation 0, which would make its id 0 in the first slot.
        self.0 & 0b1011 == 0b0001 && self.0 >> GENERATION_SHIFT != 0
    }
    /// Whether it is the request of `generation`, held by `server`.
    #[inline]
    pub fn is_held_by(self, generation: u64, server: Participant) -> bool {
        self.0 & !(Self::TIMES | Self::ADOPTIONS) == Self::claimed(generation, server).0
    }
    /// Whether the word is in `state` for the request of `generation`.
    pub fn is(self, state: RequestState, generation: u64) -> bool {
        self.state() == state && self.generation() == generation
    }
}

impl From<Id> for crate::id::RequestId {
    #[inline]
    fn from(id: Id) -> Self {
        Self::from_u64(id.to_u64())
    }
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
        assert!(word.is_waiting() && !word.without_sleepers().is_waiting());
        let listed = word.with_listed();
        assert!(listed.has_listeners() && listed.without_sleepers() == word.without_sleepers().with_listed());
        assert!(
            !listed.without_sleepers().has_sleepers()
                && listed.belongs(Id { slot: 0, generation: GENERATION_MAX }, word.owner())
        );
    }

    #[test]
    fn a_request_that_is_queued_again_and_again_never_looks_as_before_and_comes_to_an_end() {
        let mut word = RequestWord::queued(GENERATION_MAX, 5);
        for times in 0..REDELIVERIES_MAX {
            assert!(word.is_claimable() && word.times() == times);
            let claimed = word.to_claimed(9);
            assert!(claimed.is_held_by(GENERATION_MAX, 9) && !claimed.is_claimable());
            let again = claimed.once_more(7).unwrap();
            assert!(again.is(RequestState::Requeued, GENERATION_MAX) && again.is_claimable());
            assert_eq!(again.owner(), 7);
            word = again.to_queued(7);
            assert!(word.is(RequestState::Queued, GENERATION_MAX));
        }
        assert_eq!(word.to_claimed(9).once_more(7), None);
    }

    #[test]
    fn a_request_that_is_adopted_is_held_by_one_and_never_looks_as_before() {
        let (mut word, mut seen) = (RequestWord::queued(GENERATION_MAX, 5).to_claimed(1), vec![]);
        while let Some(adopted) = word.adopted_by(if word.owner() == 1 { 2 } else { 1 }) {
            assert!(word.is(RequestState::Claimed, GENERATION_MAX) && !word.is_claimable());
            assert!(word.is_held_by(GENERATION_MAX, word.owner()));
            assert!(!word.is_held_by(GENERATION_MAX, adopted.owner()));
            assert!(!seen.contains(&word));
            seen.push(word);
            word = adopted;
        }
        assert_eq!(seen.len(), 7);
        let again = word.once_more(9).unwrap().to_claimed(1);
        assert!(!seen.contains(&again) && again.adopted_by(2).is_some());
        assert!(!word.to_lost(9).is_claimable() && word.to_lost(9).is(RequestState::Lost, GENERATION_MAX));
    }

    #[test]
    fn an_id_is_positive_never_zero_and_survives_the_trip() {
        let last = Id { slot: SLOTS_NAMEABLE - 1, generation: GENERATION_MAX };
        assert!(i64::try_from(last.to_u64()).unwrap() > 0);
        assert_eq!(Id::from_u64(last.to_u64(), SLOTS_NAMEABLE), Some(last));
        assert_eq!(next_generation(GENERATION_MAX), 1);
        assert_eq!(Id::from_u64(5, 5), None);
        assert_eq!(Id::from_u64(5, 6), None, "of generation 0");
        assert_eq!(Id::from_u64(1 << 16 | 5, 6), Some(Id { slot: 5, generation: 1 }));
        assert!(!RequestWord::queued(0, 1).is_claimable());
        assert_eq!(Id::from_u64(u64::MAX, SLOTS_NAMEABLE), None);
    }
}
