//! The two yardsticks. P: one cache line there and back, both sides polling. F: two futexes there and back, both
//! sides sleeping. Nothing that passes a message between two processes by shared memory can be faster than these.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use rustix::io::Errno;
use rustix::thread::futex;

use crate::machine::{Child, Cpus, Line, shared_lines};
use crate::rounds::Trips;

/// What the parent writes to send the polling child to sleep: odd, as all it writes.
const REST: u32 = u32::MAX;
/// What the child answers before it sleeps.
const RESTING: u32 = 0;
/// Polls after which the peer must be gone: some ten seconds.
const PATIENCE: u64 = 1 << 33;

/// P. One word: the parent writes odd numbers, the child answers each with the next even one.
pub struct CacheLine {
    word: &'static AtomicU32,
    turn: u32,
    _child: Child,
}

impl CacheLine {
    pub fn start(cpus: Cpus) -> Self {
        let [Line(word)] = shared_lines();
        let child = Child::start(Some(cpus.server), || answer_by_polling(word));
        Self { word, turn: 1, _child: child }
    }

    fn pass(&mut self) {
        self.word.store(self.turn, Release);
        self.turn += 2;
    }

    fn wait(&self) {
        poll_until(self.word, self.turn - 1);
    }
}

impl Trips for CacheLine {
    fn warm_up(&self) -> u32 {
        1000
    }

    fn begin(&mut self) {
        self.turn = 1;
        self.pass();
        wake(self.word);
        self.wait();
    }

    #[inline]
    fn trip(&mut self) {
        self.pass();
        self.wait();
    }

    fn end(&mut self) {
        self.word.store(REST, Release);
        poll_until(self.word, RESTING);
    }
}

fn poll_until(word: &AtomicU32, value: u32) {
    for _ in 0..PATIENCE {
        if word.load(Acquire) == value {
            return;
        }
        std::hint::spin_loop();
    }
    panic!("the process at the other end of the line is gone");
}

fn answer_by_polling(word: &AtomicU32) {
    sleep_while(word, RESTING);
    loop {
        let seen = word.load(Acquire);
        if seen == REST {
            word.store(RESTING, Release);
            sleep_while(word, RESTING);
        } else if seen % 2 == 1 {
            word.store(seen + 1, Release);
        } else {
            std::hint::spin_loop();
        }
    }
}

/// F. Two words, each written by one side and slept on by the other.
pub struct Futexes {
    there: &'static AtomicU32,
    back: &'static AtomicU32,
    _child: Child,
}

impl Futexes {
    pub fn start(cpus: Option<Cpus>) -> Self {
        let [Line(there), Line(back)] = shared_lines();
        let child = Child::start(cpus.map(|cpus| cpus.server), || answer_by_sleeping(there, back));
        Self { there, back, _child: child }
    }
}

impl Trips for Futexes {
    fn warm_up(&self) -> u32 {
        3
    }

    #[inline]
    fn trip(&mut self) {
        let answered = self.back.load(Relaxed);
        self.there.store(answered.wrapping_add(1), Release);
        wake(self.there);
        sleep_while(self.back, answered);
    }
}

fn answer_by_sleeping(there: &AtomicU32, back: &AtomicU32) {
    let mut seen = 0;
    loop {
        sleep_while(there, seen);
        seen = there.load(Acquire);
        back.store(seen, Release);
        wake(back);
    }
}

fn wake(word: &AtomicU32) {
    futex::wake(word, futex::Flags::empty(), 1).expect("futex wake");
}

fn sleep_while(word: &AtomicU32, value: u32) {
    while word.load(Acquire) == value {
        match futex::wait(word, futex::Flags::empty(), value, None) {
            Ok(()) | Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => panic!("futex wait: {error}"),
        }
    }
}
