//! Who is started when, and what is done about each event.
//!
//! ```text
//! build -> channel -> servers -> all serve -> clients -> all done -> servers end -> report
//! ```
//!
//! A server that ends before its time is replaced. Whatever ends the demo early, the destructors do the rest: the
//! processes first, then the channel's name, then the temporary directory.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use shmrr::{Options, Server};

use crate::client::CHUNK_MAX;
use crate::failure::Failure;
use crate::process::{self, Event, LOOK_EVERY, Process, What};
use crate::programs::{self, Programs};
use crate::report::{Report, Row, megabytes};
use crate::screen::Screen;
use crate::signals;
use crate::tally::{Line, Tally};

const SERVERS: usize = 2;

/// How long the servers may take to end when asked.
const SERVERS_END_WITHIN: Duration = Duration::from_secs(5);

/// Runs the demo on the tree: whether every client succeeded and all agree.
pub(crate) fn run(tree: &Path) -> Result<bool, Failure> {
    if !tree.is_dir() {
        return Err(Failure::Said(format!("{}: not a directory", tree.display())));
    }
    let mut screen = Screen::new();
    let directory = tempfile::Builder::new().prefix("shmrr-demo-").tempdir()?;
    screen.line(&"building the library and the C programs")?;
    let programs = programs::build(directory.path())?;

    // The directory's random name is as good for the channel.
    let name = directory.path().file_name().unwrap_or_default().to_string_lossy();
    let _channel = Channel::create(&name)?;
    screen.line(&format_args!("channel   /dev/shm/{name}"))?;

    let (sender, events) = mpsc::channel();
    let mut demo = Demo {
        tree,
        programs,
        name: &name,
        screen,
        sender,
        events,
        clients: Vec::new(),
        servers: Vec::new(),
        started: Instant::now(),
    };
    demo.serve_until_done()?;
    let took = demo.started.elapsed();
    let servers_ended = demo.end_servers()?;
    let report = demo.report(took);
    demo.screen.line(&report)?;
    Ok(servers_ended && report.is_good())
}

/// The channel: made here, so that no server needs to be the first; its name is gone when this is dropped.
struct Channel(Server);

impl Channel {
    fn create(name: &str) -> Result<Self, Failure> {
        Ok(Self(Options::new().request_max(CHUNK_MAX as u64).exclusive(true).server(name)?))
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        let _ = self.0.channel().unlink();
    }
}

struct ServerProcess {
    process: Process,
    serves: bool,
    ended: bool,
}

struct ClientProcess {
    name: &'static str,
    process: Process,
    tally: Tally,
    done: bool,
    ended: Option<bool>,
}

struct Demo<'a> {
    tree: &'a Path,
    programs: Programs,
    name: &'a str,
    screen: Screen,
    sender: Sender<Event>,
    events: Receiver<Event>,
    clients: Vec<ClientProcess>,
    servers: Vec<ServerProcess>,
    started: Instant,
}

