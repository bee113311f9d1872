//! The demo as a process: its lines, its end, what it leaves. A watchdog ends it if it hangs.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Lines, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tempfile::TempDir;

use crate::support::command::command;

/// Builds may come first, on a slow machine.
const WATCHDOG: Duration = Duration::from_secs(20 * 60);

pub(crate) fn demo_command(arguments: &[&OsStr]) -> Command {
    let mut command = command(env!("CARGO"));
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    command.args(["run", "--profile", profile, "--example", "demo", "--"]).args(arguments);
    command
}

/// The demo, or one of its clients, with a directory of its own for temporary files. Cargo becomes the program that it
/// runs, so the child is the demo itself from its first line on.
pub(crate) struct Demo {
    pub(crate) child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    out: Vec<String>,
    err: Option<JoinHandle<String>>,
    temporary: TempDir,
    _in_time: Sender<()>,
}

/// How it ended, and all that it said.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) status: ExitStatus,
    pub(crate) out: Vec<String>,
    pub(crate) err: String,
}

/// A client's row of the table.
pub(crate) struct Row {
    pub(crate) files: u64,
    pub(crate) requests: u64,
    pub(crate) resent: u64,
    pub(crate) skipped: u64,
    pub(crate) mismatches: u64,
}

impl Demo {
    pub(crate) fn start(arguments: &[&OsStr]) -> Self {
        Self::spawn(&mut demo_command(arguments))
    }

    pub(crate) fn spawn(command: &mut Command) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let mut child = command
            .env("TMPDIR", temporary.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut stderr = child.stderr.take().unwrap();
        let err = thread::spawn(move || {
            let mut text = Vec::new();
            stderr.read_to_end(&mut text).unwrap();
            String::from_utf8_lossy(&text).into_owned()
        });

        let (in_time, watch) = mpsc::channel::<()>();
        let pid = child.id();
        thread::spawn(move || {
            if watch.recv_timeout(WATCHDOG) == Err(mpsc::RecvTimeoutError::Timeout) {
                kill(pid, libc::SIGKILL);
            }
        });
        Self { child, lines, out: Vec::new(), err: Some(err), temporary, _in_time: in_time }
    }

    /// The next line of its standard output; None at the end.
    fn line(&mut self) -> Option<String> {
        let line = self.lines.next()?.unwrap();
        self.out.push(line.clone());
        Some(line)
    }

    /// What follows `prefix` in the next line that begins with it.
    fn rest_of_line(&mut self, prefix: &str) -> String {
        while let Some(line) = self.line() {
            if let Some(rest) = line.strip_prefix(prefix) {
                return rest.trim().to_owned();
            }
        }
        panic!("the demo ended without a line that begins with {prefix:?}: {:?}", self.end());
    }

    pub(crate) fn pid_of(&mut self, who: &str) -> u32 {
        self.rest_of_line(&format!("{who}  pid ")).parse().unwrap()
    }

    /// The channel's name, from the lines read so far.
    pub(crate) fn channel(&self) -> String {
        let path = self.out.iter().find_map(|line| line.strip_prefix("channel ")).unwrap();
        path.trim().strip_prefix("/dev/shm/").unwrap().to_owned()
    }

    /// Until the status shows that every client has sent something.
    pub(crate) fn wait_until_all_work(&mut self) {
        while let Some(line) = self.line() {
            let megabytes =
                |client| line.split_once(client)?.1.trim().split_once(" MB")?.0.parse::<f64>().ok();
            if ["   C ", "   C++ ", "   Rust "].into_iter().all(|client| megabytes(client) > Some(0.0)) {
                return;
            }
        }
        panic!("the demo ended before all its clients worked: {:?}", self.end());
    }

    pub(crate) fn end(&mut self) -> End {
        while self.line().is_some() {}
        let status = self.child.wait().unwrap();
        let err = self.err.take().map(|err| err.join().unwrap()).unwrap_or_default();
        End { status, out: self.out.clone(), err }
    }

    pub(crate) fn assert_nothing_left(&self) {
        let channel = self.channel();
        assert!(!Path::new("/dev/shm").join(&channel).exists(), "the channel {channel} is left");
        assert_eq!(processes_naming(&channel), [], "processes are left");
        assert_eq!(fs::read_dir(self.temporary.path()).unwrap().count(), 0, "temporary files are left");
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            kill(self.child.id(), libc::SIGKILL);
            let _ = self.child.wait();
        }
    }
}

impl End {
    pub(crate) fn says(&self, line: &str) -> bool {
        self.out.iter().any(|said| said == line)
    }

    pub(crate) fn rows(&self) -> Vec<Row> {
        let is_row =
            |line: &&String| ["C ", "C++ ", "Rust "].into_iter().any(|client| line.starts_with(client));
        let cells = |line: &String| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let rows = self.out.iter().filter(is_row).map(cells).filter(|cells| cells.len() == 10);
        rows.map(|cells| {
            let number = |at: usize| cells[at].parse().unwrap();
            Row {
                files: number(1),
                requests: number(3),
                resent: number(4),
                skipped: number(5),
                mismatches: number(9),
            }
        })
        .collect()
    }
}

/// Processes that have the channel's name among their arguments.
pub(crate) fn processes_naming(channel: &str) -> Vec<u32> {
    let processes =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    processes
        .filter(|pid: &u32| {
            let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            arguments.split(|&byte| byte == 0).any(|argument| argument == channel.as_bytes())
        })
        .collect()
}

pub(crate) fn kill(pid: u32, signal: libc::c_int) {
    // SAFETY: no memory is involved.
    unsafe { libc::kill(pid.try_into().unwrap(), signal) };
}
