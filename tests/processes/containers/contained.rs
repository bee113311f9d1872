//! A child in a container: it has PID 1 in a PID namespace of its own, mounts of its own with the `/proc` that goes
//! with it, and, where asked, a user namespace in which it is root and outside of which it is an ordinary user.
//!
//! A fork of the process that the test spawns makes the namespaces, forks the one that lives in them, tells its pid as
//! it is outside, and waits for its end. They share one input and output; the inner one alone reads and, from then on,
//! says.

use crate::child::{self, Child};
use crate::forked::{Ended, Forked, Tie, send, set_process};
use rustix::process::{getegid, geteuid};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use std::ffi::{CString, OsStr};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Setting: the uid outside of a user namespace of its own; none to stay in the parent's.
pub const USER: &str = "CONTAINED_USER";
/// Setting: where the channel is mounted inside; none to leave all as it is.
pub const INSIDE: &str = "CONTAINED_INSIDE";

/// In a child: does a part in a container.
pub fn run(part: fn()) {
    // The test harness has a thread of its own, and only a process with one may enter a user namespace.
    let outer = Forked::run(Tie::Bound, || contain(part));
    assert_eq!(outer.end(), Ended::Exit(0));
}

fn contain(part: fn()) {
    if let Err(error) = enter() {
        return child::skip(&format!("no namespaces of its own: {error}"));
    }
    let inner = Forked::run(Tie::Bound, || {
        assert_eq!(child::listen().as_deref(), Some("go"));
        match set_up() {
            Ok(()) => part(),
            Err(error) => child::skip(&format!("no mounts of its own: {error}")),
        }
    });
    child::say(&inner.pid().to_string());
    let ended = inner.end();
    assert!(matches!(ended, Ended::Exit(0) | Ended::Signal(libc::SIGKILL)), "{ended:?}");
}

fn enter() -> io::Result<()> {
    let user = std::env::var(USER).ok();
    let is_root = geteuid().is_root();
    let mut spaces = UnshareFlags::NEWPID | UnshareFlags::NEWNS;
    if user.is_some() || !is_root {
        spaces |= UnshareFlags::NEWUSER;
    }
    if let Some(user) = user.filter(|_| is_root) {
        become_user(user.parse().unwrap());
    }
    let (user, group) = (geteuid(), getegid());
    // SAFETY: descriptors stay shared.
    unsafe { unshare_unsafe(spaces) }?;
    if spaces.contains(UnshareFlags::NEWUSER) {
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("0 {} 1", user.as_raw()))?;
        fs::write("/proc/self/gid_map", format!("0 {} 1", group.as_raw()))?;
    }
    Ok(())
}

fn become_user(user: u32) {
    // SAFETY: an empty list of groups.
    assert_eq!(unsafe { libc::setgroups(0, std::ptr::null()) }, 0, "{}", io::Error::last_os_error());
    // SAFETY: has no preconditions.
    assert_eq!(unsafe { libc::setresgid(user, user, user) }, 0, "{}", io::Error::last_os_error());
    // SAFETY: has no preconditions.
    assert_eq!(unsafe { libc::setresuid(user, user, user) }, 0, "{}", io::Error::last_os_error());
    // Both are undone by a change of the user. Without the second its files in /proc remain root's.
    set_process(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
    set_process(libc::PR_SET_DUMPABLE, 1);
}

/// In the container: its mounts. Where the channel is mounted inside, it can be reached by no other path.
fn set_up() -> io::Result<()> {
    assert_eq!(std::process::id(), 1);
    mount("none", "/", "", libc::MS_PRIVATE | libc::MS_REC)?;
    mount("proc", "/proc", "proc", libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC)?;
    if let Some(inside) = std::env::var_os(INSIDE) {
        mount(child::setting("NAME"), &inside, "", libc::MS_BIND)?;
        mount("none", "/dev/shm", "tmpfs", 0)?;
    }
    Ok(())
}

/// As mount(2).
fn mount(
    source: impl AsRef<OsStr>,
    target: impl AsRef<OsStr>,
    kind: &str,
    flags: libc::c_ulong,
) -> io::Result<()> {
    let text = |text: &OsStr| CString::new(text.as_encoded_bytes()).unwrap();
    let (source, target, kind) = (text(source.as_ref()), text(target.as_ref()), text(kind.as_ref()));
    let options = std::ptr::null();
    // SAFETY: three strings that end in NUL, and no options.
    let result = unsafe { libc::mount(source.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, options) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// In the container: the path of the channel there.
pub fn path() -> PathBuf {
    std::env::var_os(INSIDE).unwrap_or_else(|| child::setting("NAME")).into()
}

/// A child in a container, as its parent sees it.
pub struct Contained {
    pub child: Child,
    pid: i32,
}

impl Contained {
    /// None if there can be no such containers here.
    pub fn spawn(role: &str, name: &Path, settings: &[(&str, &OsStr)]) -> Option<Self> {
        let settings = [&[("NAME", name.as_os_str())], settings].concat();
        let mut child = Child::spawn(&format!("containers::{role}"), &settings);
        let said = child.hear();
        let Ok(pid) = said.parse() else {
            skipped(&said);
            return None;
        };
        child.tell("go");
        Some(Self { child, pid })
    }

    pub fn kill(self) {
        send(self.pid, libc::SIGKILL);
        assert!(self.child.succeed());
    }
}

/// What a child said instead of what it should have done.
pub fn skipped(said: &str) {
    let why = said.strip_prefix("skipped: ");
    child::skipped(why.unwrap_or_else(|| panic!("the child said: {said}")));
}
