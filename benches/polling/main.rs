//! Whether polling before sleeping gives way where it does harm, and stays where it helps: rates of short runs, with
//! what the library does by itself, with sleeping at once, and over pipes, one after the other. It judges; it fails
//! nothing. See `../README.md`.

#[allow(dead_code, reason = "it has more than is needed here")]
#[path = "../round_trip/machine.rs"]
mod machine;
mod run;
mod scenes;

use run::{Run, Waiting};
use scenes::{SCENES, Scene};
use std::time::Duration;

/// Runs of each scene and way of waiting, unless `--runs` says otherwise.
const RUNS: usize = 20;
const SLICE: Duration = Duration::from_millis(200);
const SLICE_OF_A_TEST: Duration = Duration::from_millis(20);
/// The worst run must have so much of the median's rate.
const STEADY: f64 = 0.5;
/// On one processor a round trip may take so much of what it takes if nobody polls.
const ON_ONE_PROCESSOR: f64 = 1.2;

/// The rates of one scene and one way of waiting, in round trips a second.
struct Rates(Vec<f64>);

impl Rates {
    fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    }

    /// The number of the worst run, from 1 on, and its rate.
    fn worst(&self) -> (usize, f64) {
        let (at, rate) = self.0.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)).expect("a run at least");
        (at + 1, *rate)
    }

    fn print(&self, name: &str, waiting: Waiting) {
        let (median, (number, worst)) = (self.median(), self.worst());
        let steady = if worst < STEADY * median { "  not steady" } else { "" };
        println!(
            "{name:34} {:9} {median:10.0} {:8.2} {worst:10.0} {number:4} {:6.2}{steady}",
            waiting.name(),
            1e6 / median,
            worst / median,
        );
    }
}

fn measure(scene: &Scene, runs: usize, slice: Duration) {
    let ways = [Waiting::Automatic, Waiting::Asleep, Waiting::Pipe];
    let ways = &ways[..if scene.has_pipe() { 3 } else { 2 }];
    let mut rates: Vec<Rates> = ways.iter().map(|_| Rates(Vec::new())).collect();
    for _ in 0..runs {
        for (way, rates) in ways.iter().zip(&mut rates) {
            rates.0.push(Run::start(scene, *way).rate(slice));
        }
    }
    for (way, rates) in ways.iter().zip(&rates) {
        rates.print(scene.name, *way);
    }
    let slower = rates[1].median() / rates[0].median();
    if scene.is_on_one_processor() && slower > ON_ONE_PROCESSOR {
        println!("{:34} {slower:.2} times as long as asleep, the goal is {ON_ONE_PROCESSOR}", "");
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let asked = |flag: &str| arguments.iter().position(|argument| argument == flag);
    if asked("--list").is_some() {
        return;
    }
    let value = |flag: &str| arguments.get(asked(flag)? + 1)?.parse().ok();
    let is_test = asked("--test").is_some() || asked("--bench").is_none();
    let (runs, slice) = if is_test { (1, SLICE_OF_A_TEST) } else { (RUNS, SLICE) };
    let runs = value("--runs").unwrap_or(runs).max(1);
    let only = asked("--only").and_then(|at| arguments.get(at + 1));
    println!(
        "{:34} {:9} {:>10} {:>8} {:>10} {:>4} {:>6}",
        format!("{runs} runs"),
        "waits",
        "median/s",
        "µs",
        "worst/s",
        "run",
        "ratio"
    );
    for scene in SCENES.iter().filter(|scene| only.is_none_or(|part| scene.name.contains(part.as_str()))) {
        measure(scene, runs, slice);
    }
}
