//! The C and C++ compilers that are here: those that the `cc` crate finds, which reads `CC`, `CXX` and the flags that go
//! with them from the environment. Every program is compiled as a standard asks, and a warning is an error.

use super::codes;
use super::command::command;
use super::library;
use super::mode::Mode;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    C,
    Cpp,
}

/// Which of the two libraries a program is linked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linkage {
    Shared,
    Static,
}

const FLAGS: &[&str] = &["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g", "-pthread"];

impl Language {
    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::C => &["-std=c11", "-x", "c"],
            Self::Cpp => &["-std=c++17", "-x", "c++"],
        }
    }
}

/// Compiles one source file and links it. An error means that there is no compiler; one that the compiler finds is a
/// failure of the test.
pub fn compile(
    source: &Path,
    language: Language,
    linkage: Linkage,
    mode: Mode,
    directory: &Path,
) -> Result<PathBuf, String> {
    let platform = mode.platform();
    let mut command = platform.compiler(language, || compiler(language))?;
    let program = directory.join(source.file_stem().unwrap());
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    command.args(FLAGS).args(mode.compiler_flags());
    command.arg(concat!("-DEXPECTED_VERSION=\"", env!("CARGO_PKG_VERSION"), "\""));
    command.arg(codes::definition());
    command.arg("-I").arg(root.join("include"));
    command.args(language.flags()).arg(source).args(["-x", "none", "-o"]).arg(&program);
    match platform.linkage(linkage) {
        Linkage::Shared => {
            let libraries = library::directory(platform).to_str().unwrap();
            command.args([&format!("-L{libraries}"), &format!("-Wl,-rpath,{libraries}"), "-lshmrr"]);
        }
        Linkage::Static => {
            command.arg(library::archive(platform)).args(platform.native_libraries());
        }
    }
    let output = match command.output() {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(format!("no compiler: {:?}: {error}", command.get_program()));
        }
        Err(error) => panic!("{command:?}: {error}"),
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    Ok(program)
}

/// The compiler for this machine, with what the environment asks of it.
pub fn compiler(language: Language) -> Result<Command, String> {
    let host = format!("{}-unknown-linux-{}", std::env::consts::ARCH, environment());
    let tool = cc::Build::new()
        .cpp(language == Language::Cpp)
        .opt_level(1)
        .target(&host)
        .host(&host)
        .cargo_metadata(false)
        .cargo_warnings(false)
        .try_get_compiler()
        .map_err(|error| format!("no compiler: {error}"))?;
    // Its environment is this process's; in a command it would be part of every message.
    let mut command = command(tool.path());
    command.args(tool.args());
    Ok(command)
}

fn environment() -> &'static str {
    if cfg!(target_env = "musl") { "musl" } else { "gnu" }
}
