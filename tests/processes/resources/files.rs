//! Names and files that change under those who are attached.

use super::used::Used;
use super::{LONG, assert_works, in_child, path, small};
use crate::child::{self, Child};
use crate::forked::{Ended, Forked, Tie, Wire};
use rustix::fs::{SealFlags, fcntl_add_seals, ftruncate};
use rustix::io::Errno;
use shmrr::{Client, Error, Server};
use std::fs::{self, OpenOptions};
use std::path::Path;

const STOP: &[u8] = b"stop";

/// A process that echoes requests until it is told to stop.
fn server_process(path: &Path) -> Child {
    let mut server = Child::spawn("resources::echo", &[("NAME", path.as_os_str())]);
    assert_eq!(server.hear(), "ready");
    server
}

pub fn echo() {
    let server = small().server(path()).unwrap();
    child::say("ready");
    let mut buffer = [0; 64];
    loop {
        let request = server.recv_wait(&mut buffer, LONG).unwrap();
        let received = &buffer[..request.length];
        server.reply(request.id, received).unwrap();
        if received == STOP {
            return;
        }
    }
}

fn call(client: &Client, times: u32, who: &str) {
    for number in 0..times {
        let sent = format!("{who} {number}");
        let mut buffer = [0; 64];
        let length = client.req(sent.as_bytes(), &mut buffer, LONG).unwrap();
        assert_eq!(&buffer[..length], sent.as_bytes());
    }
}

fn stop(server: Child, client: &Client) {
    assert_eq!(client.req(STOP, &mut [0; 64], LONG), Ok(STOP.len()));
    assert!(server.succeed());
}

fn open_error<T: std::fmt::Debug>(opened: shmrr::Result<T>) -> Error {
    opened.expect_err("it is refused")
}

#[test]
fn who_is_attached_goes_on_when_the_name_is_removed() {
    in_child("removed");
}

pub fn removed() {
    let path = path();
    let own = small().server(&path).unwrap();
    let server = server_process(&path);
    let client = small().client(&path).unwrap();
    call(&client, 10, "before");
    fs::remove_file(&path).unwrap();
    assert_eq!(open_error(small().client(&path)).errno(), libc::ENOENT);
    call(&client, 1000, "after");

    // Other ways in are open, and deaths are still found.
    drop(client);
    let client = small().client_from_server(&own).unwrap();
    call(&client, 1000, "another handle");
    let (mut near, mut far) = Wire::pair();
    let fated = Forked::run(Tie::Bound, || {
        let client = small().client_from_fd(own.channel().fd().unwrap()).unwrap();
        call(&client, 10, "the fated");
        far.say("ready");
        far.hear();
    });
    assert_eq!(near.hear(), "ready");
    fated.kill();
    assert_eq!(own.channel().recover(), Ok(1));
    stop(server, &client);
    assert!(!path.exists());
}

/// The one way in which a peer that may write the file can end others: docs/FORMAT.md says so.
#[test]
fn a_file_that_is_cut_off_ends_who_touches_it_and_is_refused_to_newcomers() {
    in_child("cut off");
}

pub fn cut_off() {
    let path = path();
    drop(small().server(&path).unwrap());
    let length = fs::metadata(&path).unwrap().len();
    let (mut near, mut far) = Wire::pair();
    let attached = Forked::run(Tie::Bound, || {
        let client = small().client(&path).unwrap();
        far.say("attached");
        assert_eq!(far.hear(), "cut off");
        let _ = client.send(b"");
        unreachable!("there is no page any more");
    });
    assert_eq!(near.hear(), "attached");
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(0).unwrap();
    near.say("cut off");
    assert_eq!(attached.end(), Ended::Signal(libc::SIGBUS));

    for (left, found) in [(0, "0"), (255, "255")] {
        file.set_len(left).unwrap();
        assert_refused(&path, &format!("file size in bytes: found {found}, expected at least 256"));
    }
    drop(file);
    fs::remove_file(&path).unwrap();
    drop(small().server(&path).unwrap());
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let before = Used::now();
    for left in [256, 4096, length - 1, length + 1] {
        file.set_len(left).unwrap();
        assert_refused(&path, &format!("file size in bytes: found {left}, expected {length}"));
    }
    before.assert_same("refused");
    file.set_len(length).unwrap();
    let server = small().server(&path).expect("it has its size again");
    assert_works(&server, &small().client(&path).unwrap());
}

