//! A victim and its tracer: a process that goes on act by act, or instruction by instruction, and is killed.
//!
//! Instructions count only within the text of the shared library. What it calls elsewhere is stepped over as part of
//! the instruction that called.
//!
//! A step costs thousands of times what the instruction does. The way to a distant one is therefore not made step by
//! step: a breakpoint at an instruction a little before it, which is reached there for the first time, ends most of it.

// Each test file uses a part of it.
#![allow(dead_code)]

use crate::support::library;
use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::mem::{offset_of, zeroed};
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::ptr::null_mut;
use std::sync::OnceLock;

const INSTRUCTION_POINTER: usize = offset_of!(libc::user_regs_struct, rip);
/// Where the third argument of a system call is.
const THIRD_ARGUMENT: usize = offset_of!(libc::user_regs_struct, rdx);
/// As in victim.c: the exit status of a victim that can't be traced.
const NOT_TRACED: i32 = 77;
const SYSTEM_CALL: [u8; 2] = [0x0F, 0x05];
/// The instruction int3.
const BREAKPOINT: usize = 0xCC;

/// A shortcut ends so many instructions before what it is to lead to.
const MARGIN: usize = 20;

/// A stopped process; killed and reaped when it is dropped.
pub struct Victim {
    pid: libc::pid_t,
    text: Range<u64>,
    is_reaped: bool,
}

/// Where an act is to be interrupted.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    /// After so many instructions.
    pub after: u64,
    /// How many come before the breakpoint, and where in the library that is.
    pub breakpoint: Option<(u64, u64)>,
}

impl Point {
    pub const BEGINNING: Self = Self { after: 0, breakpoint: None };
    /// None: the act comes to its end.
    pub const END: Self = Self { after: u64::MAX, breakpoint: None };
}

/// What an act that is done came to; as in victim.c.
#[derive(Clone, Debug)]
pub struct Report {
    pub result: i64,
    /// The request that it was about, if it was about one.
    pub id: shmrr::RequestId,
    /// What it received.
    pub data: Vec<u8>,
}

/// How far an act came.
#[derive(Clone, Debug)]
pub struct Steps {
    pub is_complete: bool,
    /// Where in the library each instruction was that was stepped.
    pub stepped: Vec<u64>,
}

