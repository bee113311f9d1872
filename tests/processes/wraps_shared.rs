//! Counters that wrap, in real shared memory and between processes: a channel that looks as if it had been used for
//! ages goes on across each of its maxima as ever. Nothing is lost, doubled or mixed up, and no id is 0 or given twice.

use crate::channel::Name;
use crate::child::{self, Child};
use crate::ledger::Ledger;
use crate::payload::{self, Payload, Random};
use crate::preset::{Age, GENERATION_MAX, Preset};
use shmrr::{Client, Error, Options};
use std::collections::{HashSet, VecDeque};
use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

const SLOTS: u32 = 4;
const CELLS: u64 = 64;
const REQUESTS: u32 = 1000;
const LARGEST: usize = 300;
const LONG: Duration = Duration::from_secs(60);
/// So many requests are made before the first wrap, or a few more where cancelled ones take cells, too.
const BEFORE: u64 = 500;
/// As many per slot, where four share the requests and one may get all.
const BEFORE_PER_SLOT: u64 = 100;

const NEW: Age = Age { position: 0, generation: 0, wake_ups: 0, incarnation: 0, counters: 0 };

#[test]
fn requests_cross_the_last_position() {
    exchange("position", &Age { position: 0_u64.wrapping_sub(BEFORE), ..NEW });
}

#[test]
fn requests_cross_the_last_lap_that_a_cell_can_hold() {
    // The lap of a position is one more than how often the ring went round.
    exchange("lap", &Age { position: ((1 << 40) - 1) * CELLS - BEFORE, ..NEW });
}

/// Above bit 39, laps are no longer positive as signed numbers.
#[test]
fn requests_cross_the_middle_of_the_laps_and_of_the_positions() {
    exchange("middle-lap", &Age { position: ((1 << 39) - 1) * CELLS - BEFORE, ..NEW });
    exchange("middle-position", &Age { position: (1 << 63) - BEFORE, ..NEW });
}

#[test]
fn requests_cross_the_last_generation() {
    exchange("generation", &Age { generation: GENERATION_MAX - BEFORE_PER_SLOT, ..NEW });
}

/// A cell holds 8 bits of it, and the half of a word that a futex compares holds 12.
#[test]
fn requests_cross_the_generation_bits_of_a_cell_and_of_a_futex() {
    exchange("generation-8", &Age { generation: 0xFF - BEFORE_PER_SLOT, ..NEW });
    exchange("generation-12", &Age { generation: 0xFFF - BEFORE_PER_SLOT, ..NEW });
}

#[test]
fn rings_incarnations_and_statistics_wrap() {
    let stats_before = 0_u64.wrapping_sub(BEFORE);
    let age = Age { wake_ups: (1 << 63) - 3, incarnation: (1 << 63) - 2, counters: stats_before, ..NEW };
    exchange("counters", &age);
}

#[test]
fn all_wrap_at_once() {
    exchange(
        "all",
        &Age {
            position: 0_u64.wrapping_sub(BEFORE),
            generation: GENERATION_MAX - BEFORE_PER_SLOT,
            wake_ups: (1 << 63) - 3,
            incarnation: (1 << 63) - 2,
            counters: 0_u64.wrapping_sub(BEFORE),
        },
    );
}

/// How a client goes about its requests.
#[derive(Clone, Copy)]
struct Manner {
    in_flight: usize,
    /// One request in so many is cancelled; 0 for none.
    cancels: u64,
    /// After so many requests another handle goes on, which knows only what is in the channel.
    handle: u32,
}

fn exchange(test: &str, age: &Age) {
    let manners = [
        Manner { in_flight: 1, cancels: 0, handle: u32::MAX },
        Manner { in_flight: 1, cancels: 0, handle: 90 },
        Manner { in_flight: SLOTS as usize, cancels: 0, handle: u32::MAX },
        Manner { in_flight: SLOTS as usize, cancels: 4, handle: 90 },
    ];
    for manner in manners {
        across(test, age, manner);
    }
}

fn across(test: &str, age: &Age, manner: Manner) {
    let name = Name::new(test);
    let sizes = Options::new().slots(SLOTS).participants(8);
    drop(sizes.request_max(LARGEST as u64).response_max(LARGEST as u64).server(&name).unwrap());
    let file = Preset::open(name.as_ref());
    file.age(age);

    let directory = tempfile::tempdir().unwrap();
    let served = directory.path().join("served");
    Ledger::create(&served, REQUESTS as usize);
    let settings: [(&str, &OsStr); 2] = [("NAME", name.as_ref()), ("LEDGER", served.as_ref())];
    let mut server = Child::spawn_for(120, "wraps_shared::server", &settings);
    assert_eq!(server.hear(), "ready");
    let cancelled = call(&name, manner);
    assert_eq!(manner.cancels > 0, !cancelled.is_empty());

    let stats = {
        let stopper = Options::new().client(&name).unwrap();
        stopper.req(payload::STOP, &mut [], LONG).unwrap();
        stopper.channel().stats()
    };
    assert!(server.succeed());
    let counts = Ledger::open(&served).counts();
    for (number, times) in counts.iter().enumerate() {
        let allowed = if cancelled.contains(&(number as u32)) { 0..=1 } else { 1..=1 };
        assert!(allowed.contains(times), "request {number} was served {times} times: {age:?}");
    }
    assert_eq!((stats.in_flight, stats.queued, stats.free), (0, 0, SLOTS), "{age:?}");
    let all = u64::from(REQUESTS) + 1;
    assert_eq!(stats.requests.wrapping_sub(8_u64.wrapping_mul(age.counters)), all, "{age:?}");
    assert_wrapped(&file, age);
}

