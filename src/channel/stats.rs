//! Counters and snapshots.
//!
//! Each participant counts in a line of its own, with plain loads and stores: threads that share a handle may lose
//! counts to each other, and a count never costs a locked operation. The lines outlive their participants, so the sums
//! are those of the channel's whole life.

use super::Channel;
use super::membership::is_live;
use crate::protocol::state::{ReplyState, ReplyWord, RequestWord};
use crate::protocol::{Memory, Participant};
use std::sync::atomic::Ordering::Relaxed;

/// What a participant counts; the numbers are part of the format.
#[derive(Clone, Copy)]
pub(crate) enum Counter {
    Requests = 0,
    Replies = 1,
    Timeouts = 2,
    Cancels = 3,
    StaleReplies = 4,
    Full = 5,
    Recoveries = 6,
    Sleeps = 7,
    RequestBytes = 8,
    ReplyBytes = 9,
    Posts = 10,
}

/// A snapshot of a channel. Its parts are read one after the other while others work, so they need not add up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Requests that may be in flight at once.
    pub slots: u32,
    /// Requests and one-way messages that wait for a server.
    pub queued: u32,
    /// Requests sent and not collected, and one-way messages not done with, including those queued; and loans.
    pub in_flight: u32,
    /// Requests that could be sent now.
    pub free: u32,
    /// Handles attached, including those of dead processes that nobody has recovered from yet.
    pub participants: u32,
    /// Requests sent that are replied to.
    pub requests: u64,
    /// Replies that reached a client that waited for them.
    pub replies: u64,
    /// One-way messages sent.
    pub posts: u64,
    /// Calls that met their deadline.
    pub timeouts: u64,
    /// Requests withdrawn by their clients, or cleared.
    pub cancels: u64,
    /// Replies that came too late.
    pub stale_replies: u64,
    /// Sends refused for want of a free slot.
    pub full: u64,
    /// Dead participants recovered from.
    pub recoveries: u64,
    /// Times that somebody slept.
    pub sleeps: u64,
    /// Bytes of the requests and one-way messages sent.
    pub request_bytes: u64,
    /// Bytes of the replies that reached a client.
    pub reply_bytes: u64,
}

impl Channel {
    /// What the channel holds and has done.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mapping = self.mapping();
        let mut stats = Stats { slots: mapping.slots(), ..Stats::default() };
        for slot in 0..mapping.total_slots() {
            let reply = ReplyWord(mapping.reply(slot).load(Relaxed));
            let request = RequestWord(mapping.request(slot).load(Relaxed));
            let in_flight = !matches!(reply.state(), ReplyState::Free | ReplyState::Abandoned);
            let has_no_outcome = matches!(reply.state(), ReplyState::Pending | ReplyState::Posted);
            let queued =
                has_no_outcome && request.generation() == reply.generation() && request.is_claimable();
            stats.in_flight += u32::from(in_flight);
            stats.queued += u32::from(queued);
        }
        stats.free = stats.slots.saturating_sub(stats.in_flight);
        for number in 1..=self.geometry().participants as Participant {
            let line = mapping.participant(number);
            stats.participants += u32::from(is_live(line));
            let count = |counter: Counter| line.counters[counter as usize].load(Relaxed);
            stats.requests = stats.requests.wrapping_add(count(Counter::Requests));
            stats.replies = stats.replies.wrapping_add(count(Counter::Replies));
            stats.posts = stats.posts.wrapping_add(count(Counter::Posts));
            stats.timeouts = stats.timeouts.wrapping_add(count(Counter::Timeouts));
            stats.cancels = stats.cancels.wrapping_add(count(Counter::Cancels));
            stats.stale_replies = stats.stale_replies.wrapping_add(count(Counter::StaleReplies));
            stats.full = stats.full.wrapping_add(count(Counter::Full));
            stats.recoveries = stats.recoveries.wrapping_add(count(Counter::Recoveries));
            stats.sleeps = stats.sleeps.wrapping_add(count(Counter::Sleeps));
            stats.request_bytes = stats.request_bytes.wrapping_add(count(Counter::RequestBytes));
            stats.reply_bytes = stats.reply_bytes.wrapping_add(count(Counter::ReplyBytes));
        }
        stats
    }

    /// Adds to one of this participant's counters.
    pub(crate) fn count(&self, counter: Counter, by: u64) {
        if let Some(me) = self.membership.number() {
            self.add(me, counter, by);
        }
    }

    /// Counts a message of participant `me` and its bytes.
    #[inline]
    pub(crate) fn count_message(&self, me: Participant, messages: Counter, bytes: Counter, length: usize) {
        self.add(me, messages, 1);
        self.add(me, bytes, length as u64);
    }

    #[inline]
    fn add(&self, me: Participant, counter: Counter, by: u64) {
        let counter = &self.mapping().participant(me).counters[counter as usize];
        counter.store(counter.load(Relaxed).wrapping_add(by), Relaxed);
    }
}
