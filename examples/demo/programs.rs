//! Builds what the demo runs: the shared library with cargo, the programs of `c_examples/` with the machine's compiler.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::process::run_to_end;

const PROJECT: &str = env!("CARGO_MANIFEST_DIR");

/// The one that the demo itself was built in.
const PROFILE: &str = if cfg!(debug_assertions) { "dev" } else { "release" };

/// The names a linker and a loader look for.
const LIBRARY_NAMES: [&str; 2] = ["libshmrr.so", "libshmrr.so.0"];

const FLAGS: [&str; 5] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O2"];

pub(crate) struct Programs {
    pub(crate) server: PathBuf,
    pub(crate) c_client: PathBuf,
    pub(crate) cpp_client: PathBuf,
}

/// Builds everything into `directory`, where it finds its library whoever starts it.
pub(crate) fn build(directory: &Path) -> Result<Programs, Failure> {
    let directory = &directory.canonicalize().map_err(|error| format!("{}: {error}", directory.display()))?;
    let library = build_library()?;
    for name in LIBRARY_NAMES {
        link(&library, &directory.join(name))?;
    }
    let (c, cpp) = (Language::C, Language::Cpp);
    Ok(Programs {
        server: c.compile("checksum_server.c", directory, "checksum_server")?,
        c_client: c.compile("checksum_client.c", directory, "checksum_client_c")?,
        cpp_client: cpp.compile("checksum_client.cpp", directory, "checksum_client_cpp")?,
    })
}

fn build_library() -> Result<PathBuf, Failure> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from(env!("CARGO")));
    let mut command = Command::new(cargo);
    command.args([
        "build",
        "--profile",
        PROFILE,
        "--lib",
        "--message-format=json-render-diagnostics",
        "--manifest-path",
    ]);
    command.arg(Path::new(PROJECT).join("Cargo.toml"));
    let messages = run_to_end(&mut command, "building the library", "set CARGO to where it is")?;
    messages
        .iter()
        .rev()
        .find_map(|message| shared_library(message))
        .filter(|library| library.is_file())
        .ok_or_else(|| Failure::Said("building the library: cargo names no shared library".into()))
}

/// The shared library in one of cargo's messages, if it tells of one: JSON, of which only the strings matter here. A
/// path with a character that JSON escapes is not understood.
fn shared_library(message: &str) -> Option<PathBuf> {
    let mut strings = message.split('"').skip(1).step_by(2);
    strings.find(|string| *string == "cdylib")?;
    strings.find(|string| string.ends_with(".so")).map(PathBuf::from)
}

fn link(library: &Path, name: &Path) -> Result<(), Failure> {
    match std::fs::remove_file(name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Failure::Said(format!("{}: {error}", name.display())));
        }
        _ => {}
    }
    symlink(library, name).map_err(|error| Failure::Said(format!("{}: {error}", name.display())))
}

#[derive(Clone, Copy)]
enum Language {
    C,
    Cpp,
}

impl Language {
    fn compile(self, source: &str, directory: &Path, name: &str) -> Result<PathBuf, Failure> {
        let (language, variable, usual, standard) = match self {
            Self::C => ("C", "CC", "cc", "-std=c11"),
            Self::Cpp => ("C++", "CXX", "c++", "-std=c++17"),
        };
        let compiler =
            env::var(variable).ok().filter(|words| !words.trim().is_empty()).unwrap_or(usual.into());
        let mut words = compiler.split_whitespace();
        let program = directory.join(name);
        let mut run_path = OsString::from("-Wl,-rpath,");
        run_path.push(directory);

        let mut command = Command::new(words.next().unwrap_or(usual));
        command.args(words).arg(standard).args(FLAGS);
        command.arg("-I").arg(Path::new(PROJECT).join("include"));
        command.arg(Path::new(PROJECT).join("c_examples").join(source)).arg("-o").arg(&program);
        command.arg("-L").arg(directory).arg("-lshmrr").arg(run_path);
        let remedy = format!("install a {language} compiler, or set {variable} to one");
        run_to_end(&mut command, &format!("compiling {source}"), &remedy)?;
        Ok(program)
    }
}
