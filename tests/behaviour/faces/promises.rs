//! The promises. Each begins with an open channel on which nothing has happened.

use super::{Face, LONGEST, SLOTS};
use std::thread;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(20);

/// The oldest request, which is this one.
fn take(face: &impl Face, expected: &[u8]) -> u64 {
    let mut buffer = [0; LONGEST];
    let (id, length) = face.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], expected);
    id
}

fn assert_collected(face: &impl Face, id: u64, expected: &[u8]) {
    let mut buffer = [0; LONGEST];
    let length = face.get(id, &mut buffer).unwrap();
    assert_eq!(&buffer[..length], expected);
}

pub fn a_reply_belongs_to_its_request_and_is_collected_once(face: &impl Face) {
    let (first, second) = (face.send(b"one").unwrap(), face.send(b"two").unwrap());
    assert_ne!(first, second);
    assert_eq!(face.pending(), 2);
    assert_eq!(take(face, b"one"), first);
    assert_eq!(take(face, b"two"), second);
    assert_eq!(face.recv(&mut [0; LONGEST]), Err(libc::EAGAIN));
    face.reply(second, b"second").unwrap();
    assert_eq!(face.get(first, &mut [0; LONGEST]), Err(libc::EAGAIN));
    face.reply(first, b"first").unwrap();
    assert_collected(face, first, b"first");
    assert_collected(face, second, b"second");
    assert_eq!(face.get(first, &mut [0; LONGEST]), Err(libc::ESTALE));
    assert_eq!(face.pending(), 0);
}

pub fn an_empty_payload_is_a_payload(face: &impl Face) {
    let id = face.send(b"").unwrap();
    assert_eq!(face.recv(&mut []), Ok((id, 0)));
    face.reply(id, b"").unwrap();
    assert_eq!(face.get(id, &mut []), Ok(0));
}

pub fn what_is_longer_than_the_channel_allows_is_not_sent(face: &impl Face) {
    let longer = [0; LONGEST + 1];
    assert_eq!(face.send(&longer), Err(libc::EMSGSIZE));
    assert_eq!(face.post(&longer, LONG), Err(libc::EMSGSIZE));
    assert_eq!(face.recv(&mut [0; LONGEST]), Err(libc::EAGAIN));
    let id = face.send(&longer[1..]).unwrap();
    assert_eq!(take(face, &longer[1..]), id);
    assert_eq!(face.reply(id, &longer), Err(libc::EMSGSIZE));
    // The request still waits for one.
    face.reply(id, &longer[1..]).unwrap();
    assert_collected(face, id, &longer[1..]);
}

pub fn what_is_longer_than_the_buffer_stays(face: &impl Face) {
    let id = face.send(b"question").unwrap();
    assert_eq!(face.recv(&mut [0; 7]), Err(libc::EOVERFLOW));
    assert_eq!(take(face, b"question"), id);
    face.reply(id, b"answer").unwrap();
    assert_eq!(face.get(id, &mut [0; 5]), Err(libc::EOVERFLOW));
    assert_collected(face, id, b"answer");
}

pub fn a_call_waits_for_its_reply(face: &impl Face) {
    thread::scope(|threads| {
        threads.spawn(|| {
            let mut buffer = [0; LONGEST];
            let (id, length) = face.recv_wait(&mut buffer, LONG).unwrap();
            face.reply(id, buffer[..length].to_ascii_uppercase().as_slice()).unwrap();
        });
        let mut buffer = [0; LONGEST];
        let length = face.req(b"hello", &mut buffer, LONG).unwrap();
        assert_eq!(&buffer[..length], b"HELLO");
    });
    assert_eq!(face.pending(), 0);
}

pub fn a_wait_ends_at_its_deadline_and_the_request_is_still_pending(face: &impl Face) {
    assert_eq!(face.recv_wait(&mut [0; LONGEST], SHORT), Err(libc::ETIMEDOUT));
    let id = face.send(b"kept").unwrap();
    assert_eq!(face.get_wait(id, &mut [0; LONGEST], SHORT), Err(libc::ETIMEDOUT));
    assert_eq!(face.pending(), 1);
    assert_eq!(take(face, b"kept"), id);
    face.reply(id, b"late").unwrap();
    assert_collected(face, id, b"late");
    // Of a call nothing stays: it has no id to collect.
    assert_eq!(face.req(b"given up", &mut [0; LONGEST], SHORT), Err(libc::ETIMEDOUT));
    assert_eq!(face.pending(), 0);
    assert_eq!(face.recv(&mut [0; LONGEST]), Err(libc::EAGAIN));
}

