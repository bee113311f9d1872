//! Commands whose programs start as from a login shell, whatever the test itself was started from: a script's background
//! job ignores SIGINT, `nohup` SIGHUP, a supervisor may block signals, and all of that passes through `exec`.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// A command for this program: its signals have their defaults and none is blocked, its umask is 022, its locale C.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env("LC_ALL", "C").env_remove("LANGUAGE");
    // SAFETY: system calls only, and all of them async-signal-safe.
    unsafe { command.pre_exec(start_as_by_default) };
    command
}

fn start_as_by_default() -> io::Result<()> {
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: no handler is installed. What can't be changed, SIGKILL, SIGSTOP and the C library's own, is refused.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    let none = std::mem::MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: all zeros is the empty set, and the old one is not asked for.
    if unsafe { libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: has no preconditions.
    unsafe { libc::umask(0o022) };
    Ok(())
}
