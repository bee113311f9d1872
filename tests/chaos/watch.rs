//! Whether a call kept its time, for a process that is stopped and has to wait for processors.
//!
//! What counts is the time in which the process could have run. Taken off is: while it was stopped, which the killer
//! notes; while it stood in the run queue, which the kernel counts (`/proc/thread-self/schedstat`, second field); and
//! while the whole machine stood still, which a thread of the parent notes. All are read around each call.

use crate::ledger::{Ledger, Seat, now};
use shmrr::Wait;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;

/// How much longer than its deadline a call may take; and how much later than its cause a wake-up may come.
pub const GRACE: u64 = 250_000_000;
/// In which time whoever notes that the machine stood still has come to do so.
const WITNESS: Duration = Duration::from_millis(300);

pub struct Watch<'a> {
    ledger: &'a Ledger,
    seat: &'a Seat,
    queue: Queue,
}

/// How long the thread that opened it has stood in the run queue.
struct Queue(File);

impl Queue {
    fn open() -> Self {
        Self(File::open("/proc/thread-self/schedstat").expect("a kernel with CONFIG_SCHED_INFO"))
    }

    fn nanoseconds(&self) -> u64 {
        let mut text = [0; 64];
        let length = self.0.read_at(&mut text, 0).unwrap();
        let text = std::str::from_utf8(&text[..length]).unwrap();
        text.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

/// When a call began and ended, and what was to be taken off at these times.
#[derive(Clone, Copy)]
pub struct Span {
    pub begun: u64,
    pub ended: u64,
    lost: u64,
    stalled: u64,
}

/// How long a call may take.
#[derive(Clone, Copy, Debug)]
pub enum Limit {
    Now,
    Within(Duration),
    Forever,
}

impl From<Limit> for Wait<'_> {
    fn from(limit: Limit) -> Self {
        match limit {
            Limit::Now => Self::NOW,
            Limit::Within(time) => time.into(),
            Limit::Forever => Self::FOREVER,
        }
    }
}

impl<'a> Watch<'a> {
    pub fn new(ledger: &'a Ledger, seat: usize) -> Self {
        Self { ledger, seat: ledger.seat(seat), queue: Queue::open() }
    }

    /// Makes a call and sees that it keeps to its time.
    pub fn call<T>(&self, what: &str, limit: Limit, call: impl FnOnce() -> T) -> (T, Span) {
        // A stop between two of these readings must be among what is taken off.
        let (queued, stalled) = (self.queue.nanoseconds(), self.ledger.stalled());
        let stopped = self.seat.stopped(now());
        let begun = now();
        let result = call();
        let ended = now();
        let lost = (self.queue.nanoseconds() - queued) + self.seat.stopped(ended).saturating_sub(stopped);
        let span = Span { begun, ended, lost, stalled };
        let limit = match limit {
            Limit::Now => Some(0),
            Limit::Within(time) => Some(time.as_nanos() as u64),
            Limit::Forever => None,
        };
        if let Some(limit) = limit {
            self.check(what, span, begun + limit);
        }
        (result, span)
    }

    /// Sees that a call that could end at `due` did so soon.
    pub fn check(&self, what: &str, span: Span, due: u64) {
        let over = || {
            let lost = span.lost + (self.ledger.stalled() - span.stalled);
            span.ended.saturating_sub(due.max(span.begun) + lost)
        };
        if over() > GRACE {
            std::thread::sleep(WITNESS);
        }
        let worst = self.seat.worst.fetch_max(over(), std::sync::atomic::Ordering::Relaxed);
        let (late, took) = (over() / 1_000_000, (span.ended - span.begun) / 1_000_000);
        assert!(over() <= GRACE, "{what} ended {late} ms late, after {took} ms; the worst was {worst} ns");
    }
}

/// Notes when the whole machine stands still, as virtual ones do: sleeps that are much too long.
pub fn witness(ledger: &Ledger, is_over: impl Fn() -> bool) {
    const SLEEP: Duration = Duration::from_millis(10);
    const MUCH: u64 = 20_000_000;
    let queue = Queue::open();
    while !is_over() {
        let (begun, queued) = (now(), queue.nanoseconds());
        std::thread::sleep(SLEEP);
        let lost = SLEEP.as_nanos() as u64 + (queue.nanoseconds() - queued);
        let over = (now() - begun).saturating_sub(lost);
        if over > MUCH {
            ledger.add_stall(over);
        }
    }
}
