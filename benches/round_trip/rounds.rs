//! Interleaved measurement: many short rounds, each giving every contestant its slice, so that whatever the host does
//! to the machine it does to all of them. A ratio is taken inside one round, and the median over the rounds counts.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// Something that goes there and back.
pub trait Trips {
    /// How many trips it takes until caches are warm and spin budgets have settled.
    fn warm_up(&self) -> u32;
    /// Gets the other side ready.
    fn begin(&mut self) {}
    /// There and back once.
    fn trip(&mut self);
    /// Leaves the other side asleep, so that the next contestant has its CPU alone.
    fn end(&mut self) {}
}

/// Trips between two looks at the clock: its 25 ns vanish, and a slice of the slowest is still a slice.
const BATCH: u32 = 128;

/// How long `count` trips take, without getting ready and warming up.
pub fn timed<T: Trips>(trips: &mut T, count: u64) -> Duration {
    with_warm(trips, |trips| {
        let start = Instant::now();
        (0..count).for_each(|_| trips.trip());
        start.elapsed()
    })
}

/// Nanoseconds a trip, the average over one slice.
pub fn average<T: Trips>(trips: &mut T, slice: Duration) -> f64 {
    with_warm(trips, |trips| {
        let start = Instant::now();
        let mut count = 0;
        loop {
            (0..BATCH).for_each(|_| trips.trip());
            count += BATCH;
            let elapsed = start.elapsed();
            if elapsed >= slice {
                return elapsed.as_nanos() as f64 / f64::from(count);
            }
        }
    })
}

/// Records each trip of one slice; every sample holds one clock read besides the trip.
pub fn sample<T: Trips>(trips: &mut T, slice: Duration, into: &mut Histogram<u64>) {
    with_warm(trips, |trips| {
        let start = Instant::now();
        let mut last = start;
        while last - start < slice {
            trips.trip();
            let now = Instant::now();
            into.saturating_record((now - last).as_nanos() as u64);
            last = now;
        }
    });
}

fn with_warm<T: Trips, R>(trips: &mut T, measured: impl FnOnce(&mut T) -> R) -> R {
    trips.begin();
    (0..trips.warm_up()).for_each(|_| trips.trip());
    let result = measured(trips);
    trips.end();
    result
}
