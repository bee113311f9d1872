//! A thousand times the same leaves all as it was.

use super::used::Used;
use super::{assert_works, in_child, path, small};
use shmrr::{Error, Options, Server};
use std::path::Path;

const CYCLES: u32 = 1000;
/// After so many the allocator has what it wants.
const FIRST: u32 = 50;
/// A tenth of a page, or a tenth of one mapped channel, a cycle.
const SPARE_KIB: u64 = 400;

type Form = (&'static str, fn(&Path, &Server));

/// Every way to open a handle. The server is one of a memfd.
const FORMS: [Form; 8] = [
    ("create a file", |path, _| {
        let created = path.with_extension("created");
        drop(small().server(&created).unwrap());
        shmrr::unlink(created).unwrap();
    }),
    ("attach a server", |path, _| drop(small().server(path).unwrap())),
    ("attach a client", |path, _| drop(small().client(path).unwrap())),
    ("a memfd", |_, _| drop(small().memfd("cycles").unwrap())),
    ("an anonymous channel", |_, _| drop(small().anonymous().unwrap())),
    ("a server from a descriptor", |_, other| {
        drop(small().server_from_fd(other.channel().fd().unwrap()).unwrap());
    }),
    ("a client from a descriptor", |_, other| {
        drop(small().client_from_fd(other.channel().fd().unwrap()).unwrap());
    }),
    ("a client from a server", |_, other| drop(small().client_from_server(other).unwrap())),
];

#[test]
fn a_thousand_handles_of_each_form_leave_descriptors_mappings_and_memory_as_they_were() {
    in_child("open and close");
}

pub fn open_and_close() {
    let file = small().server(path()).unwrap();
    let other = small().memfd("kept").unwrap();
    for (form, open) in FORMS {
        (0..FIRST).for_each(|_| open(&path(), &other));
        let before = Used::now();
        (0..CYCLES).for_each(|_| open(&path(), &other));
        before.assert_same_for_long(form, SPARE_KIB);
    }
    for server in [&file, &other] {
        assert_eq!(server.channel().stats().participants, 1);
        assert_eq!(server.channel().recover(), Ok(0));
        assert_works(server, &small().client_from_server(server).unwrap());
    }
}

/// Of a request: collected, replied to, claimed, queued and cancelled.
#[test]
fn a_thousand_handles_in_use_leave_every_place_and_every_slot_free() {
    in_child("open use and close");
}

pub fn open_use_and_close() {
    let kept = small().server(path()).unwrap();
    let mut before = Used::now();
    for cycle in 0..FIRST + CYCLES {
        if cycle == FIRST {
            before = Used::now();
        }
        use_handles(&kept);
        let stats = kept.channel().stats();
        assert_eq!((stats.participants, stats.in_flight, stats.queued, stats.free), (1, 0, 0, 4), "{cycle}");
    }
    before.assert_same_for_long("handles in use", SPARE_KIB);
    let stats = kept.channel().stats();
    assert_eq!(stats.recoveries, 0, "nobody was found dead");
    assert_eq!(stats.requests, u64::from(6 * (FIRST + CYCLES)));
    // Every place, and every slot at once.
    let places: Vec<_> = (0..3).map(|_| small().client(path()).unwrap()).collect();
    assert!(matches!(small().client(path()).err(), Some(Error::Crowded { .. })));
    let ids: Vec<shmrr::RequestId> = (0..4).map(|_| places[0].send(b"").unwrap()).collect();
    assert_eq!(places[1].send(b""), Err(Error::NoSlots));
    ids.iter().for_each(|id| places[0].cancel(*id).unwrap());
}

fn use_handles(kept: &Server) {
    let server = Options::new().server(path()).unwrap();
    let client = Options::new().client(path()).unwrap();
    assert_works(kept, &client);
    let [cancelled, replied, claimed, left] = [(); 4].map(|()| client.send(b"request").unwrap());
    client.cancel(cancelled).unwrap();
    assert_eq!(kept.recv(&mut [0; 64]).unwrap().id, replied);
    kept.reply(replied, b"never collected").unwrap();
    assert_eq!(kept.recv(&mut [0; 64]).unwrap().id, claimed);
    assert_eq!(server.recv(&mut [0; 64]).unwrap().id, left);
    let queued = client.send(b"never seen").unwrap();
    drop(server);
    assert_eq!(client.get(left, &mut []), Err(Error::OwnerDead));
    drop(client);
    assert_eq!(kept.reply(claimed, b"too late"), Err(Error::Stale));
    assert_eq!(kept.reply(queued, b""), Err(Error::Stale));
}
