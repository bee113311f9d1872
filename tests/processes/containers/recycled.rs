//! A pid that is used again: the dead one who had it is recovered from, and the new one isn't taken for it.

use super::contained::{self, Contained};
use super::peer::{HEARD, Peer, options};
use crate::channel::Name;
use crate::child;
use crate::forked::{Forked, Tie, Wire};
use std::fs;

/// Says which pid the next child but none gets: /proc/sys/kernel/ns_last_pid, proc(5).
const LAST_PID: &str = "/proc/sys/kernel/ns_last_pid";

#[test]
fn the_next_owner_of_a_pid_is_not_taken_for_the_dead_one_nor_the_other_way_round() {
    let name = Name::new("recycled");
    if let Some(container) = Contained::spawn("recycled", name.as_ref(), &[]) {
        assert!(container.child.succeed());
    }
}

fn fork_peer(path: &std::path::Path) -> (Forked, Wire) {
    let (near, mut far) = Wire::pair();
    let child = Forked::run(Tie::Bound, || {
        assert_eq!(far.hear(), "open");
        let mut peer = Peer::open(path, &options());
        far.say("open");
        peer.obey_wire(&mut far);
    });
    (child, near)
}

/// In a PID namespace of its own, where nobody else takes a pid.
pub fn use_a_pid_again() {
    let path = contained::path();
    let mut own = Peer::open(&path, &options());
    for attached_before_the_burial in [false, true] {
        let (first, mut to_first) = fork_peer(&path);
        let pid = first.pid();
        assert_eq!(to_first.ask("open"), "open");
        assert_eq!(own.obey("send held"), "ok");
        assert_eq!(to_first.ask("take"), "held");
        assert_eq!(to_first.ask("send queued"), "ok");
        first.kill();

        if let Err(error) = fs::write(LAST_PID, (pid - 1).to_string()) {
            return child::skip(&format!("cannot choose a pid: {LAST_PID}: {error}"));
        }
        let (second, mut to_second) = fork_peer(&path);
        assert_eq!(second.pid(), pid);
        if attached_before_the_burial {
            // Attaching buries the dead, and takes their numbers.
            assert_eq!(to_second.ask("open"), "open");
            assert_eq!(own.obey("recover 1"), "0");
            assert_eq!(own.obey(HEARD), "OwnerDead");
        } else {
            assert_eq!(own.obey(HEARD), "OwnerDead");
            assert_eq!(own.obey("recover 1"), "1");
            assert_eq!(to_second.ask("open"), "open");
        }
        own.assert_clean(4);

        assert_eq!(to_second.ask("send alive"), "ok");
        assert_eq!(own.obey("recover 50"), "0");
        assert_eq!(own.obey("take"), "alive");
        assert_eq!(own.obey("reply well"), "ok");
        assert_eq!(to_second.ask(HEARD), "well");
        second.kill();
        assert_eq!(own.obey("recover 1"), "2");
        own.assert_clean(2);
    }
}
