//! Calls: a client or a server died with a request.

use super::*;
use crate::protocol::{allocate, word::Word};
use loom::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire};

/// How far a client came before it died.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ClientDied {
    Took,
    Queued,
    Published,
    Cancelling,
    Claimed,
    GaveUp,
    Replied,
}

impl ClientDied {
    const ALL: [Self; 7] = [
        Self::Took,
        Self::Queued,
        Self::Published,
        Self::Cancelling,
        Self::Claimed,
        Self::GaveUp,
        Self::Replied,
    ];

    /// Does the steps of the dead client; the id that server 0 holds, if it claimed the request.
    fn act(self, model: &Model) -> Option<Id> {
        let words = &model.words;
        let known = Known::at_attach(words);
        let id = allocate::allocate(words, DEAD, Purpose::Call, 0, 0).expect("a slot is free");
        if self == Self::Took {
            return None;
        }
        slot::queue(words, id, DEAD);
        if self == Self::Queued {
            return None;
        }
        ring::publish(words, &known, id).unwrap();
        if self == Self::Cancelling {
            let cancelled = RequestWord::cancelled(id.generation, DEAD);
            words.request(id.slot).store(cancelled.0, Release);
        }
        if matches!(self, Self::Published | Self::Cancelling) {
            return None;
        }
        model.receive(&known, SERVERS).expect("published");
        if self == Self::GaveUp {
            assert!(matches!(slot::withdraw(words, id, DEAD), Withdrawn::Abandoned { .. }));
        }
        if self == Self::Replied {
            assert!(matches!(model.reply(id, SERVERS, 0), Replied::Delivered { .. }));
            return None;
        }
        Some(id)
    }
}

#[test]
fn whatever_a_client_was_at_when_it_died_its_slot_comes_free() {
    for died in ClientDied::ALL {
        explore(3, move || {
            let model = Model::new(1, 0, 2);
            let held = died.act(&model);
            let recoverers = two_recoverers(&model, false);
            // A living server at work meanwhile: with what it holds, or with what it finds.
            let known = Known::at_attach(&model.words);
            match held.or_else(|| model.receive(&known, SERVERS).map(|(id, _)| id)) {
                Some(id) => assert_ne!(model.reply(id, SERVERS, 10), Replied::Stale),
                None => assert!(held.is_none()),
            }
            join(recoverers);
            // What the server delivered after a recoverer had passed by is found by the next.
            recover(&model, DEAD);
            model.assert_all_free();
        });
    }
}

#[test]
fn a_client_whose_server_died_gets_its_end_once_and_a_published_reply_stands() {
    for replied in [false, true] {
        explore(3, move || {
            let model = Model::new(1, 0, 2);
            let known = Known::at_attach(&model.words);
            let id = model.send(&known, LIVING, 1);
            model.receive(&known, DEAD).expect("published");
            if replied {
                assert!(matches!(model.reply(id, DEAD, 10), Replied::Delivered { .. }));
            }
            let recoverers = two_recoverers(&model, false);
            let early = slot::progress(&model.words, id, LIVING).unwrap();
            join(recoverers);
            match slot::progress(&model.words, id, LIVING).unwrap() {
                Progress::Ready(_) => assert_eq!((replied, model.collect(id, LIVING)), (true, Some(10))),
                Progress::Failed(word) => {
                    assert!(!replied && !matches!(early, Progress::Ready(_)));
                    slot::collect(&model.words, id, word).unwrap();
                }
                other => panic!("a client waits for the dead: {other:?}"),
            }
            model.assert_all_free();
        });
    }
}

#[test]
fn a_client_that_gives_up_while_its_dead_server_is_recovered_from_leaves_nothing() {
    explore(4, || {
        let model = Model::new(1, 0, 2);
        let known = Known::at_attach(&model.words);
        let id = model.send(&known, LIVING, 1);
        model.receive(&known, DEAD).expect("published");
        let recoverers = two_recoverers(&model, false);
        let withdrawn = slot::withdraw(&model.words, id, LIVING);
        join(recoverers);
        match withdrawn {
            Withdrawn::Abandoned { .. } => {}
            Withdrawn::TooLate => {
                let Ok(Progress::Failed(word)) = slot::progress(&model.words, id, LIVING) else {
                    panic!("too late for what?")
                };
                slot::collect(&model.words, id, word).unwrap();
            }
            other => panic!("{other:?}"),
        }
        // Abandoned after the recoverers had passed by: the next one frees it.
        recover(&model, DEAD);
        model.assert_all_free();
    });
}

#[test]
fn both_sides_of_a_request_can_die() {
    explore(3, || {
        let model = Model::new(1, 0, 2);
        let known = Known::at_attach(&model.words);
        model.send(&known, DEAD, 1);
        model.receive(&known, SERVERS).expect("published");
        let of_client = recoverer_thread(&model, RECOVERER, false);
        recover(&model, SERVERS);
        of_client.join().unwrap();
        recover(&model, DEAD);
        recover(&model, SERVERS);
        model.assert_all_free();
    });
}

/// A participant's number passes to a new process while a slow recoverer still recovers from the death of the old one.
#[test]
fn a_recoverer_that_comes_late_does_not_touch_the_next_owner_of_the_number() {
    explore(4, || {
        const FIRST: u64 = 1;
        const SECOND: u64 = 3;
        let model = Model::new(1, 0, 2);
        let entry = Arc::new(AtomicU64::new(FIRST));
        assert!(ClientDied::Published.act(&model).is_none());
        let late = {
            let (model, entry) = (Arc::clone(&model), Arc::clone(&entry));
            thread::spawn(move || {
                let by = Recoverer { number: RECOVERER, redelivers: false };
                recover_slot(&model.words, 0, by, |owner| {
                    owner == DEAD && Word::load(&*entry, Acquire) == FIRST
                });
            })
        };
        recover(&model, DEAD);
        let freed = Word::compare_exchange(&*entry, FIRST, FIRST & !1, AcqRel, Relaxed);
        assert!(freed.is_ok());
        Word::store(&*entry, SECOND, Release);
        let known = Known::at_attach(&model.words);
        let id = model.send(&known, DEAD, 2);
        late.join().unwrap();
        assert!(matches!(slot::progress(&model.words, id, DEAD), Ok(Progress::Pending(_))));
        let request = RequestWord(model.words.request(0).load(Relaxed));
        assert!(request.is(RequestState::Queued, id.generation));
    });
}
