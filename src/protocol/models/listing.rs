//! Listing: a client that looks only where a bit is set misses no outcome.

use super::*;
use crate::protocol::listing::{self, Look};

const CLIENT: Participant = 1;
const OTHER: Participant = 2;

fn held(model: &Model, client: Participant) -> Id {
    let known = Known::at_attach(&model.words);
    let id = model.send(&known, client, 1);
    assert_eq!(model.receive(&known, SERVERS).expect("published").0, id);
    id
}

/// What a server does for whoever listed the request, as its word was before the reply.
fn tell(model: &Model, replied: &Replied) {
    let Replied::Delivered { before } = replied else { panic!("{replied:?}") };
    if before.is_listed() {
        listing::tell(&model.words, 0);
    }
}

/// Lists a request and looks where it was told to, so many times; whether it found the outcome.
fn finds(model: &Model, id: Id, looks: u32) -> bool {
    let first = listing::list(&model.words, id, CLIENT);
    first == Look::Done
        || (0..looks).any(|_| listing::look_if_told(&model.words, id, CLIENT) == Some(Look::Done))
}

#[test]
fn an_outcome_is_found_at_once_or_by_its_bit() {
    explore(5, || {
        let model = Model::new(1, 0, 2);
        let id = held(&model, CLIENT);
        let client = {
            let model = Arc::clone(&model);
            thread::spawn(move || finds(&model, id, 2))
        };
        tell(&model, &model.reply(id, SERVERS, 10));
        if !client.join().unwrap() {
            assert_eq!(listing::look_if_told(&model.words, id, CLIENT), Some(Look::Done));
        }
        assert_eq!(model.collect(id, CLIENT), Some(10));
    });
}

/// The bit was set for the slot's earlier request, or is set by a server that comes late with it.
#[test]
fn a_bit_that_is_about_something_else_hides_nothing() {
    explore(4, || {
        let model = Model::new(1, 0, 2);
        let id = held(&model, CLIENT);
        let late = {
            let model = Arc::clone(&model);
            thread::spawn(move || listing::tell(&model.words, id.slot))
        };
        let client = {
            let model = Arc::clone(&model);
            thread::spawn(move || finds(&model, id, 2))
        };
        tell(&model, &model.reply(id, SERVERS, 10));
        let is_found = client.join().unwrap();
        late.join().unwrap();
        assert!(is_found || listing::look_if_told(&model.words, id, CLIENT) == Some(Look::Done));
    });
}

/// One thread of a client asks after what another has collected, whose slot is another client's meanwhile.
#[test]
fn who_clears_the_bit_of_another_client_sets_it_again() {
    explore(4, || {
        let model = Model::new(1, 0, 2);
        let old = held(&model, CLIENT);
        assert_eq!(listing::list(&model.words, old, CLIENT), Look::Pending);
        tell(&model, &model.reply(old, SERVERS, 10));
        assert_eq!(model.collect(old, CLIENT), Some(10));
        let new = held(&model, OTHER);
        assert_eq!(listing::list(&model.words, new, OTHER), Look::Pending);
        let asks = {
            let model = Arc::clone(&model);
            thread::spawn(move || listing::look_if_told(&model.words, old, CLIENT))
        };
        tell(&model, &model.reply(new, SERVERS, 20));
        assert_eq!(asks.join().unwrap(), Some(Look::Gone));
        assert_eq!(listing::look_if_told(&model.words, new, OTHER), Some(Look::Done));
    });
}

/// One thread lists the request, another announces that it sleeps: the reply's server sees both.
#[test]
fn listing_and_watching_at_once_are_both_seen() {
    explore(4, || {
        let model = Model::new(1, 0, 2);
        let id = held(&model, CLIENT);
        let watcher = {
            let model = Arc::clone(&model);
            thread::spawn(move || {
                slot::announce_watching(&model.words, id, CLIENT);
                matches!(slot::progress(&model.words, id, CLIENT), Ok(Progress::Pending(_)))
            })
        };
        let client = {
            let model = Arc::clone(&model);
            thread::spawn(move || listing::list(&model.words, id, CLIENT) == Look::Done)
        };
        let replied = model.reply(id, SERVERS, 10);
        let Replied::Delivered { before } = replied else { unreachable!() };
        assert!(!watcher.join().unwrap() || before.is_watching());
        assert!(client.join().unwrap() || before.is_listed());
    });
}
