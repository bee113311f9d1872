//! Messages in place, in Rust: a loan, a view and a buffer for a reply are values, and what becomes of a message when
//! one is dropped is what its type says.

use shmrr::RequestView;
use shmrr::{Client, Error, Message, MessageFlags, Options, Role, Server, Timeout};
use std::thread;
use std::time::Duration;

const REQUEST_MAX: usize = 1001;
const RESPONSE_MAX: usize = 2003;
/// The ends, and around the 104 bytes that stand in a slot's line.
const REQUEST_LENGTHS: [usize; 5] = [0, 1, 104, 105, REQUEST_MAX];
const RESPONSE_LENGTHS: [usize; 5] = [0, 1, 104, 105, RESPONSE_MAX];
const ALIGNMENTS: [MessageFlags; 2] = [MessageFlags::empty(), MessageFlags::END_ALIGNED];

fn open(slots: u32) -> (Server, Client) {
    let options =
        Options::new().slots(slots).request_max(REQUEST_MAX as u64).response_max(RESPONSE_MAX as u64);
    let server = options.anonymous().unwrap();
    let client = Options::new().client_from_server(&server).unwrap();
    (server, client)
}

/// Bytes that tell whose they are.
fn pattern(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|at| (seed + 31 * at + at / 251) as u8).collect()
}

/// Where a message of this length starts in its buffer.
fn start(capacity: usize, length: usize, flags: MessageFlags) -> usize {
    if !flags.contains(MessageFlags::END_ALIGNED) { 0 } else { capacity - length }
}

fn take(server: &Server) -> RequestView<'_> {
    server.recv_view(Timeout::NOW).unwrap()
}

/// Requests that servers took and have not replied to, given up or not.
fn held_by_servers(server: &Server) -> u32 {
    let participants = server.channel().participants().unwrap();
    participants.iter().filter(|one| one.role == Some(Role::Server)).map(|one| one.held).sum()
}

/// A whole round trip, in a channel whose slots are free.
fn assert_works(server: &Server, client: &Client) {
    let id = client.send(b"works?").unwrap();
    take(server).reply(b"it does").unwrap();
    assert_eq!(client.view(id, Timeout::NOW).unwrap().bytes().to_vec(), b"it does");
    assert_eq!((client.pending(), client.channel().stats().in_flight), (0, 0));
}

#[test]
fn what_is_built_in_place_arrives_both_ways() {
    let (server, client) = open(1);
    for (seed, (&asked, &answered)) in REQUEST_LENGTHS.iter().zip(&RESPONSE_LENGTHS).enumerate() {
        for flags in ALIGNMENTS {
            let mut loan = client.loan(Timeout::NOW).unwrap();
            assert_eq!(loan.buffer().capacity(), REQUEST_MAX);
            loan.buffer().write_at(start(REQUEST_MAX, asked, flags), &pattern(asked, seed)).unwrap();
            let id = loan.commit_msg(asked, 200, flags | MessageFlags::UTF8).unwrap();

            let view = take(&server);
            let request = view.request();
            assert_eq!(
                (request.length, request.message_type, request.flags),
                (asked, 200, flags | MessageFlags::UTF8)
            );
            assert_eq!(view.bytes().to_vec(), pattern(asked, seed));
            let mut buffer = view.reply_buffer().unwrap();
            assert_eq!(buffer.capacity(), RESPONSE_MAX);
            buffer.write_at(start(RESPONSE_MAX, answered, flags), &pattern(answered, seed + 1)).unwrap();
            view.reply_commit_msg(answered, 201, flags).unwrap();

            let reply = client.view(id, Timeout::NOW).unwrap();
            assert_eq!((reply.message_type(), reply.flags()), (201, flags));
            assert_eq!((reply.bytes().len(), reply.bytes().is_empty()), (answered, answered == 0));
            assert_eq!(reply.bytes().to_vec(), pattern(answered, seed + 1));
        }
    }
    assert_works(&server, &client);
}

