//! Eventfds by their Rust names: the calls are those of `tests/c/notification.c` and `tests/c/eventfds.c`, where more is
//! said of each.

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd};
use rustix::io::{FdFlags, fcntl_getfd};
use shmrr::{Channel, Client, Error, Options, Result, Server, Timeout};
use std::thread;

/// A client that signals the server's eventfd for requests, and a server that signals the client's one for replies.
fn wired(notify: bool) -> (Server, Client) {
    let options = Options::new().notify(notify);
    let server = options.anonymous().unwrap();
    let client = options.client_from_server(&server).unwrap();
    client.channel().set_request_fd(Some(server.channel().make_request_fd().unwrap())).unwrap();
    server.channel().set_reply_fd(Some(client.channel().make_reply_fd().unwrap())).unwrap();
    (server, client)
}

fn is_ready(fd: BorrowedFd<'_>) -> bool {
    let mut waited = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    poll(&mut waited, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() == 1
}

fn until_ready(fd: BorrowedFd<'_>) {
    let mut waited = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    rustix::io::retry_on_intr(|| poll(&mut waited, None)).unwrap();
}

fn errno<T: std::fmt::Debug>(result: Result<T>) -> i32 {
    result.unwrap_err().errno()
}

/// Signals that the server has for requests, and the client for replies; takes them.
fn signals(server: &Server, client: &Client) -> (u64, u64) {
    (server.channel().consume_requests().unwrap(), client.channel().consume_replies().unwrap())
}

#[test]
fn a_handle_has_one_descriptor_of_each_kind() {
    let server = Options::new().anonymous().unwrap();
    let channel = server.channel();
    assert_eq!(errno(channel.request_fd()), libc::ENXIO);
    assert_eq!(errno(channel.reply_fd()), libc::ENXIO);
    let (requests, replies) = (channel.make_request_fd().unwrap(), channel.make_reply_fd().unwrap());
    assert_ne!(requests.as_raw_fd(), replies.as_raw_fd());
    assert_eq!(channel.request_fd().unwrap().as_raw_fd(), requests.as_raw_fd());
    assert_eq!(channel.reply_fd().unwrap().as_raw_fd(), replies.as_raw_fd());
    for fd in [requests, replies] {
        assert!(fcntl_getfd(fd).unwrap().contains(FdFlags::CLOEXEC));
    }
}

#[test]
fn signals_are_counted_and_consumed_at_once() {
    let (server, client) = wired(false);
    (0..3).for_each(|_| client.channel().notify_requests().unwrap());
    (0..2).for_each(|_| server.channel().notify_replies().unwrap());
    assert!(is_ready(server.channel().request_fd().unwrap()));
    assert!(is_ready(client.channel().reply_fd().unwrap()));
    assert_eq!(signals(&server, &client), (3, 2));
    assert_eq!(signals(&server, &client), (0, 0));
}

#[test]
fn without_a_descriptor_there_is_nothing_to_signal_or_to_consume() {
    let server = Options::new().notify(true).anonymous().unwrap();
    let client = Options::new().notify(true).client_from_server(&server).unwrap();
    let channel = client.channel();
    let calls: [fn(&Channel) -> Result<u64>; 4] = [
        |channel| channel.notify_requests().map(|()| 0),
        |channel| channel.notify_replies().map(|()| 0),
        Channel::consume_requests,
        Channel::consume_replies,
    ];
    for call in calls {
        assert_eq!(errno(call(channel)), libc::ENXIO);
    }
    let id = client.send(b"all the same").unwrap();
    let request = server.recv(&mut [0; 16]).unwrap();
    server.reply(request.id, b"").unwrap();
    assert_eq!(client.get(id, &mut []), Ok(0));
}

#[test]
fn a_handle_takes_an_eventfd_and_nothing_else() {
    let server = Options::new().anonymous().unwrap();
    let channel = server.channel();
    let (one, other) =
        (eventfd(0, EventfdFlags::empty()).unwrap(), eventfd(0, EventfdFlags::empty()).unwrap());
    let file = tempfile::tempfile().unwrap();
    assert!(matches!(channel.set_request_fd(Some(file.as_fd())), Err(Error::Invalid(_))));
    assert!(matches!(channel.set_reply_fd(Some(file.as_fd())), Err(Error::Invalid(_))));
    channel.set_request_fd(Some(one.as_fd())).unwrap();
    channel.set_reply_fd(Some(other.as_fd())).unwrap();
    assert_ne!(channel.request_fd().unwrap().as_raw_fd(), one.as_raw_fd());
    channel.notify_requests().unwrap();
    assert!(is_ready(one.as_fd()));
    drop((one, other));
    assert_eq!(channel.consume_requests(), Ok(1));
    assert_eq!(channel.consume_replies(), Ok(0));
}

#[test]
fn an_eventfd_is_replaced_and_dropped() {
    let server = Options::new().anonymous().unwrap();
    let channel = server.channel();
    let (one, other) =
        (eventfd(0, EventfdFlags::empty()).unwrap(), eventfd(0, EventfdFlags::empty()).unwrap());
    channel.set_request_fd(Some(one.as_fd())).unwrap();
    channel.set_request_fd(Some(other.as_fd())).unwrap();
    channel.notify_requests().unwrap();
    assert!(!is_ready(one.as_fd()) && is_ready(other.as_fd()));
    channel.set_request_fd(None).unwrap();
    assert_eq!(errno(channel.notify_requests()), libc::ENXIO);
    assert_eq!(errno(channel.request_fd()), libc::ENXIO);
    channel.make_request_fd().unwrap();
    assert_eq!(channel.consume_requests(), Ok(0));
}

#[test]
fn only_handles_that_shall_notify_signal_with_each_message() {
    for notify in [false, true] {
        let each = u64::from(notify);
        let (server, client) = wired(notify);
        let id = client.send(b"").unwrap();
        assert_eq!(signals(&server, &client), (each, 0));
        let request = server.recv(&mut []).unwrap();
        server.reply(request.id, b"").unwrap();
        assert_eq!(signals(&server, &client), (0, each));
        assert_eq!(client.get(id, &mut []), Ok(0));

        client.post(b"", Timeout::NOW).unwrap();
        assert_eq!(signals(&server, &client), (each, 0));
    }
}

#[test]
fn a_thread_that_polls_is_woken_by_a_request() {
    let (server, client) = wired(true);
    thread::scope(|threads| {
        threads.spawn(|| {
            until_ready(server.channel().request_fd().unwrap());
            assert_eq!(server.channel().consume_requests(), Ok(1));
            // Dropped at once, so its client gets no reply.
            assert_eq!(server.drain(&mut Vec::new(), 2), Ok(1));
        });
        assert_eq!(client.req(b"", &mut [], Timeout::FOREVER), Err(Error::Dismissed));
    });
    assert_eq!(client.channel().consume_replies(), Ok(1));
}
