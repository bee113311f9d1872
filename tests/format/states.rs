//! What one-way messages, letting go, adoption, detaching, redelivery, loans, clearing and waiting for any of several
//! replies write into the two words of a request, seen from outside. What an ordinary request writes is pinned in
//! `words.rs`.

use crate::sample::{REPLY, Sample, sample, slot_of, word_at};
use shmrr::{Error, Options, Timeout};
use std::thread;

/// The first slot's request line.
const FIRST: u64 = 2048;
/// The tail hint.
const TAIL: u64 = 256;

/// A sample in which every request is in the first slot. That is where it is in a larger one: there are as many cells.
fn with_one_slot(options: &Options) -> Sample {
    Sample::new(&options.clone().slots(1))
}

/// The first slot's request word and reply word.
fn words(sample: &Sample) -> (u64, u64) {
    (sample.u64(FIRST), sample.u64(FIRST + REPLY))
}

#[test]
fn a_one_way_message_is_posted_until_its_server_is_done_with_it() {
    let sample = with_one_slot(&Options::new());
    sample.client.post(b"hello", Timeout::NOW).unwrap();
    assert_eq!(words(&sample), (0x0010_0201, 0x0010_0205), "QUEUED and POSTED, client 2, generation 1");
    assert_eq!((sample.u32(FIRST + 8), sample.u32(FIRST + 16)), (5, 4), "length, flags");
    assert_eq!(sample.bytes(FIRST + 24, 5), b"hello");
    let id = sample.recv();
    assert_eq!(words(&sample), (0x0010_0108, 0x0010_0205), "CLAIMED, server 1");
    sample.server.dismiss(id).unwrap();
    assert_eq!(words(&sample), (0x0010_0108, 0x0010_0000), "FREE, generation 1");
}

#[test]
fn a_one_way_message_whose_client_left_is_nobodys_and_published_for_certain() {
    let sample = with_one_slot(&Options::new());
    sample.client.post(b"", Timeout::NOW).unwrap();
    assert_eq!(sample.u64(TAIL), 1);
    drop(sample.client);
    let word = |at| word_at(&sample.file, at);
    assert_eq!((word(FIRST), word(FIRST + REPLY)), (0x0010_0201, 0x0010_0005), "POSTED, nobody");
    assert_eq!(word(TAIL), 2);
    let id = sample.server.recv(&mut []).unwrap().id;
    assert_eq!(sample.server.recv(&mut []).map(|r| r.id), Err(Error::WouldBlock), "delivered once");
    sample.server.release(id).unwrap();
    assert_eq!(word(FIRST + REPLY), 0x0010_0000);
}

#[test]
fn a_request_that_its_server_let_go_of_is_dismissed() {
    let sample = with_one_slot(&Options::new());
    let id = sample.client.send(b"").unwrap();
    sample.recv();
    sample.server.dismiss(id).unwrap();
    assert_eq!(words(&sample), (0x0010_0108, 0x0010_0206), "DISMISSED, client 2");
    assert_eq!(sample.get(id), Err(Error::Dismissed));
    assert_eq!(sample.u64(FIRST + REPLY), 0x0010_0000, "FREE");
}

#[test]
fn a_request_that_is_adopted_is_claimed_by_another_and_its_word_counts_that() {
    let options = Options::new();
    let sample = with_one_slot(&options);
    let other = options.server(&sample.path).unwrap();
    let id = sample.client.send(b"").unwrap();
    sample.recv();
    for times in 1..=7 {
        let (server, number) = if times % 2 == 0 { (&sample.server, 1) } else { (&other, 3) };
        server.adopt(id).unwrap();
        server.adopt(id).unwrap();
        assert_eq!(sample.u64(FIRST), 0x0010_0008 | number << 8 | times, "CLAIMED, adopted {times} times");
    }
    assert_eq!(sample.server.adopt(id), Err(Error::AdoptedTooOften));
    assert_eq!(sample.server.reply(id, b""), Err(Error::Stale));
    other.reply(id, b"").unwrap();
    assert_eq!(words(&sample), (0x0010_030F, 0x0010_0202), "CLAIMED, server 3; READY, client 2");
    assert_eq!(sample.server.adopt(id), Err(Error::Stale));
}

#[test]
fn a_call_that_is_detached_is_posted() {
    let sample = with_one_slot(&Options::new());
    let id = sample.client.send(b"").unwrap();
    sample.client.detach(id).unwrap();
    assert_eq!(words(&sample), (0x0010_0201, 0x0010_0205), "QUEUED and POSTED, client 2");
    assert_eq!(sample.u32(FIRST + 16), 0, "not one-way by its flags");
    assert_eq!((sample.client.detach(id), sample.get(id)), (Err(Error::Stale), Err(Error::Stale)));
    sample.recv();
    sample.server.reply(id, b"").unwrap();
    assert_eq!(words(&sample), (0x0010_0108, 0x0010_0000), "FREE");
}

