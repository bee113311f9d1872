//! A child process: its lines of output and its end as events of one queue, and an end that can't be missed.
//!
//! | the demo | its children |
//! |---|---|
//! | drops a [`Process`] | SIGTERM to its group, SIGKILL after a moment of grace, reaped |
//! | gets Ctrl-C | nothing by itself, as each is a process group of its own; then as above |
//! | is killed | the kernel kills them with it |

use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::screen::to_stderr;
use crate::signals;

/// How late a signal to the demo may be noticed.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(100);

const GRACE: Duration = Duration::from_secs(2);
const GRACE_STEP: Duration = Duration::from_millis(2);

pub(crate) struct Event {
    pub(crate) pid: u32,
    pub(crate) what: What,
}

pub(crate) enum What {
    /// A line of its standard output.
    Out(String),
    /// A line of its standard error.
    Err(String),
    /// It closed both: it has ended, or is about to.
    Closed,
}

pub(crate) struct Process {
    child: Child,
    ended: bool,
}

impl Process {
    /// Starts the command; from the main thread only, as the kernel ties the child's life to the thread that made it.
    pub(crate) fn start(command: &mut Command, events: &Sender<Event>) -> io::Result<Self> {
        die_with_us(command);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let (pid, out, err) = (child.id(), child.stdout.take(), child.stderr.take());
        let process = Self { child, ended: false };

        let (from_err, from_out) = (events.clone(), events.clone());
        let err = thread::spawn(move || forward(err, &from_err, pid, What::Err));
        thread::spawn(move || {
            forward(out, &from_out, pid, What::Out);
            let _ = err.join();
            let _ = from_out.send(Event { pid, what: What::Closed });
        });
        Ok(process)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end and reaps it.
    pub(crate) fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait()?;
        self.ended = true;
        Ok(status)
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        self.signal(libc::SIGTERM);
    }

    fn signal(&self, signal: libc::c_int) {
        let group = libc::pid_t::try_from(self.pid()).expect("the number of a process");
        if !self.ended {
            // SAFETY: no memory is involved; the child is not reaped, so the group is still its own.
            unsafe { libc::kill(-group, signal) };
        }
    }

    fn ended_within(&mut self, grace: Duration) -> bool {
        let deadline = Instant::now() + grace;
        while Instant::now() < deadline {
            match self.child.try_wait() {
                Ok(None) => thread::sleep(GRACE_STEP),
                Ok(Some(_)) => {
                    self.ended = true;
                    return true;
                }
                Err(_) => return false,
            }
        }
        false
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        self.terminate();
        if !self.ended_within(GRACE) {
            self.signal(libc::SIGKILL);
            let _ = self.wait();
        }
    }
}

/// Runs a command to its end: the lines of its standard output; those of its standard error go to ours. `remedy` is for
/// whoever has no such program.
pub(crate) fn run_to_end(command: &mut Command, what: &str, remedy: &str) -> Result<Vec<String>, Failure> {
    let (sender, events) = mpsc::channel();
    let mut process = Process::start(command, &sender).map_err(|error| {
        let program = command.get_program().to_string_lossy();
        if error.kind() == io::ErrorKind::NotFound {
            format!("{what}: there is no program `{program}`: {remedy}")
        } else {
            format!("{what}: {program}: {error}")
        }
    })?;
    let mut lines = Vec::new();
    loop {
        signals::check()?;
        match events.recv_timeout(LOOK_EVERY) {
            Ok(Event { what: What::Out(line), .. }) => lines.push(line),
            Ok(Event { what: What::Err(line), .. }) => to_stderr(&line),
            Err(RecvTimeoutError::Timeout) => {}
            Ok(Event { what: What::Closed, .. }) | Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let status = process.wait()?;
    if status.success() { Ok(lines) } else { Err(Failure::Said(format!("{what}: {}", said(status)))) }
}

/// The end of a process as the second half of a sentence.
pub(crate) fn said(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("was killed by signal {signal}"),
        (None, code) => format!("ended with exit status {}", code.unwrap_or(-1)),
    }
}

fn forward(stream: Option<impl Read>, events: &Sender<Event>, pid: u32, what: fn(String) -> What) {
    let Some(stream) = stream else { return };
    for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        if events.send(Event { pid, what: what(line) }).is_err() {
            return;
        }
    }
}

fn die_with_us(command: &mut Command) {
    let parent = std::process::id();
    let before_exec = move || {
        // SAFETY: no memory is involved.
        if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } < 0 {
            return Err(io::Error::last_os_error());
        }
        // A parent that died before the call would never be noticed.
        if std::os::unix::process::parent_id() != parent {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        Ok(())
    };
    // SAFETY: the closure makes two system calls and allocates nothing.
    unsafe { command.pre_exec(before_exec) };
}
