//! A channel with as many slots as there can be: what is bounded stays so.

use shmrr::{Error, Options};
use std::time::{Duration, Instant};

const TRIES: u32 = 20;

#[test]
fn who_waits_for_a_slot_looks_at_the_clock_however_many_there_are() {
    let options = Options::new().slots(65_472).request_max(1).response_max(1).participants(4);
    let server = options.anonymous().unwrap();
    let client = options.client_from_server(&server).unwrap();
    (0..65_472).for_each(|_| assert!(client.send(b"").is_ok()));
    let took = (0..TRIES).map(|_| {
        let begun = Instant::now();
        assert_eq!(client.send_wait(b"", Duration::from_micros(10)), Err(Error::TimedOut));
        begun.elapsed()
    });
    let shortest = took.min().unwrap();
    assert!(shortest < Duration::from_millis(1), "{shortest:?}");
}
