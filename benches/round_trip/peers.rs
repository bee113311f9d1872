//! The channel under measurement: an echo server in a process of its own, and the two ways this process calls it, one
//! request at a time and a window of them in flight.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use shmrr::{Client, Options, Timeout};

use crate::machine::{Child, Cpus};
use crate::rounds::Trips;

/// Bytes each way.
pub const PAYLOAD: usize = 12;
/// Requests in flight in the pipelined measurement.
pub const WINDOW: usize = 32;
/// No request takes this long: then the server is gone.
const PATIENCE: Duration = Duration::from_secs(10);
/// A server that has had nothing to do for this long has stopped polling.
const QUIET: Duration = Duration::from_millis(2);

/// How both sides of a channel wait.
#[derive(Clone, Copy)]
pub enum Waiting {
    /// As the library does by itself: polling first.
    Automatic,
    /// On the futex at once.
    Asleep,
}

/// A channel with its server. It has no name, so nothing of it can be left behind.
pub struct Channel {
    client: Client,
    waiting: Waiting,
    _server: Child,
}

impl Channel {
    pub fn start(cpus: Option<Cpus>, waiting: Waiting) -> Self {
        let region = options(waiting).anonymous().expect("create");
        let server =
            Child::start(cpus.map(|cpus| cpus.server), || echo(region.channel().fd().unwrap(), waiting));
        let client = options(waiting).client_from_server(&region).expect("attach");
        Self { client, waiting, _server: server }
    }

    pub fn one_at_a_time(&self) -> OneAtATime<'_> {
        OneAtATime { channel: self }
    }

    pub fn pipelined(&self) -> Pipelined<'_> {
        Pipelined { channel: self, ids: [shmrr::RequestId::NONE; WINDOW], oldest: 0 }
    }

    fn collect(&self, id: shmrr::RequestId) {
        let mut reply = [0; PAYLOAD];
        let length = self.client.get_wait(id, &mut reply, PATIENCE).expect("get_wait");
        assert_eq!(length, PAYLOAD);
    }

    fn send(&self) -> shmrr::RequestId {
        self.client.send(&[7; PAYLOAD]).expect("send")
    }

    fn warm_up(&self) -> u32 {
        match self.waiting {
            Waiting::Automatic => 2000,
            Waiting::Asleep => 3,
        }
    }

    fn cool_down(&self) {
        if let Waiting::Automatic = self.waiting {
            std::thread::sleep(QUIET);
        }
    }
}

fn options(waiting: Waiting) -> Options {
    let spin = match waiting {
        Waiting::Automatic => None,
        Waiting::Asleep => Some(Duration::ZERO),
    };
    Options::new().slots(64).request_max(4096).response_max(4096).spin(spin)
}

fn echo(region: BorrowedFd<'_>, waiting: Waiting) {
    let server = options(waiting).server_from_fd(region).expect("attach");
    let mut payload = [0; 64];
    loop {
        let request = server.recv_wait(&mut payload, Timeout::FOREVER).expect("recv_wait");
        server.reply(request.id, &payload[..request.length]).expect("reply");
    }
}

/// Each trip is one request and its reply.
pub struct OneAtATime<'a> {
    channel: &'a Channel,
}

impl Trips for OneAtATime<'_> {
    fn warm_up(&self) -> u32 {
        self.channel.warm_up()
    }

    #[inline]
    fn trip(&mut self) {
        let mut reply = [0; PAYLOAD];
        let client = &self.channel.client;
        let length = client.req(&[7; PAYLOAD], &mut reply, PATIENCE).expect("req");
        assert_eq!(length, PAYLOAD);
    }

    fn end(&mut self) {
        self.channel.cool_down();
    }
}

/// Each trip collects the oldest of the window's replies and sends a new request in its place.
pub struct Pipelined<'a> {
    channel: &'a Channel,
    ids: [shmrr::RequestId; WINDOW],
    oldest: usize,
}

impl Trips for Pipelined<'_> {
    fn warm_up(&self) -> u32 {
        self.channel.warm_up()
    }

    fn begin(&mut self) {
        self.ids = std::array::from_fn(|_| self.channel.send());
        self.oldest = 0;
    }

    #[inline]
    fn trip(&mut self) {
        let id = &mut self.ids[self.oldest];
        self.channel.collect(*id);
        *id = self.channel.send();
        self.oldest = (self.oldest + 1) % WINDOW;
    }

    fn end(&mut self) {
        let (newer, older) = self.ids.split_at(self.oldest);
        older.iter().chain(newer).for_each(|&id| self.channel.collect(id));
        self.channel.cool_down();
    }
}
