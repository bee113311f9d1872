//! The ways in and out of a channel.

use super::{ORDINARY, acted_twice, nothing};
use crate::scene::{Operation, Scene};

pub const ALL: &[&Operation] = &[&ATTACH_CLIENT, &ATTACH_SERVER, &LEAVE_CLIENT, &LEAVE_SERVER];

pub const ATTACH_CLIENT: Operation =
    Operation { name: "attach, client", acts: &["client"], prepare: nothing, ..ORDINARY };

pub const ATTACH_SERVER: Operation =
    Operation { name: "attach, server", acts: &["server"], prepare: nothing, ..ORDINARY };

pub const LEAVE_CLIENT: Operation = Operation {
    name: "leave, client",
    acts: &["client", "send", "send", "send", "leave"],
    prepare: |scene| {
        acted_twice(scene);
        acted_twice(scene);
        let replied = scene.receive().expect("three are queued");
        assert!(scene.survivors.reply(&replied));
        scene.take();
    },
    ..ORDINARY
};

pub const LEAVE_SERVER: Operation = Operation {
    name: "leave, server",
    acts: &["server", "recv", "recv", "leave"],
    prepare: two_claimed,
    ..ORDINARY
};

/// Of three requests the victim holds two, one of them given up.
pub(super) fn two_claimed(scene: &mut Scene) {
    for _ in 0..3 {
        scene.ask();
    }
    acted_twice(scene);
    scene.act();
    scene.give_up();
}
