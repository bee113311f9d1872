//! The doorbell: nobody sleeps on while there is work.

use super::*;
use crate::protocol::doorbell;

#[test]
fn a_sleeping_server_is_woken_or_sees_the_request_itself() {
    explore(3, || {
        let model = Model::new(1, 0, 2);
        let server = {
            let model = Arc::clone(&model);
            thread::spawn(move || {
                let known = Known::at_attach(&model.words);
                let value = doorbell::announce(&model.words.doorbell);
                let seen = ring::find(&model.words, &known).is_some();
                (value, seen)
            })
        };
        let known = Known::at_attach(&model.words);
        model.send(&known, 1, 1);
        let rung = doorbell::ring(&model.words.doorbell);
        let (value, seen) = server.join().unwrap();
        assert!(rung || seen, "the server sleeps and nobody wakes it");
        // A server that has not fallen asleep yet when the doorbell rings must find the word changed.
        assert!(!rung || model.words.doorbell.load(Relaxed) as u32 != value);
    });
}

#[test]
fn two_sleepers_and_two_producers_leave_no_request_without_somebody_awake() {
    explore(preemptions(2, 1), || {
        let model = Model::new(2, 0, 4);
        let sleepers = [0, 1].map(|_| {
            let model = Arc::clone(&model);
            thread::spawn(move || {
                let known = Known::at_attach(&model.words);
                let value = doorbell::announce(&model.words.doorbell);
                (value, ring::find(&model.words, &known).is_some())
            })
        });
        let produce = |model: &Model, client: Participant| {
            model.send(&Known::at_attach(&model.words), client, 1);
            doorbell::ring(&model.words.doorbell)
        };
        let other = {
            let model = Arc::clone(&model);
            thread::spawn(move || produce(&model, 2))
        };
        let mut woken = u32::from(produce(&model, 1));
        woken += u32::from(other.join().unwrap());
        let sleepers = sleepers.map(|thread| thread.join().unwrap());
        // A server that saw a request, or finds the word changed, does not fall asleep; of those that do, each wake-up
        // reaches one.
        let now = model.words.doorbell.load(Relaxed) as u32;
        let asleep = sleepers.iter().filter(|(value, saw)| !saw && *value == now).count() as u32;
        assert!(asleep < 2 || woken > 0, "two requests, and nobody awake");
    });
}

/// Who sets a wait's cancel word and then wakes the handle's waits: the other half of the wake-up, the kernel's, wakes
/// those who sleep while the word is as it was.
#[test]
fn a_sleeper_whose_wait_is_cancelled_sees_that_or_finds_the_word_changed() {
    explore(4, || {
        let model = Model::new(1, 0, 2);
        let cancel = Arc::new(AtomicU64::new(0));
        let sleeper = {
            let (model, cancel) = (Arc::clone(&model), Arc::clone(&cancel));
            thread::spawn(move || {
                let value = doorbell::announce(&model.words.doorbell);
                loom::sync::atomic::fence(SeqCst);
                (value, cancel.load(Relaxed) != 0)
            })
        };
        let known = Known::at_attach(&model.words);
        let client = {
            let model = Arc::clone(&model);
            thread::spawn(move || {
                model.send(&known, 1, 1);
                doorbell::ring(&model.words.doorbell)
            })
        };
        cancel.store(1, Relaxed);
        loom::sync::atomic::fence(SeqCst);
        doorbell::nudge(&model.words.doorbell);
        let (value, is_cancelled) = sleeper.join().unwrap();
        client.join().unwrap();
        let now = model.words.doorbell.load(Relaxed);
        assert!(is_cancelled || now as u32 != value, "it sleeps on");
    });
}

/// A nudge is meant for some of those who sleep: the others are still to be woken for what is published.
#[test]
fn a_nudge_leaves_the_announcements_of_others() {
    explore(4, || {
        let model = Model::new(1, 0, 2);
        let server = {
            let model = Arc::clone(&model);
            thread::spawn(move || {
                let known = Known::at_attach(&model.words);
                let value = doorbell::announce(&model.words.doorbell);
                (value, ring::find(&model.words, &known).is_some())
            })
        };
        let other = {
            let model = Arc::clone(&model);
            thread::spawn(move || doorbell::nudge(&model.words.doorbell))
        };
        let known = Known::at_attach(&model.words);
        model.send(&known, 1, 1);
        let rung = doorbell::ring(&model.words.doorbell);
        other.join().unwrap();
        let (value, seen) = server.join().unwrap();
        let is_asleep = !seen && model.words.doorbell.load(Relaxed) as u32 == value;
        assert!(rung || seen || !is_asleep, "the server sleeps and nobody wakes it");
    });
}
