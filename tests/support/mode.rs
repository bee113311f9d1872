//! How the C programs are run. `SHMRR_C_TESTS` says it:
//!
//! | value | what |
//! |---|---|
//! | none, or `plain` | as they are |
//! | `valgrind` | under valgrind: every memory error and every definite leak is a failure |
//! | `sanitize` | compiled with the compiler's address and undefined-behaviour sanitizers |
//! | `aarch64` | compiled for that processor, and run by an emulator of it |
//! | `musl` | compiled for the C library musl, statically |

use super::command::command;
use super::compiler::Language;
use super::platform::Platform;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Plain,
    Valgrind,
    Sanitize,
    Elsewhere(Platform),
}

impl Mode {
    pub fn from_environment() -> Self {
        match std::env::var("SHMRR_C_TESTS").as_deref() {
            Err(_) | Ok("plain") => Self::Plain,
            Ok("valgrind") => Self::Valgrind,
            Ok("sanitize") => Self::Sanitize,
            Ok("aarch64") => Self::Elsewhere(Platform::Aarch64),
            Ok("musl") => Self::Elsewhere(Platform::Musl),
            Ok(other) => {
                panic!("SHMRR_C_TESTS={other}: expected plain, valgrind, sanitize, aarch64 or musl")
            }
        }
    }

    pub fn platform(self) -> Platform {
        if let Self::Elsewhere(platform) = self { platform } else { Platform::Here }
    }

    /// Valgrind sees machine code, and that is the same from both languages.
    pub fn concerns(self, language: Language) -> bool {
        (language == Language::C || self != Self::Valgrind) && self.platform().knows(language)
    }

    pub fn compiler_flags(self) -> &'static [&'static str] {
        match self {
            Self::Plain | Self::Elsewhere(_) => &[],
            // What a child still holds when it ends must be seen on its stack, or it counts as leaked.
            Self::Valgrind => &["-O0"],
            Self::Sanitize => {
                &["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
            }
        }
    }

    /// The command that runs a program of `tests/c/`, which is told whether there is time for many repetitions: what it
    /// does as C++ it has done as C.
    pub fn command(self, program: &Path, language: Language) -> Command {
        let mut command = self.bare_command(program);
        let has_time = self == Self::Plain && language == Language::C;
        command.arg(if has_time { "many" } else { "few" });
        command
    }

    /// The command that runs a program.
    pub fn bare_command(self, program: &Path) -> Command {
        if self != Self::Valgrind {
            let mut command = self.platform().run(program);
            if self == Self::Sanitize {
                // Its own work at the end of a cancelled thread is an error to it.
                command.env("ASAN_OPTIONS", "use_sigaltstack=0");
            }
            return command;
        }
        let mut valgrind = command("valgrind");
        valgrind.args(["-q", "--error-exitcode=9", "--leak-check=full", "--fair-sched=yes"]);
        valgrind.arg("--errors-for-leak-kinds=definite").arg(program);
        valgrind
    }

    /// How long a program may take: more than any does on a machine that others use, too.
    pub fn watchdog(self) -> Duration {
        Duration::from_secs(if self == Self::Plain { 200 } else { 600 })
    }
}