fn assert_refused(path: &Path, why: &str) {
    for error in [open_error(small().client(path)), open_error(small().server(path))] {
        assert_eq!(error.errno(), libc::EPROTO);
        let text = error.to_string();
        assert!(text.starts_with(&format!("{}: ", path.display())), "{text}");
        assert_eq!(text[path.as_os_str().len() + 2..], *why);
    }
}

#[test]
fn nobody_can_cut_a_memfd_off_or_unseal_it() {
    in_child("sealed");
}

pub fn sealed() {
    let own = small().memfd("sealed").unwrap();
    let fd = own.channel().fd().unwrap();
    let length = rustix::fs::fstat(fd).unwrap().st_size as u64;
    let through_proc = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&fd));
    let again = OpenOptions::new().read(true).write(true).open(through_proc).unwrap();
    for other in [0, 4096, length - 1, length + 1, 1 << 30] {
        assert_eq!(ftruncate(fd, other), Err(Errno::PERM), "{other}");
        assert_eq!(again.set_len(other).unwrap_err().raw_os_error(), Some(libc::EPERM), "{other}");
    }
    for seal in [SealFlags::WRITE, SealFlags::FUTURE_WRITE, SealFlags::SHRINK] {
        assert_eq!(fcntl_add_seals(fd, seal), Err(Errno::PERM), "{seal:?}");
    }
    // From a process that it was passed to, too.
    let hostile = Forked::run(Tie::Bound, || assert_eq!(ftruncate(fd, 0), Err(Errno::PERM)));
    assert_eq!(hostile.end(), Ended::Exit(0));
    assert_works(&own, &small().client_from_fd(fd).unwrap());
}

#[test]
fn a_channel_that_takes_over_a_removed_ones_name_has_nothing_to_do_with_it() {
    in_child("replaced");
}

pub fn replaced() {
    let path = path();
    let old_own = small().slots(2).server(&path).unwrap();
    let old_server = server_process(&path);
    let old_client = small().client(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let new_own = small().slots(3).server(&path).unwrap();
    let new_client = small().client(&path).unwrap();
    assert_eq!((old_client.channel().slots(), new_client.channel().slots()), (2, 3));
    assert_eq!(new_own.channel().stats().participants, 2);
    assert_eq!(old_own.channel().stats().participants, 3);

    // The old server never sees what is sent by the new name.
    let ids = [(); 3].map(|()| new_client.send(b"new").unwrap());
    assert_eq!(new_client.send(b""), Err(Error::NoSlots));
    call(&old_client, 1000, "old");
    assert_eq!(new_own.channel().queued(), 3);
    for id in ids {
        assert_eq!(new_own.recv(&mut [0; 64]).unwrap().id, id);
        assert_eq!(old_own.reply(id, b"from the old one"), Err(Error::Stale));
        assert_eq!(old_client.cancel(id), Err(Error::Stale));
        new_own.reply(id, b"from the new one").unwrap();
        assert_eq!(new_client.get(id, &mut [0; 64]), Ok(16));
    }
    let new_server = server_process(&path);
    call(&new_client, 1000, "new");

    // A handle beside the old one is on the old one, whatever has its name now.
    let beside = small().client_from_server(&old_own).unwrap();
    assert_eq!(beside.channel().slots(), 2);
    call(&beside, 10, "old");
    drop(beside);

    // A death in the one is none in the other.
    old_server.signal(libc::SIGKILL);
    drop(old_server);
    assert_eq!(new_own.channel().recover(), Ok(0));
    assert_eq!(old_own.channel().recover(), Ok(1));
    assert_works(&old_own, &old_client);
    stop(new_server, &new_client);
    assert_clean(&old_own, 2);
    assert_clean(&new_own, 3);
}

fn assert_clean(server: &Server, slots: u32) {
    let stats = server.channel().stats();
    assert_eq!((stats.participants, stats.in_flight, stats.free), (2, 0, slots), "{stats:?}");
}
