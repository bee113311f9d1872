//! A request changes hands: adopted by other servers, detached from its client.

use super::*;
use crate::protocol::clearing::{self, Cleared};
use crate::protocol::passing::{self, Detached, NotAdopted};
use crate::protocol::slot::{Stale, Withdrawn};
use crate::protocol::state::RequestWord;

const CLIENT: Participant = 1;
const FIRST: Participant = SERVERS;
const SECOND: Participant = SERVERS + 1;
const THIRD: Participant = SERVERS + 2;

/// One request that the first server has taken.
fn taken(model: &Model, purpose: Purpose) -> Id {
    let known = Known::at_attach(&model.words);
    let id = match purpose {
        Purpose::Call => model.send(&known, CLIENT, 1),
        Purpose::Post => model.post(&known, CLIENT, 1),
    };
    assert_eq!(model.receive(&known, FIRST), Some((id, 1)));
    id
}

fn adopter(model: &Arc<Model>, id: Id, server: Participant) -> JoinHandle<Result<(), NotAdopted>> {
    let model = Arc::clone(model);
    thread::spawn(move || passing::adopt(&model.words, id, server))
}

#[test]
fn of_two_that_adopt_a_request_one_has_it_and_the_others_have_lost_it() {
    for purpose in [Purpose::Call, Purpose::Post] {
        explore(4, move || {
            let model = Model::new(1, 0, 4);
            let id = taken(&model, purpose);
            let other = adopter(&model, id, SECOND);
            let adopted = [passing::adopt(&model.words, id, THIRD), other.join().unwrap()];
            // One may find that it has lost it already.
            assert!(adopted.contains(&Ok(())), "{adopted:?}");
            let owner = RequestWord(model.words.request(id.slot).load(Relaxed)).owner();
            for loser in [FIRST, SECOND, THIRD].into_iter().filter(|server| *server != owner) {
                assert_eq!(model.reply(id, loser, 5), Replied::Stale);
            }
            match purpose {
                Purpose::Call => {
                    assert!(matches!(model.reply(id, owner, 10), Replied::Delivered { .. }));
                    assert_eq!(model.collect(id, CLIENT), Some(10));
                }
                Purpose::Post => assert_eq!(model.release(id, owner), Replied::Released),
            }
            model.assert_all_free();
        });
    }
}

#[test]
fn a_request_that_is_given_up_while_it_is_adopted_leaves_no_lease() {
    explore(4, || {
        let model = Model::new(1, 0, 4);
        let id = taken(&model, Purpose::Call);
        let server = {
            let model = Arc::clone(&model);
            thread::spawn(move || {
                passing::adopt(&model.words, id, SECOND).map(|()| model.reply(id, SECOND, 10))
            })
        };
        let withdrawn = slot::withdraw(&model.words, id, CLIENT);
        match (withdrawn, server.join().unwrap()) {
            (Withdrawn::Abandoned { .. }, Ok(Replied::Freed) | Err(NotAdopted::Ended(Replied::Freed))) => {}
            (Withdrawn::TooLate, Ok(Replied::Delivered { .. })) => {
                assert_eq!(model.collect(id, CLIENT), Some(10));
            }
            other => panic!("the two sides disagree: {other:?}"),
        }
        model.assert_all_free();
    });
}

/// Nobody does that on purpose; it must not harm the slot.
#[test]
fn one_that_adopts_while_its_owner_replies_has_lost_it_or_loses_it() {
    explore(4, || {
        let model = Model::new(1, 0, 4);
        let id = taken(&model, Purpose::Call);
        let other = {
            let model = Arc::clone(&model);
            thread::spawn(move || {
                // Without writing: two that write to one reply are nobody's to keep apart.
                passing::adopt(&model.words, id, SECOND).map(|()| slot::dismiss(&model.words, id))
            })
        };
        let replied = model.reply(id, FIRST, 10);
        match (replied, other.join().unwrap()) {
            (Replied::Delivered { .. }, Ok(Replied::Stale) | Err(NotAdopted::Ended(Replied::Stale))) => {
                assert_eq!(model.collect(id, CLIENT), Some(10));
            }
            (Replied::Stale, Ok(Replied::Delivered { .. })) => {
                let Ok(Progress::Dismissed(word)) = slot::progress(&model.words, id, CLIENT) else {
                    panic!("what became of it?")
                };
                slot::collect(&model.words, id, word).unwrap();
            }
            other => panic!("both or none: {other:?}"),
        }
        model.assert_all_free();
    });
}

