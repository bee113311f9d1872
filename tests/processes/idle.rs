//! What a channel costs when nothing happens, and what waiting costs where there is one processor only: measured from
//! `/proc`, in processes of their own.

use crate::channel::Name;
use crate::child::{self, Child};
use rustix::time::{ClockId, clock_gettime};
use shmrr::{Options, Server, Timeout};
use std::fs;
use std::time::{Duration, Instant};

const WATCHED: Duration = Duration::from_secs(3);
const ROUND_TRIPS: u32 = 5_000;

/// What a process has used, from `/proc/PID/stat` and `/proc/PID/task/*/status` (proc(5)).
struct Usage {
    ticks: u64,
    wakeups: u64,
}

impl Usage {
    fn of(pid: u32) -> Self {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        let wakeups = tasks.map(|task| switches(&task.unwrap().path().join("status"))).sum();
        Self { ticks, wakeups }
    }
}

fn switches(status: &std::path::Path) -> u64 {
    let text = fs::read_to_string(status).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
    line.trim().parse().unwrap()
}

#[test]
fn an_idle_server_and_an_idle_client_sleep() {
    let name = Name::new("idle");
    let mut idle: Vec<Child> = ["idle::idle server", "idle::idle client"]
        .map(|role| Child::spawn(role, &[("NAME", name.as_ref())]))
        .into();
    for child in &mut idle {
        assert_eq!(child.hear(), "ready");
    }
    let before: Vec<Usage> = idle.iter().map(|child| Usage::of(child.pid())).collect();
    let begun = Instant::now();
    std::thread::sleep(WATCHED);
    for (child, before) in idle.iter().zip(before) {
        let after = Usage::of(child.pid());
        // A sleep takes longer on a machine that others use, too.
        let watched = begun.elapsed();
        let (ticks, wakeups) = (after.ticks - before.ticks, after.wakeups - before.wakeups);
        assert!(ticks <= 1, "{ticks} clock ticks of CPU time in {watched:?}");
        assert!(wakeups <= watched.as_secs() + 2, "{wakeups} wake-ups in {watched:?}");
    }
}

fn idle_server() {
    let server = Options::new().server(child::setting("NAME")).unwrap();
    let mut buffer = [0; 64];
    let request = server.recv_wait(&mut buffer, Timeout::FOREVER).unwrap();
    server.reply(request.id, b"").unwrap();
    child::say("ready");
    let _ = server.recv_wait(&mut buffer, Timeout::FOREVER);
}

fn idle_client() {
    let client = Options::new().connect_timeout(Timeout::FOREVER).client(child::setting("NAME")).unwrap();
    client.req(b"hello", &mut [0; 64], Timeout::FOREVER).unwrap();
    child::say("ready");
    child::listen();
}

#[test]
fn on_one_processor_nobody_spins_while_the_other_side_has_to_run() {
    let name = Name::new("one-cpu");
    let server = Child::spawn("idle::pinned server", &[("NAME", name.as_ref())]);
    let mut client = Child::spawn("idle::pinned client", &[("NAME", name.as_ref())]);
    let nanoseconds: u64 = client.hear().parse().unwrap();
    assert!(client.succeed() && server.succeed());
    // A spinner would use up its budget at every round trip, some 50 µs, or a scheduler's time slice of milliseconds.
    // What is left is a switch between processes. CPU time, for others may run in between.
    assert!(nanoseconds < 35_000, "{nanoseconds} ns of CPU time a round trip");
}

/// Lets this process run on one processor only: the first that it may run on.
fn pin() {
    let allowed = rustix::thread::sched_getaffinity(None).unwrap();
    let first = (0..).find(|cpu| allowed.is_set(*cpu)).unwrap();
    let mut one = rustix::thread::CpuSet::new();
    one.set(first);
    rustix::thread::sched_setaffinity(None, &one).unwrap();
}

fn pinned_server() {
    pin();
    let server: Server = Options::new().server(child::setting("NAME")).unwrap();
    let mut buffer = [0; 8];
    for _ in 0..ROUND_TRIPS {
        let request = server.recv_wait(&mut buffer, Timeout::FOREVER).unwrap();
        server.reply(request.id, &buffer[..request.length]).unwrap();
    }
}

fn pinned_client() {
    pin();
    let client = Options::new().connect_timeout(Timeout::FOREVER).client(child::setting("NAME")).unwrap();
    let begun = clock_gettime(ClockId::ProcessCPUTime);
    for _ in 0..ROUND_TRIPS {
        client.req(b"12345678", &mut [0; 8], Timeout::FOREVER).unwrap();
    }
    let ended = clock_gettime(ClockId::ProcessCPUTime);
    let took = (ended.tv_sec - begun.tv_sec) * 1_000_000_000 + ended.tv_nsec - begun.tv_nsec;
    child::say(&(took / i64::from(ROUND_TRIPS)).to_string());
}

#[test]
#[ignore = "run by other tests as their child process"]
fn child() {
    child::play(|role| match role {
        "idle server" => idle_server(),
        "idle client" => idle_client(),
        "pinned server" => pinned_server(),
        "pinned client" => pinned_client(),
        _ => panic!("no role {role}"),
    });
}
