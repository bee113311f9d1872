//! Descriptors, address space and pages that are not to be had: an error of its own each time, and nothing is lost.

use super::used::{Used, descriptors};
use super::{assert_works, in_child, path, small};
use crate::child::{self, Child};
use crate::forked::{Ended, Forked, Tie};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use shmrr::{Client, Error, Result, Server};
use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

fn set_limit(resource: Resource, current: Option<u64>) {
    setrlimit(resource, Rlimit { current, ..getrlimit(resource) }).unwrap();
}

/// The limit that leaves room for so many more descriptors: they get the lowest numbers that are free.
fn limit_for(room: usize) -> u64 {
    let next: Vec<_> = (0..=room).map(|_| rustix::io::dup(std::io::stdin()).unwrap()).collect();
    next[room].as_raw_fd() as u64
}

/// Does something with room for 0, 1, 2… more descriptors, until it works; returns how many it needed.
fn with_few<T>(what: &str, attempt: impl Fn() -> Result<T>) -> (T, usize) {
    let all = getrlimit(Resource::Nofile).current;
    let before = Used::now();
    for room in 0..8 {
        set_limit(Resource::Nofile, Some(limit_for(room)));
        let done = attempt();
        set_limit(Resource::Nofile, all);
        match done {
            Ok(done) => return (done, room),
            Err(error) => {
                assert!(matches!(error, Error::System { errno: libc::EMFILE, .. }), "{what}: {error:?}");
                assert!(error.to_string().starts_with(what), "{error}");
            }
        }
        before.assert_same(what);
    }
    panic!("{what} cannot be opened with eight descriptors");
}

fn assert_attached(server: &Server, participants: u32) {
    assert_eq!(server.channel().stats().participants, participants, "failures leave no participant");
}

/// `bad_system.rs` does so by paths.
#[test]
fn channels_without_a_path_are_refused_at_each_descriptor_that_is_missing() {
    in_child("few descriptors");
}

pub fn few_descriptors() {
    // Of what the library keeps for all handles of a process, its first one maps some.
    drop(small().anonymous().unwrap());
    let before = descriptors();
    let (memfd, needed) = with_few("memfd scarce: ", || small().memfd("scarce"));
    assert_eq!(needed, 2, "the file, and the lock or what a forked child will join with");
    let (anonymous, needed) = with_few("anonymous channel: ", || small().anonymous());
    assert_eq!(needed, 2);
    assert_attached(&memfd, 1);

    let fd = memfd.channel().fd().unwrap();
    let subject = format!("descriptor {}: ", fd.as_raw_fd());
    let (client, needed) = with_few(&subject, || small().client_from_fd(fd));
    assert_eq!(needed, 2);
    assert_attached(&memfd, 2);
    assert_works(&memfd, &client);
    let (server, needed) = with_few(&subject, || small().server_from_fd(fd));
    assert_eq!(needed, 2);
    assert_attached(&memfd, 3);
    let (beside, needed): (Client, _) = with_few("memfd scarce: ", || small().client_from_server(&memfd));
    assert_eq!(needed, 2);
    assert_attached(&memfd, 4);
    assert_eq!(memfd.channel().recover(), Ok(0));
    assert_works(&memfd, &beside);
    drop((memfd, anonymous, client, server, beside));
    assert_eq!(descriptors(), before);
}

/// It needs a lock of its own, and has what that takes from its parent.
#[test]
fn a_forked_childs_first_call_needs_no_descriptor() {
    in_child("forked with few");
}

pub fn forked_with_few_descriptors() {
    let server = small().server(path()).unwrap();
    let client = small().client(path()).unwrap();
    let child = Forked::run(Tie::Bound, || {
        set_limit(Resource::Nofile, Some(0));
        let id = client.send(b"from the child").unwrap();
        assert_eq!(client.get(id, &mut []), Err(Error::WouldBlock));
    });
    assert_eq!(child.end(), Ended::Exit(0));
    assert_eq!(server.channel().recover(), Ok(1));
    assert_works(&server, &client);
}

