//! What C programs are compiled for: this machine, or one that the library promises to run on as well and that stands
//! in for it here.

use super::command::command;
use super::compiler::{Language, Linkage};
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Platform {
    Here,
    Aarch64,
    Musl,
}

/// Where Debian keeps the libraries for that processor.
const AARCH64_LIBRARIES: &str = "/usr/aarch64-linux-gnu";

impl Platform {
    /// What Rust calls it, if it is not the one that this test is compiled for.
    pub fn target(self) -> Option<&'static str> {
        match self {
            Self::Here => None,
            Self::Aarch64 => Some("aarch64-unknown-linux-gnu"),
            Self::Musl => Some("x86_64-unknown-linux-musl"),
        }
    }

    /// Whether there is a compiler for it here.
    pub fn knows(self, language: Language) -> bool {
        self != Self::Musl || language == Language::C
    }

    /// The compiler for it; `here` is that for this machine.
    pub fn compiler(
        self,
        language: Language,
        here: impl FnOnce() -> Result<Command, String>,
    ) -> Result<Command, String> {
        Ok(command(match (self, language) {
            (Self::Here, _) => return here(),
            (Self::Aarch64, Language::C) => "aarch64-linux-gnu-gcc",
            (Self::Aarch64, Language::Cpp) => "aarch64-linux-gnu-g++",
            (Self::Musl, _) => "musl-gcc",
        }))
    }

    /// Rust builds no shared library for programs that hold all they need.
    pub fn linkage(self, wanted: Linkage) -> Linkage {
        if self == Self::Musl { Linkage::Static } else { wanted }
    }

    /// What the static library needs of the system where the C library does not hold it all.
    pub fn native_libraries(self) -> Vec<String> {
        if self != Self::Musl {
            return ["-lpthread", "-ldl", "-lm"].map(String::from).to_vec();
        }
        // The unwinder of a compiler for another C library does not fit; Rust brings one.
        let directory = format!("-L{}", rust_libraries().join("self-contained").display());
        vec![
            "-static".into(),
            "-nodefaultlibs".into(),
            directory,
            "-lunwind".into(),
            "-lc".into(),
            "-lgcc".into(),
        ]
    }

    /// The command that runs a program.
    pub fn run(self, program: &Path) -> Command {
        if self != Self::Aarch64 {
            return command(program);
        }
        let mut emulator = command("qemu-aarch64");
        emulator.args(["-L", AARCH64_LIBRARIES]).arg(program);
        emulator
    }
}

fn rust_libraries() -> PathBuf {
    let target = Platform::Musl.target().unwrap();
    let output = command("rustc").args(["--print", "target-libdir", "--target", target]).output().unwrap();
    assert!(output.status.success(), "rustc --print target-libdir: {}", output.status);
    String::from_utf8(output.stdout).unwrap().trim().into()
}
