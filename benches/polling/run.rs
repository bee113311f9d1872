//! One run: processes that call each other for a while, and how often they did.

use crate::machine::{Child, Cpus, Line, pipe, shared_lines};
use crate::scenes::Scene;
use shmrr::{Error, Options, Server, Timeout};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

const CLIENTS_MAX: usize = 16;
/// Bytes each way.
const PAYLOAD: usize = 12;

/// How both sides wait.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// As the library does by itself: polling first, where that pays.
    Automatic,
    /// On the futex at once.
    Asleep,
    /// Not by the library: for bytes of a pipe.
    Pipe,
}

impl Waiting {
    pub fn name(self) -> &'static str {
        match self {
            Self::Automatic => "by itself",
            Self::Asleep => "asleep",
            Self::Pipe => "pipe",
        }
    }
}

/// The processes of a run; they end with it.
pub struct Run {
    /// One for each client.
    done: &'static [Line; CLIENTS_MAX],
    _children: Vec<Child>,
}

impl Run {
    pub fn start(scene: &Scene, waiting: Waiting) -> Self {
        let done = shared_lines();
        let cpu = scene.pinned.then(|| Cpus::allowed().map_or(0, |cpus| cpus.client));
        let mut children: Vec<Child> = (0..scene.busy).map(|_| Child::start(None, be_busy)).collect();
        if waiting == Waiting::Pipe {
            let ((theirs, mine), (back, answers)) = (pipe(), pipe());
            children.push(Child::start(cpu, || echo_bytes(&theirs, &answers)));
            children.push(Child::start(cpu, || send_bytes(&mine, &back, &done[0])));
            return Self { done, _children: children };
        }
        let spin = (waiting == Waiting::Asleep).then_some(Duration::ZERO);
        let options = || Options::new().spin(spin);
        let region = options().anonymous().expect("create");
        let fd = region.channel().fd().expect("descriptor");
        for _ in 0..scene.servers {
            let server = || options().server_from_fd(fd).expect("attach");
            children.push(Child::start(cpu, || echo(&server())));
        }
        for line in &done[..scene.clients] {
            children.push(Child::start(cpu, || ask(&options(), fd, line)));
        }
        Self { done, _children: children }
    }

    /// Round trips a second, all clients together.
    pub fn rate(&self, slice: Duration) -> f64 {
        std::thread::sleep(slice / 10);
        let (before, begun) = (self.count(), Instant::now());
        std::thread::sleep(slice);
        // The count of a client wraps, and so does the difference.
        let done: u64 =
            self.count().iter().zip(before).map(|(now, then)| u64::from(now.wrapping_sub(then))).sum();
        done as f64 / begun.elapsed().as_secs_f64()
    }

    fn count(&self) -> [u32; CLIENTS_MAX] {
        std::array::from_fn(|client| self.done[client].0.load(Relaxed))
    }
}

fn be_busy() {
    loop {
        std::hint::black_box(0);
    }
}

fn echo(server: &Server) {
    let mut payload = [0; PAYLOAD];
    loop {
        let request = server.recv_wait(&mut payload, Timeout::FOREVER).expect("recv_wait");
        // A client that is killed with its run gives up.
        let _ = server.reply(request.id, &payload[..request.length]);
    }
}

fn ask(options: &Options, region: impl AsFd, done: &Line) {
    let client = options.client_from_fd(region).expect("attach");
    let mut reply = [0; PAYLOAD];
    loop {
        match client.req(&[7; PAYLOAD], &mut reply, Timeout::FOREVER) {
            Ok(_) => count_one(done),
            // The run is over: servers are killed before clients.
            Err(Error::OwnerDead) => {}
            Err(error) => panic!("req: {error}"),
        }
    }
}

fn count_one(done: &Line) {
    done.0.store(done.0.load(Relaxed).wrapping_add(1), Relaxed);
}

fn echo_bytes(mut from: &File, mut to: &File) {
    let mut payload = [0; PAYLOAD];
    while from.read_exact(&mut payload).is_ok() && to.write_all(&payload).is_ok() {}
}

fn send_bytes(mut to: &File, mut from: &File, done: &Line) {
    let mut payload = [0; PAYLOAD];
    while to.write_all(&payload).is_ok() && from.read_exact(&mut payload).is_ok() {
        count_one(done);
    }
}
