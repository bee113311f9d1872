//! The C interface keeps its promises: each program of `tests/c/` is a family of them, compiled unchanged as C11 and as
//! C++17, every warning an error, and run against the shared library; one is also run against the static library.
//!
//! `SHMRR_C_TESTS` has the same programs run under valgrind, with the compiler's sanitizers, on another processor or
//! with another C library; see `tests/support/mode.rs`.
//!
//! | file | what |
//! |---|---|
//! | `*.c`, `../cpp/*.cpp` | the families |
//! | `examples` | the examples in C and C++ |
//! | `linkage` | what the shared library shows to a linker |
//! | `unloading` | unloading the shared library |

#[path = "../support/channel.rs"]
mod channel;
#[path = "../support/child.rs"]
mod child;
mod examples;
mod linkage;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/top_scene.rs"]
mod top_scene;
mod unloading;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use support::compiler::{self, Language, Linkage};
use support::mode::Mode;
use support::platform::Platform;
use support::{found, program};

/// Families that an emulator can't run, and why.
const BEYOND_EMULATION: [(&str, &str); 9] = [
    ("polling_forked", "the emulator itself fails where a child forked from several threads starts one"),
    ("eventfds_replaced", "the emulator itself fails, by an assertion in its cpu_exec"),
    ("polling_threads", "an emulated process can't filter its system calls"),
    ("administration", "the emulated /proc tells another start time than the kernel"),
    ("descriptors", "the emulated /proc tells another start time than the kernel"),
    ("forked_anyhow", "the emulated kernel empties no memory in children"),
    ("forking", "an emulated process can't be a subreaper"),
    ("passing", "an emulated process can't start another"),
    ("sandboxed", "an emulated process can't filter its system calls"),
];

/// Families that valgrind can't run, and why.
const BEYOND_VALGRIND: [(&str, &str); 4] = [
    (
        "polling_threads",
        "what signals a thread blocks is valgrind's affair, and what is refused to the program is refused to it",
    ),
    ("refused_by_system", "what is refused to the program is refused to valgrind, which needs it"),
    ("sandboxed", "what is refused to the program is refused to valgrind, which needs it"),
    ("stack", "valgrind takes a stack below the present frame for nobody's"),
];

fn beyond(mode: Mode) -> &'static [(&'static str, &'static str)] {
    match mode {
        Mode::Elsewhere(Platform::Aarch64) => &BEYOND_EMULATION,
        Mode::Valgrind => &BEYOND_VALGRIND,
        _ => &[],
    }
}

fn sources(language: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(language)
}

fn keeps_its_promises(name: &str, language: Language, linkage: Linkage) {
    let mode = Mode::from_environment();
    if !mode.concerns(language) {
        return;
    }
    if let Some((_, why)) = beyond(mode).iter().find(|(family, _)| *family == name) {
        println!("skipped: {why}");
        return;
    }
    runs(&sources("c").join(name).with_extension("c"), language, linkage, mode);
}

fn runs(source: &Path, language: Language, linkage: Linkage, mode: Mode) {
    let directory = tempfile::tempdir().unwrap();
    let compiled = compiler::compile(source, language, linkage, mode, directory.path());
    let Some(compiled) = found(compiled) else { return };
    // A program that is told how much to do may take as long as that takes.
    let is_told = std::env::var_os("SHMRR_LOOP_MESSAGES").is_some();
    let watchdog = mode.watchdog() * if is_told { 10 } else { 1 };
    if let Some(said) = found(program::run(&mut mode.command(&compiled, language), watchdog)) {
        print!("{said}");
    }
}

#[test]
fn a_warning_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("unused.c");
    std::fs::write(&source, "int main(void) { int nobody_reads_this; return 0; }\n").unwrap();
    let mode = Mode::from_environment();
    for language in [Language::C, Language::Cpp].into_iter().filter(|language| mode.concerns(*language)) {
        let compile = || compiler::compile(&source, language, Linkage::Shared, mode, directory.path());
        match std::panic::catch_unwind(compile) {
            Ok(compiled) => assert_eq!(found(compiled), None, "compiled, for all its warnings"),
            Err(said) => {
                let said = said.downcast::<String>().unwrap();
                assert!(
                    said.contains("nobody_reads_this") && said.contains("-Werror=unused-variable"),
                    "{said}"
                );
            }
        }
    }
}

macro_rules! families {
    ($($name:ident),+ $(,)?) => {
        mod c11 {
            $(#[test] fn $name() {
                super::keeps_its_promises(stringify!($name), super::Language::C, super::Linkage::Shared);
            })+
        }

        mod cpp17 {
            $(#[test] fn $name() {
                super::keeps_its_promises(stringify!($name), super::Language::Cpp, super::Linkage::Shared);
            })+
        }

        #[test]
        fn every_program_is_run() {
            let listed = BTreeSet::from([$(stringify!($name).to_owned()),+]);
            let programs = std::fs::read_dir(sources("c")).unwrap().map(|entry| entry.unwrap().path());
            let programs = programs.filter(|path| path.extension().is_some_and(|found| found == "c"));
            let there = programs.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
            assert_eq!(listed, there);
        }
    };
}

families! {
    administration,
    arguments,
    arguments_calling,
    arguments_serving,
    both_ways,
    calling,
    cancel_words,
    cancelled,
    changing_hands,
    what_is_queued,
    clearing,
    confined,
    death,
    descriptors,
    done,
    eventfds,
    eventfds_replaced,
    forked_anyhow,
    forking,
    general_forms,
    handing_on,
    header_twice,
    integer_outcomes,
    integers,
    interrupted_openings,
    interrupting,
    jumping_out,
    kinds,
    lending,
    lending_races,
    messages,
    naming,
    notification,
    opening,
    openings,
    options,
    overwritten,
    passing,
    payloads,
    pipelining,
    polling,
    polling_forked,
    polling_pauses,
    polling_threads,
    polling_together,
    posts,
    posts_outlive,
    redelivery,
    refusals,
    refused_by_system,
    releases,
    remote_errors,
    replying_in_place,
    restarting,
    sandboxed,
    serving,
    serving_failures,
    serving_in_place,
    serving_stops,
    stack,
    stopping,
    structures,
    threads,
    viewing,
    waiting,
    waiting_for_any,
    waking_for_any,
    without_memory,
}

/// Programs that are C++ alone.
mod cpp_only {
    use super::{Language, Linkage, Mode};

    fn run(name: &str, linkage: Linkage) {
        let mode = Mode::from_environment();
        if mode.concerns(Language::Cpp) {
            super::runs(&super::sources("cpp").join(name), Language::Cpp, linkage, mode);
        }
    }

    #[test]
    fn leaving_serve() {
        run("leaving_serve.cpp", Linkage::Shared);
    }

    #[test]
    fn leaving_serve_of_the_static_library() {
        run("leaving_serve.cpp", Linkage::Static);
    }
}

mod static_library {
    #[test]
    fn calling() {
        super::keeps_its_promises("calling", super::Language::C, super::Linkage::Static);
    }
}
