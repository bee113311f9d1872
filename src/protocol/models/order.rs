//! The ring: nothing is lost when it goes round, and order is kept.

use super::*;
use crate::protocol::slot::Withdrawn;

#[test]
fn a_producer_a_lap_later_loses_no_request() {
    explore(3, || {
        // Two cells: the other client comes round to the first one's reference and must carry it.
        let model = Model::new(2, 0, 2);
        let other = {
            let model = Arc::clone(&model);
            thread::spawn(move || {
                let known = Known::at_attach(&model.words);
                for payload in 1..=2 {
                    let id = model.send(&known, 2, payload);
                    let withdrawn = slot::withdraw(&model.words, id, 2);
                    assert!(matches!(withdrawn, Withdrawn::Unseen { .. }));
                }
            })
        };
        let known = Known::at_attach(&model.words);
        let kept = model.send(&known, 1, 7);
        other.join().unwrap();
        while model.serve(&known, SERVERS) {}
        assert_eq!(model.collect(kept, 1), Some(70));
        model.assert_all_free();
    });
}

#[test]
fn a_request_that_is_carried_to_the_next_lap_is_served_once() {
    explore(2, || {
        let model = Model::new(2, 0, 2);
        let known = Known::at_attach(&model.words);
        let kept = model.send(&known, 1, 7);
        let server = model.server(0, 2);
        let other = {
            let model = Arc::clone(&model);
            thread::spawn(move || {
                let known = Known::at_attach(&model.words);
                for payload in 1..=2 {
                    let Some(id) = model.try_send(&known, 2, payload) else { return };
                    match slot::withdraw(&model.words, id, 2) {
                        Withdrawn::TooLate => assert_eq!(model.collect(id, 2), Some(payload * 10)),
                        Withdrawn::Abandoned { .. } | Withdrawn::Unseen { .. } => {}
                        Withdrawn::Stale => panic!("lost"),
                    }
                }
            })
        };
        other.join().unwrap();
        server.join().unwrap();
        while model.serve(&known, SERVERS) {}
        assert_eq!(model.collect(kept, 1), Some(70));
        model.assert_all_free();
    });
}

#[test]
fn requests_of_one_client_are_found_in_the_order_in_which_they_were_sent() {
    explore(3, || {
        let model = Model::new(2, 0, 4);
        let server = {
            let model = Arc::clone(&model);
            thread::spawn(move || {
                let known = Known::at_attach(&model.words);
                (0..2)
                    .filter_map(|_| model.receive(&known, SERVERS))
                    .map(|(_, payload)| payload)
                    .collect::<Vec<_>>()
            })
        };
        let known = Known::at_attach(&model.words);
        model.send(&known, 1, 1);
        model.send(&known, 1, 2);
        let order = server.join().unwrap();
        assert!(order.is_empty() || order[0] == 1, "{order:?}");
    });
}
