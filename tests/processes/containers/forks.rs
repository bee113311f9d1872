//! Parents, children, and forks amid opening and closing: a child that inherited everything keeps nobody alive.
//!
//! Each runs in a process of its own, which adopts what its children leave behind.

use super::peer::{HEARD, Peer, SLOTS, options};
use crate::channel::Name;
use crate::child::{self, Child};
use crate::forked::{Ended, Forked, Tie, Wire, adopt_orphans, reap, send, state};
use shmrr::Options;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

fn in_child(role: &str) {
    let name = Name::new(&role.replace(' ', "-"));
    assert!(Child::spawn(&format!("containers::{role}"), &[("NAME", name.as_ref())]).succeed());
}

fn path() -> PathBuf {
    child::setting("NAME").into()
}

#[test]
fn a_child_that_goes_on_does_not_hide_its_parents_death() {
    in_child("parent dies");
}

pub fn parent_dies() {
    adopt_orphans();
    let mut own = Peer::open(&path(), &options());
    let (mut to_parent, mut parents) = Wire::pair();
    let (mut to_child, mut childs) = Wire::pair();
    let parent = Forked::run(Tie::Bound, || {
        let mut peer = Peer::open(&path(), &options());
        parents.say("open");
        // Until it is told to fork.
        peer.obey_wire(&mut parents);
        let child = Forked::run(Tie::Free, || peer.obey_wire(&mut childs));
        parents.say(&child.leave().to_string());
        peer.obey_wire(&mut parents);
    });
    assert_eq!(to_parent.hear(), "open");
    assert_eq!(own.obey("send held by the parent"), "ok");
    assert_eq!(to_parent.ask("take"), "held by the parent");
    assert_eq!(to_parent.ask("send of the parent"), "ok");
    assert_eq!(own.obey("take"), "of the parent");
    assert_eq!(to_parent.ask("send of the parent, queued"), "ok");
    let child: i32 = to_parent.ask("").parse().unwrap();
    assert_eq!(own.obey("recover 50"), "0");

    parent.kill();
    assert_eq!(own.obey(HEARD), "OwnerDead");
    assert_eq!(own.obey("recover 1"), "1", "the parent's client");
    assert_eq!(own.obey("reply nobody asks"), "Stale");
    own.assert_clean(2);

    to_child.say("serve 100");
    assert_eq!(own.obey("request 100"), "ok");
    assert_eq!(to_child.hear(), "ok");
    assert_eq!(to_child.ask("send of the child"), "ok");
    assert_eq!(own.obey("take"), "of the child");
    assert_eq!(own.obey("reply well"), "ok");
    for answer in ["Stale", "Stale", "well"] {
        assert_eq!(to_child.ask(HEARD), answer, "what the parent sent is not the child's");
    }
    own.assert_clean(4);
    to_child.say("");
    assert_eq!(reap(child), Ended::Exit(0));
    assert_eq!(own.obey("recover 1"), "2");
    own.assert_works();
    own.assert_clean(2);
}

#[test]
fn a_childs_death_takes_nothing_from_its_parent() {
    in_child("child dies");
}

pub fn child_dies() {
    let mut own = Peer::open(&path(), &options());
    let mut parent = Peer::open(&path(), &options());
    assert_eq!(own.obey("send held by the parent"), "ok");
    assert_eq!(parent.obey("take"), "held by the parent");
    assert_eq!(parent.obey("send of the parent"), "ok");
    for uses_the_handles in [false, true] {
        let (mut to_child, mut childs) = Wire::pair();
        let child = Forked::run(Tie::Bound, || {
            childs.say("forked");
            parent.obey_wire(&mut childs);
        });
        assert_eq!(to_child.hear(), "forked");
        if uses_the_handles {
            assert_eq!(to_child.ask("take"), "of the parent");
            assert_eq!(to_child.ask("send of the child"), "ok");
        }
        assert_eq!(own.obey("recover 50"), "0");
        child.kill();
        if uses_the_handles {
            assert_eq!(parent.obey(HEARD), "OwnerDead");
        }
        assert_eq!(own.obey("recover 1"), u32::from(uses_the_handles).to_string(), "the child's client");
        assert_eq!(own.channel().stats().participants, 4);
    }
    assert_eq!(parent.obey("recover 50"), "0");
    assert_eq!(parent.obey("reply of the parent"), "ok");
    assert_eq!(own.obey(HEARD), "of the parent");
    parent.assert_works();
    own.assert_clean(4);
}

