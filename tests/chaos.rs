//! Six clients and four servers, all processes of their own, while a killer stops, kills and replaces them at random: no
//! acknowledged reply is lost, nothing is executed or delivered twice, no reply is wrong, no call overstays its deadline
//! and nothing is left behind.
//!
//! | variable | what | default |
//! |---|---|---|
//! | `SHMRR_CHAOS_SECS` | how long, in seconds | 20 |
//! | `SHMRR_CHAOS_SEED` | where the random choices begin; they are those of the killer and of each process, but when a signal hits is up to the machine | another each time, printed |

#[path = "support/channel.rs"]
mod channel;
#[path = "support/child.rs"]
mod child;
#[path = "chaos/client.rs"]
mod client;
#[path = "chaos/killer.rs"]
mod killer;
#[path = "chaos/ledger.rs"]
mod ledger;
#[path = "support/payload.rs"]
mod payload;
#[path = "chaos/server.rs"]
mod server;
#[path = "chaos/verdict.rs"]
mod verdict;
#[path = "chaos/watch.rs"]
mod watch;

use channel::Name;
use child::Child;
use killer::Killer;
use ledger::{CLIENTS, Ledger, SEATS};
use payload::Payload;
use shmrr::Options;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

const SECONDS: u64 = 20;
/// How long a process may take to come to its end when it is asked to.
const TO_FINISH: u64 = 40;
const SLOTS: u32 = 48;
const PARTICIPANTS: u32 = 24;
const LARGEST: usize = 4096;
/// One request in so many is answered with an error.
const ERRORS: u32 = 16;

/// What a child is to do.
struct Part {
    channel: PathBuf,
    ledger: Ledger,
    seat: usize,
    /// Which of all processes of the run this is.
    life: u32,
    seed: u64,
}

/// The error that is the right answer to a request, if an error is.
fn error_for(request: &Payload) -> Option<(i32, String)> {
    let is_error = request.number % ERRORS == 5;
    is_error.then(|| (request.number as i32, format!("no {} for {}", request.number, request.client)))
}

fn number<T: std::str::FromStr>(text: &OsStr) -> T {
    text.to_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{text:?}: expected a number"))
}

fn from_environment(name: &str, default: impl FnOnce() -> u64) -> u64 {
    std::env::var_os(name).map_or_else(default, |value| number(&value))
}

#[test]
fn processes_stopped_and_killed_at_random_lose_double_delay_and_leave_nothing() {
    let seconds = from_environment("SHMRR_CHAOS_SECS", || SECONDS);
    let seed = from_environment("SHMRR_CHAOS_SEED", ledger::now);
    println!("SHMRR_CHAOS_SEED={seed} SHMRR_CHAOS_SECS={seconds}");

    let name = Name::new("chaos");
    let keeper = Options::new().slots(SLOTS).participants(PARTICIPANTS).server(&name).unwrap();
    let (_file, path) = Ledger::create(seconds + TO_FINISH);
    let ledger = Ledger::open(&path);
    let spawn = |seat: usize, life: u32, seed: u64| {
        let role = if seat < CLIENTS { "client" } else { "server" };
        let numbers = [seat as u64, life.into(), seed].map(|number| number.to_string());
        let [seat, life, seed] = &numbers;
        let settings: [(&str, &OsStr); 5] = [
            ("NAME", name.as_ref()),
            ("LEDGER", path.as_ref()),
            ("SEAT", seat.as_ref()),
            ("LIFE", life.as_ref()),
            ("SEED", seed.as_ref()),
        ];
        Child::spawn_for((seconds + TO_FINISH) as u32, role, &settings)
    };

    let is_over = AtomicBool::new(false);
    let mut killer = Killer::new(&ledger, seed, &spawn);
    std::thread::scope(|threads| {
        let _over = OnDrop(|| is_over.store(true, SeqCst));
        threads.spawn(|| watch::witness(&ledger, || is_over.load(SeqCst)));
        killer.rage(Duration::from_secs(seconds));
        killer.finish();
    });

    let tally = verdict::read(&ledger, |client| u64::from(killer.kills[client]) * (client::WINDOW + 1));
    println!("{tally}");
    let (clients, servers) = killer.kills.split_at(CLIENTS);
    let kills: [u32; 2] = [clients, servers].map(|kills| kills.iter().sum());
    let worst = (0..SEATS).map(|seat| ledger.seat(seat).worst.load(SeqCst)).max();
    let recoveries = keeper.channel().stats().recoveries;
    println!(
        "{} clients and {} servers killed, {} stops, {} recoveries; a call was at most {:?} late; the machine stood still for {:?}",
        kills[0],
        kills[1],
        killer.stops,
        recoveries,
        Duration::from_nanos(worst.unwrap_or(0)),
        Duration::from_nanos(ledger.stalled())
    );
    assert!(recoveries <= kills.iter().sum::<u32>().into(), "{recoveries} recoveries from {kills:?} deaths");
    verdict::assert_nothing_left(&keeper, name.as_ref());
    assert!(tally.received > 0 && kills[0] > 0 && kills[1] > 0 && killer.stops > 0, "there was no chaos");
}

/// Does something when it goes out of scope, however that is.
struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn part() -> Part {
    killer::calm_down();
    Part {
        channel: child::setting("NAME").into(),
        ledger: Ledger::open(Path::new(&child::setting("LEDGER"))),
        seat: number(&child::setting("SEAT")),
        life: number(&child::setting("LIFE")),
        seed: number(&child::setting("SEED")),
    }
}

#[test]
#[ignore = "run by other tests as their child process"]
fn child() {
    child::play(|role| match role {
        "client" => client::call(&part()),
        "server" => server::serve(&part()),
        _ => panic!("no role {role}"),
    });
}
