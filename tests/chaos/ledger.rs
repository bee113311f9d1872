//! What became of every request, in memory that outlives whoever wrote it: a memfd of the test's parent, which its
//! children open by `/proc`. All of it is atomics that start at zero.
//!
//! | part | what | written by |
//! |---|---|---|
//! | board | how far the run is, how often the channel was cleared, and for each seat what its processes share | the parent, the manager, and the seat |
//! | lives | for each process ever started: when it was condemned and when it was buried | the parent |
//! | replied, claimed | for the newest requests of each client: when a reply was acknowledged, which process took it | servers |
//! | entries | 32 bits a request: marks, and above them how often it was executed | its client, servers |
//!
//! A seat is what a process and those that replace it have in common: clients come first, then servers, then the manager.

use memmap2::{MmapOptions, MmapRaw};
use rustix::time::{ClockId, clock_gettime};
use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicU32, AtomicU64};

pub const CLIENTS: usize = 6;
pub const SERVERS: usize = 4;
pub const MANAGER: usize = CLIENTS + SERVERS;
pub const SEATS: usize = MANAGER + 1;

/// The client is about to send it.
pub const SENT: u32 = 1;
/// It is a one-way message.
pub const ONE_WAY: u32 = 1 << 1;
/// A server's reply was accepted.
pub const REPLIED: u32 = 1 << 2;
/// A server's reply, or its letting go, was refused.
pub const REFUSED: u32 = 1 << 3;
/// A server's letting go of it was accepted.
pub const RELEASED: u32 = 1 << 4;
/// The client has its reply.
pub const RECEIVED: u32 = 1 << 5;
/// The client was told that the server died.
pub const OWNER_DEAD: u32 = 1 << 6;
/// The client's cancel was accepted.
pub const CANCELLED: u32 = 1 << 7;
/// The client's call came to its deadline and withdrew it.
pub const WITHDRAWN: u32 = 1 << 8;
/// The client's send was refused.
pub const NOT_SENT: u32 = 1 << 9;
/// The client was told that its server had let go of it.
pub const DISMISSED: u32 = 1 << 10;
/// The client was told, or found, that somebody had cleared the channel.
pub const CLEARED: u32 = 1 << 11;
/// The client's sending of a one-way message was accepted.
pub const POSTED: u32 = 1 << 12;
/// How a request can end for its client.
pub const OUTCOMES: u32 =
    RECEIVED | OWNER_DEAD | CANCELLED | WITHDRAWN | NOT_SENT | DISMISSED | CLEARED | POSTED;
const ONE_EXECUTION: u32 = 1 << 16;

/// How often a server took the request that has these marks.
pub fn executions(marks: u32) -> u32 {
    marks / ONE_EXECUTION
}

/// How far the run is.
pub const RUNNING: u32 = 0;
pub const CLIENTS_FINISH: u32 = 1;
pub const SERVERS_FINISH: u32 = 2;

/// Processes that a run may start.
const LIVES: usize = 1 << 20;
/// Requests of a client that are among its newest.
const RECENT: usize = 1 << 12;
/// Far more requests than one client makes in a second.
const REQUESTS_PER_SECOND: usize = 500_000;
/// What times in the tables of recent requests are counted in.
const TICK: u64 = 100_000;

#[repr(C, align(128))]
#[derive(Default)]
pub struct Seat {
    /// Requests numbered so far.
    pub numbered: AtomicU32,
    /// How long processes of this seat were stopped; see [`Seat::stopped`].
    stops: AtomicU64,
    /// The longest that a call took beyond its time, in nanoseconds.
    pub worst: AtomicU64,
    /// Requests that a server may have taken and not noted yet.
    pub taking: AtomicU32,
}

#[repr(C)]
struct Life {
    condemned: AtomicU64,
    buried: AtomicU64,
}