const FORKS: usize = 300;
const PARTICIPANTS: u32 = 32;
/// Handles that the thread which opens and closes keeps open.
const OPEN: usize = 4;

#[test]
fn forks_amid_opening_and_closing_hide_no_death_and_use_up_no_place() {
    in_child("fork race");
}

pub fn race() {
    adopt_orphans();
    let own = options().participants(PARTICIPANTS).server(path()).unwrap();
    let (mut near, mut far) = Wire::pair();
    let parent = Forked::run(Tie::Bound, || fork_amid_opens(&mut far));
    let children: Vec<i32> = (0..FORKS).map(|_| near.hear_number()).collect();
    assert!(own.channel().stats().participants > 2, "handles are open");
    parent.kill();

    let recovered = own.channel().recover().unwrap();
    assert!(recovered >= 2, "{recovered} were recovered from");
    assert_eq!(own.channel().stats().participants, 1, "of {recovered} handles all are gone");
    assert!(children.iter().all(|pid| state(*pid) != 'Z'), "all children live");
    let all: Vec<_> = (1..PARTICIPANTS).map(|_| Options::new().client(path())).collect();
    let refused = all.iter().filter(|client| client.is_err()).count();
    assert_eq!(refused, 0, "places that nobody has can't be had");
    drop(all);
    for child in children {
        send(child, libc::SIGKILL);
        assert_eq!(reap(child), Ended::Signal(libc::SIGKILL));
    }
    let stats = own.channel().stats();
    assert_eq!((stats.participants, stats.free), (1, SLOTS));
}

/// Ends only when it is killed.
fn fork_amid_opens(wire: &mut Wire) {
    let path = path();
    let _kept = Peer::open(&path, &Options::new());
    thread::spawn(move || open_and_close(&path));
    for _ in 0..FORKS {
        // Says by itself that it is past the fork.
        Forked::run(Tie::Free, || {
            wire.say_number(std::process::id() as i32);
            sleep_for_ever();
        })
        .leave();
    }
    sleep_for_ever();
}

fn open_and_close(path: &Path) {
    let mut open = VecDeque::new();
    loop {
        let opened = Options::new().client(path);
        // Ends the process: its parent expects another end.
        open.push_back(opened.unwrap_or_else(|error| {
            eprintln!("{error}");
            std::process::exit(1)
        }));
        if open.len() > OPEN {
            open.pop_front();
        }
    }
}

/// Calls only what a child of a process with several threads may.
fn sleep_for_ever() {
    loop {
        // SAFETY: has no preconditions.
        unsafe { libc::pause() };
    }
}

#[test]
fn a_child_that_has_not_yet_run_keeps_no_place_that_its_parent_gave_back() {
    in_child("slow child");
}

static HELD_UP: AtomicBool = AtomicBool::new(false);

/// Runs in a forked child before the library's own handler, since it was registered before that.
extern "C" fn hold_up() {
    if HELD_UP.load(Relaxed) {
        sleep_for_ever();
    }
}

pub fn slow_child() {
    // SAFETY: the handler calls only what a forked child may.
    assert_eq!(unsafe { libc::pthread_atfork(None, None, Some(hold_up)) }, 0);
    let own = options().participants(2).server(path()).unwrap();
    let client = Options::new().client(path()).unwrap();
    HELD_UP.store(true, Relaxed);
    let _child = Forked::run(Tie::Free, || unreachable!("it never gets here"));
    drop(client);
    let next = Options::new().client(path());
    assert!(next.is_ok(), "{:?}", next.err());
    drop(next);
    assert_eq!(own.channel().stats().participants, 1);
}