/// What a loan of a slot ends with must not fail because of somebody who adopts what was there before.
#[test]
fn a_loan_ends_well_though_somebody_adopts_what_its_slot_held_before() {
    explore(3, || {
        let model = Model::new(1, 0, 4);
        let id = taken(&model, Purpose::Call);
        let late = adopter(&model, id, SECOND);
        slot::reply(&model.words, id);
        if let Ok(Progress::Ready(word)) = slot::progress(&model.words, id, CLIENT) {
            slot::collect(&model.words, id, word).unwrap();
        }
        let loan = allocate(&model.words, CLIENT, Purpose::Call, 0, 0).expect("the slot is free");
        assert_eq!(slot::end_loan(&model.words, loan, CLIENT), Ok(()));
        let _ = late.join().unwrap();
        slot::give_back(&model.words, loan);
    });
}

fn detached(model: &Model, id: Id) -> bool {
    passing::detach(&model.words, id, CLIENT).expect("it is this client's").is_sent()
}

impl Detached {
    fn is_sent(&self) -> bool {
        matches!(self, Self::Sent { .. })
    }
}

#[test]
fn a_call_that_is_detached_while_it_is_served_frees_its_slot() {
    explore(4, || {
        let model = Model::new(1, 0, 4);
        let known = Known::at_attach(&model.words);
        let id = model.send(&known, CLIENT, 1);
        let server = {
            let model = Arc::clone(&model);
            thread::spawn(move || {
                let known = Known::at_attach(&model.words);
                model.receive(&known, FIRST).map(|(id, _)| model.reply(id, FIRST, 10))
            })
        };
        let is_sent = detached(&model, id);
        match server.join().unwrap() {
            Some(Replied::Delivered { .. }) => assert!(!is_sent),
            Some(Replied::Released) => assert!(is_sent),
            None => assert!(is_sent && model.serve(&known, FIRST)),
            other => panic!("{other:?}"),
        }
        assert_eq!(slot::progress(&model.words, id, CLIENT), Err(Stale));
        model.assert_all_free();
    });
}

#[test]
fn a_call_that_one_thread_detaches_and_another_withdraws_leaves_nothing() {
    for claimed in [false, true] {
        explore(4, move || {
            let model = Model::new(1, 0, 4);
            let id = if claimed {
                taken(&model, Purpose::Call)
            } else {
                model.send(&Known::at_attach(&model.words), CLIENT, 1)
            };
            let other = {
                let model = Arc::clone(&model);
                thread::spawn(move || slot::withdraw(&model.words, id, CLIENT))
            };
            let detached = passing::detach(&model.words, id, CLIENT);
            let withdrawn = other.join().unwrap();
            if claimed {
                assert_eq!(withdrawn == Withdrawn::Stale, detached.is_ok(), "{withdrawn:?}, {detached:?}");
                assert!(matches!(model.reply(id, FIRST, 10), Replied::Freed | Replied::Released));
            } else if withdrawn == Withdrawn::Stale {
                assert!(model.serve(&Known::at_attach(&model.words), FIRST));
            }
            model.assert_all_free();
        });
    }
}

#[test]
fn a_call_that_is_detached_while_the_channel_is_cleared_is_cleared_or_served() {
    explore(4, || {
        let model = Model::new(1, 0, 4);
        let known = Known::at_attach(&model.words);
        let id = model.send(&known, CLIENT, 1);
        let clearer = {
            let model = Arc::clone(&model);
            thread::spawn(move || clearing::clear(&model.words, clearing::current(&model.words, 0), 9))
        };
        let _ = passing::detach(&model.words, id, CLIENT);
        let cleared = clearer.join().unwrap();
        assert!(matches!(cleared, Cleared::Freed { .. }), "{cleared:?}");
        assert!(!model.serve(&known, FIRST));
        model.assert_all_free();
    });
}
