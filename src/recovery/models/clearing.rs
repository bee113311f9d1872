//! Clearing: whoever clears the channel claims what is queued, so one that dies then is recovered as a server.

use super::*;
use crate::protocol::clearing::{self, Cleared};

#[test]
fn a_request_that_one_claimed_to_clear_it_and_died_ends_as_that_of_a_dead_server() {
    explore(3, || {
        let model = Model::new(1, 0, 4);
        let known = Known::at_attach(&model.words);
        let id = model.send(&known, LIVING, 1);
        claim_to_clear(&model);
        let recoverers = two_recoverers(&model, false);
        let served = model.serve(&known, SERVERS);
        join(recoverers);
        let Ok(Progress::Failed(word)) = slot::progress(&model.words, id, LIVING) else {
            panic!("a client waits for the dead")
        };
        slot::collect(&model.words, id, word).unwrap();
        assert!(!served);
        assert_nothing_is_left(&model);
    });
}

#[test]
fn a_message_that_one_claimed_to_clear_it_and_died_is_gone() {
    explore(3, || {
        let model = Model::new(1, 0, 4);
        let known = Known::at_attach(&model.words);
        model.post(&known, LIVING, 1);
        claim_to_clear(&model);
        let recoverers = two_recoverers(&model, false);
        assert!(!model.serve(&known, SERVERS));
        join(recoverers);
        assert_nothing_is_left(&model);
    });
}

/// Where requests are served again, a clearing that was not finished clears what it finished.
#[test]
fn where_requests_are_served_again_what_the_dead_had_not_cleared_is_served() {
    explore(3, || {
        let model = Model::new(1, 0, 4);
        let known = Known::at_attach(&model.words);
        let id = model.send(&known, LIVING, 1);
        claim_to_clear(&model);
        let recoverers = two_recoverers(&model, true);
        let mut served = u32::from(model.serve(&known, SERVERS));
        join(recoverers);
        served += u32::from(model.serve(&known, SERVERS));
        assert_eq!((served, model.collect(id, LIVING)), (1, Some(10)));
        assert_nothing_is_left(&model);
    });
}

/// A second clearing meets recoverers of the first.
#[test]
fn a_clearing_and_the_recovery_of_another_leave_nothing() {
    for redelivers in [false, true] {
        explore(3, move || {
            let model = Model::new(1, 0, 4);
            let id = model.send(&Known::at_attach(&model.words), LIVING, 1);
            claim_to_clear(&model);
            let recoverers = two_recoverers(&model, redelivers);
            let cleared = clearing::clear(&model.words, clearing::current(&model.words, 0), LIVING);
            join(recoverers);
            if let Ok(Progress::Failed(word)) = slot::progress(&model.words, id, LIVING) {
                assert_eq!(cleared, Cleared::Nothing);
                slot::collect(&model.words, id, word).unwrap();
            }
            assert_nothing_is_left(&model);
        });
    }
}

/// The first of the two steps of a clearing, after which the clearer died.
fn claim_to_clear(model: &Model) {
    let queued = RequestWord(model.words.request(0).load(Relaxed));
    assert!(queued.is(RequestState::Queued, queued.generation()));
    model.words.request(0).store(queued.to_claimed(DEAD).0, Release);
}
