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
