//! Who acts: processes that are to die or to be stopped, what each has to do and how far it came. Every request of theirs
//! says whose it is and by which act it was sent.

// Each test file uses a part of it.
#![allow(dead_code)]

use crate::survivors::Meeting;
use crate::tracer::{Report, Victim};
use std::io;
use std::ops::RangeInclusive;
use std::path::Path;

/// As in victim.c: how much of a message is reported that is taken with others.
pub const HEAD: usize = 8;

/// A process and its part.
pub struct Player {
    /// None while it is being stepped.
    pub process: Option<Victim>,
    pub is_dead: bool,
    pid: u32,
    acts: Vec<&'static str>,
    /// Of the acts that are done.
    reports: Vec<Report>,
    length: usize,
}

impl Player {
    pub fn enter(
        program: &Path,
        channel: &Path,
        meeting: Meeting,
        acts: &[&'static str],
    ) -> io::Result<Self> {
        let process = Victim::spawn(program, channel, meeting.word(), acts)?;
        let pid = process.pid();
        let length = meeting.length();
        Ok(Self {
            process: Some(process),
            is_dead: false,
            pid,
            acts: acts.to_vec(),
            reports: Vec::new(),
            length,
        })
    }

    /// Does the next act, whole, which comes to what it is named for.
    pub fn act(&mut self) {
        self.process().act();
        self.has_acted();
        self.assert_as_expected();
    }

    pub fn process(&mut self) -> &mut Victim {
        self.process.as_mut().expect("it is not being stepped")
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Kills it, wherever it is.
    pub fn kill(&mut self) {
        self.process().kill();
        self.is_dead = true;
    }

    /// Whether it is in the channel: it came in and has not begun to leave.
    pub fn has_joined(&self) -> bool {
        let done = self.reports.len();
        done > 0 && !self.acts[..self.acts.len().min(done + 1)].contains(&"leave")
    }

    /// Whether this is among its acts.
    pub fn does(&self, act: &str) -> bool {
        self.acts.contains(&act)
    }

    /// The act that it was let to do is done.
    pub fn has_acted(&mut self) -> &Report {
        let report = self.process().report();
        self.reports.push(report);
        &self.reports[self.reports.len() - 1]
    }

    /// The last act came to what it is named for.
    pub fn assert_as_expected(&self) {
        let (act, report) = self.last_act().expect("an act is done");
        assert!(expected(act).contains(&report.result), "{act}: {report:?}");
    }

    /// The act that was done last, and what it came to.
    pub fn last_act(&self) -> Option<(&'static str, &Report)> {
        let report = self.reports.last()?;
        Some((self.acts[self.reports.len() - 1], report))
    }

    /// The request that it took last.
    pub fn last_taken(&self) -> Option<shmrr::RequestId> {
        let done = self.reports.iter().zip(&self.acts).rev();
        done.filter(|(_, act)| act.starts_with("recv")).map(|(report, _)| report.id).next()
    }

    /// The act that it does next, or is in.
    pub fn next_act(&self) -> Option<&'static str> {
        self.acts.get(self.reports.len()).copied()
    }

    /// The one-way messages whose calls have returned.
    pub fn posted(&self) -> impl Iterator<Item = Vec<u8>> {
        self.sent_by(|act| ["post", "post_msg"].contains(&act)).map(|(_, payload)| payload)
    }

    /// The requests of acts that are done, by how those are named: their ids, if they have any, and what was sent.
    pub fn sent_by(
        &self,
        is_meant: impl Fn(&str) -> bool,
    ) -> impl Iterator<Item = (shmrr::RequestId, Vec<u8>)> {
        let done = self.reports.iter().enumerate();
        let sent = done.filter(move |(at, report)| report.result >= 0 && is_meant(self.acts[*at]));
        sent.map(|(at, report)| (report.id, self.payload(at)))
    }

    /// What the act that was done last sent, if it sent something.
    pub fn last_payload(&self) -> Vec<u8> {
        self.payload(self.reports.len() - 1)
    }

    /// What it sent with this id.
    pub fn payload_of(&self, id: shmrr::RequestId) -> Option<Vec<u8>> {
        self.sent_by(is_sending).find(|(sent, _)| *sent == id).map(|(_, payload)| payload)
    }

    /// Which of its acts sent this payload, if one did.
    pub fn sender_of(&self, payload: &[u8]) -> Option<&'static str> {
        let act = usize::from(*payload.first()?);
        let name = self.acts.get(act)?;
        (payload == self.payload(act)).then_some(name)
    }

    /// Whether one of its acts sends something that begins so.
    pub fn sends(&self, head: &[u8]) -> bool {
        (0..self.acts.len()).any(|act| self.payload(act).starts_with(head))
    }

    /// As in victim.c.
    fn payload(&self, act: usize) -> Vec<u8> {
        let mut payload: Vec<u8> = (0..self.length).map(|at| (7 * at + act) as u8).collect();
        payload[0] = act as u8;
        payload[1..5].copy_from_slice(&self.pid.to_ne_bytes());
        payload
    }
}

/// Whether an act sends a request that is collected by another.
pub fn is_sending(act: &str) -> bool {
    ["send", "send_wait", "send in vain", "send_msg", "commit", "send_i64"].contains(&act)
}

/// What an act returns where nobody comes between.
pub fn expected(act: &str) -> RangeInclusive<i64> {
    let code = |code: i32| -i64::from(code)..=-i64::from(code);
    match act {
        "send in vain" => code(libc::ENOBUFS),
        "wait in vain" => code(libc::EOWNERDEAD),
        "wait briefly" => code(libc::ETIMEDOUT),
        "reply in vain" => code(libc::ESTALE),
        "consume_requests" => 1..=1,
        _ => 0..=i64::MAX,
    }
}
