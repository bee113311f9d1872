//! One-way messages: sending them, taking them, being done with them, and looking after those that the dead have left.

use super::{ORDINARY, acted_twice};
use crate::scene::{Operation, Scene};
use crate::words::{Reply, Request};

pub const ALL: &[&Operation] = &[
    &POST,
    &POST_AGAIN,
    &POST_MSG,
    &LEAVE,
    &RECV,
    &RELEASE,
    &REPLY,
    &RECOVER,
    &RECOVER_BY_SEND,
    &RECOVER_BY_RECV,
    &RECOVER_BY_ATTACH,
    &RECOVER_AFTER_RECOVERER,
];

pub const POST: Operation = Operation { name: "post", acts: &["client", "post"], ..ORDINARY };

pub const POST_AGAIN: Operation = Operation {
    name: "post, after another",
    acts: &["client", "post", "post"],
    prepare: acted_twice,
    ..ORDINARY
};

pub const POST_MSG: Operation = Operation { name: "post_msg", acts: &["client", "post_msg"], ..ORDINARY };

pub const LEAVE: Operation = Operation {
    name: "leave, with messages on the way",
    acts: &["client", "post", "post", "leave"],
    prepare: |scene| {
        acted_twice(scene);
        scene.act();
        scene.take();
    },
    ..ORDINARY
};

pub const RECV: Operation = Operation {
    name: "recv, of a message",
    acts: &["server", "recv"],
    prepare: |scene| {
        scene.act();
        scene.post();
        scene.post();
    },
    ..ORDINARY
};

fn taken(scene: &mut Scene) {
    scene.post();
    acted_twice(scene);
}

pub const RELEASE: Operation = Operation {
    name: "release, of a message",
    acts: &["server", "recv", "release"],
    prepare: taken,
    ..ORDINARY
};

pub const REPLY: Operation =
    Operation { name: "reply, to a message", acts: &["server", "recv", "reply"], ..RELEASE };

/// Leaves a dead client with a message that is published and one that is queued, but nowhere to be found.
fn a_sender_dies(scene: &mut Scene) {
    let which = scene.start_another(&["client", "post", "post"]);
    scene.act_another(2);
    let first = scene.survivors.words.slots().find(|slot| slot.reply == Reply::Posted).map(|slot| slot.id);
    scene.kill_when(which, |slot| {
        slot.reply == Reply::Posted
            && matches!(slot.request, Request::Queued { .. })
            && Some(slot.id) != first
    });
}

fn joined_and_a_sender_dies(scene: &mut Scene) {
    scene.act();
    a_sender_dies(scene);
}

pub const RECOVER: Operation = Operation {
    name: "recover, messages",
    acts: &["client", "recover"],
    prepare: joined_and_a_sender_dies,
    ..ORDINARY
};

pub const RECOVER_BY_SEND: Operation = Operation {
    name: "recover, messages, by send",
    acts: &["client", "send in vain"],
    prepare: |scene| {
        scene.ask();
        scene.ask();
        joined_and_a_sender_dies(scene);
    },
    ..ORDINARY
};

pub const RECOVER_BY_RECV: Operation = Operation {
    name: "recover, messages, by recv_wait",
    acts: &["server", "recv briefly"],
    prepare: |scene| {
        joined_and_a_sender_dies(scene);
        scene.take();
    },
    ..ORDINARY
};

pub const RECOVER_BY_ATTACH: Operation =
    Operation { name: "recover, messages, by attach", acts: &["server"], prepare: a_sender_dies, ..ORDINARY };

/// The first recoverer dies when it has published one of the messages; the victim is the next.
pub const RECOVER_AFTER_RECOVERER: Operation = Operation {
    name: "recover, messages, after a recoverer",
    acts: &["server", "recover"],
    prepare: |scene| {
        scene.act();
        let recoverer = scene.start_another(&["client", "recover"]);
        scene.act_another(1);
        a_sender_dies(scene);
        scene.kill_when(recoverer, |slot| slot.is_orphan);
    },
    ..ORDINARY
};
