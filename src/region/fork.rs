//! Forks: what a child must let go of, and how it knows that it is one.
//!
//! A lock on an open file description lasts until the last reference to that description is gone, and a forked child has
//! a copy of each descriptor. A child that kept them would keep its parent alive in everybody's eyes. So it closes what
//! [`super::kept`] lists as a lock's, before it does anything else with the library: in a `pthread_atfork` handler, or,
//! where the program's own handlers run first, or a raw `clone` ran none, at its first call.
//!
//! That this is a child is told by memory that the kernel empties in children (`MADV_WIPEONFORK`, Linux 4.14); elsewhere
//! the handler empties it. The word of [`PROCESS`] is in such memory, and so is each handle's [`super::seat`].
//!
//! | [`PROCESS`] word | meaning |
//! |---|---|
//! | 0 | a new process: nothing was cleaned up |
//! | `epoch << 8 \| UNDER_WAY` | a thread is cleaning up; others go on, and what they open is not touched |
//! | `epoch << 8 \| NOTED` | done |
//!
//! The epoch counts processes from the first one of this line that used the library.
//!
//! Each handle keeps a *reserve*, a description without locks, for the child of the next fork to join with: a child may
//! have lost what opening one takes. A description that two processes share would lock for both, so a reserve is used
//! only by a child that alone got it: of a fork that overlapped no other. The parent's handler replaces it.
//!
//! | [`FORKS`] bits | meaning |
//! |---|---|
//! | 0 to 23 | forks in progress |
//! | 24 | one of them overlapped another |
//! | 32 to 63 | forks begun |

use super::fd;
use super::kept::{self, Phase, Use};
use super::{memory, seat};
use rustix::fs::{CWD, Mode, OFlags, RawDir};
use std::mem::MaybeUninit;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU32, AtomicU64};

const IN_PROGRESS: u64 = (1 << 24) - 1;
const OVERLAPPED: u64 = 1 << 24;
const ONE_BEGUN: u64 = 1 << 32;

static FORKS: AtomicU64 = AtomicU64::new(0);

/// Forks in progress and begun: two equal values with none in progress have no fork between them.
pub(super) fn forks() -> Option<u64> {
    let forks = FORKS.load(SeqCst);
    (forks & IN_PROGRESS == 0).then_some(forks)
}

pub(super) fn is_in_progress() -> bool {
    forks().is_none()
}

const UNDER_WAY: u32 = 1;
const NOTED: u32 = 2;

/// A page that children find empty.
#[repr(C, align(4096))]
struct Process {
    word: AtomicU32,
    pid: AtomicU32,
    start_time: AtomicU64,
}

static PROCESS: Process =
    Process { word: AtomicU32::new(0), pid: AtomicU32::new(0), start_time: AtomicU64::new(0) };

/// Whether the kernel empties [`PROCESS`] in children: 0 nobody asked, 1 yes, 2 no.
static EMPTIED: AtomicU8 = AtomicU8::new(0);

/// The epoch of the newest process.
static EPOCHS: AtomicU16 = AtomicU16::new(0);

/// Which process this is; after [`note_process`].
pub(super) fn epoch() -> u16 {
    (PROCESS.word.load(Relaxed) >> 8) as u16
}

fn is_noted() -> bool {
    PROCESS.word.load(Acquire) & 0xff == NOTED
        && (EMPTIED.load(Relaxed) == 1 || PROCESS.pid.load(Relaxed) == std::process::id())
}

/// What to do with the reserves that a child inherited.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reserves {
    /// They are this child's alone.
    Keep,
    /// Somebody else may have them too.
    Renew,
}

/// To be called before anything else is done in a process: notes that it is this one and cleans up what it inherited,
/// unless that has been done. Takes no lock and allocates nothing.
#[inline]
pub(crate) fn note_process() {
    if !is_noted() {
        note(Reserves::Renew);
    }
}

