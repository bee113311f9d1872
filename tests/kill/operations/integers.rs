//! The calls for channels of integers.

use super::{ORDINARY, acted_twice, calling, serving};
use crate::scene::Operation;
use crate::survivors::Meeting;

pub const ALL: &[&Operation] = &[&SEND, &GET, &REQ, &RECV, &REPLY, &GET_WAIT, &RECV_WAIT];

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

pub const GET_WAIT: Operation = Operation {
    name: "get_wait_i64, woken",
    acts: &["client", "send_i64", "get_wait_i64"],
    prepare: acted_twice,
    beside: calling::REQ_ASLEEP.beside,
    ..OF_INTEGERS
};

pub const RECV_WAIT: Operation = Operation {
    name: "recv_wait_i64, woken",
    acts: &["server", "recv_wait_i64"],
    beside: serving::RECV_ASLEEP.beside,
    ..OF_INTEGERS
};
