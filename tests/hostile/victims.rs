//! Compiling and running the victims, and adding up what their calls returned.

use super::codes;
use super::support::compiler::{self, Language, Linkage};
use super::support::mode::Mode;
use super::support::{found, program};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// How much longer than its calls a victim may take to start and to end.
const WATCHDOG: u64 = 120;

/// Between two looks for victims that are ready.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    Client,
    Server,
    /// Attaches and leaves, again and again.
    Guest,
    /// Both sides of a channel of integers.
    Number,
}

pub struct Victims {
    program: &'static Path,
    mode: Mode,
    /// What they share with this process: the codes, and the files by which both wait for each
    /// other.
    directory: TempDir,
}

pub fn compile() -> Option<Victims> {
    let mode = match std::env::var("SHMRR_HOSTILE").as_deref() {
        Err(_) | Ok("plain") => Mode::Sanitize,
        Ok("valgrind") => Mode::Valgrind,
        Ok(other) => panic!("SHMRR_HOSTILE={other}: expected plain or valgrind"),
    };
    let program = found(program_for(mode))?;
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("codes"), codes::table(&codes::documented())).unwrap();
    Some(Victims { program, mode, directory })
}

/// Compiled once, and put in its place whole: tests in other processes may be running it.
fn program_for(mode: Mode) -> Result<&'static Path, &'static String> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let compiled = PROGRAM.get_or_init(|| {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let directory = tempfile::tempdir_in(place).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile/victim.c");
        let new = compiler::compile(&source, Language::C, Linkage::Shared, mode, directory.path())?;
        let name = if mode == Mode::Valgrind { "hostile-victim-valgrind" } else { "hostile-victim" };
        let program = place.join(name);
        std::fs::rename(new, &program).unwrap();
        Ok(program)
    });
    compiled.as_deref()
}

impl Victims {
    /// How far past its deadline a call may end, in milliseconds: under valgrind all takes some 20 times as long.
    fn allowance(&self) -> u32 {
        if self.mode == Mode::Valgrind { 20 * 250 } else { 250 }
    }

    /// Runs one victim of each role at the same time, and begins when all are ready; all must end well.
    pub fn run(
        &self,
        channel: &Path,
        roles: &[Role],
        seconds: u64,
        seed: u64,
        begin: impl FnOnce(),
    ) -> Tally {
        let watchdog = Duration::from_secs(seconds + WATCHDOG);
        let run = |role: Role, seed: u64| {
            let mut command: Command = self.mode.bare_command(self.program);
            command.arg(format!("{role:?}").to_lowercase()).arg(channel).arg(seconds.to_string());
            command.arg(seed.to_string()).arg(self.directory.path()).arg(self.allowance().to_string());
            found(program::run(&mut command, watchdog))
        };
        let run = &run;
        let seeds = (seed * 1000 + 1..).take(roles.len());
        thread::scope(|scope| {
            let all: Vec<_> = roles
                .iter()
                .zip(seeds.clone())
                .map(|(role, seed)| scope.spawn(move || run(*role, seed)))
                .collect();
            let is_ready = |seed: u64| self.directory.path().join(format!("ready-{seed}")).exists();
            while !seeds.clone().all(is_ready) && !all.iter().any(|victim| victim.is_finished()) {
                thread::sleep(LOOK_AGAIN);
            }
            begin();
            File::create(self.directory.path().join("go")).unwrap();

            let mut tally = Tally::default();
            let mut failure = None;
            for victim in all {
                match victim.join() {
                    Ok(said) => tally.add(&said.unwrap_or_default()),
                    Err(panic) => failure = Some(panic),
                }
            }
            if let Some(failure) = failure {
                std::panic::resume_unwind(failure);
            }
            tally
        })
    }
}

/// How often each call ended how, and its slowest, in microseconds, whether or not the victim ran all that time; and
/// which calls were late, though not often enough for a failure.
#[derive(Default)]
pub struct Tally(BTreeMap<(String, String), (u64, u64)>, Vec<String>);

impl Tally {
    fn add(&mut self, said: &str) {
        self.1.extend(said.lines().filter(|line| line.starts_with("late: ")).map(String::from));
        for line in said.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            if let [function, code, count, "slowest", slowest, "us"] = words[..] {
                let entry = self.0.entry((function.to_owned(), code.to_owned())).or_default();
                entry.0 += count.parse::<u64>().unwrap();
                entry.1 = entry.1.max(slowest.parse().unwrap());
            }
        }
    }

    /// How often a function was called.
    pub fn calls(&self, function: &str) -> u64 {
        self.0.iter().filter(|(key, _)| key.0 == function).map(|(_, entry)| entry.0).sum()
    }

    pub fn count(&self, function: &str, code: &str) -> u64 {
        self.0.get(&(function.to_owned(), code.to_owned())).map_or(0, |entry| entry.0)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for ((function, code), (count, slowest)) in &self.0 {
            writeln!(f, "{function:24} {code:12} {count:9}  slowest {slowest:7} us")?;
        }
        self.1.iter().try_for_each(|late| writeln!(f, "{late}"))
    }
}
