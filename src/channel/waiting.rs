//! How every call that waits does it: it polls, then announces that it sleeps, looks once more, and sleeps, until there
//! is what it waits for or something else ends the wait.
//!
//! | what is waited for | by | sleeps on | looks after it every |
//! |---|---|---|---|
//! | a reply | `client/reply.rs` | the reply word | 25 ms |
//! | any of several replies | `client/wait_any.rs` | the doorbell in the client's line | 25 ms |
//! | a free slot | `client/slots.rs` | the doorbell for slots | 25 ms |
//! | a request | `server/take.rs` | the doorbell for requests | 1 s |
//!
//! No wake-up is lost: the announcement comes before the last look, and whoever has something to be woken for makes
//! that known before it looks for announcements. What ends waits from within the process is known and looked for in the
//! same way; see [`super::rouse`]. Who must wake the next when a wait ends is told in [`super::sleep`].

use super::rouse::Place;
use super::stats::Counter;
use super::{Channel, error_of};
use crate::error::{Error, Result};
use crate::layout::lines::Doorbell;
use crate::protocol::Memory;
use crate::wait::futex::{self, Bits, Slept};
use crate::wait::spin::Spinner;
use crate::wait::{Deadline, Polled, Wait, deadline};
use rustix::io::Errno;
use std::sync::atomic::AtomicU64;

const MILLISECOND: i64 = 1_000_000;
/// How long a waiting client sleeps before it looks after its server and its request again.
pub(crate) const CLIENT_LOOKS_AGAIN: i64 = 25 * MILLISECOND;
/// How long an idle server sleeps before it looks at the ring again.
pub(super) const SERVER_LOOKS_AGAIN: i64 = 1000 * MILLISECOND;

/// Something that a call waits for.
pub(crate) trait Awaited {
    type Found;

    /// Where to sleep for it.
    fn place(&self) -> Place;

    /// A look while polling, at so many words as [`Awaited::words`] says.
    fn poll(&mut self) -> Option<Result<Self::Found>>;

    fn words(&self) -> u32 {
        1
    }

    /// Whether to poll at all.
    fn polls(&self) -> bool {
        true
    }

    /// What there is to do once, when polling did not help. A call that does not wait does not sleep after this.
    fn before_sleep(&mut self, is_now: bool) -> Option<Result<Self::Found>>;

    /// What a call fails with that does not wait.
    fn nothing_now(&self) -> Error {
        Error::WouldBlock
    }

    /// Announces that this thread sleeps while the low half of the word is what this returns; none if that has changed
    /// meanwhile.
    fn announce(&mut self) -> Option<u32>;

    /// A look after an announcement. `is_due`: it was woken, or looks for the last time.
    fn look(&mut self, is_due: bool) -> Option<Result<Self::Found>>;

    /// When to announce itself anew at the latest.
    fn announces_again_at(&self) -> i64 {
        i64::MAX
    }

    /// What is to be done now and then: whoever was to wake this thread may have died.
    fn look_after(&mut self);
}

