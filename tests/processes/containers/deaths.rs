//! Ways of being dead, and of only seeming so. All happen to a peer that holds a request, has one queued, and is waited
//! for.

use super::peer::{self, HEARD, Peer, SOON, ask, options};
use crate::channel::Name;
use crate::child::Child;
use crate::forked::{await_state, state};
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

/// The test's own handles, and those of a second peer that only looks on.
const OTHERS: u32 = 4;

struct Scene {
    name: Name,
    own: Peer,
    witness: Child,
    fated: Child,
}

/// The peer holds `first` and has sent `its own`.
fn scene(test: &str) -> Scene {
    let name = Name::new(test);
    let mut own = Peer::open(name.as_ref(), &options());
    let witness = peer::spawn(&name);
    let mut fated = peer::spawn(&name);
    assert_eq!(own.obey("send first"), "ok");
    assert_eq!(ask(&mut fated, "take"), "first");
    assert_eq!(ask(&mut fated, "send its own"), "ok");
    Scene { name, own, witness, fated }
}

impl Scene {
    /// What the peer held fails, what it sent is gone, and the others work.
    fn assert_dead(&mut self) {
        assert_eq!(self.own.obey(HEARD), "OwnerDead");
        assert_eq!(ask(&mut self.witness, "recover 1"), "1", "its other handle");
        self.own.assert_clean(OTHERS);
        self.assert_others_live();
    }

    fn assert_others_live(&mut self) {
        assert_eq!(self.own.obey("recover 50"), "0");
        assert_eq!(ask(&mut self.witness, "recover 50"), "0");
        self.witness.tell("serve 50");
        assert_eq!(self.own.obey("request 50"), "ok");
        assert_eq!(self.witness.hear(), "ok");
    }
}

#[test]
fn a_process_is_dead_to_the_channel_after_exec_though_it_lives() {
    let mut scene = scene("exec");
    assert_eq!(ask(&mut scene.fated, "exec"), "cat");
    assert_cat_lives(&mut scene.fated);
    scene.assert_dead();
    assert_cat_lives(&mut scene.fated);
    assert!(scene.fated.succeed());
}

#[test]
fn a_program_that_a_process_started_does_not_hide_its_death() {
    let mut scene = scene("start");
    assert_eq!(ask(&mut scene.fated, "start"), "cat");
    scene.fated.signal(libc::SIGKILL);
    await_state(scene.fated.pid(), libc::WEXITED);
    assert_cat_lives(&mut scene.fated);
    scene.assert_dead();
    assert_cat_lives(&mut scene.fated);
    assert_eq!(scene.fated.end().status.signal(), Some(libc::SIGKILL));
}

fn assert_cat_lives(fated: &mut Child) {
    fated.tell("@ it lives");
    assert_eq!(fated.hear(), "it lives");
}

#[test]
fn a_zombie_is_dead() {
    let mut scene = scene("zombie");
    scene.fated.signal(libc::SIGKILL);
    await_state(scene.fated.pid(), libc::WEXITED);
    scene.assert_dead();
    assert_eq!(state(scene.fated.pid() as i32), 'Z');
}

/// Longer than any wait of the library's own, of which the longest is a second.
const STOPPED: &str = "collect 1500";

#[test]
fn a_stopped_process_is_alive_however_long_it_is_waited_for() {
    let mut scene = scene("stopped");
    scene.fated.signal(libc::SIGSTOP);
    await_state(scene.fated.pid(), libc::WSTOPPED);
    // Its one client waits, others look for slots, for requests and for the dead.
    scene.witness.tell("take");
    assert_eq!(scene.own.obey(STOPPED), "TimedOut");
    assert_eq!(scene.witness.hear(), "its own");
    while scene.own.client.send(b"to fill the channel").is_ok() {}
    assert_eq!(scene.own.obey("send no room"), "NoSlots");
    let none = scene.own.client.send_wait(b"no room", Duration::from_millis(200));
    assert_eq!(none, Err(shmrr::Error::TimedOut));
    assert_eq!(scene.own.obey("recover 50"), "0");
    assert_eq!(ask(&mut scene.witness, "recover 50"), "0");
    drop(Peer::open(scene.name.as_ref(), &options()));
    assert_eq!(scene.own.channel().stats().recoveries, 0);
    assert_eq!(state(scene.fated.pid() as i32), 'T');

    scene.fated.tell("reply at last");
    scene.witness.tell("reply to a sleeper");
    assert_eq!(scene.witness.hear(), "ok");
    scene.fated.signal(libc::SIGCONT);
    assert_eq!(scene.own.obey(SOON), "at last");
    assert_eq!(scene.fated.hear(), "ok");
    assert_eq!(ask(&mut scene.fated, SOON), "to a sleeper");
}

#[test]
fn a_request_to_a_stopped_server_may_be_given_up_and_its_late_reply_is_stale() {
    let mut scene = scene("given-up");
    scene.fated.signal(libc::SIGSTOP);
    await_state(scene.fated.pid(), libc::WSTOPPED);
    scene.own.give_up();
    assert_eq!(scene.own.obey("recover 50"), "0");
    scene.fated.tell("reply too late");
    scene.fated.signal(libc::SIGCONT);
    assert_eq!(scene.fated.hear(), "Stale");
    assert_eq!(scene.own.obey("take"), "its own");
    assert_eq!(scene.own.obey("reply well"), "ok");
    assert_eq!(ask(&mut scene.fated, SOON), "well");
    assert_eq!(scene.own.obey("recover 50"), "0");
    scene.own.assert_clean(OTHERS + 2);
}
