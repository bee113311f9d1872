//! A victim's life: the survivors prepare what it will find, do their part while it goes on, and keep account of every
//! request. What else may become of it is told in `tests/stop/`; what follows its end, in `aftermath`.

// Each test file uses a part of it.
#![allow(dead_code)]

use crate::cast::{HEAD, Player};
use crate::fate::Fate;
use crate::survivors::{BOUND, Meeting, Outcome, Received, Survivors, outcome};
use crate::tracer::{Point, Steps};
use crate::words::{Slot, Words};
use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::Instant;

/// What the victim is doing when it is killed, and what surrounds that.
pub struct Operation {
    pub name: &'static str,
    pub meeting: Meeting,
    /// The victim's acts; the last one is the operation.
    pub acts: &'static [&'static str],
    /// Brings about what the operation finds. All of the victim's acts but the last are done in it.
    pub prepare: fn(&mut Scene),
    /// What survivors do after each of its instructions, if they do anything.
    pub beside: Option<fn(&mut Scene)>,
}

/// By what survivors come to recover from deaths.
#[derive(Clone, Copy, Debug)]
pub enum Manner {
    /// By asking for it.
    Recover,
    /// By attaching.
    Attach,
    /// By sending, until there is no slot.
    Exhaust,
    /// By waiting for a reply, or for a request.
    Wait,
}

impl Manner {
    pub const ALL: [Self; 4] = [Self::Recover, Self::Attach, Self::Exhaust, Self::Wait];
}

/// A thread that sleeps for a request, and what comes of it.
pub struct Sleeper {
    pub id: shmrr::RequestId,
    pub payload: Vec<u8>,
    pub outcome: Receiver<Outcome>,
}

pub struct Scene<'a> {
    pub survivors: &'a mut Survivors,
    program: PathBuf,
    /// The victim; where there are two, the one that acts now is the last.
    pub(super) victims: Vec<Player>,
    /// Those who die before it.
    pub(super) others: Vec<Player>,
    /// Requests of the survivors' that they have to collect.
    pub(super) asked: Vec<(shmrr::RequestId, Vec<u8>)>,
    pub(super) sleepers: Vec<Sleeper>,
    /// One-way messages of the survivors'.
    pub(super) posted: Vec<(shmrr::RequestId, Vec<u8>)>,
    /// Requests that the survivors hold.
    pub(super) leases: Vec<Received>,
    /// Requests of the survivors' that they have replied to.
    pub(super) answered: HashSet<Vec<u8>>,
    /// What the survivors have received.
    pub(super) seen: HashSet<Vec<u8>>,
    /// Requests of the survivors' that they have given up.
    pub(super) given_up: HashSet<shmrr::RequestId>,
    /// What they were.
    pub(super) relinquished: Vec<Vec<u8>>,
    /// How what others have received begins.
    pub(super) taken: HashSet<Vec<u8>>,
    /// Whether there was a moment without a free slot.
    pub(super) was_full: bool,
    /// What a wait may come to that a signal ended.
    pub(super) codes_of_signals: HashSet<i64>,
    /// Messages that were with a server that died.
    pub(super) lost_posts: usize,
    /// The ids of requests of theirs that they have told victims.
    pub(super) told: HashSet<shmrr::RequestId>,
    /// Instructions of the operation that survivors did something beside.
    steps: u64,
    /// After how many of these they adopt, see [`Scene::adopt_in_time`].
    adopts_after: u64,
    /// What must become of each request, from the victim's death on.
    pub(super) fates: HashMap<shmrr::RequestId, Fate>,
}

impl<'a> Scene<'a> {
    pub fn new(survivors: &'a mut Survivors, program: &Path) -> Self {
        Self {
            survivors,
            program: program.to_owned(),
            victims: Vec::new(),
            others: Vec::new(),
            asked: Vec::new(),
            sleepers: Vec::new(),
            posted: Vec::new(),
            leases: Vec::new(),
            answered: HashSet::new(),
            seen: HashSet::new(),
            given_up: HashSet::new(),
            relinquished: Vec::new(),
            taken: HashSet::new(),
            was_full: false,
            codes_of_signals: HashSet::new(),
            lost_posts: 0,
            told: HashSet::new(),
            steps: 0,
            adopts_after: 0,
            fates: HashMap::new(),
        }
    }

