//! What a message's type, flags and length write into a channel's file, seen from outside: lines and buffers. And what
//! messages that are written in place, and numbers, look like. The states of a request are pinned in `states.rs`.

use crate::sample::{REPLY, REQUEST_BUFFER, RESPONSE_BUFFER, Sample, sample, slot_of};
use shmrr::{Error, Kind, Message, MessageFlags, Options, Timeout};

const TYPE: u32 = 0x8000_00C8;

fn message(data: &[u8], flags: MessageFlags) -> Message<'_> {
    Message { data, message_type: TYPE, flags }
}

/// Type and flags of the line at an offset.
fn label(sample: &Sample, line: u64) -> (u32, MessageFlags) {
    (sample.u32(line + 12), MessageFlags::from_bits(sample.u32(line + 16)))
}

#[test]
fn type_and_flags_stand_in_either_line() {
    let sample = sample();
    for flags in [
        MessageFlags::empty(),
        MessageFlags::UTF8,
        MessageFlags::END_ALIGNED,
        MessageFlags::UTF8 | MessageFlags::END_ALIGNED,
    ] {
        let id = sample.client.send_msg(&message(b"asked", flags), Timeout::NOW).unwrap();
        let line = slot_of(id);
        assert_eq!(label(&sample, line), (TYPE, flags));
        assert_eq!(sample.bytes(line + 24, 5), b"asked", "a short one is inline whatever its flags");
        assert_eq!(sample.recv(), id);
        sample.server.reply_msg(id, &message(b"told", flags)).unwrap();
        assert_eq!(label(&sample, line + REPLY), (TYPE, flags));
        assert_eq!(sample.bytes(line + REPLY + 24, 4), b"told");
        sample.get(id).unwrap();
    }
    let bits = [MessageFlags::UTF8, MessageFlags::END_ALIGNED, MessageFlags::ONE_WAY].map(MessageFlags::bits);
    assert_eq!(bits, [1, 2, 4]);
}

#[test]
fn what_the_last_message_said_does_not_stay_for_the_next() {
    let sample = Sample::new(&Options::new().slots(1));
    let id = sample.client.send_msg(&message(b"", MessageFlags::UTF8), Timeout::NOW).unwrap();
    sample.recv();
    sample.server.reply_error(id, 7, "failed").unwrap();
    assert!(matches!(sample.get(id), Err(Error::Remote { .. })));
    let next = sample.client.send(b"").unwrap();
    let line = slot_of(next);
    assert_eq!((line, label(&sample, line)), (slot_of(id), (0, MessageFlags::empty())));
    sample.recv();
    sample.server.reply(next, b"").unwrap();
    assert_eq!(
        (label(&sample, line + REPLY), sample.u32(line + REPLY + 20)),
        ((0, MessageFlags::empty()), 0)
    );
}

#[test]
fn an_end_aligned_payload_ends_where_its_buffer_does() {
    let sample = sample();
    for length in [105, 199, 200] {
        let (asked, told) = (vec![0x5A; length], vec![0xC3; length]);
        let id = sample.client.send_msg(&message(&asked, MessageFlags::END_ALIGNED), Timeout::NOW).unwrap();
        let end = slot_of(id) + REQUEST_BUFFER + 1000;
        assert_eq!(sample.bytes(end - length as u64, length), asked);
        assert_eq!(sample.bytes(end - 201, 201 - length), vec![0; 201 - length], "and begins no earlier");
        assert_eq!(sample.bytes(slot_of(id) + 24, 104), [0; 104], "the inline bytes are untouched");
        sample.recv();
        sample.server.reply_msg(id, &message(&told, MessageFlags::END_ALIGNED)).unwrap();
        let end = slot_of(id) + RESPONSE_BUFFER + 200;
        assert_eq!(sample.bytes(end - length as u64, length), told);
    }
}

