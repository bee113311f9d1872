//! Waiting for any of several replies.

use super::Client;
use crate::channel::rouse::Place;
use crate::channel::waiting::Awaited;
use crate::error::{Error, Result};
use crate::id::RequestId;
use crate::protocol::slot::{self, Progress, Stale};
use crate::protocol::{Id, Participant};
use crate::wait::Wait;

/// An outcome of any of several requests.
struct AnyReply<'c> {
    client: &'c Client,
    me: Participant,
    ids: &'c [RequestId],
    /// No server is there for one of them, and this handle needs one.
    is_lost: bool,
}

impl AnyReply<'_> {
    fn check_server(&mut self) {
        self.is_lost = self.client.channel.lacks_server(self.client.known(self.ids));
    }
}

impl Awaited for AnyReply<'_> {
    type Found = usize;

    fn place(&self) -> Place {
        Place::AnyReply(self.me)
    }

    fn words(&self) -> u32 {
        u32::try_from(self.ids.len()).unwrap_or(u32::MAX)
    }

    fn poll(&mut self) -> Option<Result<usize>> {
        self.client.find_done(self.me, self.ids)
    }

    fn before_sleep(&mut self, is_now: bool) -> Option<Result<usize>> {
        if !is_now {
            self.check_server();
        }
        None
    }

    fn announce(&mut self) -> Option<u32> {
        let channel = &self.client.channel;
        // Before the requests are watched: whoever meets that finds the announcement.
        let doorbell = channel.announce_watcher(self.me);
        for id in self.client.known(self.ids) {
            slot::announce_watching(channel.mapping(), id, self.me);
        }
        Some(doorbell)
    }

    fn look(&mut self, _is_due: bool) -> Option<Result<usize>> {
        self.poll().or_else(|| self.is_lost.then_some(Err(Error::NoServer)))
    }

    fn look_after(&mut self) {
        self.client.channel.look_after(self.client.known(self.ids));
        self.check_server();
    }
}

impl Client {
    /// Waits until one of several requests has its outcome; returns the index of the first that has. Collecting it
    /// tells what the outcome is. Ids that are 0 are passed over.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] if the timeout is 0 and none has; [`Error::TimedOut`]; [`Error::Interrupted`];
    /// [`Error::Stale`] if one of the ids is none of this handle's, or was collected or cancelled;
    /// [`Error::Invalid`] if there is no id;
    /// [`Error::NoServer`] if the handle needs a server and none is there; [`Error::Stopped`].
    pub fn wait_any<'w>(&self, ids: &[RequestId], wait: impl Into<Wait<'w>>) -> Result<usize> {
        let me = self.channel.enter(None)?;
        let deadline = self.channel.deadline(&wait.into())?;
        if ids.iter().all(|id| *id == RequestId::NONE) {
            return Err(Error::bad_argument("ids", "none", "one at least"));
        }
        match self.find_done(me, ids) {
            Some(found) => found,
            None => {
                let mut any = AnyReply { client: self, me, ids, is_lost: false };
                self.channel.wait_for(&mut any, &deadline).map(|(index, _)| index)
            }
        }
    }

    /// The index of the first request with an outcome; else an error if one of them is none of this handle's any more.
    fn find_done(&self, me: Participant, ids: &[RequestId]) -> Option<Result<usize>> {
        let mut stale = false;
        for (index, number) in ids.iter().enumerate().filter(|(_, number)| **number != RequestId::NONE) {
            match self.channel.id(*number).map(|id| slot::progress(self.channel.mapping(), id, me)) {
                Ok(Ok(Progress::Pending(_))) => {}
                Ok(Ok(_)) => return Some(Ok(index)),
                Ok(Err(Stale)) | Err(_) => stale = true,
            }
        }
        stale.then_some(Err(Error::Stale))
    }

    fn known(&self, ids: &[RequestId]) -> impl Iterator<Item = Id> {
        ids.iter()
            .filter(|number| **number != RequestId::NONE)
            .filter_map(|number| self.channel.id(*number).ok())
    }
}
