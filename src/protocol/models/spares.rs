//! Spare slots: however those who take one, clearers and others meet, no more are in flight than there are slots.
//! Loans: of the threads that end one at once, one does.

use super::*;

const CLIENT: Participant = 1;

/// Commits a loan as a client does: it is ended before anything is written.
fn commit(model: &Model, id: Id, payload: u64) -> bool {
    if slot::end_loan(&model.words, id, CLIENT).is_err() {
        return false;
    }
    // SAFETY: who ended the loan is alone with its slot; loom reports if that is not so.
    model.requests[id.slot as usize].with_mut(|bytes| unsafe { *bytes = payload });
    slot::queue(&model.words, id, CLIENT);
    ring::publish(&model.words, &Known::at_attach(&model.words), id).unwrap();
    true
}

fn loan_that_another_commits() -> (Arc<Model>, Id, JoinHandle<bool>) {
    let model = Model::new(1, 0, 2);
    let id = allocate(&model.words, CLIENT, Purpose::Call, 0, 0).unwrap();
    let other = {
        let model = Arc::clone(&model);
        thread::spawn(move || commit(&model, id, 1))
    };
    (model, id, other)
}

#[test]
fn a_commit_that_loses_to_an_abort_writes_nothing_into_what_the_slot_holds_next() {
    explore(4, || {
        let (model, id, other) = loan_that_another_commits();
        let aborted = slot::abort_loan(&model.words, id, CLIENT).is_ok();
        if aborted {
            model.send(&Known::at_attach(&model.words), CLIENT, 2);
        }
        let committed = other.join().unwrap();
        assert_ne!(committed, aborted);
        let received = model.receive(&Known::at_attach(&model.words), SERVERS).map(|(_, payload)| payload);
        assert_eq!(received, Some(if committed { 1 } else { 2 }));
    });
}

#[test]
fn of_two_commits_one_sends() {
    explore(4, || {
        let (model, id, other) = loan_that_another_commits();
        let mine = commit(&model, id, 2);
        assert_ne!(mine, other.join().unwrap());
        let known = Known::at_attach(&model.words);
        let received = model.receive(&known, SERVERS).map(|(_, payload)| payload);
        assert_eq!(received, Some(if mine { 2 } else { 1 }));
        assert!(model.receive(&known, SERVERS).is_none());
    });
}

/// The one slot is abandoned, and a client takes the spare one; meanwhile the slot comes free, another takes it,
/// finds no spare slot in use and says so, gives it back and takes it again. Two at once would be one too many.
#[test]
fn a_clearing_between_the_steps_of_one_that_takes_a_spare_slot_does_not_hide_it() {
    explore(3, || {
        let model = Model::new(1, 1, 4);
        let known = Known::at_attach(&model.words);
        let first = model.send(&known, 1, 1);
        let (claimed, _) = model.receive(&known, SERVERS).unwrap();
        assert!(matches!(slot::withdraw(&model.words, first, 1), slot::Withdrawn::Abandoned { .. }));
        let taker = {
            let model = Arc::clone(&model);
            thread::spawn(move || allocate(&model.words, 2, Purpose::Call, 0, 0).is_some())
        };
        let others = {
            let model = Arc::clone(&model);
            thread::spawn(move || {
                assert_eq!(model.reply(claimed, SERVERS, 10), Replied::Freed);
                let take = || allocate(&model.words, 3, Purpose::Call, 0, 0);
                if let Some(id) = take() {
                    slot::give_back(&model.words, id);
                }
                take().is_some()
            })
        };
        let (spare, ordinary) = (taker.join().unwrap(), others.join().unwrap());
        assert!(!(spare && ordinary), "two in flight with one slot");
    });
}
