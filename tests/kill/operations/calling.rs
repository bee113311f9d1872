//! What a request goes through on its client's side, awake and asleep.

use super::{ORDINARY, acted_twice};
use crate::scene::Operation;

pub const ALL: &[&Operation] = &[
    &SEND,
    &SEND_IN_VAIN,
    &SEND_SPARE,
    &GET,
    &CANCEL_QUEUED,
    &CANCEL_CLAIMED,
    &DETACH_QUEUED,
    &DETACH_CLAIMED,
    &DETACH_ANSWERED,
    &REQ,
    &REQ_ASLEEP,
    &WAIT_ANY,
    &WAIT_ANY_ASLEEP,
    &LIST,
    &DONE,
    &CANCEL_LISTED,
    &SEND_MSG,
    &REQ_MSG,
    &GET_MSG,
    &SEND_WAIT,
    &SEND_ASLEEP,
    &GET_WAIT,
];

pub const SEND: Operation = Operation { name: "send", acts: &["client", "send"], ..ORDINARY };

pub const SEND_IN_VAIN: Operation = Operation {
    name: "send, no slot free",
    acts: &["client", "send in vain"],
    prepare: |scene| {
        scene.act();
        while scene.ask() {}
    },
    ..ORDINARY
};

pub const SEND_SPARE: Operation = Operation {
    name: "send, in a spare slot",
    acts: &["client", "send"],
    prepare: |scene| {
        scene.act();
        while scene.ask() {}
        while scene.take() {}
        while scene.asked_any() {
            scene.give_up();
        }
    },
    ..ORDINARY
};

pub const GET: Operation = Operation {
    name: "get",
    acts: &["client", "send", "get"],
    prepare: |scene| {
        acted_twice(scene);
        scene.serve();
    },
    ..ORDINARY
};

pub const CANCEL_QUEUED: Operation = Operation {
    name: "cancel, queued",
    acts: &["client", "send", "cancel"],
    prepare: acted_twice,
    ..ORDINARY
};

pub const CANCEL_CLAIMED: Operation = Operation {
    name: "cancel, claimed",
    prepare: |scene| {
        acted_twice(scene);
        scene.take();
    },
    ..CANCEL_QUEUED
};

pub const DETACH_QUEUED: Operation = Operation {
    name: "detach, queued",
    acts: &["client", "send", "detach"],
    prepare: acted_twice,
    ..ORDINARY
};

pub const DETACH_CLAIMED: Operation =
    Operation { name: "detach, claimed", prepare: CANCEL_CLAIMED.prepare, ..DETACH_QUEUED };

pub const DETACH_ANSWERED: Operation =
    Operation { name: "detach, replied to", prepare: GET.prepare, ..DETACH_QUEUED };

pub const REQ: Operation =
    Operation { name: "req", acts: &["client", "req"], beside: Some(|scene| scene.serve()), ..ORDINARY };

pub const REQ_ASLEEP: Operation = Operation {
    name: "req, woken",
    beside: Some(|scene| {
        if scene.survivors.words.a_client_sleeps() {
            scene.serve();
        }
    }),
    ..REQ
};

pub const WAIT_ANY: Operation = Operation {
    name: "wait_any",
    acts: &["client", "send", "send", "wait_any"],
    prepare: |scene| {
        acted_twice(scene);
        scene.act();
        scene.serve();
    },
    ..ORDINARY
};

pub const WAIT_ANY_ASLEEP: Operation = Operation {
    name: "wait_any, woken",
    prepare: |scene| {
        acted_twice(scene);
        scene.act();
    },
    beside: REQ_ASLEEP.beside,
    ..WAIT_ANY
};

pub const LIST: Operation = Operation {
    name: "done, asked for the first time",
    acts: &["client", "send", "send", "done"],
    prepare: WAIT_ANY_ASLEEP.prepare,
    ..ORDINARY
};

pub const DONE: Operation = Operation {
    name: "done, of two that are",
    acts: &["client", "send", "send", "done", "done"],
    prepare: |scene| {
        acted_twice(scene);
        acted_twice(scene);
        scene.serve();
    },
    ..ORDINARY
};

pub const CANCEL_LISTED: Operation = Operation {
    name: "cancel, listed",
    acts: &["client", "send", "done", "cancel"],
    prepare: |scene| {
        acted_twice(scene);
        scene.act();
        scene.take();
    },
    ..ORDINARY
};

pub const SEND_MSG: Operation = Operation { name: "send_msg", acts: &["client", "send_msg"], ..ORDINARY };

pub const REQ_MSG: Operation =
    Operation { name: "req_msg, woken", acts: &["client", "req_msg"], ..REQ_ASLEEP };

pub const GET_MSG: Operation =
    Operation { name: "get_msg, woken", acts: &["client", "send", "get_msg"], ..GET_WAIT };

pub const SEND_WAIT: Operation = Operation { name: "send_wait", acts: &["client", "send_wait"], ..ORDINARY };

/// No slot is free until it sleeps.
pub const SEND_ASLEEP: Operation = Operation {
    name: "send_wait, woken",
    prepare: SEND_IN_VAIN.prepare,
    beside: Some(|scene| {
        if scene.survivors.words.a_client_wants_a_slot() && scene.are_all_in_use() {
            scene.give_up();
        }
    }),
    ..SEND_WAIT
};

pub const GET_WAIT: Operation = Operation {
    name: "get_wait, woken",
    acts: &["client", "send", "wait"],
    prepare: acted_twice,
    beside: REQ_ASLEEP.beside,
    ..ORDINARY
};
