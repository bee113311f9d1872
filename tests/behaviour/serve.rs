//! `Server::serve`, the loop around a closure: what the closure writes, fails with, postpones or stops.

use shmrr::{Client, Error, Failure, Kind, MessageFlags, Options, RequestId, Server, Timeout};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Barrier, mpsc};
use std::thread;

fn open(slots: u32) -> (Server, Client) {
    let server = Options::new().slots(slots).response_max(16).anonymous().unwrap();
    let client = Options::new().client_from_server(&server).unwrap();
    (server, client)
}

/// The reply, which must be there.
fn collect(client: &Client, id: RequestId) -> Result<Vec<u8>, Error> {
    let mut reply = [0; 16];
    client.get(id, &mut reply).map(|length| reply[..length].to_vec())
}

fn failed(code: i32, text: &str) -> Result<Vec<u8>, Error> {
    Err(Error::Remote { code, text: text.into() })
}

fn assert_all_done(server: &Server) {
    let stats = server.channel().stats();
    assert_eq!((stats.queued, stats.in_flight, stats.free), (0, 0, stats.slots));
}

#[test]
fn requests_are_handled_in_order_by_a_handler_that_keeps_a_state() {
    let (server, client) = open(8);
    let ids = [b"a", b"b", b"c", b"d"].map(|text| client.send(text).unwrap());
    let mut seen = Vec::new();
    let served = server.serve(Timeout::FOREVER, |request, response| {
        seen.extend(request.bytes().to_vec());
        response.write(&seen).unwrap();
        if seen.len() == 4 {
            response.stop();
        }
        Ok(())
    });
    assert_eq!(served, Ok(()));
    let replies = ids.map(|id| String::from_utf8(collect(&client, id).unwrap()).unwrap());
    assert_eq!(replies, ["a", "ab", "abc", "abcd"]);
    assert_all_done(&server);
}

#[test]
fn what_is_written_piece_by_piece_is_sent_as_far_as_it_fits() {
    let (server, client) = open(2);
    let id = client.send(b"").unwrap();
    server
        .serve(Timeout::FOREVER, |_, response| {
            assert_eq!(response.buffer().capacity(), 16);
            response.write(b"0123456789").unwrap();
            response.write(b"").unwrap();
            assert_eq!(response.write(b"0123456"), Err(Error::MessageSize { length: 17, limit: 16 }));
            response.write(b"abcdef").unwrap();
            assert_eq!(response.write(b"g"), Err(Error::MessageSize { length: 17, limit: 16 }));
            response.stop();
            Ok(())
        })
        .unwrap();
    assert_eq!(collect(&client, id).unwrap(), b"0123456789abcdef");
}

#[test]
fn a_reply_written_through_the_pointer_has_the_length_that_is_set() {
    let (server, client) = open(2);
    let id = client.send(b"").unwrap();
    server
        .serve(Timeout::FOREVER, |_, response| {
            // SAFETY: there is room for 16 bytes.
            unsafe { response.buffer().as_mut_ptr().write_bytes(b'x', 16) };
            response.set_length(16).unwrap();
            assert_eq!(response.set_length(17), Err(Error::MessageSize { length: 17, limit: 16 }));
            response.set_length(3).unwrap();
            response.write(b"y").unwrap();
            response.stop();
            Ok(())
        })
        .unwrap();
    assert_eq!(collect(&client, id).unwrap(), b"xxxy");
}

#[test]
fn a_label_reaches_the_client_and_one_that_no_sender_may_give_is_refused() {
    let (server, client) = open(2);
    let id = client.send(b"").unwrap();
    server
        .serve(Timeout::FOREVER, |_, response| {
            response.set_label(200, MessageFlags::UTF8).unwrap();
            for (message_type, flags) in [(1, 0), (127, 0), (200, 4), (200, 1 << 31)]
                .map(|(message_type, bits)| (message_type, MessageFlags::from_bits(bits)))
            {
                let refused = response.set_label(message_type, flags);
                assert!(matches!(refused, Err(Error::Invalid(_))), "{message_type} {flags:?}: {refused:?}");
            }
            response.write(b"labelled").unwrap();
            response.stop();
            Ok(())
        })
        .unwrap();
    let view = client.view(id, Timeout::NOW).unwrap();
    assert_eq!((view.message_type(), view.flags()), (200, MessageFlags::UTF8));
    assert_eq!(view.bytes().to_vec(), b"labelled");
}