impl Victim {
    /// Starts a victim, which stops before its first act. An error means that tracing is not allowed here.
    pub fn spawn(program: &Path, channel: &Path, kind: &str, acts: &[&str]) -> io::Result<Self> {
        // Nothing runs between fork and exec, so that the library's fork handlers have no part in this;
        // `tests/support/command.rs` would put something there.
        let mut command = Command::new(program);
        command.arg(channel).arg(kind).args(acts).env("LD_BIND_NOW", "1").stdin(Stdio::null());
        command.env("LD_PRELOAD", same_library());
        let spawned = command.spawn().map(|process| process.id() as libc::pid_t);
        let pid = spawned.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut victim = Self { pid, text: 0..0, is_reaped: false };
        let status = victim.wait();
        if libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == NOT_TRACED {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "ptrace is not allowed"));
        }
        assert!(libc::WIFSTOPPED(status), "the victim ended by itself: {status:#x}");
        ptrace(libc::PTRACE_SETOPTIONS, victim.pid, 0, libc::PTRACE_O_EXITKILL as usize).unwrap();
        victim.text = text_of_library(victim.pid);
        Ok(victim)
    }

    /// Lets it do its next act.
    pub fn act(&mut self) {
        self.resume(libc::PTRACE_CONT);
        assert!(self.has_ended_act());
    }

    /// Lets it go on, for as long as it takes.
    pub fn go_on(&mut self) {
        self.resume(libc::PTRACE_CONT);
    }

    /// Lets it go on, and first of all handle a signal.
    pub fn go_on_with(&mut self, signal: i32) {
        ptrace(libc::PTRACE_CONT, self.pid, 0, signal as usize).unwrap();
    }

    /// Whether the act that it was let go on with is done.
    pub fn has_come_to_an_end(&mut self) -> bool {
        let Some(status) = self.wait_with(libc::WNOHANG) else { return false };
        assert!(libc::WIFSTOPPED(status), "the victim ended by itself: {status:#x}");
        assert_eq!(libc::WSTOPSIG(status), libc::SIGSTOP, "the signal that the victim got");
        true
    }

    /// Lets it do its next act until that sleeps, by a step that ends with the sleep. It is not stopped then.
    pub fn step_into_sleep(&mut self) {
        loop {
            let mut instruction = [0; SYSTEM_CALL.len()];
            self.read(self.instruction_pointer(), &mut instruction);
            self.resume(libc::PTRACE_SINGLESTEP);
            if instruction != SYSTEM_CALL {
                assert!(!self.has_ended_act(), "the act sleeps");
                continue;
            }
            loop {
                if self.is_asleep() {
                    return;
                }
                if let Some(status) = self.wait_with(libc::WNOHANG) {
                    let is_step = libc::WIFSTOPPED(status) && libc::WSTOPSIG(status) == libc::SIGTRAP;
                    assert!(is_step, "the act sleeps: {status:#x}");
                    break;
                }
                std::thread::yield_now();
            }
        }
    }

    /// Whether it sleeps in a system call.
    pub fn is_asleep(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap();
        let (_, after_name) = stat.rsplit_once(')').expect("a name in parentheses");
        after_name.trim_start().starts_with('S')
    }

    /// Waits for the step to end by which it fell asleep.
    pub fn wait_for_step(&mut self) {
        assert!(!self.has_ended_act(), "it has only woken");
    }

    /// Tells it an id, for its next act.
    pub fn tell(&self, id: shmrr::RequestId) {
        let memory = File::options().write(true).open(format!("/proc/{}/mem", self.pid)).unwrap();
        memory.write_all_at(&id.to_u64().to_ne_bytes(), self.place_of_report() + 8).unwrap();
    }

    fn place_of_report(&self) -> u64 {
        ptrace(libc::PTRACE_PEEKUSER, self.pid, THIRD_ARGUMENT, 0).unwrap() as u64
    }

    /// What it says after an act.
    pub fn report(&self) -> Report {
        let place = self.place_of_report();
        let mut words = [0; 32];
        self.read(place, &mut words);
        let [result, id, data, length] =
            [0, 8, 16, 24].map(|at| u64::from_ne_bytes(words[at..at + 8].try_into().unwrap()));
        let mut bytes = vec![0; length as usize];
        self.read(data, &mut bytes);
        Report { result: result as i64, id: id.into(), data: bytes }
    }

    fn read(&self, address: u64, bytes: &mut [u8]) {
        let memory = File::open(format!("/proc/{}/mem", self.pid)).unwrap();
        memory.read_exact_at(bytes, address).unwrap();
    }

    /// Lets it do its next act up to a point, and does something of one's own after each instruction that is stepped.
    pub fn step(&mut self, point: Point, mut beside: impl FnMut()) -> Steps {
        let mut steps = Steps { is_complete: false, stepped: Vec::new() };
        let mut taken = 0;
        if let Some((before, place)) = point.breakpoint {
            taken = before;
            steps.is_complete = !self.go_on_to(self.text.start + place);
        }
        while taken < point.after && !steps.is_complete {
            let address = self.instruction_pointer();
            self.resume(libc::PTRACE_SINGLESTEP);
            steps.is_complete = self.has_ended_act();
            if self.text.contains(&address) {
                taken += 1;
                steps.stepped.push(address - self.text.start);
                beside();
            }
        }
        steps
    }

    /// Lets it do its next act until something has come about; false if the act ends before. On the way there it may pass
    /// by `shortcut`, a place in the library that an earlier process came to first; tells which place the next may take.
    pub fn step_until(&mut self, shortcut: &mut Option<u64>, mut has_come: impl FnMut() -> bool) -> bool {
        let mut is_complete = shortcut.is_some_and(|place| !self.go_on_to(self.text.start + place));
        let mut places = Vec::new();
        while !is_complete && !has_come() {
            let address = self.instruction_pointer();
            self.resume(libc::PTRACE_SINGLESTEP);
            is_complete = self.has_ended_act();
            if shortcut.is_none() && self.text.contains(&address) {
                places.push(address - self.text.start);
            }
        }
        if shortcut.is_none() {
            *shortcut = newest_place(&places[..places.len().saturating_sub(MARGIN)]);
        }
        !is_complete
    }

    pub fn pid(&self) -> u32 {
        self.pid as u32
    }

    /// Lets it go on until it comes to this address. False if the act ends before.
    fn go_on_to(&mut self, address: u64) -> bool {
        let place = address as usize;
        let original = ptrace(libc::PTRACE_PEEKTEXT, self.pid, place, 0).unwrap() as usize;
        let with_breakpoint = original & !0xFF | BREAKPOINT;
        ptrace(libc::PTRACE_POKETEXT, self.pid, place, with_breakpoint).unwrap();
        self.resume(libc::PTRACE_CONT);
        let has_ended = self.has_ended_act();
        ptrace(libc::PTRACE_POKETEXT, self.pid, place, original).unwrap();
        if !has_ended {
            ptrace(libc::PTRACE_POKEUSER, self.pid, INSTRUCTION_POINTER, place).unwrap();
        }
        !has_ended
    }

    fn resume(&self, how: libc::c_uint) {
        ptrace(how, self.pid, 0, 0).unwrap();
    }

    fn has_ended_act(&mut self) -> bool {
        match self.stopped_by() {
            libc::SIGTRAP => false,
            libc::SIGSTOP => true,
            signal => panic!("the victim got signal {signal}"),
        }
    }

    /// Kills it. It is dead when this returns, but not reaped.
    pub fn kill(&self) {
        // SAFETY: the child is not reaped before it is dropped, so the number is still its own.
        assert_eq!(unsafe { libc::kill(self.pid, libc::SIGKILL) }, 0);
        self.wait_for_death(libc::WNOWAIT);
    }

    /// Takes note of its death, so that it is no zombie any more.
    pub fn reap(&mut self) {
        self.wait_for_death(0);
        self.is_reaped = true;
    }

    fn stopped_by(&mut self) -> i32 {
        let status = self.wait();
        assert!(libc::WIFSTOPPED(status), "the victim ended by itself: {status:#x}");
        libc::WSTOPSIG(status)
    }

    /// Waits until it stops or ends.
    fn wait(&mut self) -> i32 {
        self.wait_with(0).expect("it waits")
    }

    fn wait_with(&mut self, flags: i32) -> Option<i32> {
        let mut status = 0;
        // SAFETY: the status is writable.
        let pid = unsafe { libc::waitpid(self.pid, &raw mut status, flags) };
        if pid == 0 {
            return None;
        }
        assert_eq!(pid, self.pid, "{}", io::Error::last_os_error());
        self.is_reaped = !libc::WIFSTOPPED(status);
        Some(status)
    }

    fn instruction_pointer(&self) -> u64 {
        ptrace(libc::PTRACE_PEEKUSER, self.pid, INSTRUCTION_POINTER, 0).unwrap() as u64
    }

    fn wait_for_death(&self, flags: i32) {
        // SAFETY: all zeros is a valid `siginfo_t`.
        let mut info: libc::siginfo_t = unsafe { zeroed() };
        let flags = libc::WEXITED | flags;
        // SAFETY: the structure is writable.
        let result = unsafe { libc::waitid(libc::P_PID, self.pid as u32, &raw mut info, flags) };
        assert_eq!(result, 0, "{}", io::Error::last_os_error());
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        if !self.is_reaped {
            self.kill();
            self.reap();
        }
    }
}

