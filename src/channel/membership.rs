//! Joining a channel as a participant, leaving it, forking, and finding out who is dead.
//!
//! A participant is an entry in the table and a locked byte of the same number. The order matters: lock, then mark the
//! entry LIVE; sweep and mark it FREE, then unlock. So an entry that is LIVE and not locked is one whose process died,
//! at every moment.
//!
//! | entry word | meaning |
//! |---|---|
//! | `generation << 1` | FREE |
//! | `generation << 1 \| 1` | LIVE: the word names this one incarnation of the number |

use crate::error::{Error, Result};
use crate::layout::View;
use crate::layout::lines::ParticipantLine;
use crate::memory;
use crate::protocol::Participant;
use crate::region::lock::{self, Lock};
use crate::region::{Region, fork};
use std::fs::File;
use std::io::Read;
use std::ptr;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicPtr, AtomicU64};

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

/// One handle's membership. After a fork the parent keeps it, and the child joins anew at its first call.
pub(crate) struct Membership {
    role: Role,
    /// `fork generation << 32 | number`, where the number is 0 before joining and [`JOINING`] meanwhile.
    state: AtomicU64,
    /// The lock that goes with the number; a forked child replaces the one it inherited.
    lock: AtomicPtr<Lock>,
}

const JOINING: u32 = u32::MAX;

fn pack(generation: u32, number: u32) -> u64 {
    u64::from(generation) << 32 | u64::from(number)
}

impl Membership {
    pub fn new(role: Role) -> Self {
        let state = AtomicU64::new(pack(fork::generation(), 0));
        Self { role, state, lock: AtomicPtr::new(ptr::null_mut()) }
    }

    /// This handle's number, if it has joined in this process.
    #[inline]
    pub fn number(&self) -> Option<Participant> {
        let state = self.state.load(Acquire);
        let (generation, number) = ((state >> 32) as u32, state as u32);
        let joined = generation == fork::generation() && number != 0 && number != JOINING;
        joined.then_some(number as Participant)
    }

    /// Joins, unless another thread has done so.
    #[cold]
    pub fn join(&self, region: &Region, view: &View, subject: &str) -> Result<Participant> {
        loop {
            if let Some(number) = self.number() {
                return Ok(number);
            }
            let state = self.state.load(Acquire);
            let generation = fork::generation();
            let joining = pack(generation, JOINING);
            if state == joining || self.state.compare_exchange(state, joining, AcqRel, Relaxed).is_err() {
                std::thread::yield_now();
                continue;
            }
            let entered = enter(self.role, region, view, subject);
            let number = entered.as_ref().map_or(0, |lock| lock.number());
            if let Ok(lock) = entered {
                self.keep(Some(lock));
                self.state.store(pack(generation, number.into()), Release);
                return Ok(number);
            }
            self.state.store(pack(generation, 0), Release);
            return entered.map(|lock| lock.number());
        }
    }

    /// Gives the number back. Everything that names it must have been swept.
    pub fn leave(&self, view: &View, me: Participant) {
        let word = &view.participant(me).word;
        release(word, word.load(Relaxed));
        self.keep(None);
    }

    /// Puts a lock, or none, in the place of the one there is.
    fn keep(&self, lock: Option<Box<Lock>>) {
        let new = lock.map_or(ptr::null_mut(), Box::into_raw);
        let old = self.lock.swap(new, AcqRel);
        if !old.is_null() {
            // SAFETY: made by `Box::into_raw` above, and the swap made this thread the only one to know it.
            drop(unsafe { Box::from_raw(old) });
        }
    }

    /// The incarnation of a participant that is dead, or None.
    pub fn find_dead(&self, region: &Region, view: &View, number: Participant) -> Option<u64> {
        if number == 0 || u32::from(number) > view.geometry().participants || self.number() == Some(number) {
            return None;
        }
        let incarnation = view.participant(number).word.load(Acquire);
        if incarnation & LIVE == 0 {
            return None;
        }
        (!lock::is_held(region.fd(), number)).then_some(incarnation)
    }
}

/// LIVE→FREE. False if somebody else did it.
pub(crate) fn release(word: &AtomicU64, incarnation: u64) -> bool {
    word.compare_exchange(incarnation, incarnation & !LIVE, AcqRel, Relaxed).is_ok()
}

pub(crate) fn is_live(line: &ParticipantLine) -> bool {
    line.word.load(Relaxed) & LIVE != 0
}

fn enter(role: Role, region: &Region, view: &View, subject: &str) -> Result<Box<Lock>> {
    let limit = view.geometry().participants;
    let free = |number: u16| !is_live(view.participant(number));
    let candidates = || (1..=limit as u16).filter(|n| free(*n));
    let Some(lock) = Lock::acquire(region.fd(), subject, candidates, free)? else {
        return Err(Error::Crowded { channel: subject.into(), limit });
    };
    let lock = memory::boxed(lock)?;
    // The byte is locked, so nobody else writes this entry.
    let line = view.participant(lock.number());
    line.pid.store(std::process::id(), Relaxed);
    line.role.store(role as u32, Relaxed);
    line.start_time.store(start_time().unwrap_or(0), Relaxed);
    let free = line.word.load(Relaxed);
    line.word.store(free.wrapping_add(2) | LIVE, Release);
    Ok(lock)
}

/// When this process started, in clock ticks after boot: field 22 of `/proc/self/stat` (proc(5)). For people to read.
fn start_time() -> Option<u64> {
    // Of its fields up to that one the longest have 20 digits, and a name 64 bytes.
    let mut bytes = [0; 512];
    let length = File::open("/proc/self/stat").ok()?.read(&mut bytes).ok()?;
    let stat = std::str::from_utf8(&bytes[..length]).ok()?;
    // The second field is in parentheses and may itself contain spaces and parentheses.
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(19)?.parse().ok()
}

impl Drop for Membership {
    /// What a forked child inherited and never used is let go of here; see [`fork`] for its descriptor.
    fn drop(&mut self) {
        self.keep(None);
    }
}