/// That the exchange went across the wraps.
fn assert_wrapped(file: &Preset, age: &Age) {
    let all = u64::from(REQUESTS) + 1;
    let position = file.position();
    let published = position.wrapping_sub(age.position);
    // References to requests that still waited were carried on, and took a cell more.
    assert!((all..3 * all).contains(&published), "{published} cells were filled: {age:?}");
    let last = position.wrapping_sub(1);
    assert_eq!(file.lap(last), (last / CELLS + 1) & ((1 << 40) - 1));

    let generations = file.generations();
    assert!(generations.iter().all(|generation| (0..=GENERATION_MAX).contains(generation)));
    if age.generation > GENERATION_MAX / 2 {
        let wrapped = generations.iter().filter(|generation| (1..=all).contains(*generation)).count();
        assert!(wrapped > 0, "{generations:?}");
    }
}

/// Makes all requests, collects their replies, and says which it cancelled.
fn call(name: &Name, manner: Manner) -> HashSet<u32> {
    let open = || Options::new().client(name).unwrap();
    let mut client = open();
    let (mut flight, mut cancelled, mut ids) = (VecDeque::new(), HashSet::new(), HashSet::new());
    let mut random = Random::new(1);
    for number in 0..REQUESTS {
        if number > 0 && number % manner.handle == 0 {
            flight.drain(..).for_each(|(id, sent)| collect(&client, id, &sent));
            client = open();
        }
        let sent = Payload::new(0, number, random.below(LARGEST as u64 + 1) as usize);
        let id = client.send_wait(&sent.request(), LONG).unwrap();
        assert!(id != shmrr::RequestId::NONE && i64::try_from(id.to_u64()).is_ok(), "{id:?}");
        assert!(ids.insert(id), "{id:?} is given twice");
        if manner.cancels > 0 && random.below(manner.cancels) == 0 {
            match client.cancel(id) {
                Ok(()) => {
                    assert_eq!(client.get(id, &mut [0; LARGEST]), Err(Error::Stale));
                    cancelled.insert(number);
                }
                Err(Error::AlreadyReplied) => collect(&client, id, &sent),
                Err(error) => panic!("{error}"),
            }
        } else {
            flight.push_back((id, sent));
        }
        if flight.len() >= manner.in_flight {
            let (id, sent) = flight.pop_front().unwrap();
            collect(&client, id, &sent);
        }
    }
    flight.drain(..).for_each(|(id, sent)| collect(&client, id, &sent));
    for id in ids {
        assert_eq!(client.get(id, &mut [0; LARGEST]), Err(Error::Stale), "{id:?}");
        assert_eq!(client.cancel(id), Err(Error::Stale), "{id:?}");
    }
    cancelled
}

fn collect(client: &Client, id: shmrr::RequestId, sent: &Payload) {
    let mut buffer = [0; LARGEST];
    let length = client.get_wait(id, &mut buffer, LONG).unwrap_or_else(|error| panic!("{sent:?}: {error}"));
    assert!(buffer[..length] == *sent.reply(), "a wrong reply to {sent:?}");
    assert_eq!(client.get(id, &mut buffer), Err(Error::Stale));
}

fn serve() {
    let server = Options::new().server(child::setting("NAME")).unwrap();
    let ledger = Ledger::open(Path::new(&child::setting("LEDGER")));
    child::say("ready");
    let mut buffer = [0; LARGEST];
    loop {
        let request = server.recv_wait(&mut buffer, LONG).unwrap();
        let received = &buffer[..request.length];
        if received == payload::STOP {
            server.reply(request.id, b"").unwrap();
            return;
        }
        let payload = Payload::check(received).unwrap_or_else(|why| panic!("a request is {why}"));
        ledger.count(payload.number as usize);
        let replied = server.reply(request.id, &payload.reply());
        assert!(matches!(replied, Ok(()) | Err(Error::Stale)), "{replied:?}");
        assert_eq!(server.reply(request.id, b"again"), Err(Error::Stale));
    }
}

#[test]
#[ignore = "run by other tests as their child process"]
fn child() {
    child::play(|role| match role {
        "server" => serve(),
        _ => panic!("no role {role}"),
    });
}
