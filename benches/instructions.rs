//! A fixed number of round trips in one process, nothing else: for counting instructions under callgrind, where a
//! figure does not depend on the machine's mood. `README.md` beside this file has the command.

use shmrr::{Client, Options, Server};

/// Round trips unless the first argument says otherwise.
const ROUND_TRIPS: u64 = 10_000;

fn main() {
    let asked = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let server = Options::new().anonymous().expect("create");
    let client = Options::new().client_from_server(&server).expect("attach");

    round_trips(&server, &client, 100);
    counted(&server, &client, asked.unwrap_or(ROUND_TRIPS));
}

/// What callgrind is told to collect.
#[inline(never)]
fn counted(server: &Server, client: &Client, count: u64) {
    round_trips(server, client, count);
    println!("{count} round trips");
}

fn round_trips(server: &Server, client: &Client, count: u64) {
    let mut request = [0; 64];
    let mut reply = [0; 64];
    for _ in 0..count {
        let id = client.send(&[7; 12]).expect("send");
        let taken = server.recv(&mut request).expect("recv");
        server.reply(taken.id, &request[..taken.length]).expect("reply");
        let length = client.get(id, &mut reply).expect("get");
        assert_eq!(length, 12);
    }
}
