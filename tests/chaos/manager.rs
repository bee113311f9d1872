//! Who looks after the channel in the chaos test: asks who is there and what the channel holds, and now and then
//! clears it.

use crate::ledger::RUNNING;
use crate::payload::Random;
use crate::watch::{Limit, Watch};
use crate::{PARTICIPANTS, Part, SLOTS};
use shmrr::{Channel, Role};
use std::time::Duration;

/// Longest time between two deeds, in milliseconds.
const PAUSE: u64 = 40;
/// One deed in so many is to clear the channel.
const CLEARS: u64 = 8;

pub fn manage(part: &Part) {
    if part.life % 2 == 0 {
        let client = part.form.options().client(&part.channel).unwrap();
        look_after(part, client.channel(), Role::Client);
    } else {
        let server = part.form.options().server(&part.channel).unwrap();
        look_after(part, server.channel(), Role::Server);
    }
}

fn look_after(part: &Part, channel: &Channel, role: Role) {
    let watch = Watch::new(&part.ledger, part.seat);
    let mut random = Random::new(part.seed);
    while part.ledger.phase() == RUNNING {
        std::thread::sleep(Duration::from_millis(random.below(PAUSE)));
        match random.below(CLEARS) {
            0 => {
                let clears = part.ledger.clears();
                clears.begin();
                clears.end(watch.call("clear", Limit::Now, || channel.clear()).0.unwrap());
            }
            1 => drop(watch.call("recover", Limit::Now, || channel.recover()).0.unwrap()),
            2 => watch.call("sync", Limit::Now, || channel.sync()).0.unwrap(),
            3..5 => check_participants(&watch, channel, role),
            _ => check_stats(&watch, channel),
        }
    }
}

fn check_participants(watch: &Watch, channel: &Channel, role: Role) {
    let all = watch.call("participants", Limit::Now, || channel.participants()).0.unwrap();
    assert!(all.len() <= PARTICIPANTS as usize, "{all:?}");
    assert!(all.is_sorted_by(|one, next| one.number < next.number), "{all:?}");
    let me = all.iter().find(|one| one.pid == std::process::id() && one.is_alive).expect("itself, alive");
    assert_eq!((me.role, me.held), (Some(role), 0), "{me:?}");
}

fn check_stats(watch: &Watch, channel: &Channel) {
    let stats = watch.call("stats", Limit::Now, || channel.stats()).0;
    let spares = (SLOTS / 4).clamp(4, 64);
    assert!(stats.slots == SLOTS && stats.free <= SLOTS && stats.in_flight <= SLOTS + spares, "{stats:?}");
    assert!(stats.queued <= SLOTS + spares && stats.participants <= PARTICIPANTS, "{stats:?}");
}
