//! One scene for both forms of `top`, `c_examples/rr_top.c` and `examples/top.rs`, which show the same table.

use crate::channel::Name;
use shmrr::{Client, Error, Kind, Options, Server, Timeout};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

/// As long as no test takes: a `top` that nobody ends by then ends by itself.
const INTERVAL: &str = "20";
const TIMES: &str = "15000";

/// A table as it was printed.
struct Table(Vec<String>);

#[derive(Debug, PartialEq)]
struct Participant {
    role: String,
    pid: u32,
    alive: String,
    held: u32,
}

impl Table {
    /// What stands behind a word of the line about slots.
    fn figure(&self, name: &str) -> u32 {
        let line = self.0.iter().find(|line| line.starts_with("  slots ")).expect("a line about slots");
        let (_, rest) = line.split_once(name).unwrap_or_else(|| panic!("{name}: {line}"));
        rest.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// How often something happened, and how often in a second since the table before.
    fn counter(&self, name: &str) -> (u64, Option<f64>) {
        let rest = self.0.iter().find_map(|line| line.trim_start().strip_prefix(name));
        let rest = rest.unwrap_or_else(|| panic!("no {name}: {:?}", self.0));
        let (count, rate) = rest.trim().split_once(' ').unwrap();
        (count.parse().unwrap(), rate.trim().parse().ok())
    }

    fn participants(&self) -> Vec<Participant> {
        let rows = self.0.iter().skip_while(|line| !line.trim_start().starts_with("number ")).skip(1);
        let cells = rows.map(|line| line.split_whitespace().collect::<Vec<_>>());
        cells
            .map(|cells| Participant {
                role: cells[1].to_owned(),
                pid: cells[2].parse().unwrap(),
                alive: cells[3].to_owned(),
                held: cells[4].parse().unwrap(),
            })
            .collect()
    }

    fn finds(&self, role: &str, pid: u32) -> Option<Participant> {
        self.participants().into_iter().find(|found| found.role == role && found.pid == pid)
    }
}

/// A running `top`; killed and reaped when it is dropped.
struct Top {
    process: Child,
    lines: BufReader<ChildStdout>,
}

impl Top {
    fn start(mut command: Command, channel: &Name, arguments: &[&str]) -> Self {
        let channel: &OsStr = channel.as_ref();
        let spawned =
            command.arg(channel).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut process = spawned.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let lines = BufReader::new(process.stdout.take().unwrap());
        Self { process, lines }
    }

    fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The next table; an empty line after the participants ends it. None when there will be no more.
    fn table(&mut self) -> Option<Table> {
        let mut table = Vec::new();
        let mut in_participants = false;
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            let line = line.trim_end();
            if in_participants && line.is_empty() {
                return Some(Table(table));
            }
            in_participants |= line.trim_start().starts_with("number ");
            table.push(line.to_owned());
        }
    }

    /// The first of the tables to come that is so.
    fn until(&mut self, what: &str, mut is_so: impl FnMut(&Table) -> bool) -> Table {
        loop {
            let table = self.table().unwrap_or_else(|| panic!("ended before: {what}"));
            if is_so(&table) {
                return table;
            }
        }
    }

    fn signal(&self, signal: i32) {
        // SAFETY: the child is not reaped yet, so the number is its own.
        assert_eq!(unsafe { libc::kill(self.pid() as i32, signal) }, 0);
    }
}

