//! How a victim goes on that was stopped, and what its calls may come to, by what the others did meanwhile.

use crate::cast::{HEAD, expected};
use crate::scene::Scene;
use crate::survivors::{BOUND, is_answer};
use crate::tracer::Report;
use std::time::{Duration, Instant};

/// How often the others look whether it has come to an end.
const TURN: Duration = Duration::from_micros(20);

impl Scene<'_> {
    /// Lets a victim go on to the end of its act; the others do their part.
    pub(super) fn go_on(&mut self, which: usize) {
        self.set_out(which);
        self.come_to_an_end(which);
    }

    /// As [`Scene::go_on`], but the others only look on.
    pub(super) fn go_on_alone(&mut self, which: usize) {
        self.set_out(which);
        self.come_to_an_end_alone(which);
    }

    pub(super) fn come_to_an_end_alone(&mut self, which: usize) {
        let deadline = Instant::now() + BOUND;
        while !self.victims[which].process().has_come_to_an_end() {
            assert!(Instant::now() < deadline, "it comes to an end by itself");
            std::thread::sleep(TURN);
        }
        self.victims[which].has_acted();
        self.judge(which);
    }

    pub(super) fn set_out(&mut self, which: usize) {
        self.victims[which].process().go_on();
    }

    pub(super) fn come_to_an_end(&mut self, which: usize) {
        let act = self.victims[which].next_act().expect("it is in an act");
        let deadline = Instant::now() + BOUND;
        while !self.victims[which].process().has_come_to_an_end() {
            assert!(Instant::now() < deadline, "{act} comes to an end");
            self.help(act);
            std::thread::sleep(TURN);
        }
        self.victims[which].has_acted();
        self.judge(which);
    }

    /// Does what a victim may wait for in this act.
    fn help(&mut self, act: &str) {
        match act {
            "recv_wait" | "recv_msg" | "recv_wait_i64" | "recv short" | "serve" => {
                let is_idle = self.survivors.server.channel().queued() == 0;
                if is_idle && self.survivors.words.a_server_sleeps() && !self.ask() {
                    self.make_space();
                    self.ask();
                }
            }
            "recv briefly" => {}
            _ => self.keep_up(),
        }
    }

    /// The next acts of a victim, to their ends; none if the last one came to nothing.
    pub(super) fn act_more(&mut self, which: usize, acts: usize) {
        for _ in 0..acts {
            let (_, report) = self.victims[which].last_act().expect("one is done");
            if report.result < 0 {
                return;
            }
            self.keep_up();
            self.go_on(which);
        }
    }

    /// The act that a victim did last came to something that it may come to, and what it received is somebody's.
    pub(super) fn judge(&mut self, which: usize) {
        let victim = &self.victims[which];
        let (act, report) = victim.last_act().expect("an act is done");
        let (act, report) = (act, report.clone());
        let usual = expected(act);
        let is_allowed = usual.contains(&report.result)
            || self.may_come_to(act, &report)
            || self.is_cleared() && may_come_to_where_cleared(act, &report);
        assert!(is_allowed, "{act} came to {}", report.result);
        if report.result < 0 {
            return;
        }
        match act {
            "recv_wait_i64" | "drain" | "recv" | "recv_wait" | "recv_msg" | "recv short" | "recv briefly"
            | "recv_view" | "recv_batch" | "recv_i64" | "serve" => {
                self.note_taken(act, &report);
            }
            "req" | "req_msg" | "req_i64" => {
                assert!(is_answer(&report.data, &victim.last_payload()), "{report:?}")
            }
            "get" | "get_i64" | "get_wait_i64" | "view" | "wait" | "get_msg" | "wait in vain"
            | "wait briefly" => {
                let payload = victim.payload_of(report.id).expect("it sent that");
                assert!(is_answer(&report.data, &payload), "{report:?}");
            }
            _ => {}
        }
    }

    /// What else an act may come to, for what the others did before it went on.
    fn may_come_to(&self, act: &str, report: &Report) -> bool {
        let is = |code: i32| report.result == -i64::from(code);
        match act {
            "send in vain" | "wait briefly" => report.result >= 0,
            "send" | "send_msg" | "send_i64" | "loan" | "post" | "post_msg" => {
                is(libc::ENOBUFS) && self.was_full
            }
            "wait in vain" => report.result >= 0 && self.survivors.meeting.redelivers(),
            "recv" | "recv_view" | "recv_batch" | "drain" | "recv_i64" => is(libc::EAGAIN),
            "recv briefly" => is(libc::ETIMEDOUT),
            "recv short" => is(libc::EOVERFLOW),
            "recv_wait" | "recv_msg" => self.codes_of_signals.contains(&report.result),
            "reply" | "reply_i64" | "reply_msg" | "reply_error" | "reply_loan" | "reply_commit"
            | "dismiss" | "release" => {
                // What another victim asked it may have given up, or died with.
                let is_others = self.victims.iter().any(|victim| victim.payload_of(report.id).is_some());
                is(libc::ESTALE) && (is_others || self.given_up.contains(&report.id))
            }
            "cancel" => is(libc::EALREADY),
            // Whoever had it may have replied.
            "adopt" => is(libc::ESTALE),
            _ => false,
        }
    }

    /// Whether a victim clears the channel.
    fn is_cleared(&self) -> bool {
        self.victims.iter().any(|victim| victim.does("clear"))
    }

    /// A victim has taken a message, or several, of which it tells how they begin.
    pub(super) fn note_taken(&mut self, act: &str, report: &Report) {
        let most = if ["recv_batch", "drain"].contains(&act) { HEAD } else { usize::MAX };
        for taken in report.data.chunks(most) {
            let head = &taken[..HEAD];
            assert!(self.is_sent(taken), "nobody sent this: {report:?}");
            if !self.survivors.meeting.redelivers() {
                assert!(
                    !self.seen.iter().any(|seen| seen.starts_with(head)),
                    "it is served twice: {report:?}"
                );
                assert!(self.taken.insert(head.to_vec()), "it is served twice: {report:?}");
            }
        }
    }

    /// Whether somebody sent a message that begins so.
    fn is_sent(&self, head: &[u8]) -> bool {
        let own = self.asked.iter().chain(&self.posted).map(|(_, payload)| payload);
        let of_sleepers = self.sleepers.iter().map(|sleeper| &sleeper.payload);
        own.chain(of_sleepers).chain(&self.relinquished).any(|payload| payload.starts_with(head))
            || self.players().any(|player| player.sends(head))
    }
}

/// As [`Scene::may_come_to`], where somebody clears the channel.
fn may_come_to_where_cleared(act: &str, report: &Report) -> bool {
    let is = |code: i32| report.result == -i64::from(code);
    match act {
        "req" | "req_msg" | "get" | "get_msg" | "wait_any" => is(libc::ESTALE),
        "cancel" | "detach" | "reply" | "dismiss" | "release" | "reply_loan" | "reply_commit" => {
            is(libc::ESTALE)
        }
        _ => false,
    }
}

/// What a victim does after its operation, so that it is seen to have worked.
pub fn acts_after(operation: &str) -> &'static [&'static str] {
    match operation {
        "send" | "send_wait" | "send_msg" | "commit" => &["get"],
        "send_i64" => &["get_i64"],
        "recv" | "recv_wait" | "recv_msg" => &["reply"],
        "recv_i64" | "recv_wait_i64" => &["reply_i64"],
        "recv_view" => &["dismiss"],
        "adopt" => &["reply_error"],
        "loan" => &["commit", "get"],
        "reply_loan" => &["reply_commit"],
        "view" => &["collect"],
        _ => &[],
    }
}