#[test]
fn what_does_not_fit_into_a_buffer_is_not_written() {
    let (server, client) = open(1);
    let mut loan = client.loan(Timeout::NOW).unwrap();
    let limit = REQUEST_MAX;
    for (offset, length) in [(0, limit + 1), (limit, 1), (limit + 1, 0), (usize::MAX, 1)] {
        let end = offset.saturating_add(length);
        let refused = loan.buffer().write_at(offset, &vec![0; length]);
        assert_eq!(refused, Err(Error::MessageSize { length: end, limit }));
    }
    loan.buffer().write_at(limit, b"").unwrap();
    loan.buffer().write_at(limit - 1, b"!").unwrap();
    let id = loan.commit(limit).unwrap();
    let view = take(&server);
    let mut buffer = view.reply_buffer().unwrap();
    let refused = buffer.write_at(RESPONSE_MAX - 1, b"ab");
    assert_eq!(refused, Err(Error::MessageSize { length: RESPONSE_MAX + 1, limit: RESPONSE_MAX }));
    view.reply_commit(0).unwrap();
    assert!(client.view(id, Timeout::NOW).unwrap().bytes().is_empty());
}

#[test]
fn bytes_are_read_from_anywhere_in_pieces_of_any_length() {
    let (server, client) = open(1);
    client.send(b"0123456789").unwrap();
    let view = take(&server);
    let bytes = view.bytes();
    let mut piece = [b'-'; 4];
    for (offset, read, expected) in
        [(0, 4, b"0123"), (8, 2, b"8923"), (10, 0, b"8923"), (11, 0, b"8923"), (usize::MAX, 0, b"8923")]
    {
        assert_eq!(bytes.read_at(offset, &mut piece), read);
        assert_eq!(&piece, expected);
    }
    assert_eq!(bytes.read_at(0, &mut []), 0);
    // SAFETY: the client doesn't write to it any more.
    assert_eq!(unsafe { bytes.as_slice() }, b"0123456789");
    assert_eq!(format!("{bytes:?}"), "Bytes(10)");
}

#[test]
fn a_loan_that_is_dropped_aborted_or_refused_gives_its_slot_back() {
    let (server, client) = open(1);
    for ending in 0..4 {
        let loan = client.loan(Timeout::NOW).unwrap();
        assert_eq!((client.pending(), client.channel().stats().in_flight), (0, 1));
        assert_eq!(client.send(b""), Err(Error::NoSlots));
        match ending {
            0 => drop(loan),
            1 => loan.abort(),
            2 => {
                let refused = loan.commit(REQUEST_MAX + 1);
                assert_eq!(refused, Err(Error::MessageSize { length: REQUEST_MAX + 1, limit: REQUEST_MAX }));
            }
            _ => assert!(matches!(loan.commit_msg(0, 127, MessageFlags::empty()), Err(Error::Invalid(_)))),
        }
        assert_eq!(server.recv_view(Timeout::NOW).err(), Some(Error::WouldBlock));
        assert_works(&server, &client);
    }
}

#[test]
fn without_a_free_slot_there_is_no_loan() {
    let (_server, client) = open(1);
    let _held = client.loan(Timeout::NOW).unwrap();
    assert_eq!(client.loan(Timeout::NOW).err(), Some(Error::NoSlots));
    assert_eq!(client.loan(Duration::from_millis(5)).err(), Some(Error::TimedOut));
}

#[test]
fn a_loan_may_be_written_and_committed_by_another_thread() {
    let (server, client) = open(1);
    let mut loan = client.loan(Timeout::NOW).unwrap();
    let id = thread::scope(|threads| {
        let writer = threads.spawn(move || {
            loan.buffer().write_at(0, b"from there").unwrap();
            loan.commit(10).unwrap()
        });
        writer.join().unwrap()
    });
    let view = take(&server);
    assert_eq!(view.bytes().to_vec(), b"from there");
    view.reply(b"").unwrap();
    client.view(id, Timeout::NOW).unwrap().release();
    assert_works(&server, &client);
}

#[test]
fn a_reply_holds_its_slot_until_its_view_is_dropped() {
    let (server, client) = open(1);
    for releases in [false, true] {
        let id = client.send(b"question").unwrap();
        assert_eq!(client.view(id, Timeout::NOW).err(), Some(Error::WouldBlock));
        assert_eq!(client.view(id, Duration::from_millis(5)).err(), Some(Error::TimedOut));
        take(&server).reply(b"reply").unwrap();
        let reply = client.view(id, Timeout::FOREVER).unwrap();
        assert_eq!((client.pending(), client.send(b"")), (1, Err(Error::NoSlots)));
        assert_eq!(reply.bytes().to_vec(), b"reply");
        if releases {
            reply.release()
        } else {
            drop(reply)
        }
        assert_eq!(client.view(id, Timeout::FOREVER).err(), Some(Error::Stale));
        assert_works(&server, &client);
    }
}

