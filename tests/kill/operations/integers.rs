//! The calls for channels of integers.

use super::{ORDINARY, calling, serving};
use crate::scene::Operation;
use crate::survivors::Meeting;

pub const ALL: &[&Operation] = &[&SEND, &GET, &REQ, &RECV, &REPLY];

const OF_INTEGERS: Operation = Operation { meeting: Meeting::Integers, ..ORDINARY };

pub const SEND: Operation = Operation { name: "send_i64", acts: &["client", "send_i64"], ..OF_INTEGERS };

pub const GET: Operation = Operation {
    name: "get_i64",
    acts: &["client", "send_i64", "get_i64"],
    prepare: calling::GET.prepare,
    ..OF_INTEGERS
};

pub const REQ: Operation = Operation {
    name: "req_i64, woken",
    acts: &["client", "req_i64"],
    beside: calling::REQ_ASLEEP.beside,
    ..OF_INTEGERS
};

pub const RECV: Operation = Operation {
    name: "recv_i64",
    acts: &["server", "recv_i64"],
    prepare: serving::RECV.prepare,
    ..OF_INTEGERS
};

pub const REPLY: Operation = Operation {
    name: "reply_i64",
    acts: &["server", "recv_i64", "reply_i64"],
    prepare: serving::REPLY_ASLEEP.prepare,
    ..OF_INTEGERS
};
