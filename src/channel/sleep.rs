//! Sleeping and waking: what clients and servers do alike.
//!
//! Ringing a doorbell takes the announcement of all who sleep on it and wakes one of them; whoever publishes after that
//! wakes nobody.
//! So whoever was woken is responsible for all that was published since, until it announces itself again, and must not
//! leave while something is left without waking the next:
//!
//! | way out of a wait on a doorbell | what is left |
//! |---|---|
//! | took what it found | handed on, if there is more: [`Server::take`], `Client::wait_for_slot` |
//! | found a request longer than its buffer | handed on: the request is left |
//! | lost a claim, and then took another, or ran out of time | still counts as woken: handed on as above |
//! | refused a request that no client can have sent, and ran out of time | the same |
//! | timed out, was stopped, may not sleep | nothing: it looked after it announced itself, and that stays |
//! | interrupted | nothing: the kernel says so only to one whom nobody woke |
//! | its process died or was stopped | others look: a waiting client each 25 ms, an idle server each second |
//!
//! [`Server::take`]: crate::Server

use super::Channel;
use super::stats::Counter;
use crate::error::{Error, Result};
use crate::layout::Mapping;
use crate::layout::lines::Doorbell;
use crate::protocol::state::ReplyWord;
use crate::protocol::{Id, Memory, Participant, allocate, doorbell};
use crate::wait::{Deadline, deadline, futex};
use rustix::io::Errno;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicU64, fence};

const MILLISECOND: i64 = 1_000_000;
/// All who sleep on a word.
const EVERYBODY: u32 = u32::MAX >> 1;
/// How long a waiting client sleeps before it looks after its server and its request again.
pub(super) const CLIENT_LOOKS_AGAIN: i64 = 25 * MILLISECOND;
/// How long an idle server sleeps before it looks at the ring again.
pub(super) const SERVER_LOOKS_AGAIN: i64 = 1000 * MILLISECOND;
/// How long a client waits for a slot before those who come later give way to it, and how long these do at most.
pub(crate) const STARVES: i64 = 5 * MILLISECOND;
/// How long a client that found no free slot polls on after it announced itself, so that the plain store by which
/// another client frees one has left that processor's store buffer.
const STORE_SHOWS: i64 = 1_000;

impl Channel {
    /// Wakes the threads of a client that sleep on a reply word as it was before it changed.
    #[inline]
    pub(crate) fn wake_sleepers(&self, slot: u32, before: ReplyWord) {
        if before.has_sleepers() {
            self.wake_client(slot, before);
        }
    }

    #[cold]
    fn wake_client(&self, slot: u32, before: ReplyWord) {
        if before.is_waiting() {
            futex::wake_up(self.mapping.reply(slot), EVERYBODY);
        }
        let client = before.owner();
        if before.is_watching() && client != 0 && u32::from(client) <= self.geometry().participants {
            self.ring_watchers(client);
        }
    }

    /// Wakes the threads of a client that wait for any of several replies, if some have announced that they sleep: all of
    /// them, for each may wait for others.
    fn ring_watchers(&self, client: Participant) {
        let watch = &self.mapping.participant(client).watch;
        if doorbell::ring(watch) {
            futex::wake_up(watch, EVERYBODY);
        }
    }

    /// Wakes the threads of this client that wait for any of several replies, and keeps those awake that are about to sleep.
    pub(super) fn disturb_watchers(&self, me: Participant) {
        let watch = &self.mapping.participant(me).watch;
        doorbell::disturb(watch);
        futex::wake_up(watch, EVERYBODY);
    }

    /// Announces one that waits for any of several replies. It must watch them all then, look at them once more, and may
    /// sleep while the doorbell shows what this returns.
    pub(crate) fn announce_watcher(&self, me: Participant) -> u32 {
        let expected = doorbell::announce(&self.mapping.participant(me).watch);
        // A request that is watched since an earlier time is only looked at: that look comes after the announcement, as
        // the ringing comes after the reply (both `SeqCst`).
        fence(SeqCst);
        expected
    }

    /// Sleeps until the doorbell of this client's watchers is no longer `expected`, for one look's time at most; then
    /// looks after the requests.
    pub(crate) fn sleep_on_watch(
        &self,
        me: Participant,
        expected: u32,
        deadline: &Deadline<'_>,
        pending: impl Iterator<Item = Id>,
    ) -> Result<()> {
        self.sleep_a_look(&self.mapping.participant(me).watch, expected, deadline, pending)
    }

    /// Wakes a server, if one has announced that it sleeps.
    #[inline]
    pub(crate) fn ring_doorbell(&self, name: Doorbell) {
        let doorbell = self.mapping.doorbell(name);
        if doorbell::ring(doorbell) && !futex::wake_up(doorbell, 1) {
            doorbell::relieve(doorbell);
        }
    }

