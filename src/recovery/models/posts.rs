//! One-way messages whose client, or server, died.

use super::*;
use crate::protocol::allocate;
use crate::protocol::state::{ReplyState, ReplyWord};

/// How far a message had come when its client died.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PosterDied {
    Took,
    Queued,
    Published,
    Claimed,
    Released,
}

impl PosterDied {
    const ALL: [Self; 5] = [Self::Took, Self::Queued, Self::Published, Self::Claimed, Self::Released];

    /// Does the steps; the id that server 0 holds, if it claimed the message, and how often that was delivered.
    fn act(self, model: &Model) -> (Option<Id>, u32) {
        let known = Known::at_attach(&model.words);
        if matches!(self, Self::Took | Self::Queued) {
            let id = allocate::allocate(&model.words, DEAD, Purpose::Post, 0, 0).expect("a slot is free");
            if self == Self::Queued {
                slot::queue(&model.words, id, DEAD);
            }
            return (None, 0);
        }
        let id = model.post(&known, DEAD, 1);
        if self == Self::Published {
            return (None, 0);
        }
        assert_eq!(model.receive(&known, SERVERS), Some((id, 1)));
        if self == Self::Claimed {
            return (Some(id), 1);
        }
        assert_eq!(model.release(id, SERVERS), Replied::Released);
        (None, 1)
    }
}

#[test]
fn a_message_that_was_queued_when_its_client_died_is_delivered_once_and_its_slot_comes_free() {
    for died in PosterDied::ALL {
        explore(2, move || {
            let model = Model::new(1, 0, 4);
            let (mut held, mut delivered) = died.act(&model);
            let recoverers = two_recoverers(&model, false);
            let known = Known::at_attach(&model.words);
            let mut take = || {
                let taken = model.receive(&known, SERVERS).map(|(id, _)| id);
                delivered += u32::from(taken.is_some());
                taken
            };
            // A living server at work meanwhile: with what it holds, or with what it finds.
            if let Some(id) = held.take().or_else(&mut take) {
                assert_eq!(model.release(id, SERVERS), Replied::Released);
            }
            join(recoverers);
            while let Some(id) = take() {
                assert_eq!(model.release(id, SERVERS), Replied::Released);
            }
            assert_eq!(delivered, u32::from(died != PosterDied::Took));
            assert_nothing_is_left(&model);
        });
    }
}

/// Its number may pass to another: nobody may take the message for one of that other's.
/// However many recover, the ring doesn't fill with references to it.
#[test]
fn one_of_two_recoverers_publishes_a_message_again() {
    explore(4, || {
        let model = Model::new(1, 0, 4);
        assert_eq!(PosterDied::Queued.act(&model), (None, 0));
        let look = |model: &Model, number| {
            let by = Recoverer { number, redelivers: false };
            recover_slot(&model.words, 0, by, |owner| owner == DEAD)
        };
        let other = {
            let model = Arc::clone(&model);
            thread::spawn(move || look(&model, RECOVERER + 1))
        };
        let (mine, others) = (look(&model, RECOVERER), other.join().unwrap());
        let publishes = |recovered: &Recovered| matches!(recovered, Recovered::Unpublished(_));
        assert!(publishes(&mine) != publishes(&others), "{mine:?}, {others:?}");
    });
}

#[test]
fn a_message_that_was_recovered_is_nobodys() {
    explore(3, || {
        let model = Model::new(1, 0, 4);
        PosterDied::Published.act(&model);
        join(two_recoverers(&model, false));
        let word = ReplyWord(model.words.reply(0).load(Relaxed));
        assert_eq!((word.state(), word.owner()), (ReplyState::Posted, 0));
    });
}

#[test]
fn a_message_whose_server_died_with_it_is_lost_and_its_slot_comes_free() {
    explore(4, || {
        let model = Model::new(1, 0, 4);
        let known = Known::at_attach(&model.words);
        model.post(&known, LIVING, 1);
        model.receive(&known, DEAD).expect("published");
        join(two_recoverers(&model, false));
        assert_nothing_is_left(&model);
    });
}
