//! Child processes of a test: its own binary once more, in a role.
//!
//! A module that has children has one ignored test, by which they come to life:
//!
//! ```ignore
//! #[test]
//! #[ignore = "run by other tests as their child process"]
//! fn child() {
//!     child::play(|role| match role {
//!         "server" => serve(),
//!         _ => panic!("no role {role}"),
//!     });
//! }
//! ```
//!
//! It is spawned as `module::server`, by the path of the module in its binary, and as `server` from the binary's root.
//! Parent and child talk in lines: [`Child::tell`] reaches [`listen`], [`say`] reaches [`Child::hear`]. A child ends by
//! itself when its watchdog bites, whatever became of its parent; a parent that is done with a child, or fails, kills
//! and reaps it.

// Each test file uses a part of it.
#![allow(dead_code)]

#[path = "command.rs"]
pub mod command;

use command::command;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use std::{env, io, thread};

/// Seconds after which a child is killed by its own alarm clock, unless it was spawned for longer: far more than any takes
/// on a machine that others use, too, for it only ends what hangs.
const WATCHDOG: u32 = 120;
/// How much longer than a child can live its parent waits for a line or the end.
const PATIENCE: u32 = 5;

const ROLE: &str = "SHMRR_TEST_ROLE";
const SECONDS: &str = "SHMRR_TEST_SECONDS";
/// Tells a child's lines from those that the test harness prints.
const MARK: &str = "@ ";
const SKIPPED: &str = "skipped: ";

/// A running child; killed and reaped when it is dropped.
pub struct Child {
    role: String,
    patience: Duration,
    process: std::process::Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
}

/// How a child ended, and what it had said that nobody had heard yet.
#[derive(Debug)]
pub struct End {
    pub status: ExitStatus,
    pub lines: Vec<String>,
}

impl Child {
    /// Starts a child. It finds the settings by [`setting`].
    pub fn spawn(role: &str, settings: &[(&str, &OsStr)]) -> Self {
        Self::spawn_for(WATCHDOG, role, settings)
    }

    /// Starts a child that may live for so many seconds.
    pub fn spawn_for(seconds: u32, role: &str, settings: &[(&str, &OsStr)]) -> Self {
        let (test, role) = match role.rsplit_once("::") {
            Some((module, role)) => (format!("{module}::child"), role),
            None => ("child".to_owned(), role),
        };
        let mut process = command(env::current_exe().unwrap())
            // One thread: namespaces can only be changed by a process that has no other.
            .args(["--ignored", "--exact", &test, "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env(SECONDS, seconds.to_string())
            .envs(settings.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the test's own binary runs");
        let output = BufReader::new(process.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if let Some(line) = line.strip_prefix(MARK) {
                    let _ = sender.send(line.to_owned());
                }
            }
        });
        let input = process.stdin.take();
        let patience = Duration::from_secs((seconds + PATIENCE).into());
        Self { role: role.to_owned(), patience, process, input, lines }
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Sends the child a line.
    pub fn tell(&mut self, line: &str) {
        let input = self.input.as_mut().expect("its input is open");
        writeln!(input, "{line}").unwrap_or_else(|error| panic!("child {}: {error}", self.role));
    }

    /// The child's next line.
    pub fn hear(&mut self) -> String {
        self.lines.recv_timeout(self.patience).unwrap_or_else(|error| panic!("child {}: {error}", self.role))
    }

    /// Sends a signal.
    pub fn signal(&self, signal: i32) {
        // SAFETY: the child is not reaped before it is dropped or has ended, so the number is still its own.
        assert_eq!(unsafe { libc::kill(self.pid() as i32, signal) }, 0, "{}", io::Error::last_os_error());
    }

    /// Closes the child's input and waits until it has ended.
    pub fn end(mut self) -> End {
        self.input = None;
        let deadline = Instant::now() + self.patience;
        let mut lines = Vec::new();
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => lines.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("child {} hangs", self.role),
            }
        }
        End { status: self.process.wait().unwrap(), lines }
    }

    /// As [`Child::end`], for a child that must come to its end without a failure. False if it could not do its part.
    pub fn succeed(self) -> bool {
        let role = self.role.clone();
        let end = self.end();
        assert!(end.status.success(), "child {role}: {end:?}");
        let why = end.lines.iter().find_map(|line| line.strip_prefix(SKIPPED));
        if let Some(why) = why {
            skipped(why);
        }
        why.is_none()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Says that a test can't run here; that is a failure where everything must run.
pub fn skipped(why: &str) {
    println!("{SKIPPED}{why}");
    assert!(env::var_os("CI").is_none(), "skipped in CI: {why}");
}

/// In a child: plays its role. In any other process: nothing.
pub fn play(part: impl FnOnce(&str)) {
    if let Ok(role) = env::var(ROLE) {
        let seconds = setting(SECONDS).to_str().and_then(|s| s.parse().ok()).unwrap_or(WATCHDOG);
        // SAFETY: has no preconditions. The signal is left to its default, which ends the process.
        unsafe { libc::alarm(seconds) };
        part(&role);
    }
}

/// In a child: what its parent set.
pub fn setting(name: &str) -> OsString {
    env::var_os(name).unwrap_or_else(|| panic!("{name} is not set"))
}

/// In a child: a line for its parent.
pub fn say(line: &str) {
    let mut output = io::stdout().lock();
    // The harness may have left its own line unfinished.
    write!(output, "\n{MARK}{line}\n").and_then(|()| output.flush()).expect("the parent listens");
}

/// In a child: says that it can't do its part.
pub fn skip(why: &str) {
    say(&format!("{SKIPPED}{why}"));
}

/// In a child: the next line of its parent; None when there will be no more.
pub fn listen() -> Option<String> {
    let mut line = String::new();
    let length = io::stdin().read_line(&mut line).expect("the input can be read");
    (length > 0).then(|| line.trim_end().to_owned())
}