#[test]
fn a_failure_reaches_its_client_whatever_was_written_and_the_loop_goes_on() {
    let (server, client) = open(4);
    let ids = [b"0", b"1", b"2", b"3"].map(|text| client.send(text).unwrap());
    let mut calls = 0;
    let served = server.serve(Timeout::FOREVER, |_, response| {
        calls += 1;
        response.write(b"not to be sent").unwrap();
        response.set_label(200, MessageFlags::empty()).unwrap();
        match calls {
            1 => Err(Failure::new(7, "seven")),
            2 => Err(Failure::new(-1, "")),
            3 => {
                response.later();
                Err(Failure::new(i32::MIN, "not later"))
            }
            _ => {
                response.stop();
                Err(Failure::new(0, "the last"))
            }
        }
    });
    assert_eq!((served, calls), (Ok(()), 4));
    assert_eq!(collect(&client, ids[0]), failed(7, "seven"));
    assert_eq!(collect(&client, ids[1]), failed(-1, ""));
    assert_eq!(collect(&client, ids[2]), failed(i32::MIN, "not later"));
    assert_eq!(collect(&client, ids[3]), failed(0, "the last"));
    assert_all_done(&server);
}

#[test]
fn too_long_a_text_of_a_failure_is_cut_between_characters() {
    let (server, client) = open(2);
    let id = client.send(b"").unwrap();
    server
        .serve(Timeout::FOREVER, |_, response| {
            response.stop();
            Err(Failure::new(1, "ñ".repeat(52) + "x"))
        })
        .unwrap();
    assert_eq!(collect(&client, id), failed(1, &"ñ".repeat(52)));
    let id = client.send(b"").unwrap();
    server
        .serve(Timeout::FOREVER, |_, response| {
            response.stop();
            Err(Failure::new(1, "x".to_owned() + &"ñ".repeat(52)))
        })
        .unwrap();
    assert_eq!(collect(&client, id), failed(1, &("x".to_owned() + &"ñ".repeat(51))));
}

/// Stops the handle when a thread ends, be it by a failure.
struct StopAtEnd<'s>(&'s Server);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

#[test]
fn later_replies_go_out_in_any_order_from_another_thread_while_the_loop_goes_on() {
    let (server, client) = &open(4);
    let ids = [b"a", b"b", b"c"].map(|text| client.send(text).unwrap());
    let (keep, kept) = mpsc::channel::<(RequestId, Vec<u8>)>();
    thread::scope(|threads| {
        threads.spawn(move || {
            let _stop = StopAtEnd(server);
            let mut requests: Vec<_> = kept.iter().take(3).collect();
            assert_eq!(client.req(b"goes on?", &mut [0; 16], Timeout::FOREVER), Ok(2));
            assert!(ids.iter().all(|id| collect(client, *id) == Err(Error::WouldBlock)));
            while let Some((id, text)) = requests.pop() {
                server.reply(id, &text).unwrap();
                assert_eq!(collect(client, id).unwrap(), text);
            }
        });
        let served = server.serve(Timeout::FOREVER, |request, response| {
            response.write(b"ok").unwrap();
            if request.bytes().len() == 1 {
                response.later();
                keep.send((request.request().id, request.bytes().to_vec())).unwrap();
            }
            Ok(())
        });
        assert_eq!(served, Err(Error::Stopped));
    });
    assert_all_done(server);
}

#[test]
fn a_stop_leaves_the_next_request_queued_and_serving_can_go_on() {
    let (server, client) = open(2);
    let ids = [b"first", b"other"].map(|text| client.send(text).unwrap());
    for done in 0..2 {
        server
            .serve(Timeout::FOREVER, |request, response| {
                response.write(&request.bytes().to_vec()).unwrap();
                response.stop();
                Ok(())
            })
            .unwrap();
        assert_eq!(server.channel().queued(), 1 - done);
    }
    assert_eq!(ids.map(|id| collect(&client, id).unwrap()), [b"first", b"other"]);
}

