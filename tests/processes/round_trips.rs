//! Millions of round trips between two processes: each reply is the one to its request.
//!
//! It goes on for two seconds, or, if `SHMRR_ROUND_TRIPS` gives a number, until there were so many: how long that takes is
//! up to the machine and to who else uses it.

use crate::channel::Name;
use crate::child::{self, Child};
use shmrr::{Error, Options, Timeout};
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_secs(2);
/// Nobody waits for more than this.
const SECONDS: u32 = 3600;

#[test]
fn as_many_right_replies_come_as_there_are_round_trips() {
    let wanted =
        std::env::var("SHMRR_ROUND_TRIPS").ok().map(|number| number.parse::<u64>().expect("a number"));
    let name = Name::new("trips");
    let server = Child::spawn_for(SECONDS, "round_trips::server", &[("NAME", name.as_ref())]);
    let client = Options::new().connect_timeout(Timeout::FOREVER).client(&name).unwrap();
    let mut reply = [0; 8];
    let end = Instant::now() + SHORT;
    let goes_on =
        |made: u64| wanted.map_or_else(|| made == 0 || Instant::now() < end, |wanted| made < wanted);
    let mut made = 0;
    while goes_on(made) {
        made += 1;
        let number = made;
        let length = client.req(&number.to_le_bytes(), &mut reply, Timeout::FOREVER).unwrap();
        assert_eq!((length, u64::from_le_bytes(reply)), (8, number.wrapping_mul(3)));
    }
    assert_eq!(client.pending(), 0);
    client.req(&0u64.to_le_bytes(), &mut reply, Timeout::FOREVER).unwrap();
    assert!(server.succeed());

    let stats = client.channel().stats();
    assert_eq!((stats.requests, stats.replies), (made + 1, made + 1));
    println!("{made} round trips");
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
