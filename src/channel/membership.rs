//! Joining a channel as a participant, leaving it, forking, and finding out who is dead.
//!
//! A participant is an entry in the table and a lock of the same number. The order matters: lock, then mark the entry
//! LIVE; recover what it holds and mark it FREE, then unlock. So an entry that is LIVE and not locked is one whose
//! process died, at every moment.
//!
//! | entry word | meaning |
//! |---|---|
//! | `generation << 1` | FREE |
//! | `generation << 1 \| 1` | LIVE: the word names this one incarnation of the number |

use crate::error::{Error, Result};
use crate::layout::Mapping;
use crate::layout::lines::ParticipantLine;
use crate::protocol::Participant;
use crate::region::lock::{self, Lock, Search};
use crate::region::seat::Seat;
use crate::region::{Region, fork};
use crate::wait::deadline;
use crate::wait::futex::{self, Bits};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

const LIVE: u64 = 1;

/// What a participant does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Role {
    /// Takes requests and replies.
    Server = 1,
    /// Sends requests.
    Client = 2,
}

impl Role {
    pub(crate) fn from_u32(number: u32) -> Option<Self> {
        [Self::Server, Self::Client].into_iter().find(|role| *role as u32 == number)
    }
}

/// One handle's membership. After a fork the parent keeps it, and the child, which finds the [`Seat`] empty, joins anew
/// at its first call.
pub(crate) struct Membership {
    role: Role,
    seat: NonNull<Seat>,
}

// SAFETY: a seat is atomics.
unsafe impl Send for Membership {}
// SAFETY: as above.
unsafe impl Sync for Membership {}

/// Why a handle joins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// It is being opened.
    Opened,
    /// This is a forked child.
    Forked,
}

/// Looks at whether another thread has joined, when this one could not.
const LOOKS: u32 = 4;
/// Longest time between them, in nanoseconds.
const LOOK: i64 = 250_000;

impl Membership {
    /// For a handle that keeps this region at least as long.
    pub fn new(role: Role, region: &Region) -> Self {
        Self { role, seat: NonNull::from(region.seat()) }
    }

    pub fn role(&self) -> Role {
        self.role
    }

    fn seat(&self) -> &Seat {
        // SAFETY: the region is kept next to this, and its seat stays where it is.
        unsafe { self.seat.as_ref() }
    }

    /// This handle's number, if it has joined in this process.
    #[inline]
    pub fn number(&self) -> Option<Participant> {
        let number = self.seat().number.load(Acquire);
        (number != 0).then_some(number as Participant)
    }

    /// Joins, unless another thread has done so. Every thread tries by itself and nobody waits for another: of two that
    /// got a number each, one gives its own back.
    #[cold]
    pub fn join(&self, why: Why, region: &Region, mapping: &Mapping, subject: &str) -> Result<Participant> {
        fork::note_process();
        let seat = self.seat();
        seat.joining.fetch_add(1, AcqRel);
        let entered = enter(self.role, why, region, mapping, subject);
        let joined = entered.map(|lock| self.take_seat(lock, mapping));
        let joined = joined.or_else(|error| self.joined_meanwhile().ok_or(error));
        seat.joining.fetch_sub(1, AcqRel);
        joined
    }

    fn take_seat(&self, lock: Lock, mapping: &Mapping) -> Participant {
        let own = lock.number();
        match self.seat().number.compare_exchange(0, own.into(), AcqRel, Acquire) {
            Ok(_) => {
                lock.keep_in(self.seat());
                own
            }
            Err(others) => {
                let word = &mapping.participant(own).word;
                release(word, word.load(Relaxed));
                others as Participant
            }
        }
    }

    /// The number by which another thread has joined, or does so any moment: it may have taken the last place.
    fn joined_meanwhile(&self) -> Option<Participant> {
        let seat = self.seat();
        for _ in 0..LOOKS {
            if self.number().is_some() || seat.joining.load(Acquire) < 2 {
                break;
            }
            futex::sleep(&seat.number, 0, deadline::now() + LOOK, Bits::ORDINARY);
        }
        self.number()
    }

    /// Gives the number back. Everything that names it must have been recovered.
    pub fn leave(&self, mapping: &Mapping, me: Participant) {
        let word = &mapping.participant(me).word;
        release(word, word.load(Relaxed));
        self.seat().number.store(0, Relaxed);
        lock::let_go(self.seat(), me);
    }

    /// The incarnation of a participant that is dead, or None.
    pub fn find_dead(&self, region: &Region, mapping: &Mapping, number: Participant) -> Option<u64> {
        if number == 0 || u32::from(number) > mapping.geometry().participants || self.number() == Some(number)
        {
            return None;
        }
        let incarnation = mapping.participant(number).word.load(Acquire);
        if incarnation & LIVE == 0 {
            return None;
        }
        (!lock::is_held(region, number)).then_some(incarnation)
    }
}

/// LIVE→FREE. False if somebody else did it.
pub(crate) fn release(word: &AtomicU64, incarnation: u64) -> bool {
    word.compare_exchange(incarnation, incarnation & !LIVE, AcqRel, Relaxed).is_ok()
}

pub(crate) fn is_live(line: &ParticipantLine) -> bool {
    line.word.load(Relaxed) & LIVE != 0
}

fn enter(role: Role, why: Why, region: &Region, mapping: &Mapping, subject: &str) -> Result<Lock> {
    let limit = mapping.geometry().participants;
    let free = |number: u16| !is_live(mapping.participant(number));
    let search = Search { limit: limit as u16, accept: &free };
    let by_reserve = match why {
        Why::Opened => None,
        Why::Forked => Lock::acquire_by_reserve(region, &search),
    };
    let found = match by_reserve {
        Some(found) => found,
        None => {
            let found = Lock::acquire(region, &search, subject);
            if why == Why::Forked {
                region.provide_reserve();
                found.map_err(|_| Error::NotJoined)?
            } else {
                found?
            }
        }
    };
    let Some(lock) = found else {
        return Err(Error::Crowded { channel: subject.into(), limit });
    };
    // The number is locked, so nobody else writes this entry.
    let line = mapping.participant(lock.number());
    let (pid, start_time) = fork::who();
    line.pid.store(pid, Relaxed);
    line.role.store(role as u32, Relaxed);
    // For people to read.
    line.start_time.store(start_time, Relaxed);
    let free = line.word.load(Relaxed);
    line.word.store(free.wrapping_add(2) | LIVE, Release);
    Ok(lock)
}

#[cfg(test)]
mod tests {
    use crate::{Error, Options, Timeout};
    use std::sync::atomic::Ordering::Relaxed;

    /// A thread that is less urgent than the one that calls, or stopped, or gone, may have begun to join and not go on.
    #[test]
    fn a_thread_that_joins_waits_for_none_that_has_begun_to() {
        let server = Options::new().participants(3).anonymous().unwrap();
        let seat = server.channel().membership.seat();
        let as_in_a_child_amid_another_threads_joining = || {
            seat.number.store(0, Relaxed);
            seat.joining.store(1, Relaxed);
        };
        as_in_a_child_amid_another_threads_joining();
        assert_eq!(server.recv(&mut []), Err(Error::WouldBlock));
        assert_eq!(seat.number.load(Relaxed), 2);
        let _third = Options::new().client_from_server(&server).unwrap();
        as_in_a_child_amid_another_threads_joining();
        let refused = server.recv_wait(&mut [], Timeout::FOREVER);
        assert!(matches!(refused, Err(Error::Crowded { .. })), "{refused:?}");
    }
}
