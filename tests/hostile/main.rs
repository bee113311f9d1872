//! Whatever a hostile process writes into a channel's memory: nobody else crashes, reads or writes where it should not,
//! or stays in a call past its deadline and 250 ms. Errors are allowed, but only those that the header documents for
//! the call.
//!
//! The victims are programs in C (`tests/hostile/victim.c`), compiled with the address and undefined-behaviour
//! sanitizers, with buffers that end at pages which may not be touched, and a mapping that lies between such pages. The
//! attackers are children of this test.
//!
//! | environment | what |
//! |---|---|
//! | `SHMRR_HOSTILE_SECS` | how long everything is overwritten at random, in seconds, and each other attack for a fifth of it; 4 by default |
//! | `SHMRR_HOSTILE_SEED` | where the random numbers begin; 1 by default |
//! | `SHMRR_HOSTILE` | `plain`, the default, or `valgrind`: the victims run under valgrind instead of with sanitizers, and their calls may be later |

#[path = "../support/channel.rs"]
mod channel;
#[path = "../support/child.rs"]
mod child;
mod codes;
#[path = "../support/format.rs"]
mod format;
mod mayhem;
#[path = "../support/payload.rs"]
mod payload;
mod region;
#[path = "../support/mod.rs"]
mod support;
mod traps;
mod victims;

use channel::Name;
use child::Child;
use mayhem::Mayhem;
use region::Region;
use shmrr::{Kind, Options, Server};
use std::ffi::OsStr;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;
use victims::{Role, Tally};

/// Seconds that an attacker may live beside those in which it attacks: victims start and end meanwhile.
const PATIENCE: u64 = 180;
/// Between two times that a trap is set again.
const SET_AGAIN: Duration = Duration::from_millis(50);

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| {
        value.parse().unwrap_or_else(|_| panic!("{name}={value}: expected a number"))
    })
}

fn seconds() -> u64 {
    number("SHMRR_HOSTILE_SECS", 4).max(1)
}

fn seed() -> u64 {
    number("SHMRR_HOSTILE_SEED", 1)
}

/// A channel whose size is a multiple of a page, so that the first byte after it is on a page of its own.
fn small_channel(name: &Name) -> Server {
    create_small(name, small())
}

fn small() -> Options {
    Options::new().slots(8).participants(27).request_max(1000).response_max(2000)
}

fn create_small(name: &Name, options: Options) -> Server {
    let server = options.server(name).unwrap();
    assert_eq!(std::fs::metadata(name).unwrap().len() % 4096, 0);
    server
}

fn largest_channel(name: &Name) -> Server {
    largest().server(name).unwrap()
}

fn largest() -> Options {
    Options::new().slots(65_472).participants(4095).request_max(1).response_max(1)
}

/// Runs victims while attackers overwrite the channel, from when all victims have attached.
fn attack(name: &Name, attack: &str, attackers: u64, seconds: u64, roles: &[Role]) -> Option<Tally> {
    // One attack at a time: each wants the processors for itself.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let victims = victims::compile()?;
    let mut attackers: Vec<Child> = (0..attackers)
        .map(|number| {
            let seed = (seed() + number).to_string();
            let settings: [(&str, &OsStr); 3] =
                [("NAME", name.as_ref()), ("ATTACK", attack.as_ref()), ("SEED", seed.as_ref())];
            Child::spawn_for((seconds + PATIENCE) as u32, "attacker", &settings)
        })
        .collect();
    let tally = victims.run(name.as_ref(), roles, seconds, seed(), || {
        for attacker in &mut attackers {
            attacker.tell("go");
        }
    });
    for attacker in attackers {
        let end = attacker.end();
        assert!(end.status.success(), "attacker: {end:?}");
        let times: u64 = end.lines[0].parse().unwrap();
        assert!(times > 0, "the attacker never got to it");
    }
    println!("{tally}");
    Some(tally)
}

const MAYHEM: &str = "mayhem";

