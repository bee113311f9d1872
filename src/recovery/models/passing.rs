//! A request changes hands while somebody recovers it: adopted from the dead, or detached from its client.

use super::*;
use crate::protocol::passing::{self, Detached};
use crate::protocol::word::Word;
use loom::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire};

const ADOPTER: Participant = SERVERS + 1;

/// A request, or a message, that the dead server had taken.
fn taken_by_the_dead(model: &Model, purpose: Purpose) -> Id {
    let known = Known::at_attach(&model.words);
    let id = match purpose {
        Purpose::Call => model.send(&known, LIVING, 1),
        Purpose::Post => model.post(&known, LIVING, 1),
    };
    assert_eq!(model.receive(&known, DEAD), Some((id, 1)));
    id
}

#[test]
fn what_a_dead_server_held_is_adopted_and_answered_or_ends_as_ever() {
    for purpose in [Purpose::Call, Purpose::Post] {
        explore(3, move || {
            let model = Model::new(1, 0, 4);
            let id = taken_by_the_dead(&model, purpose);
            let recoverers = two_recoverers(&model, false);
            let replied =
                passing::adopt(&model.words, id, ADOPTER).ok().map(|()| model.reply(id, ADOPTER, 10));
            join(recoverers);
            match (purpose, replied) {
                (Purpose::Call, Some(Replied::Delivered { .. })) => {
                    assert_eq!(model.collect(id, LIVING), Some(10));
                }
                (Purpose::Call, None) => {
                    let Ok(Progress::Failed(word)) = slot::progress(&model.words, id, LIVING) else {
                        panic!("a client waits for the dead")
                    };
                    slot::collect(&model.words, id, word).unwrap();
                }
                (Purpose::Post, Some(Replied::Released) | None) => {}
                other => panic!("adopted, and not one's own: {other:?}"),
            }
            assert_nothing_is_left(&model);
        });
    }
}

#[test]
fn where_requests_are_redelivered_one_of_the_adopter_and_the_next_server_answers() {
    for purpose in [Purpose::Call, Purpose::Post] {
        explore(3, move || {
            let model = Model::new(1, 0, 4);
            let id = taken_by_the_dead(&model, purpose);
            let recoverers = two_recoverers(&model, true);
            let is_adopted = passing::adopt(&model.words, id, ADOPTER).is_ok();
            if is_adopted {
                assert!(!matches!(model.reply(id, ADOPTER, 10), Replied::Stale | Replied::Freed));
            }
            join(recoverers);
            let is_served_again = model.serve(&Known::at_attach(&model.words), SERVERS);
            assert!(is_adopted != is_served_again);
            if purpose == Purpose::Call {
                assert_eq!(model.collect(id, LIVING), Some(10));
            }
            assert_nothing_is_left(&model);
        });
    }
}

/// A recoverer rests when it has judged. Meanwhile the request is adopted, the dead server's number passes to another,
/// and that one adopts the request in its turn: it lives.
#[test]
fn a_recoverer_that_comes_late_takes_nothing_from_the_next_owner_of_the_number() {
    for redelivers in [false, true] {
        explore(4, move || {
            const FIRST: u64 = 1;
            const SECOND: u64 = 3;
            let model = Model::new(1, 0, 4);
            let entry = Arc::new(AtomicU64::new(FIRST));
            let id = taken_by_the_dead(&model, Purpose::Call);
            let late = {
                let (model, entry) = (Arc::clone(&model), Arc::clone(&entry));
                thread::spawn(move || {
                    let gone = |owner| owner == DEAD && Word::load(&*entry, Acquire) == FIRST;
                    recover_slot(&model.words, 0, Recoverer { number: RECOVERER, redelivers }, gone)
                })
            };
            let is_adopted = passing::adopt(&model.words, id, ADOPTER).is_ok();
            let freed = Word::compare_exchange(&*entry, FIRST, FIRST & !1, AcqRel, Relaxed);
            assert!(freed.is_ok());
            Word::store(&*entry, SECOND, Release);
            let is_handed_back = is_adopted && passing::adopt(&model.words, id, DEAD).is_ok();
            assert_eq!(is_adopted, is_handed_back);
            let recovered = late.join().unwrap();
            if is_adopted {
                assert_eq!(recovered, Recovered::Nothing);
                assert!(matches!(model.reply(id, DEAD, 10), Replied::Delivered { .. }));
            }
        });
    }
}

#[test]
fn a_call_that_is_detached_from_its_client_while_its_dead_server_is_recovered_leaves_nothing() {
    for redelivers in [false, true] {
        explore(3, move || {
            let model = Model::new(1, 0, 4);
            let id = taken_by_the_dead(&model, Purpose::Call);
            let recoverers = two_recoverers(&model, redelivers);
            let detached = passing::detach(&model.words, id, LIVING).expect("it is this client's");
            assert!(!redelivers || matches!(detached, Detached::Sent { .. }));
            join(recoverers);
            let known = Known::at_attach(&model.words);
            assert_eq!(model.serve(&known, SERVERS), redelivers);
            assert_nothing_is_left(&model);
        });
    }
}

/// As a message that it had posted.
#[test]
fn a_call_that_was_detached_is_served_once_though_its_client_is_dead() {
    explore(3, || {
        let model = Model::new(1, 0, 4);
        let known = Known::at_attach(&model.words);
        let id = model.send(&known, DEAD, 1);
        assert!(matches!(passing::detach(&model.words, id, DEAD), Ok(Detached::Sent { .. })));
        let recoverers = two_recoverers(&model, false);
        let mut served = u32::from(model.serve(&known, SERVERS));
        join(recoverers);
        while model.serve(&known, SERVERS) {
            served += 1;
        }
        assert_eq!(served, 1);
        assert_nothing_is_left(&model);
    });
}

/// A recoverer died, or rests, when the request was LOST and its client not told.
#[test]
fn what_is_lost_ends_whoever_meets_it() {
    for redelivers in [false, true] {
        explore(3, move || {
            let model = Model::new(1, 0, 4);
            let id = taken_by_the_dead(&model, Purpose::Call);
            let word = RequestWord(model.words.request(0).load(Relaxed));
            model.words.request(0).store(word.to_lost(DEAD).0, Release);
            let recoverer = {
                let model = Arc::clone(&model);
                thread::spawn(move || recover_as(&model, Recoverer { number: 0, redelivers }, |_| false))
            };
            let withdrawn = slot::withdraw(&model.words, id, LIVING);
            recoverer.join().unwrap();
            if withdrawn == Withdrawn::TooLate {
                let Ok(Progress::Failed(word)) = slot::progress(&model.words, id, LIVING) else {
                    panic!("too late for what?")
                };
                slot::collect(&model.words, id, word).unwrap();
            } else {
                assert!(matches!(withdrawn, Withdrawn::Unseen { .. }), "{withdrawn:?}");
            }
            assert_nothing_is_left(&model);
        });
    }
}
