//! What a request writes into a channel's file on its way, seen from outside: words, lines, buffers, ring cells,
//! doorbells, counters.
//!

use crate::sample::{REPLY, REQUEST_BUFFER, RESPONSE_BUFFER, Sample, sample, slot_of, word_at};
use shmrr::{Error, Options, Timeout};
use std::thread;
use std::time::Duration;

#[test]
fn a_short_request_lies_in_its_line() {
    let sample = sample();
    let id = sample.client.send(b"hello").unwrap();
    assert_eq!(id.to_u64() >> 16, 1, "the first generation of its slot");
    let line = slot_of(id);
    assert_eq!(sample.u64(line), 0x0010_0201, "QUEUED, client 2, generation 1");
    assert_eq!(sample.u32(line + 8), 5, "length");
    assert_eq!(sample.u32(line + 12), 0, "message type");
    assert_eq!(sample.u32(line + 16), 0, "flags");
    assert_eq!(sample.u32(line + 20), 2, "client");
    assert_eq!(sample.bytes(line + 24, 5), b"hello");
    assert_eq!(sample.u64(line + REPLY), 0x0010_0201, "PENDING, client 2, generation 1");
}

#[test]
fn a_request_of_104_bytes_is_inline_and_one_of_105_is_in_its_buffer() {
    let sample = sample();
    let inline = slot_of(sample.client.send(&[0xA5; 104]).unwrap());
    assert_eq!(sample.u32(inline + 8), 104);
    assert_eq!(sample.bytes(inline + 24, 104), [0xA5; 104]);
    assert_eq!(sample.bytes(inline + REQUEST_BUFFER, 104), [0; 104]);

    let buffered = slot_of(sample.client.send(&[0x5A; 105]).unwrap());
    assert_eq!(sample.u32(buffered + 8), 105);
    assert_eq!(sample.bytes(buffered + 24, 104), [0; 104]);
    assert_eq!(sample.bytes(buffered + REQUEST_BUFFER, 106), [vec![0x5A; 105], vec![0]].concat());

    let longest = slot_of(sample.client.send(&[0x77; 1000]).unwrap());
    assert_eq!(sample.bytes(longest + REQUEST_BUFFER, 1001), [vec![0x77; 1000], vec![0]].concat());
}

#[test]
fn the_words_of_a_request_tell_its_way() {
    let sample = sample();
    let id = sample.client.send(b"hello").unwrap();
    let line = slot_of(id);
    assert_eq!(sample.recv(), id);
    assert_eq!(sample.u64(line), 0x0010_0108, "CLAIMED, server 1");
    assert_eq!(sample.u64(line + REPLY), 0x0010_0201, "PENDING, client 2");

    sample.server.reply(id, b"goodbye").unwrap();
    assert_eq!(sample.u64(line), 0x0010_0108, "not touched by the reply");
    assert_eq!(sample.u64(line + REPLY), 0x0010_0202, "READY, client 2");
    assert_eq!(sample.u32(line + REPLY + 8), 7, "length");
    assert_eq!(sample.u32(line + REPLY + 12), 0, "message type");
    assert_eq!(sample.u32(line + REPLY + 16), 0, "flags");
    assert_eq!(sample.u32(line + REPLY + 20), 0, "code");
    assert_eq!(sample.bytes(line + REPLY + 24, 7), b"goodbye");

    assert_eq!(sample.get(id), Ok(7));
    assert_eq!(sample.u64(line + REPLY), 0x0010_0000, "FREE, generation 1");
    let next = sample.client.send(b"again").unwrap();
    assert_eq!((slot_of(next), next.to_u64() >> 16), (line, 2), "the slot's next generation");
    assert_eq!(sample.u64(line + REPLY), 0x0020_0201, "PENDING, client 2, generation 2");
}

#[test]
fn a_reply_of_104_bytes_is_inline_and_one_of_105_is_in_its_buffer() {
    let sample = sample();
    let reply = |length: usize| {
        let id = sample.client.send(b"").unwrap();
        assert_eq!(sample.recv(), id);
        sample.server.reply(id, &vec![0xC3; length]).unwrap();
        slot_of(id)
    };
    let inline = reply(104);
    assert_eq!(sample.bytes(inline + REPLY + 24, 104), [0xC3; 104]);
    assert_eq!(sample.bytes(inline + RESPONSE_BUFFER, 104), [0; 104]);
    let buffered = reply(105);
    assert_eq!(sample.bytes(buffered + REPLY + 24, 104), [0; 104]);
    assert_eq!(sample.bytes(buffered + RESPONSE_BUFFER, 106), [vec![0xC3; 105], vec![0]].concat());
}

