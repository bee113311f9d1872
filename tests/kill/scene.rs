//! One victim's life and what follows its death: the survivors prepare what the victim will find, do their part while it
//! goes on, and afterwards bring every request to its one end.

use crate::survivors::{Answered, BOUND, Outcome, Received, Survivors};
use crate::survivors::{GEOMETRY, is_of_victim, judge, options, wait_for_reply};
use crate::tracer::{Point, Steps, Victim};
use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::Instant;

/// What the victim is doing when it is killed, and what surrounds that.
pub struct Operation {
    pub name: &'static str,
    /// The victim's acts; the last one is the operation.
    pub acts: &'static [&'static str],
    /// Brings about what the operation finds. All of the victim's acts but the last are done in it.
    pub prepare: fn(&mut Scene),
    /// What survivors do after each of its instructions, if they do anything.
    pub beside: Option<fn(&mut Scene)>,
}

/// By what survivors come to sweep up after the dead.
#[derive(Clone, Copy, Debug)]
pub enum Manner {
    /// By asking for it.
    Recover,
    /// By attaching.
    Attach,
    /// By sending, until there is no slot.
    Exhaust,
    /// By waiting for a reply.
    Wait,
}

impl Manner {
    pub const ALL: [Self; 4] = [Self::Recover, Self::Attach, Self::Exhaust, Self::Wait];
}

pub struct Scene<'a> {
    pub survivors: &'a mut Survivors,
    program: PathBuf,
    victim: Option<Victim>,
    /// Other processes, the victim too when it is dead and not reaped.
    others: Vec<Victim>,
    /// Requests of the survivors' that they have to collect.
    asked: Vec<(u64, Vec<u8>)>,
    /// One that a thread sleeps for, and its outcome.
    sleeper: Option<(Vec<u8>, Receiver<Outcome>)>,
    /// Requests that the survivors hold.
    leases: Vec<Received>,
    /// Requests of the survivors' that they have replied to.
    answered: HashSet<Vec<u8>>,
    /// Requests of victims that the survivors have seen.
    seen: HashSet<Vec<u8>>,
}

impl<'a> Scene<'a> {
    pub fn new(survivors: &'a mut Survivors, program: &Path) -> Self {
        Self {
            survivors,
            program: program.to_owned(),
            victim: None,
            others: Vec::new(),
            asked: Vec::new(),
            sleeper: None,
            leases: Vec::new(),
            answered: HashSet::new(),
            seen: HashSet::new(),
        }
    }

    /// Plays the operation, kills the victim at a point of it and has the survivors go on.
    pub fn play(&mut self, operation: &Operation, point: Point, manner: Manner) -> io::Result<Steps> {
        self.victim = Some(Victim::spawn(&self.program, &self.survivors.path, operation.acts)?);
        (operation.prepare)(self);
        let mut victim = self.victim.take().unwrap();
        let steps = match operation.beside {
            Some(beside) => victim.step(Point { breakpoint: None, ..point }, || beside(self)),
            None => victim.step(point, || ()),
        };
        victim.kill();
        // Reaped or not, dead is dead; all manners of recovery meet both.
        if point.after / 4 % 2 == 0 {
            drop(victim);
        } else {
            self.others.push(victim);
        }
        self.survive(manner);
        self.others.clear();
        Ok(steps)
    }

    /// The victim's next act, whole.
    pub fn act(&mut self) {
        self.victim.as_mut().expect("it is not being traced step by step").act();
    }

    /// Starts another process, which is to die before the victim.
    pub fn start_another(&mut self, acts: &[&str]) {
        let another = Victim::spawn(&self.program, &self.survivors.path, acts);
        self.others.push(another.expect("one was permitted before"));
    }

    /// The next acts of the other process.
    pub fn act_another(&mut self, acts: usize) {
        for _ in 0..acts {
            self.others[0].act();
        }
    }

    pub fn kill_another(&mut self) {
        self.others[0].kill();
    }