/// How often the manager cleared the channel.
#[repr(C)]
pub struct Clears {
    begun: AtomicU32,
    ended: AtomicU32,
    /// Those that it was killed in.
    interrupted: AtomicU32,
    /// Requests and messages that were cancelled by those that came to their end.
    pub cancelled: AtomicU64,
}

#[repr(C)]
struct Board {
    phase: AtomicU32,
    /// When the ledger was made.
    epoch: AtomicU64,
    /// Nanoseconds in which nothing ran at all.
    stalled: AtomicU64,
    /// Processes condemned and buried so far.
    condemned: AtomicU32,
    buried: AtomicU32,
    clears: Clears,
    seats: [Seat; SEATS],
    lives: [Life; LIVES],
    replied: [[AtomicU64; RECENT]; CLIENTS],
    claimed: [[AtomicU64; RECENT]; CLIENTS],
}

pub struct Ledger {
    map: MmapRaw,
    per_client: usize,
}

/// The monotonic clock, in nanoseconds.
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

impl Ledger {
    /// A new ledger for a run of so many seconds, and its path for as long as the file is open.
    pub fn create(seconds: u64) -> (File, PathBuf) {
        let file =
            rustix::fs::memfd_create("chaos", rustix::fs::MemfdFlags::CLOEXEC).map(File::from).unwrap();
        let entries = CLIENTS * REQUESTS_PER_SECOND * seconds as usize;
        file.set_len((size_of::<Board>() + entries * size_of::<AtomicU32>()) as u64).unwrap();
        let path = PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()));
        Self::open(&path).board().epoch.store(now(), SeqCst);
        (file, path)
    }

    pub fn open(path: &Path) -> Self {
        let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
        let map = MmapOptions::new().map_raw(&file).unwrap();
        let per_client = (map.len() - size_of::<Board>()) / size_of::<AtomicU32>() / CLIENTS;
        Self { map, per_client }
    }

    fn board(&self) -> &Board {
        // SAFETY: page-aligned and mapped in that length as long as self; all of it is atomics, for which 0 is valid.
        unsafe { &*self.map.as_mut_ptr().cast::<Board>() }
    }

    fn entry(&self, client: usize, number: u32) -> &AtomicU32 {
        assert!(client < CLIENTS && (number as usize) < self.per_client, "no request {client}/{number}");
        let at = size_of::<Board>() + (client * self.per_client + number as usize) * size_of::<AtomicU32>();
        // SAFETY: within the mapping.
        let entry = unsafe { self.map.as_mut_ptr().add(at) }.cast();
        // SAFETY: aligned, mapped as long as self, and all accesses are atomic.
        unsafe { AtomicU32::from_ptr(entry) }
    }

    pub fn marks(&self, client: usize, number: u32) -> u32 {
        self.entry(client, number).load(SeqCst)
    }

    /// Adds a mark; returns those that there were.
    pub fn mark(&self, client: usize, number: u32, mark: u32) -> u32 {
        self.entry(client, number).fetch_or(mark, SeqCst)
    }

    /// The server of that life executes a request. Returns the marks that there were.
    pub fn execute(&self, client: usize, number: u32, life: u32) -> u32 {
        let before = self.entry(client, number).fetch_add(ONE_EXECUTION, SeqCst);
        self.board().claimed[client][number as usize % RECENT].store(recent(number, life), SeqCst);
        before
    }

    /// A server's reply, or its letting go, was accepted; the mark says which.
    pub fn acknowledge(&self, client: usize, number: u32, mark: u32) {
        let ticks = (now() - self.board().epoch.load(SeqCst)) / TICK;
        self.board().replied[client][number as usize % RECENT].store(recent(number, ticks as u32), SeqCst);
        self.mark(client, number, mark);
    }

    /// When that was accepted of a recent request, at the latest.
    pub fn acknowledged_at(&self, client: usize, number: u32) -> Option<u64> {
        let ticks = look_up(&self.board().replied[client], number)?;
        Some(self.board().epoch.load(SeqCst) + (u64::from(ticks) + 1) * TICK)
    }

    /// The life of the server that took a recent request.
    pub fn executor(&self, client: usize, number: u32) -> Option<u32> {
        look_up(&self.board().claimed[client], number)
    }

    pub fn phase(&self) -> u32 {
        self.board().phase.load(SeqCst)
    }

    pub fn set_phase(&self, phase: u32) {
        self.board().phase.store(phase, SeqCst);
    }

    pub fn seat(&self, seat: usize) -> &Seat {
        &self.board().seats[seat]
    }

    /// Notes that a process is about to be killed.
    pub fn condemn(&self, life: u32) {
        self.board().condemned.fetch_add(1, SeqCst);
        self.board().lives[life as usize].condemned.store(now(), SeqCst);
    }

    /// Processes that have been killed, or are about to be.
    pub fn condemned(&self) -> u32 {
        self.board().condemned.load(SeqCst)
    }

    /// Processes that have been killed and did nothing any more after this call.
    pub fn buried(&self) -> u32 {
        self.board().buried.load(SeqCst)
    }

    pub fn clears(&self) -> &Clears {
        &self.board().clears
    }

    pub fn is_condemned(&self, life: u32) -> bool {
        self.board().lives[life as usize].condemned.load(SeqCst) != 0
    }

    /// Notes that a process is no more.
    pub fn bury(&self, life: u32) {
        self.board().lives[life as usize].buried.store(now(), SeqCst);
        self.board().buried.fetch_add(1, SeqCst);
    }

    pub fn buried_at(&self, life: u32) -> Option<u64> {
        let at = self.board().lives[life as usize].buried.load(SeqCst);
        (at != 0).then_some(at)
    }

    pub fn stalled(&self) -> u64 {
        self.board().stalled.load(SeqCst)
    }

    pub fn add_stall(&self, nanoseconds: u64) {
        self.board().stalled.fetch_add(nanoseconds, SeqCst);
    }
}

