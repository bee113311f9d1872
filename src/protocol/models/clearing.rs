//! Letting go and clearing: whoever else ends the request at the same moment, it ends once, and its slot comes free.

use super::*;
use crate::protocol::clearing::{self, Cleared};
use crate::protocol::ring::find;
use crate::protocol::slot::Withdrawn;

const CLIENT: Participant = 1;
const CLEARER: Participant = 50;

/// A server that takes what it finds, or what it was given, and replies.
fn server(model: &Arc<Model>, held: Option<Id>) -> JoinHandle<Option<Replied>> {
    let model = Arc::clone(model);
    thread::spawn(move || {
        let known = Known::at_attach(&model.words);
        let taken = held.or_else(|| model.receive(&known, SERVERS).map(|(id, _)| id));
        taken.map(|id| model.reply(id, SERVERS, 10))
    })
}

fn clearer(model: &Arc<Model>) -> JoinHandle<Cleared> {
    let model = Arc::clone(model);
    thread::spawn(move || clearing::clear(&model.words, clearing::current(&model.words, 0), CLEARER))
}

fn assert_nothing_is_left(model: &Model) {
    assert!(find(&model.words, &Known::at_attach(&model.words)).is_none(), "something can be claimed");
    model.assert_all_free();
}

#[test]
fn a_queued_request_is_either_cleared_or_served() {
    explore(4, || {
        let model = Model::new(1, 0, 2);
        let id = model.send(&Known::at_attach(&model.words), CLIENT, 1);
        let server = server(&model, None);
        let cleared = clearing::clear(&model.words, clearing::current(&model.words, 0), CLEARER);
        match (cleared, server.join().unwrap()) {
            (Cleared::Freed { .. }, None) | (Cleared::Abandoned { .. }, Some(Replied::Freed)) => {}
            (Cleared::Nothing, Some(Replied::Delivered { .. })) => {
                assert_eq!(model.collect(id, CLIENT), Some(10));
            }
            other => panic!("the two sides disagree: {other:?}"),
        }
        assert_nothing_is_left(&model);
    });
}

#[test]
fn a_one_way_message_is_either_cleared_or_delivered() {
    explore(4, || {
        let model = Model::new(1, 0, 2);
        model.post(&Known::at_attach(&model.words), CLIENT, 1);
        let server = server(&model, None);
        let cleared = clearing::clear(&model.words, clearing::current(&model.words, 0), CLEARER);
        match (cleared, server.join().unwrap()) {
            (Cleared::Freed { .. }, None) | (Cleared::Nothing, Some(Replied::Released)) => {}
            other => panic!("the two sides disagree: {other:?}"),
        }
        assert_nothing_is_left(&model);
    });
}

#[test]
fn a_clearing_and_a_reply_agree_on_who_was_first() {
    explore(4, || {
        let model = Model::new(1, 0, 2);
        let known = Known::at_attach(&model.words);
        let id = model.send(&known, CLIENT, 1);
        let (held, _) = model.receive(&known, SERVERS).unwrap();
        let server = server(&model, Some(held));
        let cleared = clearing::clear(&model.words, clearing::current(&model.words, 0), CLEARER);
        match (cleared, server.join().unwrap()) {
            (Cleared::Abandoned { .. }, Some(Replied::Freed)) => {}
            (Cleared::Nothing, Some(Replied::Delivered { .. })) => {
                assert_eq!(model.collect(id, CLIENT), Some(10));
            }
            other => panic!("the two sides disagree: {other:?}"),
        }
        assert_nothing_is_left(&model);
    });
}

#[test]
fn a_clearing_and_a_cancel_free_the_slot_between_them() {
    explore(4, || {
        let model = Model::new(1, 0, 2);
        let id = model.send(&Known::at_attach(&model.words), CLIENT, 1);
        let clearer = clearer(&model);
        let withdrawn = slot::withdraw(&model.words, id, CLIENT);
        match (withdrawn, clearer.join().unwrap()) {
            (Withdrawn::Unseen { .. }, Cleared::Nothing)
            | (Withdrawn::Abandoned { .. }, Cleared::GivenUp)
            | (Withdrawn::Stale, Cleared::Freed { .. }) => {}
            other => panic!("the two sides disagree: {other:?}"),
        }
        assert_nothing_is_left(&model);
    });
}