    /// Sends a request and keeps its id.
    pub fn ask(&mut self) -> bool {
        let sent = self.survivors.send();
        let is_sent = sent.is_some();
        self.asked.extend(sent);
        is_sent
    }

    /// Gives up the oldest request.
    pub fn give_up(&mut self) {
        let (id, _) = self.asked.remove(0);
        assert_eq!(self.survivors.client.cancel(id), Ok(()));
    }

    /// Has a thread of its own sleep until the oldest request has its outcome.
    pub fn sleep(&mut self) {
        let (id, payload) = self.asked.remove(0);
        let (client, (sender, receiver)) = (Arc::clone(&self.survivors.client), mpsc::channel());
        self.sleeper = Some((payload, receiver));
        std::thread::spawn(move || sender.send(wait_for_reply(&client, id)));
        let deadline = Instant::now() + BOUND;
        while !self.survivors.a_client_sleeps() {
            assert!(Instant::now() < deadline, "the client does not fall asleep");
            std::thread::yield_now();
        }
    }

    pub fn asked_any(&self) -> bool {
        !self.asked.is_empty()
    }

    /// Takes the oldest request and holds it.
    pub fn take(&mut self) -> bool {
        let taken = self.receive();
        let is_taken = taken.is_some();
        self.leases.extend(taken);
        is_taken
    }

    pub fn receive(&mut self) -> Option<Received> {
        let request = self.survivors.receive()?;
        let is_own = self.asked.iter().any(|(_, payload)| *payload == request.payload);
        if !is_own {
            assert!(is_of_victim(&request.payload), "nobody sent this: {:?}", request.payload);
        }
        assert!(
            self.seen.insert(request.payload.clone()),
            "a request is served twice: {:?}",
            request.payload
        );
        Some(request)
    }

    /// Takes and answers all that is queued.
    pub fn serve(&mut self) {
        while let Some(request) = self.receive() {
            self.answer(&request);
        }
    }

    fn answer(&mut self, request: &Received) {
        let is_own = self.asked.iter().any(|(_, payload)| *payload == request.payload);
        let is_delivered = self.survivors.reply(request);
        assert!(is_delivered || !is_own, "the client lives, but its reply is refused");
        if is_own {
            self.answered.insert(request.payload.clone());
        }
    }

    fn survive(&mut self, manner: Manner) {
        let ids = self.asked.iter().map(|(id, _)| *id);
        let published: Vec<u64> = ids.filter(|id| self.survivors.is_replied(*id)).collect();
        match manner {
            Manner::Recover => drop(self.survivors.server.channel().recover().unwrap()),
            Manner::Attach => drop(options().client(&self.survivors.path).unwrap()),
            Manner::Exhaust => {
                self.hear_sleeper();
                while self.ask() {}
                assert_eq!(self.survivors.client.pending(), GEOMETRY.slots, "all slots are ours");
            }
            Manner::Wait => {}
        }
        self.hear_sleeper();
        if !matches!(manner, Manner::Wait) {
            self.survivors.assert_alone(self.asked.len() as u32);
        }
        self.serve();
        for request in std::mem::take(&mut self.leases) {
            self.answer(&request);
        }
        for (id, payload) in std::mem::take(&mut self.asked) {
            let found = self.survivors.collect(id, &payload);
            let was_answered = self.answered.contains(&payload);
            assert_eq!(found == Some(Answered::BySurvivor), was_answered, "{found:?} for {payload:?}");
            assert!(!published.contains(&id) || found == Some(Answered::ByVictim), "a reply was lost");
        }
        self.survivors.server.channel().recover().unwrap();
        self.survivors.assert_whole();
    }

    /// What the sleeper waits for was the victim's to give.
    fn hear_sleeper(&mut self) {
        if let Some((payload, outcome)) = self.sleeper.take() {
            let found = judge(outcome.recv_timeout(BOUND).expect("the sleeper wakes up"), &payload);
            assert_ne!(found, Some(Answered::BySurvivor));
        }
    }
}
