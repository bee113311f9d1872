//! The children of tests start alike, whatever the tests themselves were started from.

use crate::child::command::command;
use crate::child::{self, Child};
use crate::sources;
use std::fs;

/// Where signals are ignored, blocked or the like: fields of `/proc/PID/status`.
const FIELDS: [&str; 4] = ["SigBlk:", "SigIgn:", "SigCgt:", "Umask:"];

/// The C library's own signals, 32 to 34: its posix_spawn(3) has them ignored, and no program can change that.
const INTERNAL: u64 = 7 << 31;

/// What a process of this status has of the [`FIELDS`].
fn start(status: &str) -> Vec<u64> {
    let number = |field: &str| {
        let value =
            status.lines().find_map(|line| line.strip_prefix(field)).expect("a field of every process");
        u64::from_str_radix(value.trim(), if field == "Umask:" { 8 } else { 16 }).unwrap()
    };
    let number = |field| if field == "SigIgn:" { number(field) & !INTERNAL } else { number(field) };
    FIELDS.into_iter().map(number).collect()
}

#[test]
#[ignore = "run by other tests as their child process"]
fn child() {
    child::play(|role| match role {
        "background job" => {
            ignore_and_block();
            let own = fs::read_to_string("/proc/thread-self/status").unwrap();
            assert_ne!(start(&own)[..2], [0, 0]);
            // SAFETY: no other thread looks at the environment now.
            unsafe { std::env::set_var("LC_ALL", "de_DE.UTF-8") };

            let status = command("cat").arg("/proc/thread-self/status").output().unwrap().stdout;
            assert_eq!(start(&String::from_utf8(status).unwrap()), [0, 0, 0, 0o022]);
            let locale = command("sh").args(["-c", "echo $LC_ALL"]).output().unwrap().stdout;
            assert_eq!(locale, b"C\n");

            let mut child = Child::spawn("children::its child", &[]);
            // Rust's runtime ignores SIGPIPE.
            assert_eq!(child.hear(), format!("{} 18", 1 << (libc::SIGPIPE - 1)));
            child.succeed();
        }
        "its child" => {
            let own = start(&fs::read_to_string("/proc/thread-self/status").unwrap());
            assert_eq!(own[0], 0, "none is blocked");
            child::say(&format!("{} {}", own[1], own[3]));
        }
        _ => panic!("no role {role}"),
    });
}

fn ignore_and_block() {
    for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGPIPE, libc::SIGALRM, libc::SIGTERM] {
        // SAFETY: no handler is installed.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    let mut blocked = std::mem::MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: the set is writable.
    unsafe { libc::sigaddset(blocked.as_mut_ptr(), libc::SIGUSR1) };
    // SAFETY: the set was initialised above; the old one is not asked for.
    let result = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, blocked.as_ptr(), std::ptr::null_mut()) };
    assert_eq!(result, 0);
    // SAFETY: has no preconditions.
    unsafe { libc::umask(0o077) };
}

#[test]
fn a_child_starts_with_defaults_though_its_parent_ignores_and_blocks_signals() {
    Child::spawn("children::background job", &[]).succeed();
}

/// Where else a command may be made: in the one place, and in the tracer, which says why.
const MAKERS: [&str; 2] = ["support/command.rs", "kill/tracer.rs"];

#[test]
fn every_command_of_a_test_is_made_in_one_place() {
    // In two parts, for this file is one of them.
    let makes = |text: &str| text.contains(concat!("Command::", "new"));
    let makers = sources::rust("tests").filter(|(_, text)| makes(text)).map(|(name, _)| name);
    let mut makers: Vec<String> = makers.collect();
    makers.sort();
    let mut expected = MAKERS.map(str::to_owned);
    expected.sort();
    assert_eq!(makers, expected);
}
