//! Waking, and what sleepers owe each other: what clients and servers do alike. How they sleep is in
//! [`super::waiting`].
//!
//! Ringing a doorbell takes the announcement of all who sleep on it and wakes one of them; whoever publishes after that
//! wakes nobody. So whoever was woken is responsible for all that was published since, until it announces itself again,
//! and must not leave while something is left without waking the next:
//!
//! | way out of a wait on a doorbell | what is left |
//! |---|---|
//! | took what it found | handed on, if there is more: [`Server::take`], `Client::wait_for_slot` |
//! | found a request longer than its buffer | handed on: the request is left |
//! | lost a claim, and then took another, or ran out of time | still counts as woken: handed on as above |
//! | refused a request that no client can have sent, and ran out of time | the same |
//! | timed out, was stopped or cancelled, may not sleep | nothing: it looked after its announcement, which stays |
//! | interrupted | nothing: the kernel says so only to one whom nobody woke |
//! | its process died or was stopped | others look: a waiting client each 25 ms, an idle server each second |
//!
//! [`Server::take`]: crate::Server

use super::Channel;
use crate::layout::Mapping;
use crate::layout::lines::Doorbell;
use crate::protocol::state::ReplyWord;
use crate::protocol::{Memory, Participant, allocate, doorbell, listing};
use crate::wait::{deadline, futex};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::fence;

const MILLISECOND: i64 = 1_000_000;
/// All who sleep on a word.
const EVERYBODY: u32 = u32::MAX >> 1;
/// How long a client waits for a slot before those who come later give way to it, and how long these do at most.
pub(crate) const STARVES: i64 = 5 * MILLISECOND;
/// How long a client that found no free slot polls on after it announced itself, so that the plain store by which
/// another client frees one has left that processor's store buffer.
const STORE_SHOWS: i64 = 1_000;

impl Channel {
    /// Wakes the threads of a client that sleep on a reply word as it was before it changed, and tells one that listed
    /// the request.
    #[inline]
    pub(crate) fn wake_sleepers(&self, slot: u32, before: ReplyWord) {
        if before.has_listeners() {
            self.wake_client(slot, before);
        }
    }

    #[cold]
    fn wake_client(&self, slot: u32, before: ReplyWord) {
        if before.is_listed() {
            listing::tell(&self.mapping, slot);
        }
        if before.is_waiting() {
            futex::wake_up(self.mapping.reply(slot), EVERYBODY);
        }
        let client = before.owner();
        if before.is_watching() && client != 0 && u32::from(client) <= self.geometry().participants {
            self.ring_watchers(client);
        }
    }

    /// Wakes the threads of a client that wait for any of several replies, if some have announced that they sleep: all
    /// of them, for each may wait for others.
    fn ring_watchers(&self, client: Participant) {
        let watch = &self.mapping.participant(client).watch;
        if doorbell::ring(watch) {
            futex::wake_up(watch, EVERYBODY);
        }
    }

    /// Wakes the threads of this client that wait for any of several replies, and keeps those awake that are about to
    /// sleep.
    pub(super) fn disturb_watchers(&self, me: Participant) {
        let watch = &self.mapping.participant(me).watch;
        doorbell::disturb(watch);
        futex::wake_up(watch, EVERYBODY);
    }

    /// Announces one that waits for any of several replies. It must watch them all then, look at them once more, and
    /// may sleep while the doorbell shows what this returns.
    pub(crate) fn announce_watcher(&self, me: Participant) -> u32 {
        let expected = doorbell::announce(&self.mapping.participant(me).watch);
        // A request that is watched since an earlier time is only looked at: that look comes after the announcement, as
        // the ringing comes after the reply (both `SeqCst`).
        fence(SeqCst);
        expected
    }

    /// Wakes a server, if one has announced that it sleeps.
    #[inline]
    pub(crate) fn ring_doorbell(&self, name: Doorbell) {
        let doorbell = self.mapping.doorbell(name);
        if doorbell::ring(doorbell) && !futex::wake_up(doorbell, 1) {
            doorbell::relieve(doorbell);
        }
    }
}

/// Whether a slot is free, for one who has just announced that it will sleep.
pub(crate) fn finds_slot(mapping: &Mapping) -> bool {
    look_until_shown(|| (allocate::in_flight(mapping) < mapping.slots()).then_some(())).is_some()
}

/// Looks for as long as a plain store may take to show.
pub(crate) fn look_until_shown<T>(mut ready: impl FnMut() -> Option<T>) -> Option<T> {
    let found = ready();
    if found.is_some() {
        return found;
    }
    let end = deadline::now() + STORE_SHOWS;
    loop {
        let found = ready();
        if found.is_some() || deadline::now() > end {
            return found;
        }
    }
}
