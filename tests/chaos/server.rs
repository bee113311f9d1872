//! The serving side of the chaos test: takes some requests, copied or in place, one by one or many at once, and
//! answers them in any order, now and then with an error, not at all, or twice.

use crate::conduct::{Answer, answer_to, check_label, label_of};
use crate::ledger::{self, Ledger, SERVERS_FINISH};
use crate::payload::{Payload, Random};
use crate::signals::Signals;
use crate::watch::{Limit, Watch};
use crate::{Form, LARGEST, Part};
use shmrr::RequestView;
use shmrr::{Error, Message, MessageFlags, Request, Result, Server};
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

/// Requests that a server holds at once.
const HELD: u64 = 6;
/// One answer in so many is given once more.
const REPEATS: u64 = 16;
/// Once in so many times what is held is held for longer, up to so many microseconds: long enough to be killed with it.
const NAPS: u64 = 16;
const NAP: u64 = 4000;
const PATIENCE: Limit = Limit::Within(Duration::from_millis(100));

pub struct Serving<'a> {
    ledger: &'a Ledger,
    pub watch: Watch<'a>,
    pub server: Server,
    seat: usize,
    life: u32,
    form: Form,
    signals: Signals,
}

pub struct Held<'s> {
    id: shmrr::RequestId,
    payload: Payload,
    is_one_way: bool,
    /// Where it lies, if it was taken in place.
    view: Option<RequestView<'s>>,
}

pub fn serve(part: &Part) {
    let (ledger, seat) = (&part.ledger, part.seat);
    let watch = Watch::new(ledger, seat);
    let server = part.form.options().server(&part.channel).unwrap();
    server.channel().make_reply_fd().unwrap();
    let signals = Signals::default();
    let serving = Serving { ledger, watch, server, seat, life: part.life, form: part.form, signals };
    let mut random = Random::new(part.seed);
    while ledger.phase() != SERVERS_FINISH {
        serving.signals.check(|| serving.server.channel().consume_replies().unwrap());
        let wanted = if random.below(4) == 0 { 1 + random.below(HELD) as usize } else { 1 };
        let mut held = Vec::new();
        while held.len() < wanted {
            let limit = if held.is_empty() { PATIENCE } else { Limit::Now };
            let mut taken = serving.take(limit, wanted - held.len(), random.below(3));
            if taken.is_empty() {
                break;
            }
            held.append(&mut taken);
        }
        if random.below(NAPS) == 0 {
            std::thread::sleep(Duration::from_micros(random.below(NAP)));
        }
        while !held.is_empty() {
            let held = held.swap_remove(random.below(held.len() as u64) as usize);
            serving.finish(held, &mut random);
        }
    }
}