impl Demo<'_> {
    fn serve_until_done(&mut self) -> Result<(), Failure> {
        for _ in 0..SERVERS {
            let server = self.start_server()?;
            self.servers.push(server);
        }
        loop {
            signals::check()?;
            if let Ok(event) = self.events.recv_timeout(LOOK_EVERY) {
                self.handle(event)?;
            }
            if self.clients.is_empty() && self.servers.iter().all(|server| server.serves) {
                self.start_clients()?;
            }
            if !self.clients.is_empty() {
                if self.clients.iter().all(|client| client.ended.is_some()) {
                    return Ok(());
                }
                self.show_status()?;
            }
        }
    }

    fn handle(&mut self, event: Event) -> Result<(), Failure> {
        if let Some(number) = self.servers.iter().position(|server| server.process.pid() == event.pid) {
            return self.handle_server(number, event.what);
        }
        if let Some(number) = self.clients.iter().position(|client| client.process.pid() == event.pid) {
            return self.handle_client(number, event.what);
        }
        Ok(())
    }

    fn handle_server(&mut self, number: usize, what: What) -> Result<(), Failure> {
        let server = &mut self.servers[number];
        let (label, pid) = (number + 1, server.process.pid());
        match what {
            What::Out(line) if !server.serves && line.starts_with("serving ") => {
                server.serves = true;
                self.screen.line(&format_args!("server {label}  pid {pid}"))?;
            }
            What::Out(line) => self.screen.line(&format_args!("server {label}: {line}"))?,
            What::Err(line) => self.screen.message(&format_args!("server {label}: {line}"))?,
            What::Closed => {
                let status = server.process.wait()?;
                let end = process::said(status);
                if status.code().is_some_and(|code| code != 0) {
                    return Err(Failure::Said(format!("server {label} (pid {pid}) {end}")));
                }
                self.screen.message(&format_args!("server {label} (pid {pid}) {end}; starting another"))?;
                self.servers[number] = self.start_server()?;
            }
        }
        Ok(())
    }

    fn handle_client(&mut self, number: usize, what: What) -> Result<(), Failure> {
        let client = &mut self.clients[number];
        let name = client.name;
        match what {
            What::Out(line) => match Line::parse(&line) {
                Some(Line::Progress(tally)) => client.tally = tally,
                Some(Line::Done(tally)) => {
                    client.tally = tally;
                    client.done = true;
                }
                None => self.screen.line(&format_args!("{name}: {line}"))?,
            },
            What::Err(line) => self.screen.message(&format_args!("{name}: {line}"))?,
            What::Closed => {
                let status = client.process.wait()?;
                client.ended = Some(status.success());
                if !status.success() {
                    self.screen.message(&format_args!("{name}: the client {}", process::said(status)))?;
                }
            }
        }
        Ok(())
    }

    fn start_server(&self) -> Result<ServerProcess, Failure> {
        let mut command = Command::new(&self.programs.server);
        let process = Process::start(command.arg(self.name), &self.sender)?;
        Ok(ServerProcess { process, serves: false, ended: false })
    }

    fn start_clients(&mut self) -> Result<(), Failure> {
        // This program, even if a build has replaced its file since it began.
        let mut rust = Command::new("/proc/self/exe");
        rust.arg0("demo").arg("--client");
        let commands = [
            ("C", Command::new(&self.programs.c_client)),
            ("C++", Command::new(&self.programs.cpp_client)),
            ("Rust", rust),
        ];
        self.started = Instant::now();
        for (name, mut command) in commands {
            let process = Process::start(command.arg(self.name).arg(self.tree), &self.sender)?;
            self.screen.line(&format_args!("{name:<8}  pid {}", process.pid()))?;
            self.clients.push(ClientProcess {
                name,
                process,
                tally: Tally::default(),
                done: false,
                ended: None,
            });
        }
        self.screen.line(&format_args!(
            "all walk {}; a server may be killed: kill -9 its pid",
            self.tree.display()
        ))?;
        Ok(())
    }

    fn show_status(&mut self) -> Result<(), Failure> {
        let mut text = format!("{:5.1} s", self.started.elapsed().as_secs_f64());
        for client in &self.clients {
            text += &format!("   {} {} MB", client.name, megabytes(client.tally.bytes));
        }
        Ok(self.screen.status(&text)?)
    }

    /// Ends the servers: whether each did as it was asked.
    fn end_servers(&mut self) -> Result<bool, Failure> {
        let mut all_well = true;
        for server in &self.servers {
            server.process.terminate();
        }
        let deadline = Instant::now() + SERVERS_END_WITHIN;
        while self.servers.iter().any(|server| !server.ended) {
            signals::check()?;
            if Instant::now() > deadline {
                return Err(Failure::Said("a server does not end when asked".into()));
            }
            let Ok(Event { pid, what }) = self.events.recv_timeout(LOOK_EVERY) else { continue };
            let Some(number) = self.servers.iter().position(|server| server.process.pid() == pid) else {
                continue;
            };
            if let What::Closed = what {
                let status = self.servers[number].process.wait()?;
                self.servers[number].ended = true;
                // One that a signal ended was too young to catch it, or somebody killed it now.
                all_well &= status.code().is_none_or(|code| code == 0);
            } else {
                self.handle_server(number, what)?;
            }
        }
        Ok(all_well)
    }

    fn report(&self, took: Duration) -> Report {
        let row = |client: &ClientProcess| Row {
            client: client.name,
            tally: client.done.then_some(client.tally),
            succeeded: client.ended == Some(true),
        };
        Report { rows: self.clients.iter().map(row).collect(), took }
    }
}

impl Drop for Demo<'_> {
    /// Asks all of them at once, so that they end side by side when each is waited for.
    fn drop(&mut self) {
        for client in &self.clients {
            client.process.terminate();
        }
        for server in &self.servers {
            server.process.terminate();
        }
    }
}