#[cold]
fn note(reserves: Reserves) {
    let word = PROCESS.word.load(Acquire);
    // Not emptied, and another process's: a raw clone, where the kernel doesn't know better.
    let is_old = word != 0 && EMPTIED.load(Relaxed) == 2 && PROCESS.pid.load(Relaxed) != std::process::id();
    let epoch = EPOCHS.load(Relaxed).wrapping_add(1);
    let under_way = u32::from(epoch) << 8 | UNDER_WAY;
    if word != 0 && !is_old || PROCESS.word.compare_exchange(word, under_way, AcqRel, Acquire).is_err() {
        return;
    }
    EPOCHS.store(epoch, Relaxed);
    if EMPTIED.load(Relaxed) == 0 {
        let page = std::ptr::from_ref(&PROCESS).cast_mut().cast();
        // The whole of it is atomics, which a child may find zero.
        let emptied = memory::is_emptied_in_children(page, size_of::<Process>());
        EMPTIED.store(if emptied { 1 } else { 2 }, Relaxed);
    }
    PROCESS.pid.store(std::process::id(), Relaxed);
    clean_up(reserves);
    if epoch > 1 {
        FORKS.fetch_and(!(IN_PROGRESS | OVERLAPPED), SeqCst);
        let _ = HANDLERS.compare_exchange(1, 0, AcqRel, Relaxed);
    }
    PROCESS.start_time.store(start_time().unwrap_or(0), Relaxed);
    PROCESS.word.store(u32::from(epoch) << 8 | NOTED, Release);
}

/// This process's id and when it started, in clock ticks after boot, 0 if unknown. Looked up when a process is noted:
/// later it may have lost the right.
pub(crate) fn who() -> (u32, u64) {
    if is_noted() {
        (PROCESS.pid.load(Relaxed), PROCESS.start_time.load(Relaxed))
    } else {
        (std::process::id(), start_time().unwrap_or(0))
    }
}