/// The name of an attack, what it does again and again, and the time between.
type Trap = (&'static str, fn(&Region), Duration);

const TRAPS: [Trap; 9] = [
    ("endless", traps::endless_laps, SET_AGAIN),
    ("waiting", traps::waiting_requests_everywhere, SET_AGAIN),
    ("dead", traps::everybody_dead_and_no_slot_free, SET_AGAIN),
    ("orphans", traps::messages_that_nobody_published, SET_AGAIN),
    ("too-long", traps::too_long_requests_everywhere, SET_AGAIN),
    ("again", traps::too_long_request_again_and_again, Duration::ZERO),
    ("unborn", traps::requests_of_no_generation, Duration::from_micros(50)),
    ("hammer", traps::words_that_never_stand_still, Duration::ZERO),
    ("errors", traps::errors_everywhere, Duration::from_micros(50)),
];

fn overwrite() {
    static OVER: AtomicBool = AtomicBool::new(false);
    let region = Region::open(Path::new(&child::setting("NAME")));
    let seed = child::setting("SEED").to_str().unwrap().parse().unwrap();
    let attack = child::setting("ATTACK");
    let trap = TRAPS.iter().find(|trap| attack == trap.0);
    assert!(trap.is_some() || attack == MAYHEM, "no attack {attack:?}");
    let mut mayhem = Mayhem::new(&region, seed);
    let mut times = 0;
    child::listen().expect("it is told to begin");
    thread::spawn(|| {
        while child::listen().is_some() {}
        OVER.store(true, Relaxed);
    });
    while !OVER.load(Relaxed) {
        times += match trap {
            None => mayhem.burst(),
            Some((_, set, pause)) => {
                set(&region);
                thread::sleep(*pause);
                1
            }
        };
    }
    child::say(&times.to_string());
}

#[test]
fn random_and_plausible_values_everywhere() {
    let name = Name::new("mayhem");
    let _keeper = small_channel(&name);
    let roles = [Role::Client, Role::Client, Role::Server, Role::Server, Role::Guest];
    let Some(tally) = attack(&name, MAYHEM, 2, seconds(), &roles) else { return };
    // Or nothing has been tried. A victim under valgrind gets to a few calls only.
    if std::env::var_os("SHMRR_HOSTILE").is_some_and(|mode| mode == "valgrind") {
        return;
    }
    let never: Vec<String> =
        codes::documented().into_keys().filter(|function| tally.calls(function) == 0).collect();
    assert!(never.is_empty(), "{never:?} were never called:\n{tally}");
    let worked = |function: &str| tally.count(function, "success") > 0;
    for function in ["rr_client_send", "rr_client_commit", "rr_recv_batch", "rr_recv_view", "rr_reply_loan"] {
        assert!(worked(function), "{function} never succeeded:\n{tally}");
    }
}

#[test]
fn random_and_plausible_values_in_a_channel_that_redelivers() {
    let name = Name::new("mayhem-again");
    let _keeper = create_small(&name, small().redeliver(true));
    let roles = [Role::Client, Role::Client, Role::Server, Role::Server, Role::Guest];
    attack(&name, MAYHEM, 2, short(), &roles);
}

#[test]
fn random_and_plausible_values_in_a_channel_of_integers() {
    let name = Name::new("mayhem-integers");
    let options = Options::new().kind(Kind::Int).slots(24).participants(8);
    let _keeper = options.server(&name).unwrap();
    let Some(tally) = attack(&name, MAYHEM, 2, short(), &[Role::Number, Role::Number]) else { return };
    for function in ["rr_client_req_i64", "rr_client_get_wait_i64", "rr_recv_wait_i64", "rr_reply_i64"] {
        assert!(tally.calls(function) > 0, "{function} was never called:\n{tally}");
    }
}

fn short() -> u64 {
    (seconds() / 5).max(1)
}

#[test]
fn a_ring_that_never_ends() {
    let name = Name::new("endless");
    let _keeper = largest_channel(&name);
    attack(&name, "endless", 1, short(), &[Role::Client, Role::Server]);
}

#[test]
fn a_ring_full_of_requests_that_wait() {
    let name = Name::new("waiting");
    let _keeper = largest_channel(&name);
    attack(&name, "waiting", 1, short(), &[Role::Client]);
}

#[test]
fn a_table_full_of_dead_participants() {
    let name = Name::new("dead");
    let _keeper = largest_channel(&name);
    attack(&name, "dead", 1, short(), &[Role::Client]);
}

#[test]
fn a_channel_full_of_messages_that_nobody_published() {
    let name = Name::new("orphans");
    let _keeper = largest().redeliver(true).server(&name).unwrap();
    attack(&name, "orphans", 1, short(), &[Role::Client, Role::Server]);
}

#[test]
fn a_channel_full_of_requests_that_are_too_long() {
    let name = Name::new("too-long");
    let _keeper = largest_channel(&name);
    attack(&name, "too-long", 1, short(), &[Role::Server]);
}

#[test]
fn a_request_that_is_too_long_and_queued_for_ever() {
    let name = Name::new("again");
    let _keeper = small_channel(&name);
    attack(&name, "again", 1, short(), &[Role::Server]);
}

#[test]
fn requests_of_no_generation() {
    let name = Name::new("unborn");
    let _keeper = small_channel(&name);
    attack(&name, "unborn", 1, short(), &[Role::Client, Role::Server]);
}

#[test]
fn words_that_never_stand_still() {
    let name = Name::new("hammer");
    let _keeper = small_channel(&name);
    attack(&name, "hammer", 1, short(), &[Role::Client, Role::Server]);
}

#[test]
fn replies_that_say_that_they_are_errors() {
    let name = Name::new("errors");
    let _keeper = small_channel(&name);
    let Some(tally) = attack(&name, "errors", 1, short(), &[Role::Client, Role::Server]) else { return };
    assert!(tally.count("rr_client_req", "EREMOTEIO") > 0, "{tally}");
}

#[test]
#[ignore = "run by other tests as their child process"]
fn child() {
    child::play(|role| match role {
        "attacker" => overwrite(),
        _ => panic!("no role {role}"),
    });
}
