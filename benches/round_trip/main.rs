//! What a request costs next to the least it could cost: the hot round trip, the pipeline and the sleeping round trip
//! beside one cache line's (P), two futexes' (F), and pipes and sockets, between two processes pinned to two CPUs. Criterion keeps the
//! history of each; the table at the end has the ratios, from rounds that interleave them all. See `../README.md`.

mod anchors;
mod goals;
mod machine;
mod peers;
mod rounds;
mod streams;
mod summary;

use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};

use anchors::{CacheLine, Futexes};
use machine::{Cpus, pin};
use peers::{Channel, WINDOW, Waiting};
use rounds::{Trips, timed};
use streams::Stream;
use summary::Summary;

/// Rounds of the table, and the slice of each contestant in a round: some eight seconds in all.
const ROUNDS: usize = 60;
const SLICE: Duration = Duration::from_millis(10);

/// All that is measured, each with its process on the other CPU.
pub(crate) struct Field {
    /// Two pollers on one CPU would measure the scheduler: absent there.
    line: Option<CacheLine>,
    futexes: Futexes,
    hot: Channel,
    asleep: Channel,
    streams: [Stream; 3],
}

impl Field {
    fn start(cpus: Option<Cpus>) -> Self {
        Self {
            line: cpus.map(CacheLine::start),
            futexes: Futexes::start(cpus),
            hot: Channel::start(cpus, Waiting::Automatic),
            asleep: Channel::start(cpus, Waiting::Asleep),
            streams: Stream::all(cpus),
        }
    }
}

fn main() {
    let cpus = Cpus::allowed();
    let mut field = Field::start(cpus);
    if let Some(cpus) = cpus {
        pin(cpus.client);
    }

    let mut criterion = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    round_trip(&mut criterion, &mut field);
    pipelined(&mut criterion, &field);
    criterion.final_summary();

    let asked = |flag: &str| std::env::args().any(|argument| argument == flag);
    if asked("--bench") && !asked("--test") && !asked("--list") {
        match cpus {
            Some(Cpus { client, server }) => println!("client on CPU {client}, servers on CPU {server}"),
            None => println!("only one CPU is allowed here: nothing is pinned, and there is no P"),
        }
        Summary::measure(&mut field, ROUNDS, SLICE).print();
    }
}

fn round_trip(criterion: &mut Criterion, field: &mut Field) {
    let mut group = criterion.benchmark_group("round trip");
    if let Some(line) = &mut field.line {
        bench(&mut group, "one line, polled (P)", line);
    }
    bench(&mut group, "two futexes (F)", &mut field.futexes);
    bench(&mut group, "request, hot", &mut field.hot.one_at_a_time());
    bench(&mut group, "request, asleep", &mut field.asleep.one_at_a_time());
    for stream in &mut field.streams {
        bench(&mut group, stream.name, stream);
    }
    group.finish();
}

fn pipelined(criterion: &mut Criterion, field: &Field) {
    let mut group = criterion.benchmark_group("pipelined");
    group.throughput(Throughput::Elements(1));
    bench(&mut group, &format!("{WINDOW} in flight"), &mut field.hot.pipelined());
    group.finish();
}

fn bench(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, trips: &mut impl Trips) {
    group.bench_function(name, |bencher| bencher.iter_custom(|count| timed(trips, count)));
}
