//! The C and C++ examples by themselves, without the demo: a server and two clients over a small tree, plain, under
//! valgrind or with sanitizers as `SHMRR_C_TESTS` says. Every program ends with status 0 and leaves nothing behind.

#[path = "support/channel.rs"]
mod channel;
mod support;

use channel::Name;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use support::compiler::{self, Language, Linkage};
use support::mode::Mode;
use support::{found, program};

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
    fn start(program: &Path, channel: &Name) -> Option<Self> {
        // The mode's last argument is for the programs of `tests/c/`.
        let mode = Mode::from_environment();
        let mut command = mode.bare_command(program);
        let spawned = command.arg(channel).stdout(Stdio::piped()).spawn();
        let mut server = Self(found(spawned)?);
        let mut first = String::new();
        BufReader::new(server.0.stdout.as_mut().unwrap()).read_line(&mut first).unwrap();
        assert!(first.starts_with("serving "), "{first}");
        Some(server)
    }

    fn end(mut self) {
        // SAFETY: the child is not reaped yet, so the number is its own.
        unsafe { libc::kill(self.0.id() as i32, libc::SIGTERM) };
        assert!(self.0.wait().unwrap().success());
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
    let Some(c) = compiled("checksum_client.c", Language::C, directory.path()) else { return };
    let Some(cpp) = compiled("checksum_client.cpp", Language::Cpp, directory.path()) else { return };
    let channel = Name::new("examples");
    let Some(server) = Server::start(&server, &channel) else { return };
    let mode = Mode::from_environment();
    let (files, bytes) = (SIZES.len(), SIZES.iter().sum::<usize>());
    let expected = format!("files={files} bytes={bytes} requests={CHUNKS} resent=0 skipped=0 mismatches=0");
    for client in [c, cpp] {
        let mut command = mode.bare_command(&client);
        let said = program::run(command.arg(&channel).arg(&tree), mode.watchdog()).unwrap();
        assert!(said.contains(&expected), "{said}");
    }
    server.end();
}
