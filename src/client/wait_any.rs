//! Waiting for any of several replies.

use super::Client;
use crate::channel::stats::Counter;
use crate::error::{Error, Result};
use crate::id::RequestId;
use crate::protocol::slot::{self, Progress, Stale};
use crate::protocol::{Id, Participant};
use crate::wait::{Deadline, Polled, Wait, deadline};

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
        self.channel.check_running()?;
        let me = self.channel.me()?;
        let deadline = self.channel.deadline(&wait.into())?;
        if ids.iter().all(|id| *id == RequestId::NONE) {
            return Err(Error::bad_argument("ids", "none", "one at least"));
        }
        if let Some(found) = self.find_done(me, ids) {
            return found;
        }
        let done = || self.find_done(me, ids);
        let words = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        match self.channel.spinners.any.until(&deadline, &self.channel.interrupts, words, done) {
            Polled::Found(found) => return found,
            Polled::Nothing => {}
            Polled::Interrupted => return Err(self.channel.interrupted(&deadline)),
        }
        if deadline.is_now() {
            return Err(Error::WouldBlock);
        }
        self.sleep_until_any_is_done(me, ids, &deadline).inspect_err(|error| {
            if *error == Error::TimedOut {
                self.channel.count(Counter::Timeouts, 1);
            }
        })
    }

    /// The index of the first request with an outcome; else an error if one of them is none of this handle's any more.
    fn find_done(&self, me: Participant, ids: &[RequestId]) -> Option<Result<usize>> {
        let mut stale = false;
        for (index, number) in ids.iter().enumerate().filter(|(_, number)| **number != RequestId::NONE) {
            match self.id(*number).map(|id| slot::progress(self.channel.mapping(), id, me)) {
                Ok(Ok(Progress::Pending(_))) => {}
                Ok(Ok(_)) => return Some(Ok(index)),
                Ok(Err(Stale)) | Err(_) => stale = true,
            }
        }
        stale.then_some(Err(Error::Stale))
    }

    #[cold]
    fn sleep_until_any_is_done(
        &self,
        me: Participant,
        ids: &[RequestId],
        deadline: &Deadline<'_>,
    ) -> Result<usize> {
        let channel = &self.channel;
        let begun = deadline::now();
        let mut ended = Ok(());
        loop {
            // Before the requests are watched: whoever meets that finds the announcement.
            let doorbell = channel.announce_watcher(me);
            for id in self.known(ids) {
                slot::announce_watching(channel.mapping(), id, me);
            }
            if let Some(found) = self.find_done(me, ids) {
                channel.spinners.any.slept(deadline::now() - begun);
                return found;
            }
            std::mem::replace(&mut ended, Ok(()))?;
            if channel.lacks_server(self.known(ids)) {
                ended = Err(Error::NoServer);
                continue;
            }
            channel.check_before_sleep(deadline)?;
            ended = channel.sleep_on_watch(me, doorbell, deadline, self.known(ids));
        }
    }

    fn known(&self, ids: &[RequestId]) -> impl Iterator<Item = Id> {
        ids.iter().filter(|number| **number != RequestId::NONE).filter_map(|number| self.id(*number).ok())
    }
}
