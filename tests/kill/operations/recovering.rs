//! What comes of it when the victim is itself cleaning up after one that has died.

use super::{ORDINARY, acted_twice};
use crate::scene::{Operation, Scene};

pub const ALL: &[&Operation] = &[&RECOVER, &RECOVER_BY_SEND, &RECOVER_BY_ATTACH, &RECOVER_BY_WAIT];

/// Leaves a dead server and client with two requests claimed, one of them given up, and two queued; no slot is free.
pub(super) fn another_dies(scene: &mut Scene) {
    for _ in 0..3 {
        scene.ask();
    }
    scene.start_another(&["server", "recv", "recv", "client", "send", "send"]);
    scene.act_another(3);
    scene.give_up();
    scene.act_another(3);
    scene.kill_another();
}

pub(super) fn joined_and_another_dies(scene: &mut Scene) {
    scene.act();
    another_dies(scene);
}

pub const RECOVER: Operation =
    Operation { name: "recover", acts: &["client", "recover"], prepare: joined_and_another_dies, ..ORDINARY };

pub const RECOVER_BY_SEND: Operation =
    Operation { name: "recover, by send", acts: &["client", "send"], ..RECOVER };

pub const RECOVER_BY_ATTACH: Operation =
    Operation { name: "recover, by attach", acts: &["client"], prepare: another_dies, ..ORDINARY };

pub const RECOVER_BY_WAIT: Operation = Operation {
    name: "recover, by get_wait",
    acts: &["client", "send", "wait in vain"],
    prepare: its_server_dies,
    ..ORDINARY
};

/// The victim's request is held by a dead server.
pub(super) fn its_server_dies(scene: &mut Scene) {
    acted_twice(scene);
    scene.start_another(&["server", "recv"]);
    scene.act_another(2);
    scene.kill_another();
}
