//! Requests and replies that are written and read where they lie.

use super::{ORDINARY, acted_twice, calling, serving};
use crate::scene::Operation;

pub const ALL: &[&Operation] =
    &[&LOAN, &COMMIT, &ABORT, &VIEW, &COLLECT, &RECV_VIEW, &REPLY_LOAN, &REPLY_COMMIT];

pub const LOAN: Operation = Operation { name: "loan", acts: &["client", "loan"], ..ORDINARY };

pub const COMMIT: Operation =
    Operation { name: "commit", acts: &["client", "loan", "commit"], prepare: acted_twice, ..ORDINARY };

pub const ABORT: Operation = Operation { name: "abort", acts: &["client", "loan", "abort"], ..COMMIT };

pub const VIEW: Operation = Operation { name: "view", acts: &["client", "send", "view"], ..calling::GET };

pub const COLLECT: Operation = Operation {
    name: "release, of a reply",
    acts: &["client", "send", "view", "collect"],
    prepare: |scene| {
        (VIEW.prepare)(scene);
        scene.act();
    },
    ..ORDINARY
};

pub const RECV_VIEW: Operation =
    Operation { name: "recv_view", acts: &["server", "recv_view"], ..serving::RECV };

pub const REPLY_LOAN: Operation =
    Operation { name: "reply_loan", acts: &["server", "recv", "reply_loan"], ..serving::REPLY };

pub const REPLY_COMMIT: Operation = Operation {
    name: "reply_commit",
    acts: &["server", "recv", "reply_loan", "reply_commit"],
    prepare: |scene| {
        serving::taken(scene);
        scene.act();
    },
    ..ORDINARY
};
