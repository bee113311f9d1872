//! What victims are killed at: what a request goes through on either side, awake and asleep, and the ways in and out of
//! a channel; last, what comes of it when the victim was itself cleaning up after one that had died.

use crate::scene::{Operation, Scene};

fn nothing(_: &mut Scene) {}

fn joined(scene: &mut Scene) {
    scene.act();
}

pub const SEND: Operation =
    Operation { name: "send", acts: &["client", "send"], prepare: joined, beside: None };

pub const SEND_IN_VAIN: Operation = Operation {
    name: "send, no slot free",
    acts: &["client", "send in vain"],
    prepare: |scene| {
        scene.act();
        while scene.ask() {}
    },
    beside: None,
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
    beside: None,
};

pub const RECV: Operation = Operation {
    name: "recv",
    acts: &["server", "recv"],
    prepare: |scene| {
        scene.act();
        scene.ask();
        scene.ask();
    },
    beside: None,
};

pub const RECV_ASLEEP: Operation = Operation {
    name: "recv, woken",
    acts: &["server", "recv_wait"],
    prepare: joined,
    beside: Some(|scene| {
        if !scene.asked_any() && scene.survivors.a_server_sleeps() {
            scene.ask();
        }
    }),
};

pub const REPLY: Operation = Operation {
    name: "reply",
    acts: &["server", "recv", "reply"],
    prepare: |scene| {
        scene.act();
        scene.ask();
        scene.act();
    },
    beside: None,
};

pub const REPLY_ASLEEP: Operation = Operation {
    name: "reply, to a sleeper",
    prepare: |scene| {
        (REPLY.prepare)(scene);
        scene.sleep();
    },
    ..REPLY
};

pub const REPLY_IN_VAIN: Operation = Operation {
    name: "reply, given up",
    acts: &["server", "recv", "reply in vain"],
    prepare: |scene| {
        (REPLY.prepare)(scene);
        scene.give_up();
    },
    beside: None,
};

pub const GET: Operation = Operation {
    name: "get",
    acts: &["client", "send", "get"],
    prepare: |scene| {
        scene.act();
        scene.act();
        scene.serve();
    },
    beside: None,
};

pub const CANCEL_QUEUED: Operation = Operation {
    name: "cancel, queued",
    acts: &["client", "send", "cancel"],
    prepare: |scene| {
        scene.act();
        scene.act();
    },
    beside: None,
};

pub const CANCEL_CLAIMED: Operation = Operation {
    name: "cancel, claimed",
    prepare: |scene| {
        (CANCEL_QUEUED.prepare)(scene);
        scene.take();
    },
    ..CANCEL_QUEUED
};

pub const REQ: Operation =
    Operation { name: "req", acts: &["client", "req"], prepare: joined, beside: Some(|scene| scene.serve()) };

pub const REQ_ASLEEP: Operation = Operation {
    name: "req, woken",
    beside: Some(|scene| {
        if scene.survivors.a_client_sleeps() {
            scene.serve();
        }
    }),
    ..REQ
};

pub const ATTACH_CLIENT: Operation =
    Operation { name: "attach, client", acts: &["client"], prepare: nothing, beside: None };

pub const ATTACH_SERVER: Operation =
    Operation { name: "attach, server", acts: &["server"], prepare: nothing, beside: None };

pub const LEAVE_CLIENT: Operation = Operation {
    name: "leave, client",
    acts: &["client", "send", "send", "send", "leave"],
    prepare: |scene| {
        for _ in 0..4 {
            scene.act();
        }
        let replied = scene.receive().expect("three are queued");
        assert!(scene.survivors.reply(&replied));
        scene.take();
    },
    beside: None,
};

pub const LEAVE_SERVER: Operation = Operation {
    name: "leave, server",
    acts: &["server", "recv", "recv", "leave"],
    prepare: |scene| {
        scene.act();
        for _ in 0..3 {
            scene.ask();
        }
        scene.act();
        scene.act();
        scene.give_up();
    },
    beside: None,
};

/// Leaves a dead server and client with two requests claimed, one of them given up, and two queued; no slot is free.
fn another_dies(scene: &mut Scene) {
    for _ in 0..3 {
        scene.ask();
    }
    scene.start_another(&["server", "recv", "recv", "client", "send", "send"]);
    scene.act_another(3);
    scene.give_up();
    scene.act_another(3);
    scene.kill_another();
}

fn joined_and_another_dies(scene: &mut Scene) {
    scene.act();
    another_dies(scene);
}

pub const RECOVER: Operation = Operation {
    name: "recover",
    acts: &["client", "recover"],
    prepare: joined_and_another_dies,
    beside: None,
};

pub const RECOVER_BY_SEND: Operation =
    Operation { name: "recover, by send", acts: &["client", "send"], ..RECOVER };

pub const RECOVER_BY_ATTACH: Operation =
    Operation { name: "recover, by attach", acts: &["client"], prepare: another_dies, beside: None };

pub const RECOVER_BY_WAIT: Operation = Operation {
    name: "recover, by get_wait",
    acts: &["client", "send", "wait in vain"],
    prepare: |scene| {
        scene.act();
        scene.act();
        scene.start_another(&["server", "recv"]);
        scene.act_another(2);
        scene.kill_another();
    },
    beside: None,
};
