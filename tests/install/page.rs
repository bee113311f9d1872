//! The commands of docs/INSTALL.md, all of them in their order, with what it and the README print in files.

use crate::prefix::{building, cargo_target, clean, root, run, tool};
use crate::support::command::command;
use crate::support::found;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// The blocks of a page in that language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let start = format!("```{language}\n");
    page.split(&start).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn the_commands_of_the_page_on_installing_work_as_printed() {
    let tools = ["cc", "cmake", "pkg-config", "dpkg-deb"];
    if !crate::is_full() || !tools.iter().all(|name| found(tool(name)).is_some()) {
        return;
    }
    // Where the sources are, and whatever the commands leave. Always in one place, so that cargo knows it again.
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir(&directory).unwrap();
    for entry in fs::read_dir(root()).unwrap() {
        let entry = entry.unwrap();
        if !["target", "build"].iter().any(|name| entry.file_name() == *name) {
            symlink(entry.path(), directory.join(entry.file_name())).unwrap();
        }
    }
    let channel = Channel(format!("shmrr-page-{}", std::process::id()));
    let read = |name: &str| fs::read_to_string(root().join(name)).unwrap();
    let (page, readme) = (read("docs/INSTALL.md"), read("README.md"));
    let programs = blocks(&readme, "c").into_iter().chain(blocks(&page, "cmake"));
    for text in programs {
        let name = text.trim_start_matches(['/', '#', ' ']).split([':', '\n']).next().unwrap();
        if ["server.c", "client.c", "CMakeLists.txt"].contains(&name) {
            let text = text.replace("\"capitals\"", &format!("\"{}\"", channel.0));
            fs::write(directory.join(name), text).unwrap();
        }
    }
    let script = blocks(&page, "sh").concat();
    for part in ["./install.sh", "pkg-config", "cmake --install", "packaging/deb.sh"] {
        assert!(script.contains(part), "{part}");
    }
    let home = |name: &str, below: &str| {
        let default = std::env::home_dir().unwrap().join(below);
        std::env::var_os(name).unwrap_or(default.into())
    };
    let script = format!("trap 'kill ${{server:-}} 2>/dev/null || :' EXIT\n{script}");
    let prefixes = tempfile::tempdir().unwrap();
    let _alone = building();
    let mut shell = clean(command("timeout"));
    shell.args(["600", "sh", "-eu", "-c", &script]).current_dir(directory).env("HOME", prefixes.path());
    shell.env("CARGO_HOME", home("CARGO_HOME", ".cargo")).env("RUSTUP_HOME", home("RUSTUP_HOME", ".rustup"));
    run(shell.env("CARGO_TARGET_DIR", cargo_target()));
}

/// The name of the programs' channel, which is removed when the test ends.
struct Channel(String);

impl Drop for Channel {
    fn drop(&mut self) {
        let _ = fs::remove_file(Path::new("/dev/shm").join(&self.0));
    }
}
