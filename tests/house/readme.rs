//! The C programs that the README prints compile as printed and do what it says.

use crate::support::command::command;
use crate::support::compiler::{self, Language, Linkage};
use crate::support::found;
use crate::support::mode::Mode;
use std::path::{Path, PathBuf};
use std::process::{Child, Output};
use std::time::{Duration, Instant};

/// The channel that both programs name.
const CHANNEL: &str = "/dev/shm/capitals";
const PATIENCE: Duration = Duration::from_secs(60);

/// The text of the README's C program of that file name, and how many lines it has.
fn program(name: &str) -> (String, usize) {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let mut blocks = readme.split("```c\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let text = blocks.find(|block| block.starts_with(&format!("// {name}:"))).expect("printed in the README");
    (text.to_owned(), text.lines().count())
}

fn compiled(name: &str, directory: &Path) -> Option<PathBuf> {
    let (text, lines) = program(name);
    assert!(lines <= 25, "{name} has {lines} lines");
    let source = directory.join(name);
    std::fs::write(&source, text).unwrap();
    found(compiler::compile(&source, Language::C, Linkage::Shared, Mode::Plain, directory))
}

/// A server that is killed, and its channel removed, when the test ends.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        let _ = std::fs::remove_file(CHANNEL);
    }
}

#[test]
fn the_programs_of_the_readme_work_as_printed() {
    let directory = tempfile::tempdir().unwrap();
    let Some(server) = compiled("server.c", directory.path()) else { return };
    let Some(client) = compiled("client.c", directory.path()) else { return };
    let _server = Server(command(server).spawn().unwrap());
    let output = call_when_there(&client);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "SHARED MEMORY\n", "{output:?}");
}

/// The client as printed does not wait for the channel to appear, so it is run until it is there.
fn call_when_there(client: &Path) -> Output {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let output = command(client).arg("shared memory").output().unwrap();
        if output.status.success() || Instant::now() > deadline {
            return output;
        }
    }
}
