//! All that is done, at a cost by what is done.
//!
//! A client keeps a word of its own for each slot: which request there it has listed, and whether that is known to be
//! done. So a request is looked at when it is first asked after, when its bit is set ([`listing`]), and never again once
//! it is done. The bits are hints, so all that is listed is looked at now and then.

use super::Client;
use crate::channel::waiting::CLIENT_LOOKS_AGAIN;
use crate::error::Result;
use crate::id::RequestId;
use crate::layout::Mapping;
use crate::memory;
use crate::protocol::listing::{self, Look};
use crate::protocol::state::PARTICIPANTS_MAX;
use crate::protocol::{Id, Participant};
use crate::wait::deadline;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicI64, AtomicU64};

/// Bits of a word below the generation: the participant's number, and whether the request is done.
const NUMBER_SHIFT: u32 = 1;
const GENERATION_SHIFT: u32 = 13;
const DONE: u64 = 1;

/// What a client knows of its requests, by slot. A word only ever grows: a later request has a larger generation, and
/// what is done stays so. (When generations begin anew, requests are looked at each time.)
pub(super) struct Lists {
    known: Vec<AtomicU64>,
    /// When to look at all that is listed, on the monotonic clock; 0 before the first.
    looks_from: AtomicI64,
    /// How often a slot was looked at.
    #[cfg(test)]
    looks: AtomicU64,
}

/// The word of a request that is listed. The number, too: a forked child is another client.
fn listed(id: Id, me: Participant) -> u64 {
    id.generation << GENERATION_SHIFT | u64::from(me) << NUMBER_SHIFT
}

/// Keeps what was found of a request that is, or was, this client's; whether it is done.
fn note(word: &AtomicU64, listed: u64, found: Look) -> bool {
    let is_done = found != Look::Pending;
    // Release: the look comes before it.
    word.fetch_max(listed | if is_done { DONE } else { 0 }, Release);
    is_done
}

impl Lists {
    pub fn new(slots: u32) -> Result<Self> {
        Ok(Self {
            known: memory::array((0..slots).map(|_| AtomicU64::new(0)))?,
            looks_from: AtomicI64::new(0),
            #[cfg(test)]
            looks: AtomicU64::new(0),
        })
    }

    fn count_look(&self) {
        #[cfg(test)]
        self.looks.fetch_add(1, Relaxed);
    }

    /// Whether a request is known to have its outcome, or to be none of this client's.
    fn is_done(&self, mapping: &Mapping, id: Id, me: Participant) -> bool {
        let word = &self.known[id.slot as usize];
        let listed = listed(id, me);
        // Acquire: pairs with `note`, so that who is told by this that it is done finds it so.
        let known = word.load(Acquire);
        if known == listed | DONE {
            return true;
        }
        if known == listed {
            let found = listing::look_if_told(mapping, id, me);
            return found.is_some_and(|found| {
                self.count_look();
                note(word, listed, found)
            });
        }
        self.count_look();
        match listing::list(mapping, id, me) {
            // Nothing is known of it, and what a caller made up must not stay.
            Look::Gone => true,
            found => note(word, listed, found),
        }
    }

    /// All that this client has listed and that is not known to be done.
    fn pending(&self, me: Participant) -> impl Iterator<Item = Id> {
        (0..).zip(&self.known).filter_map(move |(slot, word)| {
            let known = word.load(Acquire);
            let number = known >> NUMBER_SHIFT & u64::from(PARTICIPANTS_MAX);
            let id = Id { slot, generation: known >> GENERATION_SHIFT };
            (known != 0 && known & DONE == 0 && number == u64::from(me)).then_some(id)
        })
    }

    /// Looks at all of them, whatever the bits say.
    fn look_at_all(&self, mapping: &Mapping, me: Participant) {
        for id in self.pending(me) {
            self.count_look();
            note(&self.known[id.slot as usize], listed(id, me), listing::look(mapping, id, me));
        }
    }

    /// Whether it is time for that, and this thread is to do it.
    fn is_due(&self) -> bool {
        let now = deadline::now();
        let due = self.looks_from.load(Relaxed);
        let is_turn = due <= now
            && self.looks_from.compare_exchange(due, now + CLIENT_LOOKS_AGAIN, Relaxed, Relaxed).is_ok();
        is_turn && due != 0
    }
}

impl Client {
    /// Moves those of several requests that have their outcome to the front, in the order in which they stand there;
    /// returns how many. The others follow in any order. Never waits. Collecting tells what the outcome is.
    ///
    /// Ids that are none of this handle's, or were collected or cancelled, count as having one: collecting tells so, too.
    /// If another client has the slot by then, that may take 25 ms. Ids that are 0 are passed over.
    ///
    /// A request is looked at in the channel when the handle is first asked after it, and when it is done: what is pending
    /// costs next to nothing. Servers that died, and outcomes that nobody told of because their process died, are looked
    /// after every 25 ms.
    ///
    /// # Errors
    /// [`Error::Stopped`](crate::Error::Stopped).
    pub fn done(&self, ids: &mut [RequestId]) -> Result<usize> {
        let me = self.channel.enter(None)?;
        let mut count = self.bring_forward(me, ids);
        let rest = &mut ids[count..];
        if rest.iter().any(|id| *id != RequestId::NONE) && self.lists.is_due() {
            self.channel.look_after(self.lists.pending(me));
            self.lists.look_at_all(self.channel.mapping(), me);
            count += self.bring_forward(me, rest);
        }
        Ok(count)
    }

