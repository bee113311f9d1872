//! What is left of the chaos test's channel.

use crate::{Form, SLOTS};
use shmrr::{Client, Error, Server};
use std::path::Path;
use std::time::{Duration, Instant};

/// When nobody is stopped or killed any more, all that was posted is served within this.
const IN_PEACE: Duration = Duration::from_secs(60);

/// Waits until servers have nothing to do, when all clients have left.
pub fn wait_until_served(keeper: &Server) {
    let end = Instant::now() + IN_PEACE;
    loop {
        keeper.channel().recover().unwrap();
        let stats = keeper.channel().stats();
        if stats.in_flight == 0 {
            return;
        }
        assert!(Instant::now() < end, "nobody takes what is left: {stats:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The channel that all but `keeper` left or died in holds nothing and has room for all that it promises.
pub fn assert_none(keeper: &Server, name: &Path, form: Form) {
    keeper.channel().recover().unwrap();
    assert_empty(keeper, name);
    let client = form.options().client(name).unwrap();
    fill(&client, form);
    drop(client);
    assert_empty(keeper, name);
}

fn assert_empty(keeper: &Server, name: &Path) {
    let stats = keeper.channel().stats();
    assert_eq!((stats.in_flight, stats.queued, stats.free), (0, 0, SLOTS), "{stats:?}");
    assert_eq!(stats.participants, 1, "only the keeper is left: {stats:?}");
    let held = held_slots(name);
    assert!(held.is_empty(), "slots and reply words that are not free: {held:x?}");
}

fn fill(client: &Client, form: Form) {
    let send = || if form == Form::Integers { client.send_i64(0) } else { client.send(b"") };
    let ids: Vec<shmrr::RequestId> = (0..SLOTS).map(|_| send().expect("a slot is free")).collect();
    assert_eq!(send(), Err(Error::NoSlots));
    for id in ids {
        client.cancel(id).unwrap();
    }
    assert_eq!(client.pending(), 0);
}

/// Reads the reply words in the file: see docs/FORMAT.md for the offsets.
fn held_slots(file: &Path) -> Vec<(usize, u64)> {
    let bytes = std::fs::read(file).unwrap();
    let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let (slots, stride) = (u64_at(88) as usize, u64_at(96) as usize);
    let words = (0..u32_at(40) + u32_at(44)).map(|slot| (slot, u64_at(slots + slot * stride + 128)));
    words.filter(|(_, word)| word & 0xF != 0).collect()
}
