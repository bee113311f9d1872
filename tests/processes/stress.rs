//! Four clients and four servers, all processes of their own, with payloads of every size and now and then a cancel:
//! no reply is wrong, lost or doubled, and nothing is left behind. `SHMRR_STRESS_REQUESTS` says how many requests each
//! client sends; 25,000 by default.

use crate::channel::Name;
use crate::child::{self, Child};
use crate::ledger::Ledger;
use crate::payload::{self, Payload};
use shmrr::{Client, Error, Options, Timeout};
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::path::Path;

const CLIENTS: u32 = 4;
const SERVERS: u32 = 4;
const LARGEST: usize = 4096;
/// Requests that one client keeps in flight; all together more than there are slots, so that some have to wait.
const WINDOW: usize = 20;
const SLOTS: u32 = 64;
/// One request in so many is cancelled.
const CANCELS: u64 = 20;
/// Nobody waits for more than this.
const SECONDS: u32 = 3600;

/// Of each client.
fn requests() -> u32 {
    std::env::var("SHMRR_STRESS_REQUESTS").map_or(25_000, |number| number.parse().expect("a number"))
}

#[test]
fn four_clients_and_four_servers_lose_mix_up_and_double_nothing() {
    let name = Name::new("stress");
    let directory = tempfile::tempdir().unwrap();
    let served = directory.path().join("served");
    Ledger::create(&served, (CLIENTS * requests()) as usize);
    let keeper = Options::new().slots(SLOTS).server(&name).unwrap();
    let spawn = |role: &str, number: u32| {
        let number = number.to_string();
        let settings: [(&str, &OsStr); 3] =
            [("NAME", name.as_ref()), ("LEDGER", served.as_ref()), ("NUMBER", number.as_ref())];
        Child::spawn_for(SECONDS, &format!("stress::{role}"), &settings)
    };
    let servers: Vec<Child> = (0..SERVERS).map(|number| spawn("server", number)).collect();
    let clients: Vec<Child> = (0..CLIENTS).map(|number| spawn("client", number)).collect();

    let mut cancelled = 0;
    for mut client in clients {
        cancelled += client.hear().parse::<u32>().unwrap();
        assert!(client.succeed());
    }
    let stopper = Options::new().client(&name).unwrap();
    for _ in 0..SERVERS {
        stopper.req(payload::STOP, &mut [0; LARGEST], Timeout::FOREVER).unwrap();
    }
    for server in servers {
        assert!(server.succeed());
    }

    let times = Ledger::open(&served).counts();
    let never = times.iter().filter(|times| **times == 0).count() as u32;
    assert!(times.iter().all(|times| *times <= 1), "a request was served twice");
    assert!(never <= cancelled, "{never} never served, {cancelled} cancelled");
    assert!(cancelled > CLIENTS * requests() / (2 * CANCELS as u32), "{cancelled} were cancelled in time");
    assert_eq!(stopper.pending(), 0);
    drop(stopper);
    let stats = keeper.channel().stats();
    assert_eq!((stats.in_flight, stats.queued, stats.free), (0, 0, SLOTS));
    assert_every_slot_is_free(name.as_ref());
}

/// Reads the reply words in the file: see docs/FORMAT.md for the offsets.
fn assert_every_slot_is_free(file: &Path) {
    let bytes = std::fs::read(file).unwrap();
    let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
    let total = u32_at(40) + u32_at(44);
    let (slots, stride) = (u64_at(88), u64_at(96));
    let held: Vec<usize> = (0..total).filter(|slot| u64_at(slots + slot * stride + 128) & 0xF != 0).collect();
    assert!(held.is_empty(), "slots {held:?} of {total} are not free");
}

fn serve() {
    let server = Options::new().server(child::setting("NAME")).unwrap();
    let ledger = Ledger::open(Path::new(&child::setting("LEDGER")));
    let mut buffer = [0; LARGEST];
    loop {
        let request = server.recv_wait(&mut buffer, Timeout::FOREVER).unwrap();
        let received = &buffer[..request.length];
        if received == payload::STOP {
            server.reply(request.id, b"").unwrap();
            return;
        }
        let payload = Payload::check(received).unwrap_or_else(|why| panic!("a request is {why}"));
        ledger.count((payload.client * requests() + payload.number) as usize);
        match server.reply(request.id, &payload.reply()) {
            Ok(()) | Err(Error::Stale) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Sends all requests of one client, some in flight at a time, and says how many it cancelled.
fn call() {
    let client = Options::new().client(child::setting("NAME")).unwrap();
    let number: u32 = child::setting("NUMBER").to_str().unwrap().parse().unwrap();
    let mut random = payload::Random::new(number.into());
    let mut flight = VecDeque::new();
    let mut cancelled = 0;
    for request in 0..requests() {
        let size = random.below(LARGEST as u64 + 1) as usize;
        let sent = Payload::new(number, request, size);
        let id = loop {
            match client.send(&sent.request()) {
                Ok(id) => break id,
                // What fills the slots may be the replies to this very client.
                Err(Error::NoSlots) => match flight.pop_front() {
                    Some((id, sent)) => collect(&client, id, &sent),
                    None => break client.send_wait(&sent.request(), Timeout::FOREVER).unwrap(),
                },
                Err(error) => panic!("{error}"),
            }
        };
        if random.below(CANCELS) == 0 {
            match client.cancel(id) {
                Ok(()) => cancelled += 1,
                Err(Error::AlreadyReplied) => collect(&client, id, &sent),
                Err(error) => panic!("{error}"),
            }
        } else {
            flight.push_back((id, sent));
        }
        if flight.len() > WINDOW {
            let (id, sent) = flight.pop_front().unwrap();
            collect(&client, id, &sent);
        }
    }
    for (id, sent) in flight {
        collect(&client, id, &sent);
    }
    assert_eq!(client.pending(), 0);
    child::say(&cancelled.to_string());
}

fn collect(client: &Client, id: shmrr::RequestId, sent: &Payload) {
    let mut buffer = [0; LARGEST];
    let length = client.get_wait(id, &mut buffer, Timeout::FOREVER).unwrap();
    assert!(buffer[..length] == *sent.reply(), "a wrong reply to {sent:?}");
    assert_eq!(client.get(id, &mut buffer), Err(Error::Stale));
}

#[test]
#[ignore = "run by other tests as their child process"]
fn child() {
    child::play(|role| match role {
        "server" => serve(),
        "client" => call(),
        _ => panic!("no role {role}"),
    });
}