    fn bring_forward(&self, me: Participant, ids: &mut [RequestId]) -> usize {
        let mapping = self.channel.mapping();
        let mut count = 0;
        for at in 0..ids.len() {
            let is_none = ids[at] == RequestId::NONE;
            if !is_none && self.channel.id(ids[at]).map_or(true, |id| self.lists.is_done(mapping, id, me)) {
                ids.swap(count, at);
                count += 1;
            }
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Error, Options, Server, Timeout};

    const MANY: usize = 1000;

    fn channel(slots: u32) -> (Server, Client) {
        let options = Options::new().slots(slots).request_max(8).response_max(8);
        let server = options.anonymous().unwrap();
        let client = options.client_from_server(&server).unwrap();
        (server, client)
    }

    /// A client whose looks at all that is listed never come.
    fn never_due(client: &Client) {
        client.lists.looks_from.store(i64::MAX, Relaxed);
    }

    #[test]
    fn of_a_thousand_pending_three_that_are_done_are_found_without_looking_at_a_thousand() {
        let (server, client) = channel(MANY as u32);
        never_due(&client);
        let sent: Vec<RequestId> = (0..MANY).map(|_| client.send(b"").unwrap()).collect();
        let mut ids = sent.clone();
        assert_eq!(client.done(&mut ids), Ok(0));
        for _ in 0..MANY {
            server.recv(&mut []).unwrap();
        }
        let before = client.lists.looks.load(Relaxed);
        assert_eq!(before, MANY as u64, "each is looked at when it is first asked after");
        for (done, times) in [([3, 500, 999], 3), ([0, 64, 998], 6)] {
            for at in done {
                server.reply(sent[at], b"").unwrap();
            }
            assert_eq!(client.done(&mut ids), Ok(times));
            assert!(done.iter().all(|at| ids[..times].contains(&sent[*at])));
        }
        assert_eq!(client.done(&mut ids), Ok(6), "what is known to be done needs no look");
        assert_eq!(client.lists.looks.load(Relaxed) - before, 6);
    }

    #[test]
    fn a_slot_that_is_used_again_costs_two_looks_a_request() {
        let (server, client) = channel(1);
        never_due(&client);
        for _ in 0..100 {
            let mut ids = [client.send(b"").unwrap()];
            assert_eq!(client.done(&mut ids), Ok(0));
            let taken = server.recv(&mut []).unwrap();
            server.reply(taken.id, b"").unwrap();
            assert_eq!(client.done(&mut ids), Ok(1));
            assert_eq!(client.get(ids[0], &mut []), Ok(0));
            assert_eq!(client.done(&mut ids), Ok(1), "stale");
        }
        assert_eq!(client.lists.looks.load(Relaxed), 200);
    }

    /// As if whoever replied died before it set the bit.
    #[test]
    fn what_nobody_told_of_is_found_by_a_look_now_and_then() {
        let (server, client) = channel(4);
        let mut ids = [client.send(b"").unwrap()];
        assert_eq!(client.done(&mut ids), Ok(0));
        let taken = server.recv(&mut []).unwrap();
        server.reply(taken.id, b"").unwrap();
        let mapping = client.channel.mapping();
        crate::protocol::Memory::outcomes(mapping, 0).store(0, Relaxed);
        let begun = deadline::now();
        while client.done(&mut ids) == Ok(0) {
            assert!(deadline::now() - begun < 60_000_000_000);
        }
        assert_eq!(client.get(ids[0], &mut []), Ok(0));
    }

    #[test]
    fn waking_the_handle_leaves_its_lists_alone() {
        let (server, client) = channel(4);
        never_due(&client);
        let id = client.send(b"").unwrap();
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| client.get_wait(id, &mut [], Timeout::FOREVER));
            let begun = deadline::now();
            while client.channel().stats().sleeps == 0 {
                assert!(deadline::now() - begun < 60_000_000_000);
                std::thread::yield_now();
            }
            assert_eq!(client.done(&mut [id]), Ok(0));
            client.interrupt();
            assert_eq!(waits.join().unwrap(), Err(Error::Interrupted));
        });
        assert_eq!(client.done(&mut [id]), Ok(0));
        let taken = server.recv(&mut []).unwrap();
        server.reply(taken.id, b"").unwrap();
        assert_eq!(client.done(&mut [id]), Ok(1));
    }
}
