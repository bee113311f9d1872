//! Forked children of a test's child process, which go on with its handles, and wires by which such processes talk.
//!
//! A forked child does its part and ends, without the destructors of what it inherited. It has a watchdog of its own,
//! and is reaped by [`Forked::kill`] or [`Forked::end`], or killed with a parent that fails. Forks of forks that
//! outlive their parent come to the nearest process that called [`adopt_orphans`].

// Each test file uses a part of it.
#![allow(dead_code)]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// Seconds that a forked child may live.
const WATCHDOG: u32 = 120;
const PATIENCE: Duration = Duration::from_secs(90);

/// One end of a connection for lines; made before a fork, so that both sides have one.
pub struct Wire(BufReader<UnixStream>);

impl Wire {
    pub fn pair() -> (Self, Self) {
        let (one, other) = UnixStream::pair().unwrap();
        for end in [&one, &other] {
            end.set_read_timeout(Some(PATIENCE)).unwrap();
        }
        (Self(BufReader::new(one)), Self(BufReader::new(other)))
    }

    pub fn say(&mut self, line: &str) {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes()).expect("the other side listens");
    }

    pub fn hear(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("the other side answers");
        line.trim_end().to_owned()
    }

    /// Allocates nothing, so that a child of a process with several threads may call it.
    pub fn say_number(&mut self, number: i32) {
        self.0.get_mut().write_all(&number.to_ne_bytes()).expect("the other side listens");
    }

    pub fn hear_number(&mut self) -> i32 {
        let mut bytes = [0; 4];
        self.0.read_exact(&mut bytes).expect("the other side answers");
        i32::from_ne_bytes(bytes)
    }

    pub fn ask(&mut self, order: &str) -> String {
        self.say(order);
        self.hear()
    }
}

/// Whether a forked child dies with its parent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tie {
    Bound,
    Free,
}

/// A forked child; killed and reaped when it is dropped.
pub struct Forked(i32);

/// How a forked child ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    Exit(i32),
    Signal(i32),
}

impl Forked {
    /// Forks a child that does this part. Only where this process has no thread of its own but this (that of the test
    /// harness just waits), or the part calls only what a child of a process with several may.
    pub fn run(tie: Tie, part: impl FnOnce()) -> Self {
        // SAFETY: by the above, the child may do what its part does.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0, "fork: {}", io::Error::last_os_error());
        if pid > 0 {
            return Self(pid);
        }
        // SAFETY: has no preconditions.
        unsafe { libc::alarm(WATCHDOG) };
        if tie == Tie::Bound {
            set_process(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        }
        let failed = catch_unwind(AssertUnwindSafe(part)).is_err();
        // SAFETY: no destructor of this process's parent may run here.
        unsafe { libc::_exit(failed.into()) }
    }

    pub fn pid(&self) -> i32 {
        self.0
    }

    pub fn signal(&self, signal: i32) {
        send(self.0, signal);
    }

    pub fn kill(self) {
        self.signal(libc::SIGKILL);
        assert_eq!(self.end(), Ended::Signal(libc::SIGKILL));
    }

    /// Waits until it has ended.
    pub fn end(self) -> Ended {
        let ended = reap(self.0);
        std::mem::forget(self);
        ended
    }

    /// Goes on without it, for who lets its end to the process that adopts it.
    pub fn leave(self) -> i32 {
        let pid = self.0;
        std::mem::forget(self);
        pid
    }
}

impl Drop for Forked {
    fn drop(&mut self) {
        self.signal(libc::SIGKILL);
        reap(self.0);
    }
}

pub fn send(pid: i32, signal: i32) {
    // SAFETY: no memory is involved; the child is not reaped yet, so the number is still its own.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0, "{}", io::Error::last_os_error());
}

/// Waits for the end of a child, its own or adopted.
pub fn reap(pid: i32) -> Ended {
    let mut status = 0;
    // SAFETY: the status is writable.
    let reaped = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    assert_eq!(reaped, pid, "{}", io::Error::last_os_error());
    match libc::WIFEXITED(status) {
        true => Ended::Exit(libc::WEXITSTATUS(status)),
        false => Ended::Signal(libc::WTERMSIG(status)),
    }
}

/// The letter by which proc(5) tells whether a process runs, sleeps, is stopped or a zombie.
pub fn state(pid: i32) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    fields.chars().next().unwrap()
}

/// Waits until a child, which is not reaped, is stopped (`WSTOPPED`) or has ended (`WEXITED`).
pub fn await_state(pid: u32, event: i32) {
    // SAFETY: all zeros is a valid `siginfo_t`.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: the structure is writable.
    let result = unsafe { libc::waitid(libc::P_PID, pid, &raw mut info, event | libc::WNOWAIT) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

/// Makes this process the parent of its descendants' orphans.
pub fn adopt_orphans() {
    set_process(libc::PR_SET_CHILD_SUBREAPER, 1);
}

pub fn set_process(option: i32, value: i32) {
    // SAFETY: an option that takes one number.
    assert_eq!(unsafe { libc::prctl(option, value) }, 0, "{}", io::Error::last_os_error());
}