impl Channel {
    /// What a call of this handle may wait that begins now: nothing if its cancel word is set already.
    #[inline]
    pub(crate) fn deadline<'w>(&self, wait: &Wait<'w>) -> Result<Deadline<'w>> {
        let deadline = self.interrupts.begin(wait);
        if deadline.is_canceled() { Err(Error::Canceled) } else { Ok(deadline) }
    }

    /// Waits. The second half of the result says whether it slept: then it may have used up a wake-up that took the
    /// announcement of all who sleep, so if there is more to do than for one, the caller must wake the next.
    #[inline(never)]
    pub(crate) fn wait_for<A: Awaited>(
        &self,
        awaited: &mut A,
        deadline: &Deadline<'_>,
    ) -> Result<(A::Found, bool)> {
        if !deadline.is_now() && awaited.polls() {
            let (spinner, words) = (self.spinner(awaited.place()), awaited.words());
            match spinner.until(deadline, &self.interrupts, words, || awaited.poll()) {
                Polled::Found(found) => return found.map(|found| (found, false)),
                Polled::Nothing => {}
                Polled::Interrupted => return Err(self.interrupted(deadline)),
            }
        }
        if let Some(found) = awaited.before_sleep(deadline.is_now()) {
            return found.map(|found| (found, false));
        }
        if deadline.is_now() {
            return Err(awaited.nothing_now());
        }
        self.sleep_for(awaited, deadline).inspect_err(|error| {
            if *error == Error::TimedOut {
                self.count(Counter::Timeouts, 1);
            }
        })
    }

    #[cold]
    fn sleep_for<A: Awaited>(&self, awaited: &mut A, deadline: &Deadline<'_>) -> Result<(A::Found, bool)> {
        let place = awaited.place();
        let (word, pause) = (self.word(place), looks_again(place));
        let bits = self.membership.number().map_or(Bits::ORDINARY, Bits::of_handle);
        let _asleep = self.asleep.enter(place);
        let begun = deadline::now();
        let mut looks_after = begun.saturating_add(pause);
        let (mut has_slept, mut was_woken) = (false, false);
        loop {
            let announced = awaited.announce();
            if let Some(found) = awaited.look(was_woken) {
                if has_slept {
                    self.spinner(place).slept(deadline::now() - begun);
                }
                return found.map(|found| (found, has_slept));
            }
            self.interrupts.check_before_sleep(deadline).map_err(error_of)?;
            let now = deadline::now();
            if deadline.has_passed(now) {
                // Waits may all be shorter than the time between two such looks.
                if has_slept {
                    awaited.look_after();
                }
                let last = awaited.look(true).unwrap_or(Err(Error::TimedOut));
                return last.map(|found| (found, has_slept));
            }
            if now >= looks_after {
                awaited.look_after();
                looks_after = deadline::now().saturating_add(pause);
                continue;
            }
            let Some(expected) = announced else { continue };
            self.count(Counter::Sleeps, 1);
            let until = deadline.at(now).min(looks_after).min(awaited.announces_again_at());
            let slept = futex::sleep(word, expected, until, bits);
            has_slept = true;
            was_woken = slept == Slept::Woken;
            match slept {
                Slept::Interrupted if !self.interrupts.restarts(deadline) => {
                    let last = awaited.look(false).unwrap_or_else(|| Err(self.interrupted(deadline)));
                    return last.map(|found| (found, true));
                }
                Slept::Refused(errno) => return Err(sleepless(errno)),
                Slept::Woken | Slept::Changed | Slept::Until | Slept::Interrupted => {}
            }
        }
    }

    /// What a signal handler that ran during a wait means: it may have stopped the handle.
    #[cold]
    fn interrupted(&self, deadline: &Deadline<'_>) -> Error {
        self.interrupts.check(deadline).map_or_else(error_of, |()| Error::Interrupted)
    }

    /// The word that a thread sleeps on.
    pub(super) fn word(&self, place: Place) -> &AtomicU64 {
        match place {
            Place::Requests => self.mapping.doorbell(Doorbell::Request),
            Place::FreeSlots => self.mapping.doorbell(Doorbell::FreeSlot),
            Place::Reply(slot) => self.mapping.reply(slot),
            Place::AnyReply(me) => &self.mapping.participant(me).watch,
        }
    }

    fn spinner(&self, place: Place) -> &Spinner {
        match place {
            Place::Requests => &self.spinners.request,
            Place::FreeSlots => &self.spinners.slot,
            Place::Reply(_) => &self.spinners.reply,
            Place::AnyReply(_) => &self.spinners.any,
        }
    }
}

fn looks_again(place: Place) -> i64 {
    if place == Place::Requests { SERVER_LOOKS_AGAIN } else { CLIENT_LOOKS_AGAIN }
}

fn sleepless(errno: Errno) -> Error {
    // Whatever a filter of system calls says, it means one thing.
    Error::system_as("the system refuses to let this process sleep", errno, libc::EPERM)
}
