//! Programs that are built against a prefix, and run.

use crate::prefix::{Prefix, VERSION, building, cargo_target, clean, root, run, tool};
use crate::support::command::command;
use crate::support::compiler::{self, Language};
use crate::support::platform::Platform;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// How a program is linked that pkg-config tells of the library.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Linked {
    Shared,
    /// With the static library, and the system's shared ones.
    WithArchive,
    /// With static libraries only.
    Statically,
}

impl Linked {
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Shared => &["shmrr"],
            Self::WithArchive => &["shmrr-static"],
            Self::Statically => &["--static", "shmrr"],
        }
    }
}

fn sources() -> PathBuf {
    root().join("tests/install")
}

/// What a shell makes of pkg-config's answer: words, in which a backslash protects the next character.
fn words(answer: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut characters = answer.trim().chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => words.last_mut().unwrap().extend(characters.next()),
            ' ' => words.push(String::new()),
            other => words.last_mut().unwrap().push(other),
        }
    }
    words
}

/// Programs in both languages, linked in each of the three ways. An error means that a tool is missing.
pub fn by_pkg_config(prefix: &Prefix) -> Result<(), String> {
    tool("pkg-config")?;
    for language in [Language::C, Language::Cpp] {
        for linked in [Linked::Shared, Linked::WithArchive, Linked::Statically] {
            linked_by_pkg_config(prefix, linked, language)?;
        }
    }
    Ok(())
}

/// The same for one program.
pub fn linked_by_pkg_config(prefix: &Prefix, linked: Linked, language: Language) -> Result<(), String> {
    let libraries = prefix.libraries();
    let ask = |what: &[&str]| {
        let mut command = clean(command("pkg-config"));
        run(command.env("PKG_CONFIG_LIBDIR", libraries.join("pkgconfig")).args(what).args(linked.arguments()))
    };
    assert_eq!(ask(&["--modversion"]).trim(), VERSION);
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("program");
    let mut compiler = clean(compiler::compiler(language)?);
    compiler.args(["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-x"]);
    compiler.arg(if language == Language::C { "c" } else { "c++" });
    compiler.arg(sources().join("program.c")).args(["-x", "none", "-o"]).arg(&program);
    if linked == Linked::Statically {
        compiler.arg("-static");
    }
    run(compiler.args(words(&ask(&["--cflags", "--libs"]))));
    let command = command(&program);
    works(
        clean(command).env("LD_LIBRARY_PATH", &libraries),
        (linked == Linked::Shared).then_some(&*libraries),
    );
    Ok(())
}

/// Runs a program, which must find the shared library in that directory, or none if it was linked with the static one.
fn works(program: &mut Command, shared: Option<&Path>) {
    run(program.arg(VERSION).arg(shared.unwrap_or(Path::new(""))));
}

/// The project that uses the library, configured.
struct Project(TempDir);

impl Project {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::copy(sources().join("program.c"), directory.path().join("program.c")).unwrap();
        fs::copy(sources().join("program.c"), directory.path().join("program.cpp")).unwrap();
        fs::copy(sources().join("consumer/CMakeLists.txt"), directory.path().join("CMakeLists.txt")).unwrap();
        Self(directory)
    }

    fn build(&self) -> PathBuf {
        self.0.path().join("build")
    }

    fn configure(&self, variables: &[(&str, &str)]) -> Result<(), String> {
        let mut cmake = clean(command("cmake"));
        cmake.arg("-S").arg(self.0.path()).arg("-B").arg(self.build());
        if tool("ninja").is_ok() {
            cmake.args(["-G", "Ninja"]);
        }
        cmake.args(variables.iter().map(|(name, value)| format!("-D{name}={value}")));
        let output = cmake.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(()) } else { Err(said) }
    }

    fn works(&self, libraries: &Path, main_is_static: bool) {
        self.works_by(libraries, main_is_static, |program| command(program));
    }

    fn works_by(&self, libraries: &Path, main_is_static: bool, runner: impl Fn(&Path) -> Command) {
        run(clean(command("cmake")).arg("--build").arg(self.build()));
        for language in ["c", "cpp"] {
            for (name, is_shared) in [("shared", true), ("static", false), ("shmrr", !main_is_static)] {
                let program = self.build().join(format!("{name}_{language}"));
                works(&mut clean(runner(&program)), is_shared.then_some(libraries));
            }
        }
    }
}

pub fn by_find_package(prefix: &Prefix) {
    let libraries = prefix.libraries();
    // The directory that holds `lib`.
    let path = libraries.ancestors().find(|path| path.ends_with("lib")).unwrap().parent().unwrap();
    for (value, main_is_static) in [("OFF", false), ("ON", true)] {
        let project = Project::new();
        let variables = [
            ("HOW", "find_package"),
            ("CMAKE_PREFIX_PATH", path.to_str().unwrap()),
            ("SHMRR_USE_STATIC_LIBS", value),
        ];
        project.configure(&variables).unwrap();
        project.works(&libraries, main_is_static);
    }
}

/// Whether CMake takes what is installed for the wanted version.
pub fn is_found(prefix: &Prefix, wanted: &str) -> bool {
    let path = prefix.path();
    let wanted = wanted.replace(' ', ";");
    let variables =
        [("HOW", "find_package"), ("CMAKE_PREFIX_PATH", path.to_str().unwrap()), ("WANTED", &wanted)];
    match Project::new().configure(&variables) {
        Ok(()) => true,
        Err(said) => {
            assert!(said.contains("considered but not accepted"), "{said}");
            false
        }
    }
}

/// Built by a compiler for it, without a word about Rust's name of it.
pub fn for_another_processor() {
    let _alone = building();
    let project = Project::new();
    let target = cargo_target();
    let variables = [
        ("HOW", "add_subdirectory"),
        ("SOURCE", root().to_str().unwrap()),
        ("SHMRR_CARGO_TARGET_DIR", target.to_str().unwrap()),
        ("CMAKE_SYSTEM_NAME", "Linux"),
        ("CMAKE_SYSTEM_PROCESSOR", "aarch64"),
        ("CMAKE_C_COMPILER", "aarch64-linux-gnu-gcc"),
        ("CMAKE_CXX_COMPILER", "aarch64-linux-gnu-g++"),
    ];
    project.configure(&variables).unwrap();
    project.works_by(&project.build().join("shmrr/out"), false, |program| Platform::Aarch64.run(program));
}

/// With the sources in the project, instead of an installed copy.
pub fn by_including(how: &str) {
    let _alone = building();
    let project = Project::new();
    let target = cargo_target();
    let variables = [
        ("HOW", how),
        ("SOURCE", root().to_str().unwrap()),
        ("SHMRR_CARGO_TARGET_DIR", target.to_str().unwrap()),
    ];
    project.configure(&variables).unwrap();
    let out = if how == "FetchContent" { "_deps/shmrr-build/out" } else { "shmrr/out" };
    project.works(&project.build().join(out), false);
}
