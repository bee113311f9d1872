//! Running a program that must end by itself, and soon, and leave nothing behind.
//!
//! The program is the leader of a process group of its own, so that its watchdog also reaches the children of a program
//! that failed. Channels of a program are named after its process id, and none may be left when it ends.

use std::fs;
use std::io::{ErrorKind, Read};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// Runs the command; an error means that its program is not here. Fails, with all that the program said, unless it ends
/// in time with exit status 0.
pub fn run(command: &mut Command, watchdog: Duration) -> Result<String, String> {
    let directory = tempfile::tempdir().unwrap();
    command.current_dir(directory.path()).process_group(0);
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(format!("no program: {:?}: {error}", command.get_program()));
        }
        Err(error) => panic!("{command:?}: {error}"),
    };
    let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
    let in_time = ended_in_time(&child, watchdog);
    // The leader is not reaped yet, so the number is still that of its group.
    kill_group(&child);
    let status = child.wait().unwrap();
    let said = format!("{}{}", stdout.join().unwrap(), stderr.join().unwrap());

    let left = channels_of(child.id());
    for channel in &left {
        let _ = fs::remove_file(channel);
    }
    assert!(in_time, "{command:?} was killed after {watchdog:?}; it said:\n{said}");
    assert!(status.success(), "{command:?}: {status}; it said:\n{said}");
    assert!(left.is_empty(), "{command:?} left {left:?}; it said:\n{said}");
    Ok(said)
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    let mut pipe = pipe.unwrap();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Waits until the child has ended, without reaping it.
fn ended_in_time(child: &Child, watchdog: Duration) -> bool {
    let (ended, watch) = mpsc::channel();
    let pid = child.id();
    let waiter = thread::spawn(move || {
        // SAFETY: all zeros is a valid `siginfo_t`.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: the structure is writable.
        while unsafe { libc::waitid(libc::P_PID, pid, &raw mut info, libc::WEXITED | libc::WNOWAIT) } != 0 {}
        let _ = ended.send(());
    });
    let in_time = watch.recv_timeout(watchdog) != Err(RecvTimeoutError::Timeout);
    if !in_time {
        kill_group(child);
    }
    waiter.join().unwrap();
    in_time
}

fn kill_group(leader: &Child) {
    let group = libc::pid_t::try_from(leader.id()).unwrap();
    // SAFETY: no memory is involved.
    unsafe { libc::kill(-group, libc::SIGKILL) };
}

fn channels_of(pid: u32) -> Vec<PathBuf> {
    let prefix = format!("shmrr-test-c-{pid}-");
    let entries = fs::read_dir("/dev/shm").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    entries
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix)))
        .collect()
}