#[test]
fn what_a_server_left_is_lost_before_its_client_is_told() {
    let options = Options::new();
    let sample = with_one_slot(&options);
    let id = sample.client.send(b"").unwrap();
    sample.recv();
    drop(sample.server);
    let word = |at| word_at(&sample.file, at);
    assert_eq!((word(FIRST), word(FIRST + REPLY)), (0x0010_0104, 0x0010_0203), "LOST; FAILED, client 2");
    assert_eq!(sample.client.get(id, &mut []), Err(Error::OwnerDead));
}

/// Nobody stays between the two steps who isn't killed there: whoever waits takes the second.
#[test]
fn what_is_lost_fails_whoever_waits_for_it() {
    let sample = with_one_slot(&Options::new());
    let id = sample.client.send(b"").unwrap();
    sample.recv();
    sample.set_u64(FIRST, 0x0010_0104);
    assert_eq!(sample.server.reply(id, b""), Err(Error::Stale));
    assert_eq!(sample.server.adopt(id), Err(Error::Stale));
    assert_eq!(sample.client.get_wait(id, &mut [], Timeout::FOREVER), Err(Error::OwnerDead));
}

#[test]
fn a_loan_is_a_pending_slot_whose_request_word_is_older() {
    let sample = with_one_slot(&Options::new());
    let loan = sample.client.loan(Timeout::NOW).unwrap();
    assert_eq!(words(&sample), (0, 0x0010_0201), "IDLE, PENDING");
    loan.abort();
    assert_eq!(words(&sample), (0x0010_0203, 0x0010_0000), "CANCELLED, FREE");
    let loan = sample.client.loan(Timeout::NOW).unwrap();
    assert_eq!(words(&sample), (0x0010_0203, 0x0020_0201), "of the generation before; PENDING");
    loan.commit(0).unwrap();
    assert_eq!(words(&sample), (0x0020_0201, 0x0020_0201), "QUEUED, PENDING");
}

#[test]
fn a_request_is_queued_again_by_who_finds_its_server_dead_and_its_word_counts_that() {
    let options = Options::new().redeliver(true);
    let sample = with_one_slot(&options);
    let id = sample.client.send(b"").unwrap();
    let mut server = Some(sample.server);
    for times in 0..=15 {
        let taken = server.as_ref().unwrap().recv(&mut []).unwrap();
        assert_eq!((taken.id, taken.redeliveries), (id, times));
        let word = |at| word_at(&sample.file, at);
        assert_eq!(word(FIRST), 0x0010_0108 | u64::from(times) << 4, "CLAIMED, server 1");
        // Leaving does for oneself what survivors do for the dead.
        drop(server.take());
        if times < 15 {
            let again = u64::from(times + 1) << 4;
            assert_eq!(word(FIRST), 0x0010_0101 | again, "QUEUED, by participant 1");
            assert_eq!(word(FIRST + REPLY), 0x0010_0201, "PENDING, client 2");
            assert_eq!(word(TAIL), u64::from(times) + 2, "published again");
        } else {
            assert_eq!(word(FIRST + REPLY), 0x0010_0203, "FAILED, client 2");
        }
        server = Some(options.server(&sample.path).unwrap());
    }
    assert_eq!(sample.client.get(id, &mut []), Err(Error::OwnerDead));
}

/// Nobody stays between the two steps of queueing a request again who isn't killed there.
#[test]
fn what_is_requeued_is_taken_like_what_is_queued() {
    let sample = with_one_slot(&Options::new());
    let id = sample.client.send(b"").unwrap();
    sample.set_u64(FIRST, 0x0010_0325);
    assert_eq!(sample.server.channel().queued(), 1);
    let taken = sample.server.recv(&mut []).unwrap();
    assert_eq!((taken.id, taken.redeliveries), (id, 2));
    assert_eq!(sample.u64(FIRST), 0x0010_0128, "CLAIMED, server 1, queued again twice");
    sample.server.reply(id, b"").unwrap();
    assert_eq!(sample.get(id), Ok(0));
}

#[test]
fn what_is_requeued_by_somebody_dead_is_published_by_who_finds_that() {
    let sample = with_one_slot(&Options::new().redeliver(true));
    let id = sample.client.send(b"").unwrap();
    sample.recv();
    sample.set_u64(FIRST, 0x0010_0415);
    // Somebody who is marked live and holds no lock is dead.
    sample.set_u64(1024 + 128 * 3, 3);
    assert_eq!(sample.client.channel().recover(), Ok(1));
    assert_eq!(sample.u64(FIRST), 0x0010_0211, "QUEUED, by participant 2, queued again once");
    assert_eq!(sample.recv(), id);
}