#[test]
fn a_stop_by_another_thread_ends_an_idle_loop() {
    let (server, _client) = open(2);
    thread::scope(|threads| {
        threads.spawn(|| {
            while server.channel().stats().sleeps == 0 {
                thread::yield_now();
            }
            server.stop();
        });
        assert_eq!(server.serve(Timeout::FOREVER, |_, _| unreachable!()), Err(Error::Stopped));
    });
    assert_eq!(server.serve(Timeout::FOREVER, |_, _| unreachable!()), Err(Error::Stopped));
}

#[test]
fn a_handler_that_was_called_replies_although_the_handle_is_stopped() {
    let (server, client) = open(2);
    let id = client.send(b"").unwrap();
    let left = client.send(b"left").unwrap();
    let served = server.serve(Timeout::FOREVER, |_, response| {
        server.stop();
        response.write(b"its reply").unwrap();
        Ok(())
    });
    assert_eq!(served, Err(Error::Stopped));
    assert_eq!(collect(&client, id).unwrap(), b"its reply");
    assert_eq!(server.channel().queued(), 1);
    client.cancel(left).unwrap();
}

#[test]
fn a_client_that_gave_up_one_way_messages_and_a_reply_of_the_handlers_own_do_no_harm() {
    let (server, client) = open(4);
    let given_up = client.send(b"").unwrap();
    client.post(b"", Timeout::NOW).unwrap();
    let replied = client.send(b"").unwrap();
    let last = client.send(b"").unwrap();
    let mut calls = 0;
    server
        .serve(Timeout::FOREVER, |request, response| {
            calls += 1;
            match calls {
                1 => client.cancel(given_up).unwrap(),
                2 => assert_eq!(request.request().flags, shmrr::MessageFlags::ONE_WAY),
                3 => server.reply(replied, b"its own").unwrap(),
                _ => response.stop(),
            }
            response.write(b"written").unwrap();
            Ok(())
        })
        .unwrap();
    assert_eq!(collect(&client, given_up), Err(Error::Stale));
    assert_eq!(collect(&client, replied).unwrap(), b"its own");
    assert_eq!(collect(&client, last).unwrap(), b"written");
    assert_all_done(&server);
}

#[test]
fn a_handler_that_panics_lets_go_of_its_request() {
    let (server, client) = open(2);
    let id = client.send(b"").unwrap();
    let panicked =
        catch_unwind(AssertUnwindSafe(|| server.serve(Timeout::FOREVER, |_, _| panic!("as it shall"))));
    assert!(panicked.is_err());
    assert_eq!(collect(&client, id), Err(Error::Dismissed));
    assert_all_done(&server);
}

#[test]
fn threads_serve_at_once_each_with_a_handler_of_its_own() {
    let (server, client) = open(3);
    let ids = [b"1", b"2", b"3"].map(|text| client.send(text).unwrap());
    let all_at_work = Barrier::new(3);
    let mut replies = thread::scope(|threads| {
        for name in [b"x", b"y", b"z"] {
            let (server, all_at_work) = (&server, &all_at_work);
            threads.spawn(move || {
                server
                    .serve(Timeout::FOREVER, |_, response| {
                        all_at_work.wait();
                        response.stop();
                        response.write(name).unwrap();
                        Ok(())
                    })
                    .unwrap();
            });
        }
        let mut reply = [0; 1];
        ids.map(|id| client.get_wait(id, &mut reply, Timeout::FOREVER).map(|_| reply[0]).unwrap())
    });
    replies.sort_unstable();
    assert_eq!(&replies, b"xyz");
}

#[test]
fn a_channel_of_integers_is_not_served() {
    let server = Options::new().kind(Kind::Int).anonymous().unwrap();
    assert_eq!(server.serve(Timeout::FOREVER, |_, _| unreachable!()), Err(Error::WrongKind));
}