#[test]
fn an_error_reply_carries_its_flag_its_code_and_its_text() {
    let sample = sample();
    let id = sample.client.send(b"").unwrap();
    sample.recv();
    sample.server.reply_error(id, -7, "no").unwrap();
    let line = slot_of(id) + REPLY;
    assert_eq!(sample.u64(line), 0x0010_0202, "READY");
    assert_eq!(sample.u32(line + 8), 2, "length");
    assert_eq!(sample.u32(line + 16), 0x8000_0000, "flags");
    assert_eq!(sample.u32(line + 20) as i32, -7, "code");
    assert_eq!(sample.bytes(line + 24, 2), b"no");
}

#[test]
fn withdrawn_requests_are_cancelled_or_abandoned_and_a_lost_one_failed() {
    let sample = sample();
    let withdrawn = sample.client.send(b"").unwrap();
    sample.client.cancel(withdrawn).unwrap();
    assert_eq!(sample.u64(slot_of(withdrawn)), 0x0010_0203, "CANCELLED, client 2");
    assert_eq!(sample.u64(slot_of(withdrawn) + REPLY), 0x0010_0000, "FREE");

    let lost = sample.client.send(b"").unwrap();
    let given_up = sample.client.send(b"").unwrap();
    assert_eq!((sample.recv(), sample.recv()), (lost, given_up));
    sample.client.cancel(given_up).unwrap();
    let generation = given_up.to_u64() >> 16 << 20;
    assert_eq!(sample.u64(slot_of(given_up)), generation | 0x108, "CLAIMED, server 1");
    assert_eq!(sample.u64(slot_of(given_up) + REPLY), generation | 4, "ABANDONED, nobody");

    drop(sample.server);
    let word = |at| word_at(&sample.file, at);
    assert_eq!(word(slot_of(given_up) + REPLY), generation, "FREE");
    assert_eq!(word(slot_of(lost) + REPLY), lost.to_u64() >> 16 << 20 | 0x203, "FAILED, client 2");
}

#[test]
fn ring_positions_walk_down_the_lines_and_then_to_the_next_column() {
    let sample = sample();
    let cell =
        |lap: u64, id: shmrr::RequestId| lap << 24 | (id.to_u64() >> 16 & 0xFF) << 16 | id.to_u64() & 0xFFFF;
    let places = [1536, 1664, 1792, 1920, 1544, 1672, 1800, 1928];
    let ids: Vec<shmrr::RequestId> = places.map(|_| sample.client.send(b"").unwrap()).into();
    for (place, id) in places.into_iter().zip(&ids) {
        assert_eq!(sample.u64(place), cell(1, *id), "{place}");
    }
    for id in ids {
        assert_eq!(sample.recv(), id);
        sample.server.reply(id, b"").unwrap();
        sample.get(id).unwrap();
    }
    for position in 8..70 {
        let id = sample.client.send(b"").unwrap();
        let (lap, in_lap) = (position / 64 + 1, position % 64);
        let place = 1536 + in_lap % 4 * 128 + in_lap / 4 * 8;
        assert_eq!(sample.u64(place), cell(lap, id), "position {position}");
        assert_eq!(sample.u64(256), position + 1, "tail hint");
        sample.recv();
        assert_eq!(sample.u64(384), position + 1, "head hint");
        sample.server.reply(id, b"").unwrap();
        sample.get(id).unwrap();
    }
}

#[test]
fn a_reference_still_needed_is_carried_to_the_next_lap() {
    let sample = sample();
    let kept = sample.client.send(b"").unwrap();
    let reference = 1 << 16 | kept.to_u64() & 0xFFFF;
    for _ in 1..64 {
        sample.client.cancel(sample.client.send(b"").unwrap()).unwrap();
        assert_eq!(sample.u64(1536), 1 << 24 | reference);
    }
    let next = sample.client.send(b"").unwrap();
    assert_eq!(sample.u64(1536), 2 << 24 | reference, "position 64 repeats position 0");
    assert_eq!(
        sample.u64(1664),
        2 << 24 | (next.to_u64() >> 16 & 0xFF) << 16 | next.to_u64() & 0xFFFF,
        "position 65"
    );
    assert_eq!((sample.recv(), sample.recv()), (kept, next), "the order is kept");
}

#[test]
fn a_spare_slot_is_taken_where_an_abandoned_request_holds_its_own() {
    let sample = Sample::new(&Options::new().slots(1));
    let abandoned = sample.client.send(b"").unwrap();
    sample.recv();
    sample.client.cancel(abandoned).unwrap();
    assert_eq!(sample.u64(768), 0);
    let spare = sample.client.send(b"").unwrap();
    assert_eq!(spare.to_u64() & 0xFFFF, 1, "the first spare slot is the one after the last ordinary one");
    assert_eq!(sample.u64(768), 0b11, "taken once, and still");
}

