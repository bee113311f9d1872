//! Administration: what an operator does to a channel, from any process that has it open.

use super::Channel;
use super::membership::{Role, is_live};
use super::stats::Counter;
use crate::error::{Error, Result, Text};
use crate::layout::lines::Doorbell;
use crate::memory;
use crate::protocol::clearing::{self, Cleared};
use crate::protocol::state::{ReplyState, ReplyWord, RequestState, RequestWord};
use crate::protocol::{Memory, Participant};
use std::sync::atomic::Ordering::Relaxed;

/// One that is attached to a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParticipantInfo {
    /// Its number, from 1 on.
    pub number: u32,
    /// Its process, as that sees itself: in another PID namespace the number means nothing.
    pub pid: u32,
    /// When its process started, in clock ticks after boot, as in `/proc/PID/stat`; 0 if unknown.
    pub start_time: u64,
    /// What it does; None if its entry doesn't say so properly.
    pub role: Option<Role>,
    /// Whether its process lives. A dead participant stays in the table until somebody recovers from it.
    pub is_alive: bool,
    /// Requests that it holds: a server those it took and did not reply to, a client those it did not collect, and its
    /// loans.
    pub held: u32,
}

impl Channel {
    /// Cancels every request that has no outcome yet, whosever it is; returns how many those were. Queued ones are
    /// never seen by a server. What servers hold is given up: their replies will be refused. Whoever waits for one of
    /// these, or asks for one later, gets [`Error::Stale`]. Queued one-way messages are
    /// dropped.
    ///
    /// Replies that are there stay for their clients, and so do loans.
    ///
    /// # Errors
    /// [`Error::Stopped`]; [`Error::NoMemory`]; what joining a channel can meet, in a forked child that has to join
    /// anew.
    pub fn clear(&self) -> Result<u32> {
        self.check_running()?;
        let me = self.me()?;
        let mapping = self.mapping();
        // Whoever hears of it may send again at once: those requests are not meant.
        let meant = memory::array((0..mapping.total_slots()).map(|slot| clearing::current(mapping, slot)))?;
        let mut cleared = 0;
        for id in meant {
            match clearing::clear(mapping, id, me) {
                Cleared::Nothing => continue,
                Cleared::GivenUp => {}
                Cleared::Freed { before } | Cleared::Abandoned { before } => {
                    self.wake_sleepers(id.slot, before);
                    cleared += 1;
                }
            }
            self.ring_doorbell(Doorbell::FreeSlot);
        }
        self.count(Counter::Cancels, cleared.into());
        Ok(cleared)
    }

    /// Recovers from all participants that are dead; returns how many those were.
    ///
    /// # Errors
    /// What joining a channel can meet, in a forked child that has to join anew; [`Error::Stopped`].
    pub fn recover(&self) -> Result<u32> {
        self.check_running()?;
        self.me()?;
        Ok(self.recover_dead())
    }

    /// Writes the channel's pages to its file, and waits until they are there. Processes see each other's changes
    /// without this; it is for a file that outlives a power failure. Nothing happens to a channel in memory.
    ///
    /// # Errors
    /// [`Error::System`] as `msync(2)`.
    pub fn sync(&self) -> Result<()> {
        self.region.sync(&self.subject)
    }

    /// Removes the channel's name; those who are attached go on.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it has none; [`Error::System`] as `unlink(2)`.
    pub fn unlink(&self) -> Result<()> {
        match self.region.path() {
            Some(path) => crate::region::name::remove(path),
            None => Err(Error::Invalid(Text::of(format_args!("{}: has no name to remove", self.subject)))),
        }
    }

    /// Whether the channel's path still names this channel: false if somebody has removed the file or put another in its
    /// place. A symbolic link of that name is another file.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the channel was not opened by a path; [`Error::System`] as `lstat(2)`.
    pub fn is_current(&self) -> Result<bool> {
        match self.region.path() {
            Some(path) => crate::region::name::means(path, self.region.identity()),
            None => Err(Error::Invalid(Text::of(format_args!("{}: has no name", self.subject)))),
        }
    }

    /// Who is attached, in the order of their numbers. A snapshot.
    ///
    /// # Errors
    /// [`Error::NoMemory`].
    pub fn participants(&self) -> Result<Vec<ParticipantInfo>> {
        let mut all = memory::reserved(self.geometry().participants as usize)?;
        self.each_participant(|participant| all.push(participant))?;
        Ok(all)
    }

    /// Tells of who is attached, in the order of their numbers.
    pub(crate) fn each_participant(&self, mut tell: impl FnMut(ParticipantInfo)) -> Result<()> {
        let held = self.held()?;
        let numbers = 1..=self.geometry().participants as Participant;
        numbers.filter_map(|number| self.participant(number, held[usize::from(number)])).for_each(&mut tell);
        Ok(())
    }

    fn participant(&self, number: Participant, held: u32) -> Option<ParticipantInfo> {
        let line = self.mapping().participant(number);
        is_live(line).then(|| ParticipantInfo {
            number: number.into(),
            pid: line.pid.load(Relaxed),
            start_time: line.start_time.load(Relaxed),
            role: Role::from_u32(line.role.load(Relaxed)),
            is_alive: self.membership.find_dead(&self.region, self.mapping(), number).is_none(),
            held,
        })
    }

    /// How many requests each participant holds, by its number.
    fn held(&self) -> Result<Vec<u32>> {
        let mapping = self.mapping();
        let mut held = memory::array((0..self.geometry().participants as usize + 1).map(|_| 0))?;
        let mut count = |owner: Participant| {
            if let Some(count) = held.get_mut(usize::from(owner)) {
                *count += 1;
            }
        };
        for slot in 0..mapping.total_slots() {
            let reply = ReplyWord(mapping.reply(slot).load(Relaxed));
            let request = RequestWord(mapping.request(slot).load(Relaxed));
            let claimed = request.is(RequestState::Claimed, reply.generation());
            let state = reply.state();
            if matches!(
                state,
                ReplyState::Pending | ReplyState::Ready | ReplyState::Failed | ReplyState::Dismissed
            ) {
                count(reply.owner());
            }
            if claimed && matches!(state, ReplyState::Pending | ReplyState::Posted | ReplyState::Abandoned) {
                count(request.owner());
            }
        }
        Ok(held)
    }
}
