//! The error replies that a client handle collected lately, so that a caller which got only the code `-EREMOTEIO` can
//! ask for the server's own code and text.
//!
//! A ring of entries that threads write without waiting for each other, and that works in a forked child whatever other
//! threads of its parent were at. Each entry has a *stamp* that says in which turn of the ring it is written:
//!
//! | stamp | meaning |
//! |---|---|
//! | 0 | never written |
//! | `2 * turn - 1` | being written in that turn; one that a fork or a cancelled thread left so is not read |
//! | `2 * turn` | complete |
//!
//! Whoever reads looks at the stamp before and after; whoever finds an entry newer than its own turn, or being written,
//! takes the next turn.

use crate::error::text::cut;
use crate::error::{Error, Result, Text};
use crate::memory;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, AtomicUsize, fence};

const KEPT: u64 = 64;
/// Bytes of a text that are kept.
const TEXT: usize = 1024;
/// Turns that a writer tries before it keeps nothing: all entries are being written.
const TURNS_MAX: u64 = 2 * KEPT;

struct Entry {
    stamp: AtomicU64,
    id: AtomicU64,
    /// The thread whose request ended with it, where nobody was told the id; else 0.
    caller: AtomicUsize,
    code: AtomicI32,
    length: AtomicU32,
    text: [AtomicU64; TEXT / 8],
}

pub(crate) struct RemoteErrors {
    turn: AtomicU64,
    entries: Box<[Entry; KEPT as usize]>,
}

/// The calling thread, without thread-local storage that would outlast the library or be gone before a thread's last
/// destructor. A thread's number may be another's after it has ended.
fn this_thread() -> usize {
    // SAFETY: has no preconditions.
    unsafe { libc::pthread_self() as usize }
}

impl RemoteErrors {
    pub fn new() -> Result<Self, Error> {
        // SAFETY: entries are atomics, of which zeros are valid.
        let entries = unsafe { memory::zeroed() }?;
        Ok(Self { turn: AtomicU64::new(0), entries })
    }

    pub fn remember(&self, id: u64, by_caller: bool, code: i32, text: &str) {
        let caller = if by_caller { this_thread() } else { 0 };
        let text = cut(text, TEXT);
        for _ in 0..TURNS_MAX {
            let turn = self.turn.fetch_add(1, Relaxed) + 1;
            let entry = &self.entries[(turn % KEPT) as usize];
            let before = entry.stamp.load(Relaxed);
            // One that a fork or a cancelled thread left half-written is taken over a lap later.
            let is_free = before < 2 * turn && (before % 2 == 0 || before + 1 + 2 * KEPT < 2 * turn);
            let writing = 2 * turn - 1;
            if !is_free || entry.stamp.compare_exchange(before, writing, AcqRel, Relaxed).is_err() {
                continue;
            }
            // Pairs with the reader's fence: whoever sees what follows sees the stamp changed.
            fence(Release);
            entry.id.store(id, Relaxed);
            entry.caller.store(caller, Relaxed);
            entry.code.store(code, Relaxed);
            entry.length.store(text.len() as u32, Relaxed);
            for (word, bytes) in entry.text.iter().zip(text.as_bytes().chunks(8)) {
                let mut eight = [0; 8];
                eight[..bytes.len()].copy_from_slice(bytes);
                word.store(u64::from_ne_bytes(eight), Relaxed);
            }
            let _ = entry.stamp.compare_exchange(writing, 2 * turn, Release, Relaxed);
            return;
        }
    }

    /// The newest of this id; for id 0 the newest of the calling thread.
    pub fn find(&self, id: u64) -> Option<(i32, Text)> {
        let this = this_thread();
        let newest = self.turn.load(Acquire);
        let oldest = newest.saturating_sub(2 * KEPT);
        (oldest + 1..=newest).rev().find_map(|turn| self.read(turn, id, this))
    }

    fn read(&self, turn: u64, id: u64, this: usize) -> Option<(i32, Text)> {
        let entry = &self.entries[(turn % KEPT) as usize];
        if entry.stamp.load(Acquire) != 2 * turn {
            return None;
        }
        let is_wanted =
            if id == 0 { entry.caller.load(Relaxed) == this } else { entry.id.load(Relaxed) == id };
        if !is_wanted {
            return None;
        }
        let code = entry.code.load(Relaxed);
        let length = (entry.length.load(Relaxed) as usize).min(TEXT);
        let mut bytes = [0; TEXT];
        for (eight, word) in bytes.chunks_mut(8).zip(&entry.text) {
            eight.copy_from_slice(&word.load(Relaxed).to_ne_bytes());
        }
        // Pairs with the writer's fence.
        fence(Acquire);
        let is_whole = entry.stamp.load(Relaxed) == 2 * turn;
        is_whole.then(|| (code, Text::of_bytes(&bytes[..length], false)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_found_by_id_or_by_the_thread_that_met_them_and_the_oldest_go() {
        let errors = RemoteErrors::new().unwrap();
        errors.remember(7, false, 70, "seven");
        errors.remember(8, true, 80, "eight");
        assert_eq!(errors.find(7), Some((70, "seven".into())));
        assert_eq!(errors.find(0), Some((80, "eight".into())));
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(errors.find(0), None));
        });
        for id in 100..100 + KEPT {
            errors.remember(id, false, 0, "");
        }
        assert_eq!(errors.find(7), None);
        assert_eq!(errors.find(100), Some((0, "".into())));
        errors.remember(7, false, 71, &"x".repeat(2 * TEXT));
        assert_eq!(errors.find(7), Some((71, "x".repeat(TEXT).as_str().into())));
    }

    /// As a fork leaves it in the child.
    #[test]
    fn an_entry_that_is_never_finished_holds_nobody_up() {
        let errors = RemoteErrors::new().unwrap();
        for entry in errors.entries.iter() {
            entry.stamp.store(1, Relaxed);
        }
        errors.turn.store(KEPT, Relaxed);
        for id in 1..=3 * KEPT {
            errors.remember(id, false, 1, "late");
        }
        assert_eq!(errors.find(3 * KEPT), Some((1, "late".into())));
    }
}
