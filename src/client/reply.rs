//! Waiting for a reply.

use super::Client;
use crate::channel::rouse::Place;
use crate::channel::waiting::Awaited;
use crate::error::{Error, Result};
use crate::protocol::slot::{self, Progress, Stale};
use crate::protocol::{Id, Participant};
use crate::wait::Deadline;
use std::iter;

/// The outcome of one request.
struct Reply<'c> {
    client: &'c Client,
    me: Participant,
    id: Id,
    /// No server is there for it, and this handle needs one.
    is_lost: bool,
}

impl Reply<'_> {
    fn check_server(&mut self) {
        self.is_lost = self.client.channel.lacks_server(iter::once(self.id));
    }
}

impl Awaited for Reply<'_> {
    type Found = Progress;

    fn place(&self) -> Place {
        Place::Reply(self.id.slot)
    }

    fn poll(&mut self) -> Option<Result<Progress>> {
        match slot::progress(self.client.channel.mapping(), self.id, self.me) {
            Ok(Progress::Pending(_)) => None,
            other => Some(other.map_err(|Stale| Error::Stale)),
        }
    }

    fn before_sleep(&mut self, is_now: bool) -> Option<Result<Progress>> {
        if !is_now {
            self.check_server();
        }
        None
    }

    fn announce(&mut self) -> Option<u32> {
        let mapping = self.client.channel.mapping();
        let Ok(Progress::Pending(word)) = slot::progress(mapping, self.id, self.me) else { return None };
        slot::announce_waiting(mapping, self.id, word).map(|waiting| waiting.0 as u32)
    }

    fn look(&mut self, _is_due: bool) -> Option<Result<Progress>> {
        self.poll().or_else(|| self.is_lost.then_some(Err(Error::NoServer)))
    }

    fn look_after(&mut self) {
        self.client.channel.look_after(iter::once(self.id));
        self.check_server();
    }
}

impl Client {
    /// Waits until the request is no longer pending.
    #[inline]
    pub(super) fn wait(&self, me: Participant, id: Id, deadline: &Deadline<'_>) -> Result<Progress> {
        match slot::progress(self.channel.mapping(), id, me) {
            Ok(Progress::Pending(_)) => self.wait_longer(me, id, deadline),
            done => done.map_err(|Stale| Error::Stale),
        }
    }

    #[inline(never)]
    fn wait_longer(&self, me: Participant, id: Id, deadline: &Deadline<'_>) -> Result<Progress> {
        let mut reply = Reply { client: self, me, id, is_lost: false };
        self.channel.wait_for(&mut reply, deadline).map(|(progress, _)| progress)
    }
}
