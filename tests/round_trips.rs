//! Ten million round trips between two processes: each reply is the one to its request.

#[path = "support/channel.rs"]
mod channel;
#[path = "support/child.rs"]
mod child;

use channel::Name;
use child::Child;
use shmrr::{Error, Options, Timeout};

const ROUND_TRIPS: u64 = 10_000_000;
const SECONDS: u32 = 600;

#[test]
fn ten_million_round_trips_bring_ten_million_right_replies() {
    let name = Name::new("trips");
    let server = Child::spawn_for(SECONDS, "server", &[("NAME", name.as_ref())]);
    let client = Options::new().connect_timeout(Timeout::FOREVER).client(&name).unwrap();
    let mut reply = [0; 8];
    for number in 1..=ROUND_TRIPS {
        let length = client.req(&number.to_le_bytes(), &mut reply, Timeout::FOREVER).unwrap();
        assert_eq!((length, u64::from_le_bytes(reply)), (8, number.wrapping_mul(3)));
    }
    assert_eq!(client.pending(), 0);
    client.req(&0u64.to_le_bytes(), &mut reply, Timeout::FOREVER).unwrap();
    assert!(server.succeed());

    let stats = client.channel().stats();
    assert_eq!((stats.requests, stats.replies), (ROUND_TRIPS + 1, ROUND_TRIPS + 1));
    assert_eq!((stats.in_flight, stats.queued, stats.free), (0, 0, stats.slots));
}

/// Triples numbers until it is asked to triple 0.
fn serve() {
    let server = Options::new().server(child::setting("NAME")).unwrap();
    let mut buffer = [0; 8];
    loop {
        let request = server.recv_wait(&mut buffer, Timeout::FOREVER).unwrap();
        let number = u64::from_le_bytes(buffer);
        server.reply(request.id, &number.wrapping_mul(3).to_le_bytes()).unwrap();
        if number == 0 {
            break;
        }
    }
    assert_eq!(server.recv(&mut buffer), Err(Error::WouldBlock));
}

#[test]
#[ignore = "run by other tests as their child process"]
fn child() {
    child::play(|role| match role {
        "server" => serve(),
        _ => panic!("no role {role}"),
    });
}
