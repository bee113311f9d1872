//! The machine under the measurements: two CPUs to pin to, child processes that end with us, lines that both can see,
//! pipes.

use std::fs::File;
use std::os::fd::FromRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicU32;

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
use rustix::process::{Pid, Signal, WaitOptions, getpid, getppid, kill_process, waitpid};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Where the two sides of every measurement run.
#[derive(Clone, Copy, Debug)]
pub struct Cpus {
    pub client: usize,
    pub server: usize,
}

impl Cpus {
    /// The first two CPUs that this process may run on; `None` where there is only one.
    pub fn allowed() -> Option<Self> {
        let set = sched_getaffinity(None).expect("sched_getaffinity");
        let mut allowed = (0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu));
        Some(Self { client: allowed.next()?, server: allowed.next()? })
    }
}

/// Ties the calling thread to one CPU.
pub fn pin(cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).expect("sched_setaffinity");
}

/// A forked process, killed and reaped with its handle, and killed by the kernel if we die first.
pub struct Child(Pid);

impl Child {
    /// Runs `body` in a new process on `cpu`. To be called while the process has one thread.
    pub fn start(cpu: Option<usize>, body: impl FnOnce()) -> Self {
        let parent = getpid();
        // SAFETY: no other thread exists yet, so no lock is held in the child.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0, "fork: {}", std::io::Error::last_os_error());
        if let Some(pid) = Pid::from_raw(pid) {
            return Self(pid);
        }
        let ended = catch_unwind(AssertUnwindSafe(|| {
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).expect("prctl");
            if getppid() != Some(parent) {
                return;
            }
            if let Some(cpu) = cpu {
                pin(cpu);
            }
            body();
        }));
        // SAFETY: ends the process without running what the parent registered for its own exit.
        unsafe { libc::_exit(i32::from(ended.is_err())) }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::KILL);
        let _ = waitpid(Some(self.0), WaitOptions::empty());
    }
}

/// An atomic word alone on its cache line, and on the neighbour that the prefetcher takes along.
#[repr(C, align(128))]
#[derive(Default)]
pub struct Line(pub AtomicU32);

/// `N` zeroed lines that children started later share. They stay mapped until the process ends.
pub fn shared_lines<const N: usize>() -> &'static [Line; N] {
    let length = size_of::<[Line; N]>();
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a fresh mapping at an address of the kernel's choice.
    let start = unsafe { mmap_anonymous(std::ptr::null_mut(), length, access, MapFlags::SHARED) };
    let start = start.expect("mmap").cast::<[Line; N]>();
    // SAFETY: page-aligned, long enough, zero is a valid atomic, and nothing ever unmaps it.
    unsafe { &*start }
}

/// The two ends of a pipe: to read from and to write to.
pub fn pipe() -> (File, File) {
    let mut ends = [0; 2];
    // SAFETY: the array has a place for each of the two descriptors.
    let made = unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) };
    assert!(made == 0, "pipe: {}", std::io::Error::last_os_error());
    // SAFETY: just made, and nobody else's.
    let [read, write] = ends.map(|end| unsafe { File::from_raw_fd(end) });
    (read, write)
}