    /// Sleeps on a doorbell until `ready` yields something; now and then wakes up and does `meanwhile`. The second half
    /// of the result says whether a wake-up was used up: it was given on behalf of all who sleep, so if there is more
    /// to do than for one, the caller must ring the doorbell for the next.
    ///
    /// `ready` is told whether it is this one's turn even while others starve: it was woken, or starves itself.
    pub(crate) fn sleep_on<T>(
        &self,
        name: Doorbell,
        deadline: &Deadline<'_>,
        mut ready: impl FnMut(bool) -> Option<T>,
        mut meanwhile: impl FnMut(),
    ) -> Result<(T, bool)> {
        let doorbell = self.mapping.doorbell(name);
        let (again, shows, starves, spinner) = match name {
            Doorbell::FreeSlot => (CLIENT_LOOKS_AGAIN, STORE_SHOWS, STARVES, &self.spinners.slot),
            _ => (SERVER_LOOKS_AGAIN, 0, i64::MAX, &self.spinners.request),
        };
        let mut begun: Option<i64> = None;
        let mut was_woken = false;
        loop {
            // When this one is no longer to give way to others.
            let patience = begun.map_or(i64::MAX, |begun| begun.saturating_add(starves));
            let is_starving = patience <= deadline::now();
            let expected = if is_starving {
                doorbell::announce_starving(doorbell)
            } else {
                doorbell::announce(doorbell)
            };
            let is_due = was_woken || is_starving;
            if let Some(found) = look_until_shown(shows, &mut || ready(is_due)) {
                if let Some(begun) = begun {
                    spinner.slept(deadline::now() - begun);
                }
                return Ok((found, begun.is_some()));
            }
            self.check_before_sleep(deadline)?;
            let now = deadline::now();
            if deadline.has_passed(now) {
                // One that gave way has not looked.
                return ready(true).map(|found| (found, begun.is_some())).ok_or(Error::TimedOut);
            }
            self.count(Counter::Sleeps, 1);
            let patience = begun.get_or_insert(now).saturating_add(starves);
            let until = deadline.at(now).min(now + again);
            let slept =
                futex::sleep(doorbell, expected, if is_starving { until } else { until.min(patience) });
            was_woken = slept == futex::Slept::Woken;
            match slept {
                futex::Slept::Woken | futex::Slept::Changed => {}
                futex::Slept::Until => meanwhile(),
                futex::Slept::Interrupted if self.interrupts.restarts(deadline) => {}
                futex::Slept::Interrupted => {
                    return ready(is_due)
                        .map_or_else(|| Err(self.interrupted(deadline)), |found| Ok((found, true)));
                }
                futex::Slept::Refused(errno) => return Err(sleepless(errno)),
            }
        }
    }

    /// Sleeps until the reply word of `id` is no longer `expected`, for one look's time at most; then looks after the
    /// request.
    pub(crate) fn sleep_on_reply(&self, id: Id, expected: u64, deadline: &Deadline<'_>) -> Result<()> {
        self.sleep_a_look(self.mapping.reply(id.slot), expected as u32, deadline, std::iter::once(id))
    }

    fn sleep_a_look(
        &self,
        word: &AtomicU64,
        expected: u32,
        deadline: &Deadline<'_>,
        pending: impl Iterator<Item = Id>,
    ) -> Result<()> {
        let now = deadline::now();
        if deadline.has_passed(now) {
            return Err(Error::TimedOut);
        }
        self.count(Counter::Sleeps, 1);
        let until = deadline.at(now).min(now + CLIENT_LOOKS_AGAIN);
        match futex::sleep(word, expected, until) {
            futex::Slept::Woken | futex::Slept::Changed => Ok(()),
            futex::Slept::Until => {
                self.look_after(pending);
                Ok(())
            }
            futex::Slept::Interrupted if self.interrupts.restarts(deadline) => Ok(()),
            futex::Slept::Interrupted => Err(self.interrupted(deadline)),
            futex::Slept::Refused(errno) => Err(sleepless(errno)),
        }
    }
}

/// Whether a slot is free, for one who has just announced that it will sleep.
pub(crate) fn finds_slot(mapping: &Mapping) -> bool {
    let mut ready = || (allocate::in_flight(mapping) < mapping.slots()).then_some(());
    look_until_shown(STORE_SHOWS, &mut ready).is_some()
}

/// Looks once, or for as long as a plain store may take to show.
fn look_until_shown<T>(shows: i64, ready: &mut impl FnMut() -> Option<T>) -> Option<T> {
    let found = ready();
    if found.is_some() || shows == 0 {
        return found;
    }
    let end = deadline::now() + shows;
    loop {
        let found = ready();
        if found.is_some() || deadline::now() > end {
            return found;
        }
    }
}

fn sleepless(errno: Errno) -> Error {
    // Whatever a filter of system calls says, it means one thing.
    Error::system_as("the system refuses to let this process sleep", errno, libc::EPERM)
}