    /// Has a victim enter and brings about what the operation finds. It is to do `more` acts after the operation.
    pub fn prepare(&mut self, operation: &Operation, more: &[&'static str]) -> io::Result<()> {
        let victim = self.enter(&[operation.acts, more].concat())?;
        self.victims.push(victim);
        (operation.prepare)(self);
        Ok(())
    }

    /// Lets a victim come to a point of the operation, and does something of one's own after each instruction that is
    /// stepped.
    pub fn come_to(
        &mut self,
        which: usize,
        point: Point,
        operation: &Operation,
        mut more: impl FnMut(&Words),
    ) -> Steps {
        let mut process = self.victims[which].process.take().expect("it is stepped only now");
        self.adopts_after = if point.after == Point::END.after { 0 } else { point.after / 2 };
        let steps = match operation.beside {
            Some(beside) => process.step(Point { breakpoint: None, ..point }, || {
                more(&self.survivors.words);
                beside(self);
            }),
            None => process.step(point, || more(&self.survivors.words)),
        };
        let victim = &mut self.victims[which];
        victim.process = Some(process);
        if steps.is_complete {
            victim.has_acted();
        }
        steps
    }

    /// Plays the operation, kills the victim at a point of it and has the survivors go on.
    pub fn play(&mut self, operation: &Operation, point: Point, manner: Manner) -> io::Result<Steps> {
        self.prepare(operation, &[])?;
        let steps = self.come_to(0, point, operation, |_| ());
        let victim = self.victim();
        if steps.is_complete {
            victim.assert_as_expected();
        }
        victim.process().kill();
        // Reaped or not, dead is dead; all manners of recovery meet both.
        if point.after / 4 % 2 == 0 {
            victim.process().reap();
        }
        self.survive(manner);
        Ok(steps)
    }

    pub(super) fn enter(&self, acts: &[&'static str]) -> io::Result<Player> {
        Player::enter(&self.program, &self.survivors.path, self.survivors.meeting, acts)
    }

    /// All who have entered.
    pub(super) fn players(&self) -> impl Iterator<Item = &Player> {
        self.others.iter().chain(&self.victims)
    }

    /// The victim's next act, whole.
    pub fn act(&mut self) {
        self.victim().act();
    }

    pub(super) fn victim(&mut self) -> &mut Player {
        self.victims.last_mut().expect("it has entered first")
    }

    /// Starts another process, which is to die before the victim; tells which of the others it is.
    pub fn start_another(&mut self, acts: &[&'static str]) -> usize {
        let another = self.enter(acts).expect("one was permitted before");
        self.others.push(another);
        self.others.len() - 1
    }

    /// The next acts of the process that was started last.
    pub fn act_another(&mut self, acts: usize) {
        let another = self.others.last_mut().expect("another was started");
        for _ in 0..acts {
            another.act();
        }
    }

    pub fn kill_another(&mut self) {
        self.others.last_mut().expect("another was started").process().kill();
    }

    /// Kills one of the others, in its next act, as soon as there is a slot
    /// like this.
    pub fn kill_when(&mut self, which: usize, is_there: impl Fn(&Slot) -> bool) {
        let words = &self.survivors.words;
        let process = self.others[which].process();
        assert!(!words.slots().any(|slot| is_there(&slot)), "there is one already");
        let shortcut = self.survivors.shortcuts.entry(which).or_default();
        let comes = process.step_until(shortcut, || words.slots().any(|slot| is_there(&slot)));
        assert!(comes, "it comes to that");
        process.kill();
    }

    /// Sends a request and keeps its id.
    pub fn ask(&mut self) -> bool {
        let sent = self.survivors.send();
        let is_sent = sent.is_some();
        self.was_full |= !is_sent;
        self.asked.extend(sent);
        is_sent
    }

    /// Sends a one-way message.
    pub fn post(&mut self) {
        let posted = self.survivors.post();
        self.posted.push(posted);
    }

    /// Gives up the oldest request.
    pub fn give_up(&mut self) {
        let (id, payload) = self.asked.remove(0);
        assert_eq!(self.survivors.client.cancel(id), Ok(()));
        self.note_given_up(id, payload);
    }

    pub(super) fn note_given_up(&mut self, id: shmrr::RequestId, payload: Vec<u8>) {
        self.given_up.insert(id);
        self.relinquished.push(payload);
    }

    /// Has a thread of its own sleep until the oldest request has its outcome.
    pub fn sleep(&mut self) {
        let meeting = self.survivors.meeting;
        self.sleep_by(move |client, id| outcome(client, meeting, id, BOUND));
    }

    /// As [`Scene::sleep`], but as one who waits for any of several.
    pub fn watch(&mut self) {
        let meeting = self.survivors.meeting;
        self.sleep_by(move |client, id| {
            client.wait_any(&[shmrr::RequestId::NONE, id], BOUND)?;
            outcome(client, meeting, id, BOUND)
        });
    }

    /// Lists all that was asked.
    pub fn list(&self) {
        let mut ids: Vec<shmrr::RequestId> = self.asked.iter().map(|(id, _)| *id).collect();
        assert_eq!(self.survivors.client.done(&mut ids), Ok(0));
    }

    fn sleep_by(&mut self, wait: impl FnOnce(&shmrr::Client, shmrr::RequestId) -> Outcome + Send + 'static) {
        let (id, payload) = self.asked.remove(0);
        let (client, (sender, outcome)) = (Arc::clone(&self.survivors.client), mpsc::channel());
        std::thread::spawn(move || sender.send(wait(&client, id)));
        self.sleepers.push(Sleeper { id, payload, outcome });
        let deadline = Instant::now() + BOUND;
        while !self.survivors.words.is_slept_for(id) {
            assert!(Instant::now() < deadline, "the client does not fall asleep");
            std::thread::yield_now();
        }
    }

    /// Whether no slot is free.
    pub fn are_all_in_use(&self) -> bool {
        self.survivors.server.channel().stats().free == 0
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

    /// Tells the victim, for its next act, the id of the request that was taken last.
    pub fn tell_of_lease(&mut self) {
        let id = self.leases.last().expect("one was taken").id;
        self.told.insert(id);
        self.victim().process().tell(id);
    }

    /// Whether a victim that was told of it has adopted this request of the survivors'.
    pub(super) fn is_adopted(&self, id: shmrr::RequestId) -> bool {
        self.told.contains(&id) && !self.survivors.hold(id)
    }

    /// Tells the victim, for its next act, the id of the request that the other process took.
    pub fn tell_of_other(&mut self) {
        let (_, report) = self.others.last().and_then(Player::last_act).expect("it took one");
        let id = report.id;
        self.victim().process().tell(id);
    }

    /// For [`Operation::beside`]: when the victim has come halfway to where it is stopped or killed, the survivors adopt
    /// what it took last, which they asked for first.
    pub fn adopt_in_time(&mut self) {
        self.steps += 1;
        if self.steps != self.adopts_after {
            return;
        }
        let id = self.victims[0].last_taken().expect("it took one");
        let Some((_, payload)) = self.asked.iter().find(|(asked, _)| *asked == id).cloned() else { return };
        match self.survivors.server.adopt(id) {
            Ok(()) => {
                self.seen.insert(payload.clone());
                self.leases.push(Received { id, payload, is_one_way: false, redeliveries: 0 });
            }
            Err(error) => assert_eq!(error, shmrr::Error::Stale),
        }
    }

    pub fn receive(&mut self) -> Option<Received> {
        let request = self.survivors.receive()?;
        self.register(&request);
        Some(request)
    }

    /// Enters what was received into the account.
    pub(super) fn register(&mut self, request: &Received) {
        let payload = &request.payload;
        let is_post = if self.asks(payload) {
            false
        } else if self.posted.iter().any(|(_, posted)| posted == payload) {
            true
        } else {
            let act = self.players().find_map(|player| player.sender_of(payload));
            act.unwrap_or_else(|| panic!("nobody sent this: {request:?}")).starts_with("post")
        };
        assert_eq!(request.is_one_way, is_post, "{request:?}");
        assert!(self.seen.insert(payload.clone()), "it is served twice: {request:?}");
        if !self.survivors.meeting.redelivers() {
            assert!(!self.taken.contains(&payload[..HEAD]), "another has taken it, too: {request:?}");
            assert_eq!(request.redeliveries, 0, "{request:?}");
        }
        if let Some(fate) = self.fates.get(&request.id) {
            assert_eq!(*fate, Fate::Served { redeliveries: request.redeliveries }, "{request:?}");
        }
    }

    /// Whether the survivors ask this.
    pub(super) fn asks(&self, payload: &[u8]) -> bool {
        self.asked.iter().any(|(_, asked)| asked == payload)
            || self.sleepers.iter().any(|sleeper| sleeper.payload == payload)
    }

    /// Takes and answers all that is queued.
    pub fn serve(&mut self) {
        while let Some(request) = self.receive() {
            self.answer(&request);
        }
    }

    pub(super) fn answer(&mut self, request: &Received) {
        if self.is_adopted(request.id) {
            assert!(!self.survivors.reply(request), "another has adopted it: {request:?}");
            return;
        }
        let is_own = self.asks(&request.payload);
        let is_gone = self.fates.get(&request.id) == Some(&Fate::Gone);
        if request.is_one_way && request.id.to_u64() & 1 == 0 {
            assert_eq!(self.survivors.server.release(request.id), Ok(()), "it is ours");
            return;
        }
        let is_delivered = self.survivors.reply(request);
        // A victim that clears may have got so far before it was stopped.
        let may_be_cleared = self.fates.is_empty() && self.victims.iter().any(|victim| victim.does("clear"));
        if (is_own || request.is_one_way) && !may_be_cleared {
            assert_eq!(is_delivered, !is_gone, "whether the reply is wanted: {request:?}");
        }
        if is_own && is_delivered {
            self.answered.insert(request.payload.clone());
        }
    }
}
