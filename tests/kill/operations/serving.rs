//! What a request goes through on its server's side, awake and asleep.

use super::{ORDINARY, acted_twice};
use crate::scene::{Operation, Scene};

pub const ALL: &[&Operation] = &[
    &RECV,
    &RECV_ASLEEP,
    &RECV_MSG,
    &RECV_BATCH,
    &REPLY,
    &REPLY_ASLEEP,
    &REPLY_WATCHED,
    &REPLY_LISTED,
    &REPLY_IN_VAIN,
    &DISMISS,
    &DISMISS_ASLEEP,
    &ADOPT,
    &ADOPT_MESSAGE,
    &ADOPT_FROM_DEAD,
    &LEAVE_ADOPTED,
    &SERVE,
    &SERVE_ASLEEP,
    &DRAIN,
    &REPLY_MSG,
    &REPLY_ERROR,
];

pub const RECV: Operation = Operation {
    name: "recv",
    acts: &["server", "recv"],
    prepare: |scene| {
        scene.act();
        scene.ask();
        scene.ask();
    },
    ..ORDINARY
};

pub const RECV_ASLEEP: Operation = Operation {
    name: "recv, woken",
    acts: &["server", "recv_wait"],
    beside: Some(ask_a_sleeper),
    ..ORDINARY
};

pub const RECV_MSG: Operation =
    Operation { name: "recv_msg, woken", acts: &["server", "recv_msg"], ..RECV_ASLEEP };

fn ask_a_sleeper(scene: &mut Scene) {
    if !scene.asked_any() && scene.survivors.words.a_server_sleeps() {
        scene.ask();
    }
}

pub const RECV_BATCH: Operation = Operation {
    name: "recv_batch, of four",
    acts: &["server", "recv_batch"],
    prepare: |scene| {
        scene.act();
        scene.ask();
        scene.post();
        scene.ask();
        scene.ask();
    },
    ..ORDINARY
};

/// The victim has taken a request.
pub(super) fn taken(scene: &mut Scene) {
    scene.ask();
    acted_twice(scene);
}

fn taken_from_a_sleeper(scene: &mut Scene) {
    taken(scene);
    scene.sleep();
}

pub const REPLY: Operation =
    Operation { name: "reply", acts: &["server", "recv", "reply"], prepare: taken, ..ORDINARY };

pub const REPLY_ASLEEP: Operation =
    Operation { name: "reply, to a sleeper", prepare: taken_from_a_sleeper, ..REPLY };

pub const REPLY_WATCHED: Operation = Operation {
    name: "reply, to one who waits for any",
    prepare: |scene| {
        taken(scene);
        scene.watch();
    },
    ..REPLY
};

pub const REPLY_LISTED: Operation = Operation {
    name: "reply, to one who listed it",
    prepare: |scene| {
        taken(scene);
        scene.list();
    },
    ..REPLY
};

pub const REPLY_IN_VAIN: Operation = Operation {
    name: "reply, given up",
    acts: &["server", "recv", "reply in vain"],
    prepare: |scene| {
        taken(scene);
        scene.give_up();
    },
    ..ORDINARY
};

pub const DISMISS: Operation =
    Operation { name: "dismiss, of a call", acts: &["server", "recv", "dismiss"], ..REPLY };

pub const DISMISS_ASLEEP: Operation =
    Operation { name: "dismiss, of a sleeper's call", prepare: taken_from_a_sleeper, ..DISMISS };

/// Survivors have taken a request, and tell the victim its id.
pub const ADOPT: Operation = Operation {
    name: "adopt",
    acts: &["server", "adopt"],
    prepare: |scene| {
        scene.act();
        scene.ask();
        scene.take();
        scene.sleep();
        scene.tell_of_lease();
    },
    ..ORDINARY
};

pub const ADOPT_MESSAGE: Operation = Operation {
    name: "adopt, a message",
    prepare: |scene| {
        scene.act();
        scene.post();
        scene.take();
        scene.tell_of_lease();
    },
    ..ADOPT
};

pub const ADOPT_FROM_DEAD: Operation = Operation {
    name: "adopt, from one that died",
    prepare: |scene| {
        scene.act();
        scene.ask();
        scene.start_another(&["server", "recv"]);
        scene.act_another(2);
        scene.tell_of_other();
        scene.kill_another();
    },
    ..ADOPT
};

/// Survivors adopt what the victim took, while it leaves.
pub const LEAVE_ADOPTED: Operation = Operation {
    name: "leave, what it took is adopted",
    acts: &["server", "recv", "leave"],
    prepare: taken,
    beside: Some(|scene| scene.adopt_in_time()),
    ..ORDINARY
};

pub const SERVE: Operation = Operation { name: "serve, one request", acts: &["server", "serve"], ..RECV };

pub const SERVE_ASLEEP: Operation =
    Operation { name: "serve, woken", acts: &["server", "serve"], ..RECV_ASLEEP };

pub const DRAIN: Operation = Operation { name: "drain, of four", acts: &["server", "drain"], ..RECV_BATCH };

pub const REPLY_MSG: Operation =
    Operation { name: "reply_msg", acts: &["server", "recv", "reply_msg"], ..REPLY_ASLEEP };

pub const REPLY_ERROR: Operation =
    Operation { name: "reply_error", acts: &["server", "recv", "reply_error"], ..REPLY_ASLEEP };
