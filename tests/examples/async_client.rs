//! The asynchronous example, run as a person runs it: `cargo run --features tokio --example async_client`.

use crate::support::command::command;
use crate::support::program;
use std::time::Duration;

/// A build may come first, on a slow machine.
const WATCHDOG: Duration = Duration::from_secs(10 * 60);

#[test]
fn tasks_of_one_thread_wait_for_as_many_replies_as_there_are_slots() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let mut command = command(cargo);
    command.args(["run", "--quiet", "--features", "tokio", "--example", "async_client", "--manifest-path"]);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    let said = program::run(&mut command, WATCHDOG).unwrap();
    assert!(said.contains("4096 of 4096 replies were right, 64 requests in flight at once"), "{said}");
}