#[test]
fn what_is_cleared_was_claimed_by_who_cleared_it() {
    let sample = with_one_slot(&Options::new());
    sample.client.send(b"").unwrap();
    assert_eq!(sample.server.channel().clear(), Ok(1));
    assert_eq!(words(&sample), (0x0010_0108, 0x0010_0000), "CLAIMED, participant 1; FREE");
    sample.client.send(b"").unwrap();
    let held = sample.recv();
    assert_eq!(sample.client.channel().clear(), Ok(1));
    assert_eq!(words(&sample), (0x0020_0108, 0x0020_0004), "ABANDONED, nobody");
    assert_eq!(sample.server.reply(held, b""), Err(Error::Stale));
    assert_eq!(words(&sample), (0x0020_0108, 0x0020_0000), "FREE");
}

#[test]
fn who_waits_for_any_of_several_watches_them_all_and_sleeps_on_the_doorbell_of_its_line() {
    let sample = sample();
    let doorbell = 1024 + 128 + 112;
    let ids = [sample.client.send(b"").unwrap(), sample.client.send(b"").unwrap()];
    thread::scope(|threads| {
        let waiter = threads.spawn(|| sample.client.wait_any(&ids, Timeout::FOREVER));
        for id in ids {
            sample.until(slot_of(id) + REPLY, id.to_u64() >> 16 << 20 | 0x221);
        }
        sample.until(doorbell, 1);
        assert_eq!((sample.recv(), sample.recv()), (ids[0], ids[1]));
        sample.server.reply(ids[1], b"").unwrap();
        assert_eq!(waiter.join().unwrap(), Ok(1));
    });
    assert_eq!(sample.u64(doorbell), 3, "rung once, and announced once more before the last look");
    assert_eq!(sample.u64(slot_of(ids[0]) + REPLY), ids[0].to_u64() >> 16 << 20 | 0x221, "still watched");
    sample.server.reply(ids[0], b"").unwrap();
    assert_eq!(sample.u64(doorbell), 4);
    assert_eq!(sample.client.wait_any(&ids[..1], Timeout::NOW), Ok(0));
    assert_eq!(sample.u64(doorbell), 4, "nobody announced a sleep");
}

#[test]
fn a_thread_that_waits_for_one_reply_and_one_that_watches_it_are_both_in_its_word() {
    let sample = sample();
    let id = sample.client.send(b"").unwrap();
    let word = slot_of(id) + REPLY;
    thread::scope(|threads| {
        let watcher =
            threads.spawn(|| sample.client.wait_any(&[shmrr::RequestId::NONE, id], Timeout::FOREVER));
        sample.until(word, 0x0010_0221);
        let waiter = threads.spawn(|| sample.client.get_wait(id, &mut [], Timeout::FOREVER));
        sample.until(word, 0x0010_0231);
        sample.recv();
        sample.server.dismiss(id).unwrap();
        assert_eq!(waiter.join().unwrap(), Err(Error::Dismissed));
        // It may find the request collected already.
        assert!(matches!(watcher.join().unwrap(), Ok(1) | Err(Error::Stale)));
    });
}

/// The sample's bits begin behind its 12 slots of 1536 bytes.
#[test]
fn what_a_client_lists_is_told_of_by_the_bit_of_its_slot() {
    let bits = 2048 + 12 * 1536;
    let outcomes: [fn(&Sample, shmrr::RequestId); 5] = [
        |sample, id| sample.server.reply(id, b"").unwrap(),
        |sample, id| sample.server.reply_error(id, 1, "one").unwrap(),
        |sample, id| sample.server.dismiss(id).unwrap(),
        |sample, id| sample.client.cancel(id).unwrap(),
        |sample, _| assert_eq!(sample.server.channel().clear(), Ok(3)),
    ];
    for outcome in outcomes {
        let sample = sample();
        let mut ids = [(); 3].map(|()| sample.client.send(b"").unwrap());
        let listed = ids[1];
        assert_eq!(sample.client.done(&mut ids[1..2]), Ok(0));
        assert_eq!(sample.u64(slot_of(listed) + REPLY), 0x0010_0241, "PENDING, client 2, listed");
        assert_eq!(sample.u64(slot_of(ids[0]) + REPLY), 0x0010_0201, "PENDING, client 2");
        ids.iter().for_each(|id| assert_eq!(sample.recv(), *id));
        assert_eq!(sample.u64(bits), 0);
        outcome(&sample, listed);
        assert_eq!(sample.u64(bits), 1 << (listed.to_u64() & 0xFFFF));
        assert_eq!(sample.client.done(&mut ids[1..2]), Ok(1));
    }

    let sample = sample();
    let mut ids = [sample.client.send(b"").unwrap()];
    assert_eq!(sample.client.done(&mut ids), Ok(0));
    sample.recv();
    sample.server.reply(ids[0], b"").unwrap();
    assert_eq!(sample.client.done(&mut ids), Ok(1));
    assert_eq!(sample.u64(bits), 0, "cleared by the look");
    assert_eq!(sample.get(ids[0]), Ok(0));
    let unlisted = sample.client.send(b"").unwrap();
    sample.recv();
    sample.server.reply(unlisted, b"").unwrap();
    assert_eq!(sample.u64(bits), 0, "nobody listed it");
}
