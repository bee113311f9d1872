//! Waiting for any of several replies: nobody sleeps on while one of them is there.

use super::*;
use crate::protocol::doorbell;

const CLIENT: Participant = 1;

/// What one look of a waiter comes to.
#[derive(Debug)]
enum Looked {
    Done,
    /// It sleeps while its doorbell shows this.
    Sleeps(u32),
}

/// The steps of `Client::wait_any` up to its sleep; the model's doorbell is the one in the client's line.
fn look(model: &Model, ids: &[Id]) -> Looked {
    let doorbell = doorbell::announce(&model.words.doorbell);
    for id in ids {
        slot::announce_watching(&model.words, *id, CLIENT);
    }
    let done = |id: &Id| !matches!(slot::progress(&model.words, *id, CLIENT), Ok(Progress::Pending(_)));
    if ids.iter().any(done) { Looked::Done } else { Looked::Sleeps(doorbell) }
}

/// What a server does for whoever sleeps on the word as it was before its reply.
fn wake(model: &Model, replied: &Replied) {
    let Replied::Delivered { before } = replied else { panic!("{replied:?}") };
    if before.is_watching() {
        doorbell::ring(&model.words.doorbell);
    }
}

fn assert_awake(model: &Model, looked: &Looked) {
    if let Looked::Sleeps(doorbell) = looked {
        assert_ne!(
            model.words.doorbell.load(SeqCst) as u32,
            *doorbell,
            "a reply is there, and its client sleeps"
        );
    }
}

fn two_held(model: &Model) -> [Id; 2] {
    let known = Known::at_attach(&model.words);
    [1, 2].map(|payload| {
        model.send(&known, CLIENT, payload);
        model.receive(&known, SERVERS).expect("published").0
    })
}

#[test]
fn who_waits_for_any_sees_a_reply_or_is_woken_by_it() {
    explore(5, || {
        let model = Model::new(2, 0, 4);
        let ids = two_held(&model);
        let waiter = {
            let model = Arc::clone(&model);
            thread::spawn(move || look(&model, &ids))
        };
        wake(&model, &model.reply(ids[1], SERVERS, 20));
        assert_awake(&model, &waiter.join().unwrap());
    });
}

/// The announcement that the first reply takes must not be missed by the second.
#[test]
fn a_waiter_that_comes_back_after_a_reply_to_another_is_woken_again() {
    explore(3, || {
        let model = Model::new(2, 0, 4);
        let ids = two_held(&model);
        let waiter = {
            let model = Arc::clone(&model);
            thread::spawn(move || [look(&model, &ids[1..]), look(&model, &ids[1..])])
        };
        let server = {
            let model = Arc::clone(&model);
            thread::spawn(move || wake(&model, &model.reply(ids[0], SERVERS, 10)))
        };
        wake(&model, &model.reply(ids[1], SERVERS, 20));
        server.join().unwrap();
        for looked in waiter.join().unwrap() {
            assert_awake(&model, &looked);
        }
    });
}

/// One thread waits for the reply alone and another for any of several: the reply's server sees both.
#[test]
fn a_reply_meets_the_announcements_of_all_who_wait_for_it() {
    explore(4, || {
        let model = Model::new(2, 0, 4);
        let ids = two_held(&model);
        let watcher = {
            let model = Arc::clone(&model);
            thread::spawn(move || look(&model, &ids))
        };
        let waiter = {
            let model = Arc::clone(&model);
            thread::spawn(move || match slot::progress(&model.words, ids[0], CLIENT) {
                Ok(Progress::Pending(word)) => slot::announce_waiting(&model.words, ids[0], word),
                _ => None,
            })
        };
        let replied = model.reply(ids[0], SERVERS, 10);
        wake(&model, &replied);
        let Replied::Delivered { before } = replied else { unreachable!() };
        assert_awake(&model, &watcher.join().unwrap());
        let slept = waiter.join().unwrap();
        assert!(slept.is_none() || before.is_waiting(), "it sleeps, and nobody wakes it");
    });
}