pub fn an_error_reply_brings_its_own_code_and_text(face: &impl Face) {
    let ids = [face.send(b"one").unwrap(), face.send(b"two").unwrap()];
    for (code, text) in [(-7, "no such town"), (9, "")] {
        let (id, _) = face.recv(&mut [0; LONGEST]).unwrap();
        face.reply_error(id, code, text).unwrap();
    }
    assert_eq!(face.get_error(ids[1]), Ok((9, String::new())));
    assert_eq!(face.get_error(ids[0]), Ok((-7, "no such town".to_owned())));
    assert_eq!(face.get_error(ids[0]), Err(libc::ESTALE));
}

pub fn a_dismissed_request_gets_no_reply(face: &impl Face) {
    let id = face.send(b"question").unwrap();
    take(face, b"question");
    face.dismiss(id).unwrap();
    assert_eq!(face.get_wait(id, &mut [0; LONGEST], LONG), Err(libc::ENOMSG));
    assert_eq!(face.get(id, &mut [0; LONGEST]), Err(libc::ESTALE));
}

pub fn a_request_that_is_cancelled_is_nobodys(face: &impl Face) {
    let queued = face.send(b"queued").unwrap();
    face.cancel(queued).unwrap();
    assert_eq!(face.recv(&mut [0; LONGEST]), Err(libc::EAGAIN));
    let taken = face.send(b"taken").unwrap();
    take(face, b"taken");
    face.cancel(taken).unwrap();
    assert_eq!(face.reply(taken, b"too late"), Err(libc::ESTALE));
    let answered = face.send(b"answered").unwrap();
    take(face, b"answered");
    face.reply(answered, b"there").unwrap();
    assert_eq!(face.cancel(answered), Err(libc::EALREADY));
    assert_collected(face, answered, b"there");
    for id in [queued, taken, answered] {
        assert_eq!(face.cancel(id), Err(libc::ESTALE));
        assert_eq!(face.get(id, &mut [0; LONGEST]), Err(libc::ESTALE));
    }
}

pub fn a_second_reply_changes_nothing(face: &impl Face) {
    let id = face.send(b"question").unwrap();
    take(face, b"question");
    face.reply(id, b"first").unwrap();
    assert_eq!(face.reply(id, b"second"), Err(libc::ESTALE));
    assert_collected(face, id, b"first");
    assert_eq!(face.reply(id, b"third"), Err(libc::ESTALE));
}

pub fn a_one_way_message_is_released_and_a_request_is_not(face: &impl Face) {
    face.post(b"note", LONG).unwrap();
    let note = take(face, b"note");
    assert_eq!(face.pending(), 0);
    face.release(note).unwrap();
    assert_eq!(face.release(note), Err(libc::ESTALE));
    let request = face.send(b"question").unwrap();
    take(face, b"question");
    assert_eq!(face.release(request), Err(libc::EINVAL));
    face.reply(request, b"answer").unwrap();
    assert_collected(face, request, b"answer");
}

pub fn without_a_free_slot_nothing_is_sent(face: &impl Face) {
    let ids: Vec<u64> = (0..SLOTS).map(|_| face.send(b"kept").unwrap()).collect();
    assert_eq!(face.send(b"one more"), Err(libc::ENOBUFS));
    assert_eq!(face.post(b"one more", SHORT), Err(libc::ETIMEDOUT));
    face.cancel(ids[0]).unwrap();
    face.send(b"in its place").unwrap();
}

pub fn a_stopped_handle_refuses(face: &impl Face) {
    face.stop_server();
    assert_eq!(face.recv_wait(&mut [0; LONGEST], LONG), Err(libc::ESHUTDOWN));
    face.stop_client();
    assert_eq!(face.req(b"question", &mut [0; LONGEST], LONG), Err(libc::ESHUTDOWN));
}