impl Serving<'_> {
    fn take(&self, limit: Limit, most: usize, way: u64) -> Vec<Held<'_>> {
        let taking = &self.ledger.seat(self.seat).taking;
        let is_batch = way == 2 && self.form != Form::Integers;
        taking.store(if is_batch { most as u32 } else { 1 }, SeqCst);
        let held = match way {
            _ if self.form == Form::Integers => self.take_number(limit),
            0 => self.take_copy(limit),
            1 => self.take_view(limit),
            _ => self.take_batch(limit, most),
        };
        taking.store(0, SeqCst);
        match held {
            Ok(held) => held,
            Err(Error::TimedOut | Error::WouldBlock) => Vec::new(),
            Err(error) => panic!("recv: {error}"),
        }
    }

    fn take_copy(&self, limit: Limit) -> Result<Vec<Held<'_>>> {
        let mut buffer = [0; LARGEST];
        let request = self.watch.call("recv", limit, || self.server.recv_wait(&mut buffer, limit)).0?;
        Ok(vec![self.hold(request, &buffer[..request.length], None)])
    }

    fn take_view(&self, limit: Limit) -> Result<Vec<Held<'_>>> {
        let view = self.watch.call("recv_view", limit, || self.server.recv_view(limit)).0?;
        Ok(vec![self.hold(view.request(), &view.bytes().to_vec(), Some(view))])
    }

    fn take_batch(&self, limit: Limit, most: usize) -> Result<Vec<Held<'_>>> {
        let mut views: Vec<RequestView<'_>> = Vec::new();
        let take = || self.server.recv_batch(&mut views, most, limit);
        let count = self.watch.call("recv_batch", limit, take).0?;
        assert!(count == views.len() && (1..=most).contains(&count), "{count} of {most}");
        let requests = views.into_iter().map(|view| (view.request(), view.bytes().to_vec(), view));
        Ok(requests.map(|(request, bytes, view)| self.hold(request, &bytes, Some(view))).collect())
    }

    /// Notes in the ledger that this server executes a request.
    pub fn hold<'s>(&self, request: Request, bytes: &[u8], view: Option<RequestView<'s>>) -> Held<'s> {
        let payload = Payload::check(bytes).unwrap_or_else(|why| panic!("a request is {why}"));
        check_label(&payload, request.message_type, request.flags & !MessageFlags::ONE_WAY);
        let last = self.ledger.executor(payload.client as usize, payload.number);
        let marks = self.ledger.execute(payload.client as usize, payload.number, self.life);
        let is_one_way = marks & ledger::ONE_WAY != 0;
        assert!(marks & ledger::SENT != 0, "a request was never sent: {payload:?}");
        assert_eq!(request.flags.contains(MessageFlags::ONE_WAY), is_one_way, "{payload:?}");
        let before = ledger::executions(marks);
        if self.form.redelivers() {
            assert!(before <= request.redeliveries, "{payload:?}: executed {before} times, {request:?}");
            let is_excused = |life| before == 0 || self.ledger.is_condemned(life);
            assert!(last.is_none_or(is_excused), "executed by two that live: {payload:?}");
        } else {
            assert_eq!((before, request.redeliveries), (0, 0), "executed twice: {payload:?}");
        }
        Held { id: request.id, payload, is_one_way, view }
    }

    fn finish(&self, held: Held, random: &mut Random) {
        let Held { id, payload, is_one_way, view } = held;
        if let Some(view) = view {
            assert!(view.bytes().to_vec() == payload.request(), "a request changed under its server");
            let _ = view.keep();
        }
        let (client, number) = (payload.client as usize, payload.number);
        match self.answer(id, &payload, is_one_way, random.below(3)) {
            Ok(mark) => {
                // Nobody waits for the end of a one-way message.
                if !is_one_way {
                    self.signals.comes();
                }
                self.ledger.acknowledge(client, number, mark);
            }
            Err(Error::Stale) => drop(self.ledger.mark(client, number, ledger::REFUSED)),
            Err(error) => panic!("reply: {error}"),
        }
        if random.below(REPEATS) == 0 {
            let again = self.answer(id, &payload, is_one_way, random.below(3));
            assert_eq!(again, Err(Error::Stale), "a second answer to {payload:?}");
        }
    }

    /// Answers in one of three ways; yields what was done.
    fn answer(&self, id: shmrr::RequestId, payload: &Payload, is_one_way: bool, way: u64) -> Result<u32> {
        match answer_to(payload) {
            _ if is_one_way && way == 0 => self.release(id),
            Answer::None => self.dismiss(id),
            Answer::Error(code, text) => {
                let reply = || self.server.reply_error(id, code, &text);
                self.watch.call("reply_error", Limit::Now, reply).0.map(|()| ledger::REPLIED)
            }
            Answer::Reply => self.reply(id, payload, way).map(|()| ledger::REPLIED),
        }
    }

    fn release(&self, id: shmrr::RequestId) -> Result<u32> {
        let released = self.watch.call("release", Limit::Now, || self.server.release(id)).0;
        released.map(|()| ledger::RELEASED)
    }

    fn dismiss(&self, id: shmrr::RequestId) -> Result<u32> {
        let dismissed = self.watch.call("dismiss", Limit::Now, || self.server.dismiss(id)).0;
        dismissed.map(|()| ledger::RELEASED)
    }

    fn reply(&self, id: shmrr::RequestId, payload: &Payload, way: u64) -> Result<()> {
        let bytes = payload.reply();
        let (message_type, flags) = label_of(payload);
        let message = Message { data: &bytes, message_type, flags };
        match way {
            _ if self.form == Form::Integers => self.reply_number(id, payload),
            0 => self.watch.call("reply", Limit::Now, || self.server.reply(id, &bytes)).0,
            1 => self.watch.call("reply_msg", Limit::Now, || self.server.reply_msg(id, &message)).0,
            _ => {
                let loan = self.watch.call("reply_loan", Limit::Now, || self.server.reply_loan(id)).0;
                let mut loan = loan?;
                let start = if flags.contains(MessageFlags::END_ALIGNED) {
                    loan.buffer().capacity() - bytes.len()
                } else {
                    0
                };
                loan.buffer().write_at(start, &bytes).unwrap();
                let commit = || loan.commit_msg(bytes.len(), message_type, flags);
                self.watch.call("reply_commit", Limit::Now, commit).0
            }
        }
    }
}
