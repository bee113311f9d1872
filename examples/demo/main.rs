//! The demo: two servers in C and three clients, in C, C++ and Rust, on one channel.
//!
//! ```text
//! cargo run --release --example demo [-- PATH]
//! ```
//!
//! builds the library and the C programs of `c_examples/`, lets every client walk PATH (`/usr/include` if none is
//! given), send each file in chunks and compare each checksum that comes back with its own, and ends with a table.
//! While it runs, `kill -9` a server: its request fails over, another server takes its place, the totals stay right.
//!
//! | file | what |
//! |---|---|
//! | `programs` | builds the library and compiles the C and C++ programs |
//! | `process` | a child process, its lines of output, its end |
//! | `signals` | what SIGINT, SIGTERM and SIGHUP do |
//! | `run` | who is started when, and what is done about each event |
//! | `client` | the Rust client: this program again, with `--client CHANNEL DIRECTORY` |
//! | `tally` | a client's totals, and their form on its standard output |
//! | `screen`, `report` | what is shown meanwhile and at the end |
//!
//! Exit status: 0 every client succeeded and all agree; 1 not so; 2 wrong usage; 128 + N ended by signal N.
//! `--build DIRECTORY` only builds the programs and leaves them there.

mod client;
mod failure;
mod process;
mod programs;
mod report;
mod run;
mod screen;
mod signals;
mod tally;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use failure::Failure;

const DEFAULT_TREE: &str = "/usr/include";
const USAGE: &str =
    "usage: demo [PATH]\n       demo --build DIRECTORY\n       demo --client CHANNEL DIRECTORY";

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    signals::install();
    match dispatch(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            screen::to_stderr(&failure);
            failure.exit_code()
        }
    }
}

/// Whether everything went well.
fn dispatch(arguments: &[OsString]) -> Result<bool, Failure> {
    match arguments {
        [] => run::run(Path::new(DEFAULT_TREE)),
        [option, channel, directory] if option == "--client" => {
            let channel =
                channel.to_str().ok_or_else(|| Failure::Said("the channel's name is not UTF-8".into()))?;
            client::run(channel, Path::new(directory))
        }
        [option, directory] if option == "--build" => programs::build(Path::new(directory)).map(|_| true),
        [tree] if !tree.as_encoded_bytes().starts_with(b"-") => run::run(Path::new(tree)),
        _ => Err(Failure::Usage),
    }
}
