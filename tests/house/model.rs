//! The slot words' transitions, one step at a time, in every interleaving with deaths, recoverers that die themselves,
//! detaching, adoption, clearing and redelivery: `tests/house/protocol.py`. The loom models run the code itself, but not so
//! many processes.
//!
//! `SHMRR_MODEL=full` explores larger channels, for some minutes.

use crate::support::command::command;
use crate::support::found;
use std::path::Path;
use std::process::Output;

const SHORT: [&str; 14] = [
    "1 cc 2 1 1 cancel dismiss",
    "1 c 3 2 2 adopt",
    "1 c 2 2 1 adopt cancel",
    "1 p 2 2 2 adopt",
    "1 c 2 2 2 adopt redeliver",
    "1 c 2 2 2 detach redeliver",
    "1 c 2 2 1 detach adopt clear",
    "1 p 2 2 3",
    "1 pp 2 2 2 redeliver",
    "1 p 2 2 2 clear redeliver",
    "1 c 2 2 1 redeliver cancel clear",
    "1 cp 2 2 1 redeliver cancel",
    "1 c 3 2 3 redeliver",
    "1 p 2 2 3 redeliver",
];

const FULL: [&str; 7] = [
    "1 cp 2 2 1 detach adopt",
    "1 c 2 2 2 detach adopt cancel redeliver",
    "1 cp 2 2 2 clear",
    "1 cp 2 2 2 redeliver cancel",
    "1 c 2 2 2 redeliver cancel clear",
    "1 c 3 2 3 redeliver cancel",
    "2 cp 2 2 1 redeliver cancel",
];

/// What the model says, or None if there is no Python to run it. It ends by itself: there are finitely many states.
fn explore(scenario: &str) -> Option<Output> {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/house/protocol.py");
    let output = command("python3").arg(model).args(scenario.split(' ')).output();
    found(output.map_err(|error| format!("no program: python3: {error}")))
}

fn holds(scenario: &str) {
    if let Some(output) = explore(scenario) {
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{scenario}: {said}{}", String::from_utf8_lossy(&output.stderr));
        println!("{scenario}: {}", said.trim());
    }
}

#[test]
fn nothing_is_lost_doubled_or_stuck_whoever_dies() {
    SHORT.into_iter().for_each(holds);
    if std::env::var("SHMRR_MODEL").is_ok_and(|mode| mode == "full") {
        FULL.into_iter().for_each(holds);
    }
}

/// Two recoverers that know of different deaths: one frees what the other queues again.
#[test]
fn the_model_finds_what_recoverers_break_that_begin_with_the_reply_word() {
    if let Some(output) = explore("1 c 2 2 1 redeliver cancel careless") {
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success() && said.starts_with("failure: a reply met"), "{said}");
    }
}

/// A server adopts what a dead one held, and a recoverer that saw it before fails it.
#[test]
fn the_model_finds_what_recoverers_break_that_do_not_change_the_request_word_first() {
    if let Some(output) = explore("1 c 2 2 1 adopt rash") {
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success() && said.starts_with("failure: a reply met"), "{said}");
    }
}

/// One that made a request REQUEUED and published it rests, and marks as published what another made of it since.
#[test]
fn the_model_finds_what_recoverers_break_that_mark_what_they_have_not_published() {
    for (scenario, broken) in [
        ("1 c 3 2 3 redeliver hasty", "failure: somebody waits for ever"),
        ("1 p 2 2 3 redeliver hasty", "failure: a slot is not free"),
    ] {
        if let Some(output) = explore(scenario) {
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(!output.status.success() && said.starts_with(broken), "{scenario}: {said}");
        }
    }
}
