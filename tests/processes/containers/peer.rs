//! A process that is both: it holds a server's and a client's handle on one channel, and does what it is told in lines.
//!
//! | order | what it does | answer |
//! |---|---|---|
//! | `send TEXT` | sends a request | `ok`, or the error's name |
//! | `take` | takes a request, to be held | its text |
//! | `reply TEXT` | replies to the one held longest | `ok`, or the error's name |
//! | `collect MS` | waits so long for the reply to the oldest request sent | its text, or the error's name |
//! | `request N` | makes N round trips | `ok` |
//! | `serve N` | echoes N requests | `ok` |
//! | `recover N` | recovers N times | how many participants it recovered from |
//! | `exec` | becomes a shell and then cat(1) | `cat` |
//! | `start` | starts such a shell, which shares its input and output | `cat` |

use super::contained;
use crate::child::command::command;
use crate::child::{self, Child};
use crate::forked::Wire;
use shmrr::{Channel, Client, Error, Options, Server};
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::time::Duration;

pub const SLOTS: u32 = 8;
/// In this much time somebody who waits hears of a death, on a machine that others use, too; promised are 200 ms, which
/// `tests/c/death.c` sees to.
pub const HEARD: &str = "collect 20000";
/// For what is on its way.
pub const SOON: &str = "collect 60000";
const LONG: Duration = Duration::from_secs(60);
const LONGEST: usize = 64;

pub fn options() -> Options {
    Options::new().slots(SLOTS).participants(16).request_max(LONGEST as u64).response_max(LONGEST as u64)
}

pub struct Peer {
    pub server: Server,
    pub client: Client,
    sent: VecDeque<shmrr::RequestId>,
    taken: VecDeque<shmrr::RequestId>,
}

impl Peer {
    /// Creates the channel, or attaches to it.
    pub fn open(path: &Path, options: &Options) -> Self {
        let server = options.server(path).unwrap();
        let client = options.client(path).unwrap();
        Self { server, client, sent: VecDeque::new(), taken: VecDeque::new() }
    }

    pub fn channel(&self) -> &Channel {
        self.server.channel()
    }

    pub fn obey(&mut self, order: &str) -> String {
        let (verb, object) = order.split_once(' ').unwrap_or((order, ""));
        let number = || object.parse::<u32>().unwrap();
        let done = match verb {
            "send" => self.client.send(object.as_bytes()).map(|id| self.sent.push_back(id)),
            "take" => return self.take().unwrap_or_else(name),
            "reply" => self.server.reply(self.taken.pop_front().unwrap(), object.as_bytes()),
            "collect" => return self.collect(Duration::from_millis(number().into())).unwrap_or_else(name),
            "request" => (0..number()).try_for_each(|k| self.request(&format!("request {k}"))),
            "serve" => (0..number()).try_for_each(|_| self.serve()),
            "recover" => {
                return (0..number()).map(|_| self.channel().recover().unwrap()).sum::<u32>().to_string();
            }
            _ => panic!("no order {order}"),
        };
        done.map_or_else(name, |()| "ok".to_owned())
    }

    fn take(&mut self) -> shmrr::Result<String> {
        let mut buffer = [0; LONGEST];
        let request = self.server.recv_wait(&mut buffer, LONG)?;
        self.taken.push_back(request.id);
        Ok(String::from_utf8_lossy(&buffer[..request.length]).into_owned())
    }

    fn collect(&mut self, timeout: Duration) -> shmrr::Result<String> {
        let mut buffer = [0; LONGEST];
        let id = *self.sent.front().unwrap();
        let collected = self.client.get_wait(id, &mut buffer, timeout);
        if collected != Err(Error::TimedOut) {
            self.sent.pop_front();
        }
        Ok(String::from_utf8_lossy(&buffer[..collected?]).into_owned())
    }

    fn request(&self, text: &str) -> shmrr::Result<()> {
        let mut buffer = [0; LONGEST];
        let length = self.client.req(text.as_bytes(), &mut buffer, LONG)?;
        assert_eq!(&buffer[..length], text.as_bytes());
        Ok(())
    }

    fn serve(&mut self) -> shmrr::Result<()> {
        let text = self.take()?;
        self.server.reply(self.taken.pop_back().unwrap(), text.as_bytes())
    }

    /// Withdraws the oldest request sent.
    pub fn give_up(&mut self) {
        self.client.cancel(self.sent.pop_front().unwrap()).unwrap();
    }

    /// A round trip through its own two handles.
    pub fn assert_works(&mut self) {
        for (order, answer) in [("send self", "ok"), ("take", "self"), ("reply done", "ok"), (SOON, "done")] {
            assert_eq!(self.obey(order), answer, "{order}");
        }
    }

    /// Nothing is in flight, and attached are only so many.
    pub fn assert_clean(&self, participants: u32) {
        let stats = self.channel().stats();
        assert_eq!((stats.in_flight, stats.queued, stats.free), (0, 0, SLOTS), "{stats:?}");
        assert_eq!(stats.participants, participants, "{stats:?}");
    }

    /// In a forked child that inherited the handles.
    pub fn obey_wire(&mut self, wire: &mut Wire) {
        loop {
            let order = wire.hear();
            if order.is_empty() {
                return;
            }
            let answer = self.obey(&order);
            wire.say(&answer);
        }
    }
}

fn name(error: Error) -> String {
    format!("{error:?}")
}

/// In a child: opens the channel and does what its parent says.
pub fn obey_parent() {
    let mut peer = Peer::open(&contained::path(), &options());
    child::say(&format!("ready as {}", std::process::id()));
    while let Some(order) = child::listen() {
        let mut cat = command("sh");
        cat.args(["-c", "echo '@ cat'; exec cat"]);
        match order.as_str() {
            "exec" => panic!("sh: {}", cat.exec()),
            "start" => drop(cat.status().unwrap()),
            _ => child::say(&peer.obey(&order)),
        }
    }
}

/// A peer in a child process.
pub fn spawn(path: &impl AsRef<OsStr>) -> Child {
    let mut child = Child::spawn("containers::peer", &[("NAME", path.as_ref())]);
    assert_eq!(child.hear(), format!("ready as {}", child.pid()));
    child
}

pub fn ask(child: &mut Child, order: &str) -> String {
    child.tell(order);
    child.hear()
}