#[test]
fn what_was_written_in_place_lies_where_it_would_if_it_had_been_copied() {
    let sample = sample();
    for (flags, length) in [
        (MessageFlags::empty(), 104),
        (MessageFlags::empty(), 105),
        (MessageFlags::END_ALIGNED, 104),
        (MessageFlags::END_ALIGNED, 105),
    ] {
        let place = |line: u64, buffer: u64, most: u64| match (flags, length) {
            (_, 104) => line + 24,
            _ if flags.is_empty() => buffer,
            _ => buffer + most - length,
        };
        let bytes = vec![length as u8; length as usize];
        let in_buffer = |capacity: usize| if flags.is_empty() { 0 } else { capacity - length as usize };

        let mut loan = sample.client.loan(Timeout::NOW).unwrap();
        loan.buffer().write_at(in_buffer(1000), &bytes).unwrap();
        let id = loan.commit_msg(length as usize, TYPE, flags).unwrap();
        let line = slot_of(id);
        assert_eq!(sample.bytes(place(line, line + REQUEST_BUFFER, 1000), length as usize), bytes);
        assert_eq!((sample.u32(line + 8), label(&sample, line)), (length as u32, (TYPE, flags)));

        sample.recv();
        let mut loan = sample.server.reply_loan(id).unwrap();
        loan.buffer().write_at(in_buffer(200), &bytes).unwrap();
        loan.commit_msg(length as usize, TYPE, flags).unwrap();
        let reply = line + REPLY;
        assert_eq!(sample.bytes(place(reply, line + RESPONSE_BUFFER, 200), length as usize), bytes);
        assert_eq!((sample.u32(reply + 8), label(&sample, reply)), (length as u32, (TYPE, flags)));
        sample.get(id).unwrap();
    }
}

#[test]
fn an_error_text_of_up_to_104_bytes_is_inline_even_where_responses_are_shorter() {
    let sample = Sample::of(&Options::new().slots(1).request_max(1000).response_max(1));
    let id = sample.client.send(b"").unwrap();
    sample.recv();
    let text = "e".repeat(105);
    let too_long = Error::MessageSize { length: 105, limit: 104 };
    assert_eq!(sample.server.reply_error(id, -5, &text), Err(too_long));
    sample.server.reply_error(id, -5, &text[1..]).unwrap();
    let reply = 2048 + REPLY;
    assert_eq!((sample.u32(reply + 8), sample.u32(reply + 16)), (104, 1 << 31));
    assert_eq!(sample.u32(reply + 20), -5_i32 as u32);
    assert_eq!(sample.bytes(reply + 24, 104), text.as_bytes()[1..]);
    assert_eq!(sample.get(id), Err(Error::Remote { code: -5, text: text[1..].into() }));
}

#[test]
fn a_longer_error_text_lies_in_the_buffer_if_responses_may() {
    let sample = sample();
    let id = sample.client.send(b"").unwrap();
    sample.recv();
    let text = "e".repeat(201);
    let too_long = Error::MessageSize { length: 201, limit: 200 };
    assert_eq!(sample.server.reply_error(id, 5, &text), Err(too_long));
    sample.server.reply_error(id, 5, &text[1..]).unwrap();
    assert_eq!(sample.bytes(slot_of(id) + RESPONSE_BUFFER, 200), text.as_bytes()[1..]);
}

#[test]
fn a_number_is_eight_bytes_in_its_line() {
    let sample = Sample::of(&Options::new().slots(8).kind(Kind::Int));
    for value in [i64::MIN, -2, 0, i64::MAX] {
        let id = sample.client.send_i64(value).unwrap();
        // 256 bytes for the lines and 128 for each of the buffers.
        let line = 2048 + 512 * (id.to_u64() & 0xFFFF);
        assert_eq!((sample.u32(line + 8), label(&sample, line)), (8, (0, MessageFlags::empty())));
        assert_eq!(sample.u64(line + 24), value as u64);
        assert_eq!(sample.server.recv_i64().unwrap().1, value);
        sample.server.reply_i64(id, !value).unwrap();
        assert_eq!((sample.u32(line + REPLY + 8), sample.u64(line + REPLY + 24)), (8, !value as u64));
        assert_eq!(sample.client.get_i64(id), Ok(!value));
    }
}
