//! The demo does what it promises, run as a person runs it: `cargo run --example demo -- TREE`, in the profile that the
//! tests are built in, so that nothing need be built a second time.
//!
//! Its output says how far it is; nothing here waits for time to pass. A watchdog ends whatever hangs.

mod running;
mod tree;

use std::ffi::OsStr;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use shmrr::{Options, Server};

use crate::support::command::command;
use running::{Demo, demo_command, kill, processes_naming};
use tree::{Seen, big_tree, small_tree};

/// Far more than the demo takes to end when asked to.
const SOON: Duration = Duration::from_secs(60);

/// How long a client may take to send its next request: it may have to wait for a build.
const CLIENT_STARTS: Duration = Duration::from_secs(5 * 60);

const CHUNK: usize = 65536;

#[test]
fn every_client_sees_every_file_and_every_checksum_is_right() {
    if !compilers_found() {
        return;
    }
    let tree = small_tree();
    let mut demo = Demo::start(&[tree.path().as_os_str()]);
    let end = demo.end();
    assert_eq!(end.status.code(), Some(0), "{end:?}");

    let seen = Seen::of(tree.path());
    let rows = end.rows();
    assert_eq!(rows.len(), 3, "{end:?}");
    for row in rows {
        assert_eq!((row.files, row.requests, row.resent), (seen.files, seen.requests, 0), "{end:?}");
        assert_eq!((row.skipped, row.mismatches), (0, 0), "{end:?}");
    }
    assert!(end.says(&seen.agreed()), "{end:?}");
    demo.assert_nothing_left();
}

#[test]
fn a_server_killed_meanwhile_is_replaced_and_the_totals_are_right() {
    if !compilers_found() {
        return;
    }
    let tree = big_tree();
    let mut demo = Demo::start(&[tree.path().as_os_str()]);
    let killed = demo.pid_of("server 1");
    demo.wait_until_all_work();
    kill(killed, libc::SIGKILL);
    let replacement = demo.pid_of("server 1");
    assert_ne!(replacement, killed);

    let end = demo.end();
    assert_eq!(end.status.code(), Some(0), "{end:?}");
    assert!(end.says(&Seen::of(tree.path()).agreed()), "{end:?}");
    let resent: u64 = end.rows().iter().map(|row| row.resent).sum();
    let said = end.err.lines().filter(|line| line.contains("the server died with the request")).count();
    assert_eq!(resent, said as u64, "{end:?}");
    assert!(end.err.contains(&format!("server 1 (pid {killed}) was killed by signal 9")), "{end:?}");
    demo.assert_nothing_left();
}

#[test]
fn an_interrupt_ends_all_of_it_and_nothing_is_left() {
    if !compilers_found() {
        return;
    }
    let tree = big_tree();
    let mut demo = Demo::start(&[tree.path().as_os_str()]);
    demo.wait_until_all_work();
    let asked = Instant::now();
    kill(demo.child.id(), libc::SIGINT);
    let end = demo.end();
    assert_eq!(end.status.code(), Some(130), "{end:?}");
    assert!(asked.elapsed() < SOON, "{end:?}");
    demo.assert_nothing_left();
}

#[test]
fn a_killed_demo_takes_its_children_with_it() {
    if !compilers_found() {
        return;
    }
    let tree = big_tree();
    let mut demo = Demo::start(&[tree.path().as_os_str()]);
    demo.wait_until_all_work();
    let channel = demo.channel();
    assert!(!processes_naming(&channel).is_empty());
    kill(demo.child.id(), libc::SIGKILL);
    demo.end();
    let deadline = Instant::now() + SOON;
    while let [pid, ..] = processes_naming(&channel)[..] {
        assert!(Instant::now() < deadline, "process {pid} outlives the demo");
        thread::yield_now();
    }
    shmrr::unlink(channel).unwrap();
}

#[test]
fn every_client_sends_a_request_again_whose_server_left() {
    if !compilers_found() {
        return;
    }
    let programs = tempfile::tempdir().unwrap();
    let end = Demo::start(&[OsStr::new("--build"), programs.path().as_os_str()]).end();
    assert_eq!(end.status.code(), Some(0), "{end:?}");

    let tree = small_tree();
    let seen = Seen::of(tree.path());
    let totals =
        format!("done files={} bytes={} requests={} resent=1 ", seen.files, seen.bytes, seen.requests);
    for client in ["checksum_client_c", "checksum_client_cpp", "--client"] {
        let channel = Channel::new(client);
        let (leaves, stays) = (channel.server(), channel.server());
        let mut command = match client {
            "--client" => demo_command(&[OsStr::new(client)]),
            name => command(programs.path().join(name)),
        };
        let mut client = Demo::spawn(command.arg(&channel.0).arg(tree.path()));

        leaves.recv_wait(&mut [0; CHUNK], CLIENT_STARTS).unwrap();
        drop(leaves);
        for _ in 0..seen.requests {
            let mut chunk = [0; CHUNK];
            let request = stays.recv_wait(&mut chunk, CLIENT_STARTS).unwrap();
            stays.reply(request.id, &crc32c::crc32c(&chunk[..request.length]).to_le_bytes()).unwrap();
        }
        let end = client.end();
        assert_eq!(end.status.code(), Some(0), "{end:?}");
        assert!(end.out.iter().any(|line| line.starts_with(&totals)), "{end:?}");
        assert_eq!(
            end.err.matches("the server died with the request; sending it again").count(),
            1,
            "{end:?}"
        );
    }
}

/// Whether the test can go on. Where it must, as on a build machine, a missing compiler is a failure.
fn compilers_found() -> bool {
    for (variable, usual) in [("CC", "cc"), ("CXX", "c++")] {
        let compiler = std::env::var(variable).unwrap_or(usual.into());
        let program = compiler.split_whitespace().next().unwrap_or(usual);
        if let Err(error) =
            command(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status()
        {
            assert!(std::env::var_os("CI").is_none(), "{program}: {error}");
            println!("skipped: no compiler: {program}: {error}");
            return false;
        }
    }
    true
}

/// A channel that the test serves itself.
struct Channel(String);

impl Channel {
    fn new(purpose: &str) -> Self {
        Self(format!("shmrr-test-demo-{}-{purpose}", std::process::id()))
    }

    fn server(&self) -> Server {
        Options::new().request_max(CHUNK as u64).server(&self.0).unwrap()
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        let _ = shmrr::unlink(&self.0);
    }
}
