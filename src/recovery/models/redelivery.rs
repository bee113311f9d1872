//! Redelivery: a server died with a request, in a channel where others serve it then.

use super::*;

const DEAD_RECOVERER: Participant = 8;

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

/// Queued again, by a recoverer that died before it was published.
fn queued_again_by_the_dead(model: &Model, purpose: Purpose) -> Id {
    let id = taken_by_the_dead(model, purpose);
    let by = Recoverer { number: DEAD_RECOVERER, redelivers: true };
    assert!(matches!(
        recover_slot(&model.words, id.slot, by, |owner| owner == DEAD),
        Recovered::Unpublished(_)
    ));
    id
}

/// A thread that knows of all the dead.
fn recoverer_of_all(model: &Arc<Model>, number: Participant) -> JoinHandle<()> {
    let model = Arc::clone(model);
    let gone = |owner| owner == DEAD || owner == DEAD_RECOVERER;
    thread::spawn(move || recover_as(&model, Recoverer { number, redelivers: true }, gone))
}

fn times_queued_again(model: &Model) -> u32 {
    RequestWord(model.words.request(0).load(Relaxed)).times()
}

/// Two recoverers and a living server: the request is served once, or the message delivered once.
fn is_served_once(begin: fn(&Model, Purpose) -> Id) {
    for purpose in [Purpose::Call, Purpose::Post] {
        explore(3, move || {
            let model = Model::new(1, 0, 4);
            let id = begin(&model, purpose);
            let recoverers = [RECOVERER, RECOVERER + 1].map(|number| recoverer_of_all(&model, number));
            let known = Known::at_attach(&model.words);
            let mut served = u32::from(model.serve(&known, SERVERS));
            join(recoverers);
            while model.serve(&known, SERVERS) {
                served += 1;
            }
            assert_eq!((served, times_queued_again(&model)), (1, 1));
            if purpose == Purpose::Call {
                assert_eq!(model.collect(id, LIVING), Some(10));
            }
            assert_nothing_is_left(&model);
        });
    }
}

#[test]
fn a_request_whose_server_died_is_served_once_by_another() {
    is_served_once(taken_by_the_dead);
}

#[test]
fn a_request_whose_recoverer_died_before_it_was_published_is_taken_over() {
    is_served_once(queued_again_by_the_dead);
}

/// A recoverer rests after it has published. Meanwhile a server claims by that reference and dies, and another recoverer
/// makes the request REQUEUED once more and dies before it publishes: what the first goes on to do must not hide that.
#[test]
fn a_recoverer_that_rests_does_not_mark_as_published_what_another_has_yet_to_publish() {
    const NEXT_DEAD: Participant = 6;
    for purpose in [Purpose::Call, Purpose::Post] {
        explore(3, move || {
            let model = Model::new(1, 0, 4);
            let id = taken_by_the_dead(&model, purpose);
            let resting = recoverer_thread(&model, RECOVERER, true);
            let dying = {
                let model = Arc::clone(&model);
                thread::spawn(move || {
                    if model.receive(&Known::at_attach(&model.words), NEXT_DEAD).is_some() {
                        let by = Recoverer { number: DEAD_RECOVERER, redelivers: true };
                        recover_slot(&model.words, id.slot, by, |owner| owner == NEXT_DEAD);
                    }
                })
            };
            dying.join().unwrap();
            resting.join().unwrap();
            let gone = |owner| [DEAD, NEXT_DEAD, DEAD_RECOVERER].contains(&owner);
            recover_as(&model, Recoverer { number: RECOVERER + 1, redelivers: true }, gone);
            // Whoever comes now starts from the hints alone, past what was claimed.
            assert!(model.serve(&Known::at_attach(&model.words), SERVERS), "{purpose:?}: it is lost");
            if purpose == Purpose::Call {
                assert_eq!(model.collect(id, LIVING), Some(10));
            }
            assert_nothing_is_left(&model);
        });
    }
}

/// The client withdraws while recoverers queue the request again: whoever comes second takes it out of the queue.
fn leaves_nothing_if_withdrawn(begin: fn(&Model, Purpose) -> Id, recoverers: u16) {
    explore(3, move || {
        let model = Model::new(1, 0, 4);
        let id = begin(&model, Purpose::Call);
        let recoverers: Vec<_> = (0..recoverers).map(|k| recoverer_of_all(&model, RECOVERER + k)).collect();
        let withdrawn = slot::withdraw(&model.words, id, LIVING);
        assert!(matches!(withdrawn, Withdrawn::Unseen { .. } | Withdrawn::Abandoned { .. }), "{withdrawn:?}");
        join(recoverers);
        assert_nothing_is_left(&model);
    });
}

#[test]
fn a_request_that_is_withdrawn_while_it_is_queued_again_is_not_left_to_be_claimed() {
    leaves_nothing_if_withdrawn(taken_by_the_dead, 1);
}

#[test]
fn nor_if_two_queue_it_again() {
    leaves_nothing_if_withdrawn(taken_by_the_dead, 2);
}

#[test]
fn nor_if_it_is_taken_over() {
    leaves_nothing_if_withdrawn(queued_again_by_the_dead, 2);
}

#[test]
fn a_client_and_the_next_server_agree_on_what_became_of_a_request_that_was_queued_again() {
    explore(3, || {
        let model = Model::new(1, 0, 4);
        let id = taken_by_the_dead(&model, Purpose::Call);
        let recoverer = recoverer_of_all(&model, RECOVERER);
        let server = {
            let model = Arc::clone(&model);
            thread::spawn(move || {
                let known = Known::at_attach(&model.words);
                model.receive(&known, SERVERS).map(|(id, payload)| model.reply(id, SERVERS, payload * 10))
            })
        };
        let withdrawn = slot::withdraw(&model.words, id, LIVING);
        recoverer.join().unwrap();
        match (withdrawn, server.join().unwrap()) {
            (Withdrawn::Unseen { .. }, None) | (Withdrawn::Abandoned { .. }, None | Some(Replied::Freed)) => {
            }
            (Withdrawn::TooLate, Some(Replied::Delivered { .. })) => {
                assert_eq!(model.collect(id, LIVING), Some(10));
            }
            other => panic!("the two sides disagree: {other:?}"),
        }
        assert_nothing_is_left(&model);
    });
}

/// One recoverer knows of the dead client, the other of the dead server.
#[test]
fn a_request_whose_both_sides_died_is_not_kept() {
    explore(4, || {
        let model = Model::new(1, 0, 4);
        let known = Known::at_attach(&model.words);
        model.send(&known, DEAD, 1);
        model.receive(&known, SERVERS).expect("published");
        let of_client = recoverer_thread(&model, RECOVERER, true);
        recover_as(&model, Recoverer { number: RECOVERER + 1, redelivers: true }, |owner| owner == SERVERS);
        of_client.join().unwrap();
        // A living server may have got it.
        if let Some((id, _)) = model.receive(&known, SERVERS + 1) {
            assert_eq!(model.reply(id, SERVERS + 1, 10), Replied::Freed);
        }
        assert_nothing_is_left(&model);
    });
}
