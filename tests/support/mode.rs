//! How the C programs are run. `SHMRR_C_TESTS` says it:
//!
//! | value | what |
//! |---|---|
//! | none, or `plain` | as they are |
//! | `valgrind` | under valgrind: every memory error and every definite leak is a failure |
//! | `sanitize` | compiled with the compiler's address and undefined-behaviour sanitizers |

use super::compiler::Language;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Plain,
    Valgrind,
    Sanitize,
}

impl Mode {
    pub fn from_environment() -> Self {
        match std::env::var("SHMRR_C_TESTS").as_deref() {
            Err(_) | Ok("plain") => Self::Plain,
            Ok("valgrind") => Self::Valgrind,
            Ok("sanitize") => Self::Sanitize,
            Ok(other) => panic!("SHMRR_C_TESTS={other}: expected plain, valgrind or sanitize"),
        }
    }

    /// Valgrind sees machine code, and that is the same from both languages.
    pub fn concerns(self, language: Language) -> bool {
        self != Self::Valgrind || language == Language::C
    }

    pub fn compiler_flags(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &[],
            // What a child still holds when it ends must be seen on its stack, or it counts as leaked.
            Self::Valgrind => &["-O0"],
            Self::Sanitize => {
                &["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
            }
        }
    }

    /// The command that runs a program of `tests/c/`, which is told whether there is time for many repetitions.
    pub fn command(self, program: &Path) -> Command {
        let mut command = self.bare_command(program);
        command.arg(if self == Self::Plain { "many" } else { "few" });
        command
    }

    /// The command that runs a program.
    pub fn bare_command(self, program: &Path) -> Command {
        if self != Self::Valgrind {
            return Command::new(program);
        }
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["-q", "--error-exitcode=9", "--leak-check=full", "--fair-sched=yes"]);
        valgrind.arg("--errors-for-leak-kinds=definite").arg(program);
        valgrind
    }

    /// How long a program may take.
    pub fn watchdog(self) -> Duration {
        Duration::from_secs(if self == Self::Plain { 60 } else { 300 })
    }
}
