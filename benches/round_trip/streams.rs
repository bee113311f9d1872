//! What programs use today to call each other: as many bytes there and back through the kernel, both sides sleeping.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use crate::machine::{Child, Cpus, pipe};
use crate::peers::PAYLOAD;
use crate::rounds::Trips;

/// The near ends; the far ones are with a process that sends back what it gets.
pub struct Stream {
    pub name: &'static str,
    to: File,
    from: File,
    _child: Child,
}

impl Stream {
    pub fn all(cpus: Option<Cpus>) -> [Self; 3] {
        [Self::pipes(cpus), Self::unix_socket(cpus), Self::tcp(cpus)]
    }

    fn pipes(cpus: Option<Cpus>) -> Self {
        let ((theirs, to), (from, answers)) = (pipe(), pipe());
        Self::start("two pipes", to, from, cpus, move || (theirs, answers))
    }

    fn unix_socket(cpus: Option<Cpus>) -> Self {
        let (near, far) = UnixStream::pair().expect("socketpair");
        let (to, from) = both_ways(near);
        Self::start("Unix socket", to, from, cpus, move || both_ways(far))
    }

    fn tcp(cpus: Option<Cpus>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
        let far = TcpStream::connect(listener.local_addr().expect("an address")).expect("connect");
        let (near, _) = listener.accept().expect("accept");
        [&near, &far].into_iter().for_each(|end| end.set_nodelay(true).expect("TCP_NODELAY"));
        let (to, from) = both_ways(near);
        Self::start("TCP, loopback", to, from, cpus, move || both_ways(far))
    }

    fn start(
        name: &'static str,
        to: File,
        from: File,
        cpus: Option<Cpus>,
        far_ends: impl FnOnce() -> (File, File),
    ) -> Self {
        let echo = || {
            let (mut from, mut to) = far_ends();
            let mut payload = [0; PAYLOAD];
            while pass(&mut from, &mut to, &mut payload).is_ok() {}
        };
        Self { name, to, from, _child: Child::start(cpus.map(|cpus| cpus.server), echo) }
    }
}

fn both_ways(socket: impl Into<OwnedFd>) -> (File, File) {
    let end = File::from(socket.into());
    let other = end.try_clone().expect("dup");
    (end, other)
}

fn pass(from: &mut File, to: &mut File, payload: &mut [u8; PAYLOAD]) -> io::Result<()> {
    from.read_exact(payload)?;
    to.write_all(payload)
}

impl Trips for Stream {
    fn warm_up(&self) -> u32 {
        3
    }

    #[inline]
    fn trip(&mut self) {
        let mut reply = [0; PAYLOAD];
        self.to.write_all(&[7; PAYLOAD]).expect("write");
        self.from.read_exact(&mut reply).expect("read");
    }
}
