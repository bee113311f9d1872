//! What a program that waits with epoll does now and then: what calls that wait do by themselves, in case somebody died or
//! was stopped who was to do it.
//!
//! | handle | looks | how often |
//! |---|---|---|
//! | server | as an idle server: for the dead, for messages that were never published, for a lost wake-up | each second |
//! | client with pending requests | as a client that waits: for its servers, its references, a lost wake-up | each 25 ms |
//! | client that is armed for a slot | as a client that waits for one: for those who hold the slots | each 25 ms |
//! | client with neither | | never |

use super::What;
use crate::channel::Channel;
use crate::channel::membership::Role;
use crate::channel::stats::Counter;
use crate::channel::waiting::{CLIENT_LOOKS_AGAIN, SERVER_LOOKS_AGAIN};
use crate::error::Result;
use crate::protocol::state::{ReplyState, ReplyWord};
use crate::protocol::{Id, Memory, Participant, arming};
use crate::wait::deadline;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::time::Duration;

/// What a handle remembers of its looks.
#[derive(Default)]
pub(in crate::channel) struct Tending {
    /// When the next is due, on the monotonic clock; 0 if none was.
    at: AtomicI64,
    seen: AtomicU64,
}

/// What [`Channel::tend`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tended {
    /// How many dead participants it recovered from.
    pub recovered: u32,
    /// When to call it again; None: not before this handle has sent something or has been armed.
    pub due: Option<Duration>,
    /// The handle needs a server for what it has sent, and none is there: all of it stays pending.
    pub lacks_server: bool,
}

impl Channel {
    /// Does what must be done now and then by a program that does not wait in calls, if it is due, and says when it is due
    /// next. Cheap when it is not. What it finds makes the descriptor readable, if this handle is armed.
    ///
    /// # Errors
    /// [`crate::Error::Stopped`].
    pub fn tend(&self) -> Result<Tended> {
        self.check_running()?;
        let me = self.me()?;
        let Some(every) = self.tends_every(me) else {
            self.tending.at.store(0, Relaxed);
            return Ok(Tended { recovered: 0, due: None, lacks_server: false });
        };
        let now = deadline::now();
        let at = self.tending.at.load(Relaxed);
        let is_due = at != 0 && at <= now;
        let due = if at == 0 || is_due { every } else { (at - now).min(every) };
        let mut tended =
            Tended { recovered: 0, due: Some(Duration::from_nanos(due.unsigned_abs())), lacks_server: false };
        if at == 0 || is_due {
            // Of several threads one looks.
            let is_mine = self.tending.at.compare_exchange(at, now + every, Relaxed, Relaxed).is_ok();
            if is_due && is_mine {
                let before = self.recovered(me);
                tended.lacks_server = self.tend_now(me);
                tended.recovered = self.recovered(me).wrapping_sub(before) as u32;
            }
        }
        Ok(tended)
    }

    fn tends_every(&self, me: Participant) -> Option<i64> {
        if self.membership.role() == Role::Server {
            return Some(SERVER_LOOKS_AGAIN);
        }
        (self.is_armed(What::Slots) || self.is_any_pending(me)).then_some(CLIENT_LOOKS_AGAIN)
    }

    fn is_armed(&self, what: What) -> bool {
        self.poll().is_some_and(|poll| arming::is_armed(poll.helper(what).word()))
    }

    fn is_any_pending(&self, me: Participant) -> bool {
        let mut is_any = false;
        self.each_pending(me, |pending| is_any = pending.next().is_some());
        is_any
    }

    /// Those that the descriptor is for; without one all that this client has.
    fn each_pending(&self, me: Participant, act: impl FnOnce(&mut dyn Iterator<Item = Id>)) {
        if let Some(poll) = self.poll() {
            return act(&mut poll.sent.pending(&self.mapping, me));
        }
        let pending = |slot| {
            let word = ReplyWord(self.mapping.reply(slot).load(Acquire));
            let is_mine = word.state() == ReplyState::Pending && word.owner() == me;
            is_mine.then(|| Id { slot, generation: word.generation() })
        };
        act(&mut (0..self.mapping.total_slots()).filter_map(pending));
    }

    /// Whether a server is needed and none is there.
    fn tend_now(&self, me: Participant) -> bool {
        if self.membership.role() == Role::Server {
            let mut looks = self.looks_around().go_on_from(self.tending.seen.load(Relaxed));
            self.look_around(&mut looks);
            self.tending.seen.store(looks.seen(), Relaxed);
            self.fire_if_found(What::Requests);
            return false;
        }
        self.each_pending(me, |pending| self.look_after(pending));
        let mut lacks_server = false;
        self.each_pending(me, |pending| lacks_server = self.lacks_server(pending));
        if self.is_armed(What::Slots) {
            let mut looks = self.looks_for_slot().go_on_from(self.tending.seen.load(Relaxed));
            self.recover_slot_holders_in_turn(&mut looks);
            self.tending.seen.store(looks.seen(), Relaxed);
            self.fire_if_found(What::Slots);
        }
        self.fire_if_found(What::Replies);
        lacks_server
    }

    /// How many this handle has recovered from.
    fn recovered(&self, me: Participant) -> u64 {
        self.mapping.participant(me).counters[Counter::Recoveries as usize].load(Relaxed)
    }

    /// For wake-ups that were lost with whoever was to give them.
    fn fire_if_found(&self, what: What) {
        if let Some(poll) = self.poll() {
            if poll.finds(what, true) {
                poll.fire(what);
            }
        }
    }
}