impl Clears {
    pub fn begin(&self) {
        self.begun.fetch_add(1, SeqCst);
    }

    pub fn end(&self, cancelled: u32) {
        self.cancelled.fetch_add(cancelled.into(), SeqCst);
        self.ended.fetch_add(1, SeqCst);
    }

    /// Once the manager is dead: what it began and did not end has ended.
    pub fn interrupt(&self) {
        let begun = self.begun.load(SeqCst);
        self.interrupted.fetch_add(begun - self.ended.swap(begun, SeqCst), SeqCst);
    }

    pub fn begun(&self) -> u32 {
        self.begun.load(SeqCst)
    }

    pub fn ended(&self) -> u32 {
        self.ended.load(SeqCst)
    }

    pub fn interrupted(&self) -> u32 {
        self.interrupted.load(SeqCst)
    }
}

fn recent(number: u32, value: u32) -> u64 {
    u64::from(number) << 32 | u64::from(value)
}

fn look_up(table: &[AtomicU64; RECENT], number: u32) -> Option<u32> {
    let found = table[number as usize % RECENT].load(SeqCst);
    // Number 0 can't be told from an empty place.
    (number != 0 && (found >> 32) as u32 == number).then_some(found as u32)
}

impl Seat {
    /// Nanoseconds until `at` in which the seat's process was stopped. One word tells it: twice the sum while the
    /// process runs; while it is stopped, twice the time at which it would have been had it been one stop, and 1.
    pub fn stopped(&self, at: u64) -> u64 {
        let stops = self.stops.load(SeqCst);
        if stops & 1 == 0 { stops >> 1 } else { at.saturating_sub(stops >> 1) }
    }

    /// Before the process is stopped.
    pub fn begin_stop(&self) {
        let at = now();
        self.stops.store((at - self.stopped(at)) << 1 | 1, SeqCst);
    }

    /// After it goes on, or is dead.
    pub fn end_stop(&self) {
        self.stops.store(self.stopped(now()) << 1, SeqCst);
    }
}