#[test]
fn of_two_that_clear_one_counts_the_request() {
    explore(4, || {
        let model = Model::new(1, 0, 2);
        model.send(&Known::at_attach(&model.words), CLIENT, 1);
        let other = clearer(&model);
        let mine = clearing::clear(&model.words, clearing::current(&model.words, 0), CLEARER + 1);
        let others = other.join().unwrap();
        let counts = |cleared: &Cleared| matches!(cleared, Cleared::Freed { .. } | Cleared::Abandoned { .. });
        assert!(counts(&mine) != counts(&others), "{mine:?}, {others:?}");
        assert_nothing_is_left(&model);
    });
}

#[test]
fn a_clearing_a_cancel_and_a_server_at_once_leave_nothing() {
    explore(3, || {
        let model = Model::new(1, 0, 2);
        let id = model.send(&Known::at_attach(&model.words), CLIENT, 1);
        let (server, clearer) = (server(&model, None), clearer(&model));
        let withdrawn = slot::withdraw(&model.words, id, CLIENT);
        let (cleared, replied) = (clearer.join().unwrap(), server.join().unwrap());
        let delivered = matches!(replied, Some(Replied::Delivered { .. }));
        assert_eq!(delivered, withdrawn == Withdrawn::TooLate, "{cleared:?}, {replied:?}");
        if delivered {
            assert_eq!((cleared, model.collect(id, CLIENT)), (Cleared::Nothing, Some(10)));
        }
        assert_nothing_is_left(&model);
    });
}

/// A slot that is just being written to is its client's, whatever its last request was.
#[test]
fn a_clearing_leaves_alone_what_is_not_sent_yet() {
    explore(4, || {
        let model = Model::new(1, 0, 2);
        let known = Known::at_attach(&model.words);
        let first = model.send(&known, CLIENT, 1);
        let clearer = clearer(&model);
        let withdrawn = slot::withdraw(&model.words, first, CLIENT);
        let second = model.try_send(&known, CLIENT, 2);
        let cleared = clearer.join().unwrap();
        let next = find(&model.words, &known).map(|found| found.word.generation());
        match second {
            // Cleared with both generations, or with neither.
            None => assert!(next.is_none()),
            Some(id) if next.is_none() => {
                assert!(matches!(cleared, Cleared::Freed { .. }), "{withdrawn:?}, {cleared:?}");
                assert!(slot::progress(&model.words, id, CLIENT).is_err());
            }
            Some(id) => {
                assert_eq!(next, Some(id.generation));
                assert!(model.serve(&known, SERVERS));
                assert_eq!(model.collect(id, CLIENT), Some(20));
            }
        }
        assert_nothing_is_left(&model);
    });
}

#[test]
fn a_cancel_and_a_server_that_lets_go_agree_on_who_was_first() {
    explore(4, || {
        let model = Model::new(1, 0, 2);
        let known = Known::at_attach(&model.words);
        let id = model.send(&known, CLIENT, 1);
        let (held, _) = model.receive(&known, SERVERS).unwrap();
        let server = {
            let model = Arc::clone(&model);
            thread::spawn(move || model.release(held, SERVERS))
        };
        let withdrawn = slot::withdraw(&model.words, id, CLIENT);
        match (withdrawn, server.join().unwrap()) {
            (Withdrawn::Abandoned { .. }, Replied::Freed) => {}
            (Withdrawn::TooLate, Replied::Delivered { .. }) => {
                let Ok(Progress::Dismissed(word)) = slot::progress(&model.words, id, CLIENT) else {
                    panic!("too late for what?")
                };
                slot::collect(&model.words, id, word).unwrap();
            }
            other => panic!("the two sides disagree: {other:?}"),
        }
        assert_nothing_is_left(&model);
    });
}
