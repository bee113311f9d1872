//! In a channel that redelivers: what a server held that dies or leaves is served again, and whoever sees to that may die
//! at it.

use super::recovering::{another_dies, its_server_dies, joined_and_another_dies};
use super::{ORDINARY, acted_twice, administration, presence, serving};
use crate::scene::{Operation, Scene};
use crate::survivors::Meeting;

pub const ALL: &[&Operation] = &[
    &RECV,
    &RECV_AGAIN,
    &REPLY,
    &REPLY_AGAIN,
    &RELEASE,
    &CANCEL,
    &CLEAR,
    &LEAVE,
    &LEAVE_WITH_MESSAGES,
    &LEAVE_ADOPTED,
    &ADOPT_FROM_DEAD,
    &RECOVER,
    &RECOVER_MESSAGES,
    &RECOVER_BY_SEND,
    &RECOVER_BY_ATTACH,
    &RECOVER_BY_WAIT,
    &RECOVER_BY_RECV,
    &RECOVER_AFTER_RECOVERER,
    &RECOVER_AFTER_ATTACHER,
    &RECOVER_AFTER_LEAVER,
];

const REDELIVERED: Operation = Operation { meeting: Meeting::Redelivering, ..ORDINARY };

pub const RECV: Operation = Operation {
    name: "recv, redelivering",
    acts: &["server", "recv_batch"],
    prepare: serving::RECV_BATCH.prepare,
    ..REDELIVERED
};

pub const LEAVE_ADOPTED: Operation = Operation {
    name: "leave, what it took is adopted, redelivering",
    meeting: Meeting::Redelivering,
    ..serving::LEAVE_ADOPTED
};

pub const ADOPT_FROM_DEAD: Operation = Operation {
    name: "adopt, from one that died, redelivering",
    meeting: Meeting::Redelivering,
    ..serving::ADOPT_FROM_DEAD
};

/// Another has died with two requests and a message; they are queued again.
fn another_has_died(scene: &mut Scene) {
    scene.act();
    a_holder_dies(scene);
    scene.survivors.server.channel().recover().unwrap();
}

fn a_holder_dies(scene: &mut Scene) {
    scene.ask();
    scene.post();
    scene.ask();
    scene.start_another(&["server", "recv_batch"]);
    scene.act_another(2);
    scene.kill_another();
}

pub const RECV_AGAIN: Operation = Operation {
    name: "recv, redelivered",
    acts: &["server", "recv_batch"],
    prepare: another_has_died,
    ..REDELIVERED
};

pub const REPLY: Operation = Operation {
    name: "reply, redelivering",
    acts: &["server", "recv", "reply"],
    prepare: serving::REPLY_ASLEEP.prepare,
    ..REDELIVERED
};

pub const REPLY_AGAIN: Operation = Operation {
    name: "reply, redelivered",
    acts: &["server", "recv", "reply"],
    prepare: |scene| {
        another_has_died(scene);
        scene.act();
    },
    ..REDELIVERED
};

pub const RELEASE: Operation = Operation {
    name: "release, of a message, redelivering",
    acts: &["server", "recv", "release"],
    prepare: |scene| {
        scene.post();
        acted_twice(scene);
    },
    ..REDELIVERED
};

pub const CANCEL: Operation = Operation {
    name: "cancel, of what a dead server held",
    acts: &["client", "send", "cancel"],
    prepare: its_server_dies,
    ..REDELIVERED
};

pub const CLEAR: Operation = Operation {
    name: "clear, redelivering",
    acts: administration::CLEAR.acts,
    prepare: administration::CLEAR.prepare,
    ..REDELIVERED
};

pub const LEAVE: Operation = Operation {
    name: "leave, server, redelivering",
    acts: presence::LEAVE_SERVER.acts,
    prepare: presence::two_claimed,
    ..REDELIVERED
};

pub const LEAVE_WITH_MESSAGES: Operation = Operation {
    name: "leave, server, redelivering messages",
    acts: &["server", "recv_batch", "leave"],
    prepare: |scene| {
        (serving::RECV_BATCH.prepare)(scene);
        scene.act();
    },
    ..REDELIVERED
};

pub const RECOVER: Operation = Operation {
    name: "redeliver",
    acts: &["client", "recover"],
    prepare: joined_and_another_dies,
    ..REDELIVERED
};

pub const RECOVER_MESSAGES: Operation = Operation {
    name: "redeliver, messages too",
    prepare: |scene| {
        scene.act();
        a_holder_dies(scene);
    },
    ..RECOVER
};

pub const RECOVER_BY_SEND: Operation =
    Operation { name: "redeliver, by send", acts: &["client", "send"], ..RECOVER };

pub const RECOVER_BY_ATTACH: Operation =
    Operation { name: "redeliver, by attach", acts: &["server"], prepare: another_dies, ..REDELIVERED };

pub const RECOVER_BY_WAIT: Operation = Operation {
    name: "redeliver, by get_wait",
    acts: &["client", "send", "wait briefly"],
    prepare: its_server_dies,
    ..REDELIVERED
};

pub const RECOVER_BY_RECV: Operation = Operation {
    name: "redeliver, by recv_wait",
    acts: &["server", "recv briefly"],
    prepare: |scene| {
        scene.act();
        a_holder_dies(scene);
    },
    ..REDELIVERED
};

/// The first recoverer dies when it has made a request claimable again and not published that; the victim is the next.
pub const RECOVER_AFTER_RECOVERER: Operation = Operation {
    name: "redeliver, after a recoverer",
    acts: &["server", "recover"],
    prepare: |scene| {
        scene.act();
        let recoverer = scene.start_another(&["client", "recover"]);
        scene.act_another(1);
        a_holder_dies(scene);
        scene.kill_when(recoverer, |slot| slot.is_unpublished_again);
    },
    ..REDELIVERED
};

/// As [`RECOVER_AFTER_RECOVERER`], but the first was attaching, and had no number yet.
pub const RECOVER_AFTER_ATTACHER: Operation = Operation {
    name: "redeliver, after one that was attaching",
    prepare: |scene| {
        scene.act();
        a_holder_dies(scene);
        let attacher = scene.start_another(&["client"]);
        scene.kill_when(attacher, |slot| slot.is_unpublished_again);
    },
    ..RECOVER_AFTER_RECOVERER
};

/// As [`RECOVER_AFTER_RECOVERER`], but the first was a server that left, and was handing back what it held.
pub const RECOVER_AFTER_LEAVER: Operation = Operation {
    name: "redeliver, after one that was leaving",
    prepare: |scene| {
        scene.act();
        scene.ask();
        scene.post();
        scene.ask();
        let leaver = scene.start_another(&["server", "recv_batch", "leave"]);
        scene.act_another(2);
        scene.kill_when(leaver, |slot| slot.is_unpublished_again);
    },
    ..RECOVER_AFTER_RECOVERER
};
