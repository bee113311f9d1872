//! The C and C++ examples by themselves, without the demo: a server and two clients over a small tree, plain, under
//! valgrind or with sanitizers as `SHMRR_C_TESTS` says. Every program ends with status 0 and leaves nothing behind.

use crate::channel::Name;
use crate::support::compiler::{self, Language, Linkage};
use crate::support::mode::Mode;
use crate::support::{found, program};
use crate::top_scene;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;

/// Sizes around a chunk's 64 KiB.
const SIZES: [usize; 6] = [0, 1, 4096, 65_535, 65_536, 150_000];
const CHUNKS: usize = 8;

fn compiled(name: &str, language: Language, directory: &Path) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("c_examples").join(name);
    let directory = directory.join(name);
    fs::create_dir(&directory).unwrap();
    found(compiler::compile(&source, language, Linkage::Shared, Mode::from_environment(), &directory))
}

/// A server that is killed when the test fails.
struct Server(Child);

impl Server {
    fn start(program: &Path, arguments: &[&OsStr]) -> Option<Self> {
        // The mode's last argument is for the programs of `tests/c/`.
        let mode = Mode::from_environment();
        let mut command = mode.bare_command(program);
        let spawned = command.args(arguments).stdout(Stdio::piped()).spawn();
        let mut server = Self(found(spawned)?);
        let mut first = String::new();
        BufReader::new(server.0.stdout.as_mut().unwrap()).read_line(&mut first).unwrap();
        assert!(first.starts_with("serving "), "{first}");
        Some(server)
    }

    /// Asks it to end; what it said after its first line.
    fn end(mut self) -> String {
        // SAFETY: the child is not reaped yet, so the number is its own.
        unsafe { libc::kill(self.0.id() as i32, libc::SIGTERM) };
        let mut said = String::new();
        self.0.stdout.as_mut().unwrap().read_to_string(&mut said).unwrap();
        assert!(self.0.wait().unwrap().success());
        said
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_examples_check_a_tree_and_end_cleanly() {
    let directory = tempfile::tempdir().unwrap();
    let tree = directory.path().join("tree");
    fs::create_dir(&tree).unwrap();
    for size in SIZES {
        fs::write(tree.join(size.to_string()), vec![size as u8; size]).unwrap();
    }
    let Some(server) = compiled("checksum_server.c", Language::C, directory.path()) else { return };
    let channel = Name::new("examples");
    let Some(server) = Server::start(&server, &[channel.as_ref()]) else { return };
    let mode = Mode::from_environment();
    let (files, bytes) = (SIZES.len(), SIZES.iter().sum::<usize>());
    let expected = format!("files={files} bytes={bytes} requests={CHUNKS} resent=0 skipped=0 mismatches=0");
    for (client, language) in [("checksum_client.c", Language::C), ("checksum_client.cpp", Language::Cpp)] {
        if !mode.platform().knows(language) {
            continue;
        }
        let Some(client) = compiled(client, language, directory.path()) else { return };
        let mut command = mode.bare_command(&client);
        let said = program::run(command.arg(&channel).arg(&tree), mode.watchdog()).unwrap();
        assert!(said.contains(&expected), "{said}");
    }
    server.end();
}

#[test]
fn the_epoll_server_serves_clients_that_know_its_name_and_ends_cleanly() {
    const CLIENTS: usize = 5;
    let mode = Mode::from_environment();
    let texts = if mode == Mode::Plain { 2000 } else { 100 };
    let directory = tempfile::tempdir().unwrap();
    let Some(program) = compiled("epoll_server.c", Language::C, directory.path()) else { return };
    let channel = Name::new("epoll");
    let Some(server) = Server::start(&program, &["server".as_ref(), channel.as_ref()]) else { return };
    thread::scope(|threads| {
        for _ in 0..CLIENTS {
            threads.spawn(|| {
                let mut command = mode.bare_command(&program);
                command.arg("client").arg(&channel).arg(texts.to_string());
                let said = program::run(&mut command, mode.watchdog()).unwrap();
                assert_eq!(said, format!("{texts} texts came back in capitals\n"));
            });
        }
    });
    assert_eq!(server.end(), format!("{} replies\n", CLIENTS * texts));
}

/// Runs an example that needs nothing else, and checks what it says.
fn says(name: &str, expected: &str) {
    let directory = tempfile::tempdir().unwrap();
    let Some(program) = compiled(name, Language::C, directory.path()) else { return };
    let mode = Mode::from_environment();
    if let Some(said) = found(program::run(&mut mode.bare_command(&program), mode.watchdog())) {
        assert_eq!(said, expected);
    }
}

#[test]
fn the_in_place_example_finds_every_sum_right() {
    says("in_place.c", "1024 KiB there and back in place: 131072 of 131072 sums right\n");
}

#[test]
fn the_pipeline_example_gets_every_answer_right() {
    says("pipeline.c", "2000 jobs, 2000 answers right\n");
}

#[test]
fn the_counter_example_adds_everything_up() {
    says("counter.c", "4 clients added up to 2002000, expected 2002000\n");
}

#[test]
fn rr_top_shows_a_channel_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let Some(program) = compiled("rr_top.c", Language::C, directory.path()) else { return };
    let command = || Mode::from_environment().bare_command(&program);
    top_scene::shows_what_a_channel_holds(command);
    assert!(top_scene::shows_what_happens(command).success());
    top_scene::takes_both_kinds_and_says_what_is_wrong(command);
}

#[test]
fn the_echo_service_replies_until_it_is_asked_to_end() {
    let directory = tempfile::tempdir().unwrap();
    let Some(program) = compiled("echo_service.c", Language::C, directory.path()) else { return };
    let channel = Name::new("echo");
    let Some(service) = Server::start(&program, &[channel.as_ref()]) else { return };
    let mode = Mode::from_environment();
    for text in ["hello", "", "hello again"] {
        let mut command = mode.bare_command(&program);
        let said = program::run(command.arg(&channel).arg(text), mode.watchdog()).unwrap();
        assert_eq!(said, format!("{text}\n"));
    }
    assert_eq!(service.end(), "3 replies; the handle was stopped\n");
}

#[test]
fn two_processes_that_call_each_other_back_get_all_their_replies() {
    let directory = tempfile::tempdir().unwrap();
    let Some(program) = compiled("two_way.c", Language::C, directory.path()) else { return };
    let mode = Mode::from_environment();
    let chains = if mode == Mode::Plain { 3000 } else { 50 };
    let mut command = mode.bare_command(&program);
    let said = program::run(command.arg(chains.to_string()), mode.watchdog()).unwrap();
    assert_eq!(said, format!("{} chains of 3 calls from each side: all came back\n", 2 * chains));
}
