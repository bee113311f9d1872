//! A request that can be claimed and that the ring doesn't refer to, whoever is to blame, is found all the same. The
//! words are written by hand, as one who was stopped between two steps leaves them.

use crate::sample::{REPLY, Sample};
use shmrr::{Error, Options, Timeout};
use std::thread;
use std::time::Duration;

/// The first slot's request line.
const FIRST: u64 = 2048;
const TAIL: u64 = 256;
/// A client looks after its request every 25 ms; an idle server looks around after a second.
const BEFORE_SERVERS_LOOK: Duration = Duration::from_millis(700);
const LONG: Duration = Duration::from_secs(10);

/// A sample whose only slot holds a request that is QUEUED as at first, and whose reference was used up.
fn with_a_lost_request(is_post: bool) -> (Sample, shmrr::RequestId) {
    let sample = Sample::new(&Options::new().slots(1));
    if is_post {
        sample.client.post(b"lost", Timeout::NOW).unwrap();
    } else {
        sample.client.send(b"lost").unwrap();
    }
    let queued = sample.u64(FIRST);
    let id = sample.server.recv(&mut [0; 8]).unwrap().id;
    sample.set_u64(FIRST, queued);
    assert_eq!(sample.server.recv(&mut [0; 8]).map(|r| r.id), Err(Error::WouldBlock), "it is lost");
    (sample, id)
}

#[test]
fn a_client_that_waits_publishes_its_request_again_if_the_ring_does_not_refer_to_it() {
    let (sample, id) = with_a_lost_request(false);
    thread::scope(|threads| {
        let waiter = threads.spawn(|| sample.client.get_wait(id, &mut [0; 8], LONG));
        let request = sample.server.recv_wait(&mut [0; 8], BEFORE_SERVERS_LOOK).expect("published again");
        assert_eq!(request.id, id);
        sample.server.reply(id, b"found").unwrap();
        assert_eq!(waiter.join().unwrap(), Ok(5));
    });
}

#[test]
fn so_does_one_that_waits_for_any_of_several() {
    let (sample, id) = with_a_lost_request(false);
    thread::scope(|threads| {
        let waiter = threads.spawn(|| sample.client.wait_any(&[shmrr::RequestId::NONE, id], LONG));
        assert_eq!(sample.server.recv_wait(&mut [0; 8], BEFORE_SERVERS_LOOK).map(|r| r.id), Ok(id));
        sample.server.reply(id, b"found").unwrap();
        assert_eq!(waiter.join().unwrap(), Ok(1));
    });
}

#[test]
fn a_request_that_the_ring_refers_to_is_not_published_again_however_long_its_client_waits() {
    let sample = Sample::new(&Options::new().slots(1));
    let id = sample.client.send(b"").unwrap();
    let waited = sample.client.get_wait(id, &mut [], Duration::from_millis(300));
    assert_eq!((waited, sample.u64(TAIL)), (Err(Error::TimedOut), 1));
}

#[test]
fn an_idle_server_publishes_a_message_that_the_ring_does_not_refer_to() {
    let (sample, id) = with_a_lost_request(true);
    let request = sample.server.recv_wait(&mut [0; 8], LONG).expect("published again");
    assert_eq!((request.id, request.length), (id, 4));
    sample.server.release(id).unwrap();
    assert_eq!(sample.u64(FIRST + REPLY) & 0xF, 0, "FREE");
}

/// A client that was stopped after it had queued its message, before it published it.
#[test]
fn an_idle_server_publishes_a_message_whose_client_was_stopped_before_it_did() {
    let sample = Sample::new(&Options::new().slots(1));
    sample.set_u64(FIRST + REPLY, 0x0010_0205);
    sample.set_u64(FIRST, 0x0010_0201);
    let request = sample.server.recv_wait(&mut [0; 8], LONG).expect("published");
    assert_eq!(request.id.to_u64(), 1 << 16);
}
