//! Clearing a channel, looking at it, and signalling by eventfds.

use super::{ORDINARY, acted_twice, calling, serving};
use crate::scene::Operation;
use crate::survivors::Meeting;

pub const ALL: &[&Operation] = &[
    &CLEAR,
    &CLEAR_OWN,
    &STATS,
    &PARTICIPANTS,
    &SYNC,
    &NOTIFY,
    &CONSUME,
    &SEND_NOTIFYING,
    &REPLY_NOTIFYING,
    &QUEUED,
    &IS_EMPTY,
    &SERVERS,
    &PENDING,
    &INTERRUPT_CLIENT,
    &INTERRUPT_SERVER,
    &WAKE_CLIENT,
    &WAKE_SERVER,
    &STOP_CLIENT,
    &STOP_SERVER,
    &NOTIFY_REPLIES,
    &CONSUME_REPLIES,
];

/// Survivors wait for a request that is claimed and for one that is queued; another request is claimed, and messages are
/// claimed and queued.
pub const CLEAR: Operation = Operation {
    name: "clear",
    acts: &["client", "clear"],
    prepare: |scene| {
        scene.act();
        scene.ask();
        scene.post();
        scene.take();
        scene.take();
        scene.sleep();
        scene.ask();
        scene.watch();
        scene.post();
    },
    ..ORDINARY
};

/// What the victim itself has sent is cleared like that of others.
pub const CLEAR_OWN: Operation = Operation {
    name: "clear, requests of its own too",
    acts: &["client", "send", "send", "clear"],
    prepare: |scene| {
        acted_twice(scene);
        scene.act();
        scene.take();
        scene.ask();
    },
    ..ORDINARY
};

const LOOKING: Operation = Operation {
    prepare: |scene| {
        scene.act();
        scene.ask();
        scene.post();
        scene.take();
    },
    ..ORDINARY
};

pub const STATS: Operation = Operation { name: "stats", acts: &["client", "stats"], ..LOOKING };

pub const PARTICIPANTS: Operation =
    Operation { name: "participants", acts: &["client", "participants"], ..LOOKING };

pub const SYNC: Operation = Operation { name: "sync", acts: &["client", "sync"], ..LOOKING };

pub const NOTIFY: Operation = Operation {
    name: "notify_requests",
    acts: &["client", "send", "request_fd", "notify_requests"],
    prepare: |scene| {
        acted_twice(scene);
        scene.act();
    },
    ..ORDINARY
};

pub const CONSUME: Operation = Operation {
    name: "consume_requests",
    acts: &["server", "request_fd", "notify_requests", "consume_requests"],
    ..NOTIFY
};

pub const SEND_NOTIFYING: Operation = Operation {
    name: "send, notifying",
    meeting: Meeting::Notifying,
    acts: &["client", "request_fd", "send"],
    prepare: acted_twice,
    ..calling::SEND
};

pub const REPLY_NOTIFYING: Operation = Operation {
    name: "reply, notifying",
    meeting: Meeting::Notifying,
    acts: &["server", "recv", "reply_fd", "reply"],
    prepare: |scene| {
        (serving::REPLY_ASLEEP.prepare)(scene);
        scene.act();
    },
    ..ORDINARY
};

pub const QUEUED: Operation = Operation { name: "queued", acts: &["client", "queued"], ..LOOKING };

pub const IS_EMPTY: Operation = Operation { name: "is_empty", acts: &["client", "is_empty"], ..LOOKING };

pub const SERVERS: Operation = Operation { name: "servers", acts: &["client", "servers"], ..LOOKING };

pub const PENDING: Operation =
    Operation { name: "pending", acts: &["client", "send", "pending"], prepare: acted_twice, ..ORDINARY };

pub const INTERRUPT_CLIENT: Operation =
    Operation { name: "interrupt, client", acts: &["client", "send", "interrupt"], ..STOP_CLIENT };

pub const INTERRUPT_SERVER: Operation =
    Operation { name: "interrupt, server", acts: &["server", "recv", "interrupt"], ..STOP_SERVER };

pub const WAKE_CLIENT: Operation =
    Operation { name: "wake, client", acts: &["client", "send", "wake"], ..STOP_CLIENT };

pub const WAKE_SERVER: Operation =
    Operation { name: "wake, server", acts: &["server", "recv", "wake"], ..STOP_SERVER };

/// A request of its own is queued, and those of others.
pub const STOP_CLIENT: Operation = Operation {
    name: "stop, client",
    acts: &["client", "send", "stop"],
    prepare: |scene| {
        acted_twice(scene);
        scene.ask();
    },
    ..ORDINARY
};

pub const STOP_SERVER: Operation = Operation {
    name: "stop, server",
    acts: &["server", "recv", "stop"],
    prepare: serving::REPLY.prepare,
    ..ORDINARY
};

pub const NOTIFY_REPLIES: Operation = Operation {
    name: "notify_replies",
    acts: &["server", "reply_fd", "notify_replies"],
    prepare: acted_twice,
    ..ORDINARY
};

pub const CONSUME_REPLIES: Operation = Operation {
    name: "consume_replies",
    acts: &["client", "reply_fd", "notify_replies", "consume_replies"],
    prepare: |scene| {
        acted_twice(scene);
        scene.act();
    },
    ..ORDINARY
};