/// Whoever takes a slot and gives it back, because a spare one in use makes it one too many, kept it from another.
#[test]
fn who_gives_a_slot_back_rings_for_it() {
    let sample = Sample::new(&Options::new().slots(1));
    let abandoned = sample.client.send(b"").unwrap();
    sample.recv();
    sample.client.cancel(abandoned).unwrap();
    sample.client.send(b"").unwrap();
    assert_eq!(sample.server.reply(abandoned, b""), Err(shmrr::Error::Stale), "its slot is free now");
    let clients = 640;
    let announced = sample.u64(clients) | 1;
    sample.set_u64(clients, announced);
    assert_eq!(sample.client.send(b""), Err(shmrr::Error::NoSlots));
    assert_eq!(sample.u64(clients) & 1, 0, "rung");
}

#[test]
fn a_sleeping_client_waits_in_its_reply_word() {
    let sample = sample();
    let id = sample.client.send(b"").unwrap();
    thread::scope(|threads| {
        let waiter = threads.spawn(|| sample.client.get_wait(id, &mut [], Timeout::FOREVER));
        sample.until(slot_of(id) + REPLY, 0x0010_0211);
        assert_eq!(sample.recv(), id);
        sample.server.reply(id, b"").unwrap();
        assert_eq!(waiter.join().unwrap(), Ok(0));
    });
}

#[test]
fn a_doorbell_says_that_somebody_sleeps_and_counts_its_wake_ups() {
    let sample = sample();
    let servers = 512;
    thread::scope(|threads| {
        let sleeper = threads.spawn(|| sample.server.recv_wait(&mut [], Timeout::FOREVER).map(|r| r.length));
        sample.until(servers, 1);
        sample.client.send(b"").unwrap();
        assert_eq!(sleeper.join().unwrap(), Ok(0));
    });
    assert!(sample.u64(servers) >> 1 >= 1, "rung");

    let sample = Sample::new(&Options::new().slots(1));
    let clients = 640;
    let id = sample.client.send(b"").unwrap();
    thread::scope(|threads| {
        let sleeper = threads.spawn(|| sample.client.send_wait(b"", Timeout::FOREVER));
        sample.until(clients, 1);
        sample.client.cancel(id).unwrap();
        assert!(sleeper.join().unwrap().is_ok());
    });
    // Its highest bit says that somebody starves, which on a busy machine is so.
    assert_eq!(sample.u64(clients) << 1 >> 2, 1, "rung once");
}

/// Every wake-up too many is a system call, and wakes a server that finds nothing.
#[test]
fn one_request_rings_for_one_server() {
    let sample = sample();
    thread::scope(|threads| {
        let sleeper = threads.spawn(|| sample.server.recv_wait(&mut [], Timeout::FOREVER).map(|r| r.length));
        sample.until(512, 1);
        sample.client.send(b"").unwrap();
        assert_eq!(sleeper.join().unwrap(), Ok(0));
    });
    assert_eq!(sample.u64(512) >> 1, 1);
}

#[test]
fn each_counter_has_its_number() {
    let sample = Sample::new(&Options::new().slots(1));
    let counter =
        |participant: u64, number: u64| sample.u64(1024 + 128 * (participant - 1) + 24 + 8 * number);
    let counters = |participant| [0, 1, 2, 3, 4, 5, 6, 8, 9, 10].map(|number| counter(participant, number));

    let id = sample.client.send(b"three").unwrap();
    assert_eq!(sample.client.send(b""), Err(Error::NoSlots));
    assert_eq!(sample.client.get_wait(id, &mut [], Duration::from_nanos(1)), Err(Error::TimedOut));
    sample.recv();
    sample.server.reply(id, b"seventeen").unwrap();
    sample.get(id).unwrap();
    let late = sample.client.send(b"two").unwrap();
    sample.recv();
    sample.client.cancel(late).unwrap();
    assert_eq!(sample.server.reply(late, b"late"), Err(Error::Stale));
    let timed_out = sample.server.recv_wait(&mut [], Duration::from_nanos(1));
    assert_eq!(timed_out.map(|r| r.id), Err(Error::TimedOut));
    sample.client.post(b"one", Timeout::NOW).unwrap();
    let posted = sample.recv();
    sample.server.release(posted).unwrap();
    // Somebody who is marked live and holds no lock is dead.
    sample.set_u64(1024 + 128 * 3, 3);
    assert_eq!(sample.server.channel().recover(), Ok(1));

    //                       req rep out can sta ful rec in out one-way
    assert_eq!(counters(1), [0, 1, 1, 0, 1, 0, 1, 0, 9, 0], "server");
    assert_eq!(counters(2), [2, 0, 1, 1, 0, 1, 0, 11, 0, 1], "client");
    assert_eq!(sample.u64(1024 + 128 * 3), 2, "the dead one's entry is free");

    let stats = sample.server.channel().stats();
    assert_eq!(stats.sleeps, counter(1, 7) + counter(2, 7));
}
