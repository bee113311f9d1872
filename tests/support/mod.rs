//! What tests in other languages stand on: the built library, a compiler for programs against it, and a runner that
//! lets no program hang or leave anything behind.
//!
//! | file | what |
//! |---|---|
//! | [`library`] | the shared and the static library, where cargo puts them |
//! | [`codes`] | the codes that calls return |
//! | [`command`] | commands whose programs start the same way everywhere |
//! | [`compiler`] | the C and C++ compilers that are here |
//! | [`program`] | running a program with a watchdog |
//! | [`mode`] | the same programs as they are, under valgrind, with sanitizers or on another platform |
//! | [`platform`] | what they are compiled for, and with what |

// Each test uses the part it needs.
#![allow(dead_code)]

pub mod codes;
#[allow(clippy::duplicate_mod)]
pub mod command;
pub mod compiler;
pub mod library;
pub mod mode;
pub mod platform;
pub mod program;

/// Whether a test can go on with what it asked for. A tool that is not here ends it with a word about why; where tests
/// must be complete, as on a build machine (`CI` is set), that is a failure.
pub fn found<T, E: std::fmt::Display>(what: Result<T, E>) -> Option<T> {
    what.inspect_err(|why| {
        assert!(std::env::var_os("CI").is_none(), "{why}");
        println!("skipped: {why}");
    })
    .ok()
}