#[test]
fn an_outcome_that_is_no_reply_is_an_error_and_leaves_nothing() {
    let (server, client) = open(1);
    let failed = client.send(b"").unwrap();
    take(&server).reply_error(7, "seven").unwrap();
    let seven = Error::Remote { code: 7, text: "seven".into() };
    assert_eq!(client.view(failed, Timeout::FOREVER).err(), Some(seven));
    assert_eq!(client.view(failed, Timeout::FOREVER).err(), Some(Error::Stale));

    let orphan = client.send(b"").unwrap();
    let leaving = Options::new().server_from_fd(server.channel().fd().unwrap()).unwrap();
    let _ = take(&leaving).keep();
    drop(leaving);
    assert_eq!(client.view(orphan, Timeout::FOREVER).err(), Some(Error::OwnerDead));
    assert_works(&server, &client);
}

#[test]
fn a_request_that_is_dropped_or_dismissed_is_told_at_once() {
    let (server, client) = open(1);
    for dismisses in [false, true] {
        let id = client.send(b"question").unwrap();
        thread::scope(|threads| {
            let waiter = threads.spawn(|| client.get_wait(id, &mut [0; 8], Timeout::FOREVER));
            let view = server.recv_view(Timeout::FOREVER).unwrap();
            if dismisses {
                view.dismiss()
            } else {
                drop(view)
            }
            assert_eq!(waiter.join().unwrap(), Err(Error::Dismissed));
        });
        assert_eq!(client.get(id, &mut [0; 8]), Err(Error::Stale));
        assert_works(&server, &client);
    }
}

