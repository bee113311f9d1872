//! Whether a server is attached, for whoever asks, and for clients that would rather fail than wait for one
//! ([`crate::Options::need_server`]).
//!
//! A client that sends looks at one line of the table: that of the server that it found last. Only if that has left is
//! the table looked through. Of a server that died the table still says that it is there, until somebody recovers from
//! it; so before a client sleeps, and at each of its looks, the kernel is asked, and recovery runs.

use super::Channel;
use super::membership::{Role, is_live};
use crate::protocol::state::{RequestState, RequestWord};
use crate::protocol::{Id, Memory, Participant};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Relaxed};

/// What a handle knows of servers.
pub(super) struct Servers {
    needed: bool,
    /// The number of one that was attached when somebody looked last; a hint, 0 if there was none.
    last: AtomicU32,
}

impl Servers {
    pub fn new(needed: bool) -> Self {
        Self { needed, last: AtomicU32::new(0) }
    }
}

impl Channel {
    /// Servers that are attached and live: the kernel is asked after each. A snapshot.
    #[must_use]
    pub fn servers(&self) -> u32 {
        self.numbers().filter(|number| self.is_server(*number) && self.lives(*number)).count() as u32
    }

    /// Whether calls of this handle fail where no server is attached.
    pub(crate) fn needs_server(&self) -> bool {
        self.servers.needed
    }

    /// Whether the table names a server, even one that died and that nobody has recovered from.
    pub(crate) fn finds_server(&self) -> bool {
        let last = self.servers.last.load(Relaxed) as Participant;
        self.is_server(last) || self.numbers().any(|number| self.is_server(number) && self.found(number))
    }

    /// Whether some of these requests need a server and none lives. Recovery runs, so that what they held
    /// has its outcome then.
    #[cold]
    pub(crate) fn lacks_server(&self, mut pending: impl Iterator<Item = Id>) -> bool {
        let waits_for_server = |id: Id| {
            let request = RequestWord(self.mapping.request(id.slot).load(Acquire));
            request.is(RequestState::Queued, id.generation)
                || request.is(RequestState::Requeued, id.generation)
        };
        self.servers.needed && pending.any(waits_for_server) && !self.finds_living_server()
    }

    /// Whether a server lives. If none does, recovery runs.
    pub(crate) fn finds_living_server(&self) -> bool {
        let lives = |number| self.is_server(number) && self.lives(number);
        let last = self.servers.last.load(Relaxed) as Participant;
        let found = lives(last) || self.numbers().any(|number| lives(number) && self.found(number));
        if !found {
            self.recover_dead();
        }
        found
    }

    fn numbers(&self) -> impl Iterator<Item = Participant> {
        1..=self.geometry().participants as Participant
    }

    fn found(&self, number: Participant) -> bool {
        self.servers.last.store(number.into(), Relaxed);
        true
    }

    fn is_server(&self, number: Participant) -> bool {
        if number == 0 {
            return false;
        }
        let line = self.mapping.participant(number);
        is_live(line) && line.role.load(Relaxed) == Role::Server as u32
    }

    fn lives(&self, number: Participant) -> bool {
        self.membership.find_dead(&self.region, &self.mapping, number).is_none()
    }
}
