//! What a Rust program can do with the types of this crate: show them, tell them apart, pass them on.

use shmrr::{
    ArmFor, Armed, Buffer, Bytes, Channel, Client, Error, Failure, Kind, Message, MessageFlags, Options,
    ParticipantInfo, Reply, ReplyLoan, ReplyView, Request, RequestId, RequestLoan, RequestView, Response,
    Role, Server, Stats, Tended, Text, Timeout, Wait,
};
use std::collections::HashSet;
use std::fmt::Debug;
use std::io;
use std::sync::Arc;
use std::time::Duration;

fn open(options: &Options) -> (Server, Client) {
    let server = options.anonymous().unwrap();
    let client = options.client_from_server(&server).unwrap();
    (server, client)
}

#[test]
fn every_type_can_be_shown_and_shared() {
    fn shown<T: Debug>() {}
    fn shared<T: Debug + Send + Sync>() {}
    shared::<(Channel, Client, Server, Options, Stats, Request, RequestId, MessageFlags, Timeout)>();
    shared::<(Error, Failure, Kind, ParticipantInfo, Role, Message<'_>, Bytes<'_>, Buffer<'_>)>();
    shared::<(ArmFor, Armed, Reply, Tended)>();
    shared::<(ReplyLoan<'_>, ReplyView<'_>, RequestLoan<'_>, RequestView<'_>, Text)>();
    shown::<(Response<'_>, Wait<'_>)>();
}

#[test]
fn a_handle_shows_which_channel_it_is_of_and_who_it_is_there() {
    let (server, client) = open(&Options::new().slots(3));
    let shown = format!("{client:?}");
    for part in ["Client", "slots: 3", "kind: Bytes", "participant: Some(2)"] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    assert!(format!("{server:?}").contains("participant: Some(1)"));
    client.send(b"").unwrap();
    assert_eq!(format!("{client:?}"), shown, "it shows what does not change");
}

#[test]
fn an_error_becomes_one_of_the_standard_librarys_and_can_be_had_back() {
    for (error, kind) in [
        (Error::WouldBlock, io::ErrorKind::WouldBlock),
        (Error::TimedOut, io::ErrorKind::TimedOut),
        (Error::Interrupted, io::ErrorKind::Interrupted),
        (Error::NoServer, io::ErrorKind::ConnectionRefused),
        (Error::NoMemory, io::ErrorKind::OutOfMemory),
    ] {
        let converted = io::Error::from(error.clone());
        assert_eq!((converted.kind(), converted.to_string()), (kind, error.to_string()));
        assert_eq!(converted.downcast::<Error>().unwrap(), error);
    }
    fn asks(client: &Client) -> io::Result<RequestId> {
        Ok(client.send_msg(&Message { message_type: 1, ..Message::of(b"") }, Timeout::NOW)?)
    }
    let (_server, client) = open(&Options::new());
    assert_eq!(asks(&client).unwrap_err().kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn a_channel_is_what_its_descriptor_is_of() {
    let (server, client) = open(&Options::new());
    let other = Options::new().client_from_fd(client.channel()).unwrap();
    let id = other.send(b"by the descriptor").unwrap();
    assert_eq!(server.recv_view(Timeout::NOW).unwrap().bytes().to_vec(), b"by the descriptor");
    assert_eq!(other.get(id, &mut []), Err(Error::Dismissed));
}

#[test]
fn an_id_is_its_number_wherever_it_is_passed() {
    let (server, client) = open(&Options::new());
    let ids: HashSet<RequestId> = (0..3).map(|_| client.send(b"").unwrap()).collect();
    assert_eq!(ids.len(), 3);
    for id in ids {
        assert_ne!(id, RequestId::NONE);
        assert_eq!(RequestId::from(u64::from(id)), id);
        assert_eq!(format!("{id}"), id.to_u64().to_string());
        let passed = RequestId::from_u64(server.recv(&mut []).unwrap().id.to_u64());
        server.reply(passed, b"").unwrap();
    }
    assert_eq!(client.cancel(RequestId::NONE), Err(Error::Stale));
    assert_eq!(server.reply(RequestId::from_u64(u64::MAX), b""), Err(Error::Stale));
}

#[test]
fn flags_are_told_by_their_names() {
    let both = MessageFlags::UTF8 | MessageFlags::END_ALIGNED;
    assert_eq!(format!("{both:?} {:?}", MessageFlags::empty()), "{UTF8, END_ALIGNED} {}");
    assert_eq!(format!("{:?}", MessageFlags::from_bits(0x18)), "{0x18}");
    assert!(both.contains(MessageFlags::UTF8) && !MessageFlags::UTF8.contains(both));
    assert_eq!(both & !MessageFlags::UTF8, MessageFlags::END_ALIGNED);

    let (_server, client) = open(&Options::new());
    let unknown = Message { flags: MessageFlags::ONE_WAY, ..Message::of(b"") };
    assert!(matches!(client.send_msg(&unknown, Timeout::NOW), Err(Error::Invalid(_))), "a receiver's flag");
}

#[test]
fn a_handle_polls_for_as_long_as_it_is_told_to() {
    let sleeps = |spin: Option<Duration>| {
        let (server, _client) = open(&Options::new().spin(spin));
        let nothing = server.recv_wait(&mut [], Duration::from_millis(2));
        assert_eq!(nothing.map(|request| request.id), Err(Error::TimedOut));
        server.channel().stats().sleeps
    };
    assert_eq!(sleeps(Some(Duration::from_secs(2))), 0, "it polls until its deadline");
    assert!(sleeps(Some(Duration::ZERO)) >= 1, "it sleeps at once");
    assert!(sleeps(None) >= 1, "it does not poll for as long as that by itself");
}

/// A binding keeps them beside a counted handle, as its language's objects refer to it.
#[test]
fn views_and_loans_can_keep_their_handle() {
    let (server, client) = open(&Options::new());
    let (server, client) = (Arc::new(server), Arc::new(client));
    let mut loan = client.loan_owned(Timeout::NOW).unwrap();
    loan.buffer().write_at(0, b"asked").unwrap();
    let ids = [loan.commit(5).unwrap(), client.send(b"again").unwrap(), client.send(b"last").unwrap()];

    let request = server.recv_view_owned(Timeout::NOW).unwrap();
    let mut others = Vec::new();
    assert_eq!(server.recv_batch_owned(&mut others, 9, Timeout::NOW), Ok(2));
    let mut reply = server.reply_loan_owned(request.request().id).unwrap();
    let kept = others.pop().unwrap().keep().id;
    server.reply(kept, b"kept").unwrap();
    drop(server);
    let stay = std::thread::spawn(move || {
        assert_eq!(request.bytes().to_vec(), b"asked");
        reply.buffer().write_at(0, b"told").unwrap();
        reply.commit(4).unwrap();
        let _ = request.keep();
    });
    stay.join().unwrap();
    let replies = ids.map(|id| client.view_owned(id, Timeout::NOW));
    let handle = Arc::downgrade(&client);
    drop(client);
    let [told, waits, last] = replies;
    assert_eq!(told.as_ref().unwrap().bytes().to_vec(), b"told");
    assert_eq!(waits.unwrap_err(), Error::WouldBlock, "its view is kept still");
    assert_eq!(last.unwrap().bytes().to_vec(), b"kept");
    let client = handle.upgrade().expect("a view keeps it");
    drop(others);
    assert_eq!(client.get(ids[1], &mut []), Err(Error::Dismissed), "by a view that was dropped");
    drop(client);
    assert!(handle.upgrade().is_some());
    drop(told);
    assert!(handle.upgrade().is_none(), "nothing else keeps it");
}

#[test]
fn a_loan_and_a_view_that_were_ended_let_their_handle_go() {
    let (server, client) = open(&Options::new());
    let (server, client) = (Arc::new(server), Arc::new(client));
    client.loan_owned(Timeout::NOW).unwrap().commit(0).unwrap();
    client.loan_owned(Timeout::NOW).unwrap().abort();
    let id = server.recv_view_owned(Timeout::NOW).unwrap().keep().id;
    server.reply_loan_owned(id).unwrap().commit(0).unwrap();
    client.view_owned(id, Timeout::NOW).unwrap().release();
    assert_eq!((Arc::strong_count(&server), Arc::strong_count(&client)), (1, 1));
    assert_eq!(client.pending(), 0);
    assert_eq!(client.channel().stats().in_flight, 0);
}

/// Two paths to one type would be two names in messages, documentation and other crates' imports.
#[test]
fn every_type_has_one_path() {
    let root = include_str!("../../src/lib.rs");
    assert!(!root.contains("\npub mod "), "a module that can be named beside what it holds");
    let exported = root.split("\npub use ").skip(1).map(|rest| rest.split_once(';').unwrap().0);
    let names = exported.flat_map(|path| {
        let last = path.rsplit_once("::").map_or(path, |(_, last)| last);
        let several = path.split_once('{').map_or(last, |(_, several)| several.trim_end_matches('}'));
        several.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty())
    });
    let mut seen = HashSet::new();
    for name in names {
        assert!(!name.contains('*') && !name.contains(" as "), "{name}");
        assert!(seen.insert(name.clone()), "{name} is exported twice");
    }
    assert!(seen.contains("Client") && seen.contains("RequestView") && seen.len() > 20, "{seen:?}");
}