#[test]
fn a_request_whose_reply_is_refused_is_canceled() {
    let (server, client) = open(1);
    let refusals: [fn(RequestView<'_>) -> shmrr::Result<()>; 5] = [
        |view| view.reply(&[0; RESPONSE_MAX + 1]),
        |view| {
            view.reply_buffer()?;
            view.reply_commit(RESPONSE_MAX + 1)
        },
        |view| view.reply_msg(&Message { message_type: 1, ..Message::of(b"") }),
        |view| {
            view.reply_buffer()?;
            view.reply_commit_msg(0, 1, MessageFlags::empty())
        },
        |view| view.reply_commit(0),
    ];
    for (number, reply) in refusals.iter().enumerate() {
        let id = client.send(b"question").unwrap();
        match reply(take(&server)).unwrap_err() {
            Error::MessageSize { length, limit } => {
                assert_eq!((length, limit), (RESPONSE_MAX + 1, RESPONSE_MAX));
                assert!(number < 2);
            }
            why => assert!(number >= 2 && matches!(why, Error::Invalid(_)), "{number}: {why:?}"),
        }
        assert_eq!(client.get(id, &mut []), Err(Error::Dismissed));
    }
    assert_works(&server, &client);
}

#[test]
fn a_request_that_is_kept_waits_for_a_reply_by_its_id() {
    let (server, client) = open(1);
    let id = client.send(b"question").unwrap();
    let request = take(&server).keep();
    assert_eq!((request.length, client.get(id, &mut [])), (8, Err(Error::WouldBlock)));
    thread::scope(|threads| {
        threads.spawn(|| server.reply(request.id, b"later").unwrap());
    });
    let mut reply = [0; 5];
    assert_eq!((client.get(id, &mut reply), &reply), (Ok(5), b"later"));
    assert_works(&server, &client);
}

#[test]
fn a_request_that_is_given_up_while_it_is_viewed_stays_readable_and_its_slot_comes_free() {
    let (server, client) = open(1);
    let endings: [fn(RequestView<'_>); 3] = [
        |view| assert_eq!(view.reply(b"late"), Err(Error::Stale)),
        |view| assert_eq!(view.reply_buffer().err(), Some(Error::Stale)),
        |view| view.dismiss(),
    ];
    for end in endings {
        let sent = pattern(REQUEST_MAX, 5);
        let id = client.send(&sent).unwrap();
        let view = take(&server);
        client.cancel(id).unwrap();
        assert_works(&server, &client);
        assert_eq!(view.bytes().to_vec(), sent);
        assert_eq!(held_by_servers(&server), 1);
        end(view);
        assert_eq!(held_by_servers(&server), 0);
        assert_works(&server, &client);
    }
}

#[test]
fn a_buffer_that_is_not_committed_sends_nothing_and_the_request_still_waits() {
    let (server, client) = open(1);
    let id = client.send(b"question").unwrap();
    let view = take(&server);
    view.reply_buffer().unwrap().write_at(0, b"never sent").unwrap();
    assert_eq!(client.get(id, &mut []), Err(Error::WouldBlock));
    let request = view.keep();
    server.reply_loan(request.id).unwrap().buffer().write_at(0, b"neither is this").unwrap();
    assert_eq!(client.get(id, &mut []), Err(Error::WouldBlock));
    let refused = server.reply_loan(request.id).unwrap().commit(RESPONSE_MAX + 1);
    assert_eq!(refused, Err(Error::MessageSize { length: RESPONSE_MAX + 1, limit: RESPONSE_MAX }));
    assert_eq!(client.get(id, &mut []), Err(Error::WouldBlock));
    server.reply(request.id, b"copied").unwrap();
    assert_eq!(client.view(id, Timeout::NOW).unwrap().bytes().to_vec(), b"copied");
    assert_works(&server, &client);
}

#[test]
fn a_batch_is_appended_in_order_and_answered_in_any() {
    let (server, client) = open(5);
    let ids: Vec<shmrr::RequestId> = (0..5_u8).map(|number| client.send(&[number]).unwrap()).collect();
    let mut views = vec![take(&server)];
    assert_eq!(server.recv_batch(&mut views, 2, Timeout::FOREVER), Ok(2));
    assert_eq!((views.len(), server.channel().stats().queued), (3, 2));
    assert!(matches!(server.recv_batch(&mut views, 0, Timeout::FOREVER), Err(Error::Invalid(_))));
    assert_eq!(server.drain(&mut views, 100), Ok(2));
    assert_eq!(server.drain(&mut views, 100), Err(Error::WouldBlock));
    assert_eq!(server.recv_batch(&mut views, 100, Duration::from_millis(5)), Err(Error::TimedOut));
    let numbers: Vec<Vec<u8>> = views.iter().map(|view| view.bytes().to_vec()).collect();
    assert_eq!(numbers, [[0], [1], [2], [3], [4]]);
    for (number, view) in views.into_iter().enumerate().rev() {
        view.reply(&[number as u8 + 10]).unwrap();
    }
    for (number, id) in ids.into_iter().enumerate() {
        assert_eq!(client.view(id, Timeout::NOW).unwrap().bytes().to_vec(), [number as u8 + 10]);
    }
    assert_works(&server, &client);
}

#[test]
fn what_is_left_of_a_batch_that_is_dropped_is_dismissed() {
    let (server, client) = open(3);
    let ids = [(); 3].map(|()| client.send(b"question").unwrap());
    let mut views = Vec::new();
    assert_eq!(server.drain(&mut views, 3), Ok(3));
    views.remove(1).reply(b"reply").unwrap();
    drop(views);
    let mut reply = [0; 5];
    let outcomes = ids.map(|id| client.get(id, &mut reply));
    assert_eq!(outcomes, [Err(Error::Dismissed), Ok(5), Err(Error::Dismissed)]);
    assert_works(&server, &client);
}

#[test]
fn a_one_way_message_holds_its_slot_until_its_view_is_dropped() {
    let (server, client) = open(1);
    client.post(b"news", Timeout::NOW).unwrap();
    let view = take(&server);
    assert_eq!(view.bytes().to_vec(), b"news");
    assert_eq!(client.post(b"", Timeout::NOW), Err(Error::NoSlots));
    drop(view);
    assert_works(&server, &client);
}

#[test]
fn a_stopped_handle_lends_and_shows_nothing_and_gives_back_what_it_lent() {
    let (server, client) = open(3);
    let answered = client.send(b"").unwrap();
    take(&server).reply(b"").unwrap();
    client.send(b"queued").unwrap();
    let loan = client.loan(Timeout::NOW).unwrap();
    client.stop();
    server.stop();
    assert_eq!(client.loan(Timeout::FOREVER).err(), Some(Error::Stopped));
    assert_eq!(client.view(answered, Timeout::FOREVER).err(), Some(Error::Stopped));
    assert_eq!(server.recv_view(Timeout::FOREVER).err(), Some(Error::Stopped));
    assert_eq!(server.drain(&mut Vec::new(), 1), Err(Error::Stopped));
    assert_eq!(client.channel().stats().in_flight, 3);
    drop(loan);
    assert_eq!(client.channel().stats().in_flight, 2);
}