/// Field 22 of `/proc/self/stat` (proc(5)).
fn start_time() -> Option<u64> {
    let opened = rustix::fs::open("/proc/self/stat", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    let file = fd::Fd::new(opened.ok()?).ok()?;
    let mut bytes = [0_u8; 1024];
    let length = rustix::io::read(&file, &mut bytes).ok()?;
    let text = std::str::from_utf8(&bytes[..length]).ok()?;
    // The second field is in parentheses and may itself contain spaces and parentheses.
    let (_, after_name) = text.rsplit_once(')')?;
    after_name.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// Whether the handlers are registered: 0 no, 1 a thread is at it, 2 yes.
static HANDLERS: AtomicU8 = AtomicU8::new(0);

/// Registers the handlers, unless that has been done. One thread at a time, and nobody waits for it: a fork meanwhile
/// is like a raw clone. A child that finds another thread's registration under way makes its own, in [`after_in_child`]
/// or here.
pub(crate) fn register() {
    let registering = HANDLERS.compare_exchange(0, 1, AcqRel, Acquire);
    if registering.is_ok() {
        // SAFETY: the handlers may be called at any time; the C library drops them when the library is unloaded.
        let result =
            unsafe { libc::pthread_atfork(Some(before), Some(after_in_parent), Some(after_in_child)) };
        HANDLERS.store(if result == 0 { 2 } else { 0 }, Release);
    }
}

/// Set where a handle may be without a reserve.
static WANTED: AtomicBool = AtomicBool::new(false);

/// A handle has used its reserve. The next is made when it is needed: making one takes more than a sandboxed process may
/// do, and it may never fork.
pub(super) fn want_reserve() {
    WANTED.store(true, Relaxed);
}

extern "C" fn before() {
    note_process();
    if WANTED.swap(false, Relaxed) {
        kept::all().for_each(kept::Place::provide_reserve);
    }
    let mut now = FORKS.load(SeqCst);
    loop {
        let others = now & IN_PROGRESS;
        let overlap = if others == 0 { 0 } else { OVERLAPPED };
        let next = ((now & !(IN_PROGRESS | OVERLAPPED)) | overlap | (others + 1)).wrapping_add(ONE_BEGUN);
        match FORKS.compare_exchange(now, next, SeqCst, SeqCst) {
            Ok(_) => return,
            Err(found) => now = found,
        }
    }
}

extern "C" fn after_in_parent() {
    kept::all().for_each(kept::Place::renew);
    FORKS.fetch_sub(1, SeqCst);
}

extern "C" fn after_in_child() {
    let alone = FORKS.load(SeqCst) & (IN_PROGRESS | OVERLAPPED) == 1;
    if EMPTIED.load(Relaxed) != 1 && PROCESS.pid.load(Relaxed) != std::process::id() {
        PROCESS.word.store(0, Relaxed);
        empty_seats();
    }
    note(if alone { Reserves::Keep } else { Reserves::Renew });
    // Where a handler of the program's own called the library first, this one is still counted.
    FORKS.fetch_and(!(IN_PROGRESS | OVERLAPPED), SeqCst);
}

/// Where the kernel doesn't.
fn empty_seats() {
    for place in kept::all() {
        let is_handles = place.content().is_some_and(|content| {
            content.what == Use::File && matches!(content.phase, Phase::Held | Phase::Lost)
        });
        if is_handles {
            // SAFETY: a handle that lists its file has its seat, and in a fork handler no other thread is there to end it.
            unsafe { seat::empty(place.owner()) };
        }
    }
}

/// Closes the copies of what belongs to the parent.
fn clean_up(reserves: Reserves) {
    let is_unlisted = |phase| matches!(phase, Phase::Opening | Phase::Renewing | Phase::Abandoned);
    let epoch = epoch();
    // Another thread may be opening by now.
    let is_inherited = move |content: &kept::Content| content.epoch != epoch;
    let contents = || {
        kept::all().filter_map(|place| Some((place, place.content()?))).filter(move |(_, c)| is_inherited(c))
    };
    let is_any_unlisted =
        contents().any(|(_, content)| is_unlisted(content.phase) && content.what.is_of_locks());
    for (place, content) in contents() {
        let of_handle = matches!(content.what, Use::File | Use::Event | Use::Aside);
        match content.phase {
            Phase::Free | Phase::Lost => {}
            Phase::Held if of_handle => {}
            Phase::Held if content.what == Use::Reserve && reserves == Reserves::Keep => {}
            Phase::Held if content.what == Use::Reserve => place.renew(),
            // The numbers of these are not known: below.
            Phase::Opening => {}
            Phase::Held | Phase::Renewing | Phase::Abandoned | Phase::Retired => {
                if content.what.is_of_locks() && place.is_own(fd::borrow(content.number)) {
                    fd::close(content.number);
                }
                if !is_unlisted(content.phase) {
                    place.unclaim();
                }
            }
        }
    }
    if is_any_unlisted {
        for_each_descriptor(close_if_unlisted);
    }
    contents().filter(|(_, content)| is_unlisted(content.phase)).for_each(|(place, _)| place.unclaim());
}

/// Closes what another thread of the parent had opened and not yet listed.
fn close_if_unlisted(number: i32) {
    let descriptor = fd::borrow(number);
    let Ok(identity) = fd::Identity::of(descriptor) else { return };
    if !Use::Lock.is_shown_by(descriptor) {
        return;
    }
    let mut was_opening = false;
    for place in kept::all() {
        let Some(content) = place.content() else { continue };
        match content.phase {
            Phase::Held if content.number == number => return,
            Phase::Opening | Phase::Renewing | Phase::Abandoned if content.epoch != epoch() => {
                was_opening |= content.what.is_of_locks() && place.identity() == identity;
            }
            _ => {}
        }
    }
    if was_opening {
        fd::close(number);
    }
}

/// Numbers that are tried where `/proc` can't be read.
const NUMBERS_MAX: i32 = 1 << 16;

fn for_each_descriptor(act: fn(i32)) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(CWD, "/proc/self/fd", flags, Mode::empty());
    let Some(directory) = opened.ok().and_then(|opened| fd::Fd::new(opened).ok()) else {
        return (0..NUMBERS_MAX).for_each(act);
    };
    let mut buffer = [MaybeUninit::uninit(); 2048];
    let mut entries = RawDir::new(&directory, &mut buffer);
    while let Some(Ok(entry)) = entries.next() {
        if let Some(number) = entry.file_name().to_str().ok().and_then(|name| name.parse().ok()) {
            act(number);
        }
    }
}
