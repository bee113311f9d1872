//! Six clients, four servers and one who looks after the channel and clears it now and then, all processes of their own,
//! while a killer stops, kills and replaces them at random: no acknowledged reply or one-way message is lost, nothing is
//! executed or delivered twice, no reply is wrong, no call overstays its deadline and nothing is left behind. Likewise in a
//! channel that redelivers: there a server's death fails no request, and may have it executed again; and in one of integers.
//!
//! | variable | what | default |
//! |---|---|---|
//! | `SHMRR_CHAOS_SECS` | how long, in seconds, a third of it in each of the three channels | 9 |
//! | `SHMRR_CHAOS_SEED` | where the random choices begin; they are those of the killer and of each process, but when a signal hits is up to the machine | another each time, printed |

#[path = "../support/channel.rs"]
mod channel;
#[path = "../support/child.rs"]
mod child;
mod client;
mod conduct;
mod integers;
mod killer;
mod ledger;
mod manager;
mod outcome;
#[path = "../support/payload.rs"]
mod payload;
mod remains;
mod server;
mod signals;
mod verdict;
mod watch;

use channel::Name;
use child::Child;
use killer::Killer;
use ledger::{CLIENTS, Ledger, MANAGER, SEATS};
use shmrr::{Kind, Options};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const SECONDS: u64 = 9;
/// How long a process may take to come to its end when it is asked to.
const TO_FINISH: u64 = 90;
const SLOTS: u32 = 48;
const PARTICIPANTS: u32 = 24;
const LARGEST: usize = 4096;

/// What a child is to do.
struct Part {
    channel: PathBuf,
    ledger: Ledger,
    seat: usize,
    /// Which of all processes of the run this is.
    life: u32,
    seed: u64,
    form: Form,
}

/// What kind of channel it is all in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// As it is by default.
    Plain,
    /// Requests are served again whose server died.
    Redelivers,
    /// The payloads are numbers.
    Integers,
}

impl Form {
    fn named(name: &OsStr) -> Self {
        let forms = [Self::Plain, Self::Redelivers, Self::Integers];
        forms.into_iter().find(|form| name.to_str() == Some(&form.name())).expect("a form")
    }

    fn name(self) -> String {
        format!("{self:?}")
    }

    fn redelivers(self) -> bool {
        self == Self::Redelivers
    }

    /// What opens such a channel; every message signals.
    fn options(self) -> Options {
        let kind = if self == Self::Integers { Kind::Int } else { Kind::Bytes };
        Options::new().kind(kind).redeliver(self.redelivers()).notify(true)
    }
}

fn number<T: std::str::FromStr>(text: &OsStr) -> T {
    text.to_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{text:?}: expected a number"))
}

fn from_environment(name: &str, default: impl FnOnce() -> u64) -> u64 {
    std::env::var_os(name).map_or_else(default, |value| number(&value))
}

#[test]
fn processes_stopped_and_killed_at_random_lose_double_delay_and_leave_nothing() {
    rage_in(Name::new("chaos"), Form::Plain);
}

#[test]
fn in_a_channel_that_redelivers_a_servers_death_fails_no_request() {
    rage_in(Name::new("chaos-again"), Form::Redelivers);
}

#[test]
fn nor_do_they_in_a_channel_of_integers() {
    rage_in(Name::new("chaos-int"), Form::Integers);
}

fn rage_in(name: Name, form: Form) {
    // One at a time: each wants the processors for itself.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let seconds = from_environment("SHMRR_CHAOS_SECS", || SECONDS).div_ceil(3);
    let seed = from_environment("SHMRR_CHAOS_SEED", ledger::now);
    println!("SHMRR_CHAOS_SEED={seed}, {seconds} s, {form:?}");

    let keeper = form.options().slots(SLOTS).participants(PARTICIPANTS).server(&name).unwrap();
    let (_file, path) = Ledger::create(seconds + TO_FINISH);
    let ledger = Ledger::open(&path);
    let form_name = form.name();
    let spawn = |seat: usize, life: u32, seed: u64| {
        let role = match seat {
            ..CLIENTS => "client",
            MANAGER => "manager",
            _ => "server",
        };
        let numbers = [seat as u64, life.into(), seed].map(|number| number.to_string());
        let [seat, life, seed] = &numbers;
        let settings: [(&str, &OsStr); 6] = [
            ("NAME", name.as_ref()),
            ("LEDGER", path.as_ref()),
            ("SEAT", seat.as_ref()),
            ("LIFE", life.as_ref()),
            ("SEED", seed.as_ref()),
            ("FORM", form_name.as_ref()),
        ];
        Child::spawn_for((seconds + TO_FINISH) as u32, role, &settings)
    };

    let is_over = AtomicBool::new(false);
    let mut killer = Killer::new(&ledger, seed, &spawn);
    std::thread::scope(|threads| {
        let _over = OnDrop(|| is_over.store(true, SeqCst));
        threads.spawn(|| watch::witness(&ledger, || is_over.load(SeqCst)));
        killer.rage(Duration::from_secs(seconds));
        killer.finish(|| remains::wait_until_served(&keeper));
    });

    let most_unknown = |client: usize| u64::from(killer.kills[client]) * (client::WINDOW + 1);
    let tally = verdict::read(&ledger, form.redelivers(), most_unknown);
    println!("{tally}");
    let kills = [&killer.kills[..CLIENTS], &killer.kills[CLIENTS..MANAGER], &killer.kills[MANAGER..]];
    let kills: [u32; 3] = kills.map(|kills| kills.iter().sum());
    let worst = (0..SEATS).map(|seat| ledger.seat(seat).worst.load(SeqCst)).max();
    let recoveries = keeper.channel().stats().recoveries;
    let clears = ledger.clears();
    println!(
        "{} clients, {} servers and {} managers killed, {} stops, {recoveries} recoveries; cleared {} times, {} of them \
         cut short; a call was at most {:?} late; the machine stood still for {:?}",
        kills[0],
        kills[1],
        kills[2],
        killer.stops,
        clears.ended(),
        clears.interrupted(),
        Duration::from_nanos(worst.unwrap_or(0)),
        Duration::from_nanos(ledger.stalled())
    );
    let at_once = u64::from(SLOTS + SLOTS / 4);
    // What a server took and did not note is served again where that is promised.
    tally.compare(clears, at_once, if form.redelivers() { 0 } else { killer.unnoted });
    assert!(recoveries <= kills.iter().sum::<u32>().into(), "{recoveries} recoveries from {kills:?} deaths");
    remains::assert_none(&keeper, name.as_ref(), form);
    // Integers are not posted.
    let posted = if form == Form::Integers { 1 } else { tally.posted };
    let happened = [tally.received, posted, kills[0].into(), kills[1].into(), killer.stops.into()];
    assert!(!happened.contains(&0), "there was no chaos: {happened:?}");
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
        form: Form::named(&child::setting("FORM")),
    }
}

#[test]
#[ignore = "run by other tests as their child process"]
fn child() {
    child::play(|role| match role {
        "client" => client::call(&part()),
        "server" => server::serve(&part()),
        "manager" => manager::manage(&part()),
        _ => panic!("no role {role}"),
    });
}