impl Drop for Top {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn round_trip(server: &Server, client: &Client) {
    let id = client.send(b"12345").unwrap();
    let mut buffer = [0; 8];
    let request = server.recv(&mut buffer).unwrap();
    server.reply(request.id, b"123").unwrap();
    assert_eq!(client.get(id, &mut buffer), Ok(3));
}

fn late_reply(server: &Server, client: &Client) {
    let id = client.send(b"12345").unwrap();
    let request = server.recv(&mut [0; 8]).unwrap();
    client.cancel(id).unwrap();
    assert_eq!(server.reply(request.id, b"123"), Err(Error::Stale));
}

/// Of four requests one is done with, one is taken and two are queued, before a message.
fn open(name: &Name) -> (Server, Client) {
    let server = Options::new().slots(8).server(name).unwrap();
    let client = Options::new().client(name).unwrap();
    round_trip(&server, &client);
    for _ in 0..3 {
        client.send(b"12345").unwrap();
    }
    client.post(b"1", Timeout::NOW).unwrap();
    server.recv(&mut [0; 8]).unwrap();
    (server, client)
}

/// `top` is to attach to a channel and show it twice.
pub fn shows_what_a_channel_holds(top: impl Fn() -> Command) {
    let name = Name::new("top");
    let (_server, _client) = open(&name);
    let mut top = Top::start(top(), &name, &["10", "2"]);
    for shown in 0..2 {
        let table = top.table().expect("two tables");
        assert!(table.0[0].ends_with(": bytes, 4096 and 4096 bytes at most"), "{}", table.0[0]);
        assert_eq!(
            ["slots", "queued", "in flight", "free"].map(|figure| table.figure(figure)),
            [8, 3, 4, 4],
            "{:?}",
            table.0
        );
        let rate = (shown > 0).then_some(0.0);
        let counts = [
            ("requests", 4),
            ("replies", 1),
            ("posts", 1),
            ("request bytes", 21),
            ("reply bytes", 3),
            ("cancels", 0),
            ("timeouts", 0),
            ("stale replies", 0),
            ("full", 0),
            ("recoveries", 0),
            ("sleeps", 0),
            ("errors", 0),
        ];
        for (counter, count) in counts {
            assert_eq!(table.counter(counter), (count, rate), "{counter}");
        }
        let is = |role: &str, pid: u32, held: u32| Participant {
            role: role.to_owned(),
            pid,
            alive: "yes".to_owned(),
            held,
        };
        let mut found = table.participants();
        found.sort_by_key(|participant| std::cmp::Reverse(participant.held));
        let own = std::process::id();
        assert_eq!(found, [is("client", own, 3), is("server", own, 1), is("client", top.pid(), 0)]);
    }
    assert!(top.table().is_none());
    assert!(top.process.wait().unwrap().success());
}

/// `top` is to show what happens from one table to the next, until it is interrupted; how it ended is returned.
pub fn shows_what_happens(top: impl Fn() -> Command) -> ExitStatus {
    let name = Name::new("top");
    let server = Options::new().server(&name).unwrap();
    let client = Options::new().client(&name).unwrap();
    let mut watching = Top::start(top(), &name, &[INTERVAL, TIMES]);
    let mut made = 0;
    let mut was_seen = [false; 3];
    watching.until("rates of what happens", |table| {
        assert!(table.counter("requests").0 <= made, "{made}: {:?}", table.0);
        for (was_seen, counter) in was_seen.iter_mut().zip(["requests", "replies", "errors"]) {
            *was_seen |= table.counter(counter).1 > Some(0.0);
        }
        round_trip(&server, &client);
        late_reply(&server, &client);
        made += 2;
        was_seen == [true; 3]
    });

    let mut other = Top::start(top(), &name, &[INTERVAL, TIMES]);
    other.table().expect("a table");
    let pid = other.pid();
    watching.until("another client", |table| {
        table.finds("client", pid).is_some_and(|other| other.alive == "yes")
    });
    other.signal(libc::SIGKILL);
    other.process.wait().unwrap();
    watching
        .until("a dead client", |table| table.finds("client", pid).is_some_and(|other| other.alive == "no"));
    assert_eq!(client.channel().recover(), Ok(1));
    watching.until("no dead client", |table| {
        table.finds("client", pid).is_none() && table.counter("recoveries").0 == 1
    });

    watching.signal(libc::SIGINT);
    while watching.table().is_some() {}
    watching.process.wait().unwrap()
}

/// `top` is to attach to whatever channel there is, and to say what it can't do.
pub fn takes_both_kinds_and_says_what_is_wrong(top: impl Fn() -> Command) {
    let (integers, missing) = (Name::new("top"), Name::new("top"));
    let _server = Options::new().kind(Kind::Int).slots(2).server(&integers).unwrap();
    let table = Top::start(top(), &integers, &["1", "1"]).table().expect("a table");
    assert!(table.0[0].ends_with(": integers, 8 and 8 bytes at most"), "{}", table.0[0]);
    assert_eq!(table.figure("slots"), 2);

    let channel: &OsStr = missing.as_ref();
    let output = top().arg(channel).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(channel.to_str().unwrap()) && said.contains("No such file"), "{said}");
    assert!(output.stdout.is_empty());
    for wrong in [&["0"][..], &["1", "0"], &["x"], &["1", "1", "1"]] {
        assert_eq!(top().arg(channel).args(wrong).output().unwrap().status.code(), Some(2), "{wrong:?}");
    }
    assert_eq!(top().output().unwrap().status.code(), Some(2));
}
