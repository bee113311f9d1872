//! The table at the end: percentiles of single trips, then every figure as a ratio to the anchor of its own round,
//! against the goals. It judges; it fails nothing.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::Field;
use crate::goals::{Goal, Placement};
use crate::rounds::{Trips, average, sample};

/// A round whose two measurements of P are further apart than this saw the CPUs moved, or somebody else on them.
const STEADY: f64 = 1.25;

/// One round's averages, in nanoseconds a trip.
struct Round {
    /// P before and after what is compared with it.
    lines: Option<[f64; 2]>,
    futexes: f64,
    hot: f64,
    pipelined: f64,
    asleep: f64,
    streams: [f64; 3],
}

impl Round {
    fn line(&self) -> Option<f64> {
        self.lines.map(|[before, after]| f64::midpoint(before, after))
    }

    fn is_steady(&self) -> bool {
        self.lines.is_none_or(|[before, after]| before.max(after) <= STEADY * before.min(after))
    }
}

/// What a run of rounds gave.
pub struct Summary {
    rounds: Vec<Round>,
    samples: Vec<(&'static str, Histogram<u64>)>,
    streams: [&'static str; 3],
}

impl Summary {
    /// Gives every contestant two slices a round: one for its average, one for its percentiles.
    pub fn measure(field: &mut Field, rounds: usize, slice: Duration) -> Self {
        let names = ["one line, polled (P)", "two futexes (F)", "request, hot", "request, asleep"];
        let mut samples = names.map(|name| (name, histogram()));
        let [line, futexes, hot, asleep] = &mut samples;
        let rounds = (0..rounds)
            .map(|_| {
                let mut line_now = || field.line.as_mut().map(|line| average(line, slice));
                let before = line_now();
                let round = Round {
                    hot: average(&mut field.hot.one_at_a_time(), slice),
                    pipelined: average(&mut field.hot.pipelined(), slice),
                    lines: before.zip(line_now()).map(<[f64; 2]>::from),
                    futexes: average(&mut field.futexes, slice),
                    asleep: average(&mut field.asleep.one_at_a_time(), slice),
                    streams: field.streams.each_mut().map(|stream| average(stream, slice)),
                };
                if let Some(polled) = &mut field.line {
                    sample(polled, slice, &mut line.1);
                }
                sample(&mut field.hot.one_at_a_time(), slice, &mut hot.1);
                sample(&mut field.futexes, slice, &mut futexes.1);
                sample(&mut field.asleep.one_at_a_time(), slice, &mut asleep.1);
                round
            })
            .collect();
        Self { rounds, samples: samples.into(), streams: field.streams.each_ref().map(|stream| stream.name) }
    }

    /// Prints the table.
    pub fn print(&self) {
        println!("single trips, each with one clock read of {:.0} ns", clock_read());
        println!("{:24}{:>12}{:>12}{:>12}", "", "p50", "p99", "p99.9");
        for (name, samples) in self.samples.iter().filter(|(_, samples)| !samples.is_empty()) {
            let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|q| samples.value_at_quantile(q));
            println!("{name:24}{p50:>9} ns{p99:>9} ns{p999:>9} ns");
        }
        let steady: Vec<&Round> = self.rounds.iter().filter(|round| round.is_steady()).collect();
        for placement in [Some(Placement::Close), Some(Placement::Apart), None] {
            let is_here = |round: &&&Round| round.line().map(Placement::of) == placement;
            let rounds: Vec<&Round> = steady.iter().filter(is_here).copied().collect();
            print_ratios(&rounds, placement);
            self.print_streams(&rounds);
        }
        let moved = self.rounds.len() - steady.len();
        if moved > 0 {
            println!("\nleft out: {moved} rounds, in which P changed by more than a factor of {STEADY}");
        }
    }

    /// A request beside what programs use today.
    fn print_streams(&self, rounds: &[&Round]) {
        if rounds.is_empty() {
            return;
        }
        let of = |figure: &dyn Fn(&Round) -> f64| Spread::of(rounds.iter().map(|round| figure(round)));
        println!("  request        {} ns hot", of(&|round| round.hot));
        println!("                 {} ns asleep", of(&|round| round.asleep));
        for (at, name) in self.streams.iter().enumerate() {
            println!("  {name:15}{} ns", of(&|round| round.streams[at]));
            println!("                 {} hot requests", of(&|round| round.streams[at] / round.hot));
            println!("                 {} sleeping requests", of(&|round| round.streams[at] / round.asleep));
        }
    }
}

fn print_ratios(rounds: &[&Round], placement: Option<Placement>) {
    if rounds.is_empty() {
        return;
    }
    let of = |figure: &dyn Fn(&Round) -> f64| Spread::of(rounds.iter().map(|round| figure(round)));
    println!();
    println!("{} rounds, median [quarters]:", rounds.len());
    println!("  F              {} ns", of(&|round| round.futexes));
    if let Some(placement) = placement {
        let line = |round: &Round| round.line().unwrap_or(f64::NAN);
        println!("  P              {} ns, CPUs {placement}", of(&line));
        let hot = of(&|round| round.hot / line(round));
        println!("  hot round trip {hot} P   {}", judge(hot.median, placement.hot()));
        let pipelined = of(&|round| 1e3 / round.pipelined);
        println!("  pipelined      {pipelined} M/s {}", judge(pipelined.median, placement.pipelined()));
        println!("                 {} P each", of(&|round| round.pipelined / line(round)));
    } else {
        println!("  hot round trip {} F", of(&|round| round.hot / round.futexes));
        println!("  pipelined      {} M/s", of(&|round| 1e3 / round.pipelined));
    }
    let asleep = of(&|round| round.asleep / round.futexes);
    println!("  asleep         {asleep} F   {}", judge(asleep.median, &Goal::ASLEEP));
}

fn judge(value: f64, goals: &[Goal]) -> String {
    goals.iter().map(|goal| goal.judge(value)).collect::<Vec<_>>().join("; ")
}

/// The middle of many rounds, and how far the middle half of them spreads.
struct Spread {
    low: f64,
    median: f64,
    high: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let at = |part: usize| values[(values.len() - 1) * part / 4];
        Self { low: at(1), median: at(2), high: at(3) }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = if self.median < 100.0 { 2 } else { 0 };
        write!(out, "{:8.digits$} [{:.digits$} .. {:.digits$}]", self.median, self.low, self.high)
    }
}

fn histogram() -> Histogram<u64> {
    let longest = Duration::from_secs(10).as_nanos() as u64;
    Histogram::new_with_bounds(1, longest, 3).expect("bounds of a histogram")
}

fn clock_read() -> f64 {
    struct Clock;
    impl Trips for Clock {
        fn warm_up(&self) -> u32 {
            100
        }
        fn trip(&mut self) {
            std::hint::black_box(Instant::now());
        }
    }
    average(&mut Clock, Duration::from_millis(1))
}
