//! The example `top` shows a channel as it is, run as a person runs it: `cargo run --example top -- CHANNEL`.

use crate::support::command::command;
use crate::top_scene;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

/// Cargo becomes the program that it runs, so the command is the example itself from its first line on.
fn example() -> Command {
    let mut command = command(env!("CARGO"));
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.args(["run", "--quiet", "--profile", profile, "--example", "top", "--"]);
    command
}

#[test]
fn it_shows_what_a_channel_holds() {
    top_scene::shows_what_a_channel_holds(example);
}

#[test]
fn it_shows_what_happens_until_it_is_interrupted() {
    assert_eq!(top_scene::shows_what_happens(example).signal(), Some(libc::SIGINT));
}

#[test]
fn it_takes_both_kinds_of_channel_and_says_what_is_wrong() {
    top_scene::takes_both_kinds_and_says_what_is_wrong(example);
}