fn ptrace(request: libc::c_uint, pid: libc::pid_t, address: usize, data: usize) -> io::Result<libc::c_long> {
    let (address, data) = (null_mut::<u8>().wrapping_add(address), null_mut::<u8>().wrapping_add(data));
    // SAFETY: none of the requests that are made here writes to this process's memory.
    let result = unsafe { libc::ptrace(request, pid, address, data) };
    // Neither the address of an instruction nor eight of their bytes look like an error.
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// A path to the library as it is when the first victim starts. Others may build it anew meanwhile, and then no place in it
/// is where it was.
fn same_library() -> &'static Path {
    static LIBRARY: OnceLock<(File, PathBuf)> = OnceLock::new();
    let (_, path) = LIBRARY.get_or_init(|| {
        let file = File::open(library::shared()).unwrap();
        let path = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
        (file, path.into())
    });
    path
}

/// The last of the places that is not among those before it.
fn newest_place(places: &[u64]) -> Option<u64> {
    let mut seen = HashSet::new();
    places.iter().copied().filter(|place| seen.insert(*place)).last()
}

/// Where the process has the library's instructions.
fn text_of_library(pid: libc::pid_t) -> Range<u64> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let is_text = |line: &&str| line.contains("/libshmrr.so") && line.contains(" r-xp ");
    let line = maps.lines().find(is_text).unwrap_or_else(|| panic!("no text of the library in\n{maps}"));
    let (start, rest) = line.split_once('-').unwrap();
    let (end, _) = rest.split_once(' ').unwrap();
    let address = |text: &str| u64::from_str_radix(text, 16).unwrap();
    address(start)..address(end)
}