#[test]
fn a_channel_that_no_address_space_is_left_for_is_refused_and_leaves_nothing() {
    in_child("address space");
}

pub fn address_space() {
    let large = small().request_max(1 << 26).sparse(true);
    let other = path().with_extension("other");
    let kept = large.server(path()).unwrap();
    let before = Used::now();
    let used = std::fs::read_to_string("/proc/self/statm").unwrap();
    let used: u64 = used.split(' ').next().unwrap().parse().unwrap();
    // Room for all else, but not for half a gibibyte.
    set_limit(Resource::As, Some(used * 4096 + (64 << 20)));
    for _ in 0..10 {
        let refused = [
            (large.client(path()).err(), path().display().to_string()),
            (large.server(&other).err(), other.display().to_string()),
            (large.memfd("large").err(), "memfd large".to_owned()),
            (large.client_from_server(&kept).err(), path().display().to_string()),
        ];
        for (error, subject) in refused {
            let error = error.expect("it is refused");
            assert_eq!(error.errno(), libc::ENOMEM, "{error}");
            assert!(error.to_string().starts_with(&format!("{subject}: cannot map ")), "{error}");
        }
    }
    assert!(!other.exists());
    before.assert_same("refused");
    assert_eq!(kept.channel().stats().participants, 1);
    set_limit(Resource::As, None);
    assert_works(&kept, &large.client(path()).unwrap());
}

/// The pages of a sparse channel are taken when they are first touched; those of any other are its own from the start.
#[test]
fn on_a_file_system_that_fills_up_only_a_sparse_channel_is_in_danger() {
    let directory = tempfile::tempdir().unwrap();
    Child::spawn("resources::full", &[("DIRECTORY", directory.path().as_os_str())]).succeed();
}

pub fn full() {
    let directory = PathBuf::from(child::setting("DIRECTORY"));
    if let Err(error) = mount_small(&directory) {
        return child::skip(&format!("no tmpfs of its own: {error}"));
    }
    let large = small().request_max(4096).response_max(4096);
    let (reserved, sparse) = (directory.join("reserved"), directory.join("sparse"));
    let reserved_server = large.server(&reserved).unwrap();
    let sparse_server = large.clone().sparse(true).server(&sparse).unwrap();
    let filler = directory.join("filler");
    let mut filling = File::create(&filler).unwrap();
    while filling.write_all(&[1; 4096]).is_ok() {}

    let client = large.client(&reserved).unwrap();
    let ids = [(); 4].map(|()| client.send(&[7; 4096]).unwrap());
    for id in ids {
        let mut buffer = [0; 4096];
        assert_eq!(reserved_server.recv(&mut buffer).unwrap().length, buffer.len());
        reserved_server.reply(id, &buffer).unwrap();
        assert_eq!(client.get(id, &mut buffer), Ok(buffer.len()));
    }
    // Even to look at a page for the first time takes it.
    let touches = Forked::run(Tie::Bound, || {
        let client = large.client_from_server(&sparse_server).unwrap();
        loop {
            client.send(&[7; 4096]).unwrap();
        }
    });
    assert_eq!(touches.end(), Ended::Signal(libc::SIGBUS), "options.sparse and the header say so");
    drop(filling);
    fs::remove_file(filler).unwrap();
    assert_eq!(sparse_server.channel().recover(), Ok(1));
    assert_eq!(sparse_server.channel().stats().free, 4);
}

/// A file system of 256 KiB, in mounts of this process's own.
fn mount_small(directory: &Path) -> io::Result<()> {
    // SAFETY: descriptors stay shared.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS) }?;
    let to = CString::new(directory.as_os_str().as_encoded_bytes())?;
    let (private, size) = (libc::MS_PRIVATE | libc::MS_REC, c"size=256k".as_ptr().cast());
    for (target, kind, flags, options) in
        [(c"/", c"none", private, std::ptr::null()), (to.as_c_str(), c"tmpfs", 0, size)]
    {
        let (target, kind) = (target.as_ptr(), kind.as_ptr());
        // SAFETY: strings that end in NUL, and no options or such a string.
        if unsafe { libc::mount(kind, target, kind, flags, options) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
