//! A request from its slot to its end: claimed, cancelled, replied to, its slot used again, spare slots.

use super::*;
use crate::protocol::allocate::in_flight;
use crate::protocol::slot::Withdrawn;
use crate::protocol::state::GENERATION_MAX;

#[test]
fn two_clients_and_two_servers_exchange_each_request_once() {
    two_clients_and_two_servers(preemptions(2, 1), 0, 0);
}

#[test]
fn they_do_so_while_positions_laps_and_generations_wrap() {
    two_clients_and_two_servers(1, u64::MAX, GENERATION_MAX);
}

fn two_clients_and_two_servers(preemptions: usize, position: u64, generation: u64) {
    explore(preemptions, move || {
        let model = Model::starting_at(2, 0, 4, position, generation);
        let servers = [model.server(0, 1), model.server(1, 1)];
        let other = {
            let model = Arc::clone(&model);
            thread::spawn(move || {
                let known = Known::at_attach(&model.words);
                let id = model.send(&known, 2, 2);
                (id, model.collect(id, 2))
            })
        };
        let known = Known::at_attach(&model.words);
        let mine = model.send(&known, 1, 1);
        let early = model.collect(mine, 1);
        let (others, others_early) = other.join().unwrap();
        let mut served: u32 = servers.into_iter().map(|server| server.join().unwrap()).sum();
        while model.serve(&known, SERVERS) {
            served += 1;
        }
        assert_eq!(served, 2);
        assert_eq!(early.or_else(|| model.collect(mine, 1)), Some(10));
        assert_eq!(others_early.or_else(|| model.collect(others, 2)), Some(20));
        model.assert_all_free();
    });
}

#[test]
fn a_request_is_either_cancelled_or_claimed() {
    explore(3, || {
        let model = Model::new(1, 0, 2);
        let known = Known::at_attach(&model.words);
        let id = model.send(&known, 1, 1);
        let server = {
            let model = Arc::clone(&model);
            thread::spawn(move || {
                let known = Known::at_attach(&model.words);
                model.receive(&known, SERVERS).map(|(id, payload)| model.reply(id, SERVERS, payload))
            })
        };
        let withdrawn = slot::withdraw(&model.words, id, 1);
        match (withdrawn, server.join().unwrap()) {
            (Withdrawn::Unseen { .. }, None) => {}
            (Withdrawn::Abandoned { .. }, Some(Replied::Freed)) => {}
            (Withdrawn::TooLate, Some(Replied::Delivered { .. })) => {
                model.collect(id, 1).expect("delivered");
            }
            other => panic!("the two sides disagree: {other:?}"),
        }
        model.assert_all_free();
    });
}

#[test]
fn a_cancel_and_a_reply_agree_on_who_was_first() {
    explore(4, || {
        let model = Model::new(1, 0, 2);
        let known = Known::at_attach(&model.words);
        let id = model.send(&known, 1, 1);
        let (claimed, _) = model.receive(&known, SERVERS).unwrap();
        let server = {
            let model = Arc::clone(&model);
            thread::spawn(move || model.reply(claimed, SERVERS, 10))
        };
        let withdrawn = slot::withdraw(&model.words, id, 1);
        match (withdrawn, server.join().unwrap()) {
            (Withdrawn::Abandoned { .. }, Replied::Freed) => {}
            (Withdrawn::TooLate, Replied::Delivered { .. }) => assert_eq!(model.collect(id, 1), Some(10)),
            other => panic!("the two sides disagree: {other:?}"),
        }
        model.assert_all_free();
    });
}

#[test]
fn a_slot_that_is_used_again_carries_nothing_over() {
    explore(preemptions(2, 1), || {
        let model = Model::new(1, 0, 2);
        let servers = [model.server(0, 2), model.server(1, 1)];
        let known = Known::at_attach(&model.words);
        for payload in 1..=2 {
            // The slot may still be the lease of a server that was given up on.
            let Some(id) = model.try_send(&known, 1, payload) else { break };
            match slot::withdraw(&model.words, id, 1) {
                Withdrawn::TooLate => assert_eq!(model.collect(id, 1), Some(payload * 10)),
                Withdrawn::Abandoned { .. } => {}
                other => assert!(matches!(other, Withdrawn::Unseen { .. })),
            }
        }
        for server in servers {
            server.join().unwrap();
        }
        model.assert_all_free();
    });
}

#[test]
fn a_slot_passes_from_one_client_to_another() {
    explore(3, || {
        let model = Model::new(1, 0, 2);
        let server = model.server(0, 2);
        let other = {
            let model = Arc::clone(&model);
            thread::spawn(move || model.try_send(&Known::at_attach(&model.words), 2, 2))
        };
        let known = Known::at_attach(&model.words);
        if let Some(id) = model.try_send(&known, 1, 1) {
            match slot::withdraw(&model.words, id, 1) {
                Withdrawn::TooLate => assert_eq!(model.collect(id, 1), Some(10)),
                Withdrawn::Abandoned { .. } => {}
                other => assert!(matches!(other, Withdrawn::Unseen { .. })),
            }
        }
        let others = other.join().unwrap();
        server.join().unwrap();
        while model.serve(&known, SERVERS) {}
        if let Some(id) = others {
            assert_eq!(model.collect(id, 2), Some(20));
        }
        model.assert_all_free();
    });
}

#[test]
fn no_more_are_in_flight_than_there_are_slots() {
    explore(3, || {
        // The one slot is abandoned; a client takes the spare one while the server frees the first and a second client
        // takes that.
        let model = Model::new(1, 1, 4);
        let known = Known::at_attach(&model.words);
        let first = model.send(&known, 1, 1);
        let (claimed, _) = model.receive(&known, SERVERS).unwrap();
        assert!(matches!(slot::withdraw(&model.words, first, 1), Withdrawn::Abandoned { .. }));
        let server = {
            let model = Arc::clone(&model);
            thread::spawn(move || assert_eq!(model.reply(claimed, SERVERS, 10), Replied::Freed))
        };
        let other = {
            let model = Arc::clone(&model);
            thread::spawn(move || allocate(&model.words, 2, Purpose::Call, 0, 0).is_some())
        };
        let mine = allocate(&model.words, 1, Purpose::Call, 0, 0).is_some();
        let others = other.join().unwrap();
        server.join().unwrap();
        assert_eq!(in_flight(&model.words), u32::from(mine) + u32::from(others));
        assert!(!(mine && others), "two in flight with one slot");
    });
}
