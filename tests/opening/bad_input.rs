//! Everything that may be at a channel's name, behind a descriptor or in the options, and is no channel or none that can
//! be had: each is refused with its own error, and a message that says what was wrong with what.
//!
//! Headers have `bad_header.rs` to themselves, and what the system refuses `bad_system.rs`.

use crate::child::{self, Child};
use shmrr::{Client, Error, Options, Result, Server};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn small() -> Options {
    Options::new().slots(1).participants(4).request_max(64).response_max(64)
}

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("channel");
    (directory, path)
}

fn error<T: std::fmt::Debug>(result: Result<T>) -> Error {
    result.expect_err("it is refused")
}

/// What opening a path says, which must be the same for a server as for a client.
fn refusal(path: &Path) -> Error {
    let found = error(small().server(path));
    assert_eq!(error(small().client(path)), found);
    assert!(found.to_string().starts_with(&format!("{}: ", path.display())), "{found}");
    found
}

fn mismatch(subject: impl std::fmt::Display, field: &str, found: &str, expected: &str) -> Error {
    Error::Protocol(format!("{subject}: {field}: found {found}, expected {expected}").into())
}

/// What was tried, and what the system says of it.
fn system(what: String, errno: i32) -> Error {
    let said = std::io::Error::from_raw_os_error(errno).to_string();
    let words = said.split(" (os error").next().unwrap();
    Error::System { what: format!("{what}: {words}").into(), errno }
}

#[test]
#[ignore = "run by other tests as their child process"]
fn child() {
    child::play(|role| match role {
        "open FIFO" => open_fifo(Path::new(&child::setting("FIFO"))),
        _ => panic!("no role {role}"),
    });
}

#[test]
fn a_client_of_a_missing_file_is_told_so() {
    let (_directory, path) = place();
    let expected = system(format!("{}: cannot open", path.display()), libc::ENOENT);
    assert_eq!(error(small().client(&path)), expected);
    assert!(expected.to_string().contains("No such file"), "{expected}");
    assert!(!path.exists());
}

#[test]
fn a_name_in_a_missing_directory_or_through_a_file_is_refused() {
    let (directory, path) = place();
    let missing = directory.path().join("missing/channel");
    assert_eq!(refusal_of_server(&missing), libc::ENOENT);
    assert_eq!(error(small().client(&missing)).errno(), libc::ENOENT);

    fs::write(&path, "a file").unwrap();
    assert_eq!(refusal(&path.join("channel")).errno(), libc::ENOTDIR);
}

fn refusal_of_server(path: &Path) -> i32 {
    let error = error(small().server(path));
    assert!(error.to_string().starts_with(&format!("{}: ", path.display())), "{error}");
    error.errno()
}

#[test]
fn a_symbolic_link_is_not_followed() {
    let (directory, path) = place();
    let _server = small().server(&path).unwrap();
    let link = directory.path().join("link");
    for target in [path.as_path(), Path::new("nowhere"), Path::new("link")] {
        symlink(target, &link).unwrap();
        let what = format!("{}: file type: found a symbolic link, expected a regular file", link.display());
        assert_eq!(refusal(&link), system(what, libc::ELOOP));
        assert_eq!(error(small().exclusive(true).server(&link)).errno(), libc::EEXIST);
        fs::remove_file(&link).unwrap();
    }
    assert!(!directory.path().join("nowhere").exists());
}

#[test]
fn what_is_not_a_regular_file_is_called_what_it_is() {
    let (directory, path) = place();
    let not_regular = |path: &Path, found: &str| {
        assert_eq!(refusal(path), mismatch(path.display(), "file type", found, "a regular file"));
    };
    not_regular(directory.path(), "a directory");
    not_regular(Path::new("/"), "a directory");
    not_regular(Path::new("/dev/null"), "a character device");
    let _listener = UnixListener::bind(&path).unwrap();
    not_regular(&path, "a socket");
}

/// Opening a FIFO waits for its other end, unless one takes care.
#[test]
fn a_fifo_is_refused_without_waiting() {
    let (_directory, path) = place();
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert!(Child::spawn("bad_input::open FIFO", &[("FIFO", path.as_os_str())]).succeed());
}

fn open_fifo(path: &Path) {
    assert_eq!(refusal(path), mismatch(path.display(), "file type", "a FIFO", "a regular file"));
}

#[test]
fn a_file_that_is_no_channel_is_refused_and_left_as_it_is() {
    let (_directory, path) = place();
    for content in [&b""[..], &[b'#'; 100], &[0; 255]] {
        fs::write(&path, content).unwrap();
        let found = content.len().to_string();
        assert_eq!(refusal(&path), mismatch(path.display(), "file size in bytes", &found, "at least 256"));
        assert_eq!(fs::read(&path).unwrap(), content);
    }
    fs::write(&path, b"#!/bin/sh\n".repeat(100)).unwrap();
    assert_eq!(refusal(&path), mismatch(path.display(), "magic", r"#!/bin/s", r"SHMRR\x7f\r\n"));
    assert_eq!(fs::read(&path).unwrap(), b"#!/bin/sh\n".repeat(100));
}

#[test]
fn a_name_that_names_nothing_is_refused() {
    for name in ["", ".", "..", "a\0b", "/tmp/a\0b"] {
        let (server, client) = (error(small().server(name)), error(small().client(name)));
        assert!(matches!(server, Error::Invalid(_)), "{name:?}: {server}");
        assert!(server.to_string().starts_with("path: found "), "{server}");
        assert_eq!((client, server.errno()), (server, libc::EINVAL));
        assert_eq!(error(shmrr::unlink(name)).errno(), libc::EINVAL);
    }
    let long = "n".repeat(256);
    assert_eq!(error(small().server(&long)).errno(), libc::ENAMETOOLONG);
}

#[test]
fn options_out_of_range_are_named_with_their_range() {
    let (_directory, path) = place();
    let existing = place();
    let _server = small().server(&existing.1).unwrap();
    let bytes = "0 to 1073741824";
    let cases = [
        (small().slots(65_473), "slots: found 65473, expected 1 to 65472"),
        (small().slots(u32::MAX), "slots: found 4294967295, expected 1 to 65472"),
        (small().participants(4096), "participants: found 4096, expected 1 to 4095"),
        (small().request_max((1 << 30) + 1), &format!("request_max: found 1073741825, expected {bytes}")),
        (
            small().request_max(u64::MAX - 1),
            &format!("request_max: found {}, expected {bytes}", u64::MAX - 1),
        ),
        (small().response_max((1 << 30) + 1), &format!("response_max: found 1073741825, expected {bytes}")),
        (
            small().response_max(u64::MAX - 1),
            &format!("response_max: found {}, expected {bytes}", u64::MAX - 1),
        ),
        (small().mode(0o1777), "mode: found 0o1777, expected 0 to 0o777"),
        (small().mode(u32::MAX), "mode: found 0o37777777777, expected 0 to 0o777"),
        (small().mode(0o644), "mode: found 0o644, expected one that lets nobody read who may not write"),
        (small().mode(0o640), "mode: found 0o640, expected one that lets nobody read who may not write"),
        (small().mode(0o466), "mode: found 0o466, expected one that lets nobody read who may not write"),
    ];
    for (options, message) in cases {
        let expected = Error::Invalid(message.into());
        assert_eq!(expected.errno(), libc::EINVAL);
        assert_eq!(error(options.server(&path)), expected);
        assert_eq!(error(options.anonymous()), expected);
        assert_eq!(error(options.memfd("channel")), expected);
        assert!(!path.exists());
        assert_eq!(options.server(&existing.1).err(), Some(expected), "a bad argument is one everywhere");
    }
}

#[test]
fn zero_means_the_default() {
    let (_directory, path) = place();
    let options = Options::new().slots(0).participants(0).request_max(0).response_max(0).mode(0);
    let server = options.server(&path).unwrap();
    let channel = server.channel();
    assert_eq!((channel.slots(), channel.request_max(), channel.response_max()), (64, 4096, 4096));
}

/// The largest geometry takes 128 TiB: within the format, beyond what a file system holds or a process can map.
#[test]
fn a_channel_too_large_for_the_machine_is_refused_and_leaves_nothing() {
    let largest = Options::new().slots(65_472).participants(4095).request_max(1 << 30).response_max(1 << 30);
    for directory in [tempfile::tempdir().unwrap(), tempfile::tempdir_in("/dev/shm").unwrap()] {
        let path = directory.path().join("channel");
        for options in [largest.clone(), largest.clone().sparse(true)] {
            let error = error(options.server(&path));
            assert!(matches!(error.errno(), libc::ENOMEM | libc::ENOSPC | libc::EFBIG), "{error}");
            let message = error.to_string();
            assert!(message.starts_with(&format!("{}: cannot ", path.display())), "{message}");
            assert!(message.contains(" 140737506714496 bytes"), "{message}");
            assert_eq!(
                fs::read_dir(directory.path()).unwrap().count(),
                0,
                "{message}, and yet there is a file"
            );
        }
    }
    let error = error(largest.anonymous());
    assert!(matches!(error.errno(), libc::ENOMEM | libc::ENOSPC | libc::EFBIG), "{error}");
}

#[test]
fn an_exclusive_server_takes_no_name_that_is_taken() {
    let (_directory, path) = place();
    let expected = system(format!("{}: cannot create", path.display()), libc::EEXIST);
    fs::write(&path, "a file").unwrap();
    assert_eq!(error(small().exclusive(true).server(&path)), expected);
    assert_eq!(fs::read(&path).unwrap(), b"a file");
    fs::remove_file(&path).unwrap();

    let first = small().exclusive(true).server(&path).unwrap();
    assert_eq!(error(small().exclusive(true).server(&path)), expected);
    drop(first);
    assert_eq!(error(small().exclusive(true).server(&path)), expected);
    shmrr::unlink(&path).unwrap();
    assert!(small().exclusive(true).server(&path).is_ok());
}

/// The two ways to attach to a descriptor.
fn from_fd(fd: BorrowedFd<'_>) -> [Option<Error>; 2] {
    [small().server_from_fd(fd).err(), small().client_from_fd(fd).err()]
}

fn pipe() -> [OwnedFd; 2] {
    let mut ends = [-1; 2];
    // SAFETY: there is room for two descriptors.
    assert_eq!(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) }, 0);
    // SAFETY: just made, and nobody else's.
    ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) })
}

#[test]
fn a_descriptor_of_something_else_is_refused() {
    let [reader, writer] = pipe();
    let null = File::open("/dev/null").unwrap();
    let fds = [(reader.as_fd(), "a FIFO"), (writer.as_fd(), "a FIFO"), (null.as_fd(), "a character device")];
    for (fd, found) in fds {
        for error in from_fd(fd) {
            let error = error.unwrap();
            let what = format!(": file type: found {found}, expected a regular file");
            assert!(error.to_string().ends_with(&what), "{error}");
            assert_eq!(error.errno(), libc::EPROTO);
        }
    }
}

#[test]
fn a_message_names_the_descriptor_that_was_passed() {
    let null = File::open("/dev/null").unwrap();
    for error in from_fd(null.as_fd()) {
        let message = error.unwrap().to_string();
        assert!(message.starts_with(&format!("descriptor {}: ", null.as_raw_fd())), "{message}");
    }
}

#[test]
fn a_descriptor_that_cannot_write_is_refused() {
    let (_directory, path) = place();
    let _server = small().server(&path).unwrap();
    for error in from_fd(File::open(&path).unwrap().as_fd()) {
        let error = error.unwrap();
        assert_eq!(error.errno(), libc::EACCES, "{error}");
        assert!(error.to_string().starts_with("descriptor "), "{error}");
    }
    for error in from_fd(File::options().write(true).open(&path).unwrap().as_fd()) {
        assert_eq!(error.unwrap().errno(), libc::EBADF);
    }
    let both = File::options().read(true).write(true).open(&path).unwrap();
    assert_eq!(from_fd(both.as_fd()), [None, None]);
}

#[test]
fn a_closed_descriptor_is_refused() {
    // SAFETY: not an open descriptor of anybody's: the limit of this process is lower.
    let closed = unsafe { BorrowedFd::borrow_raw(i32::MAX) };
    for error in from_fd(closed) {
        let what = format!("descriptor {}: cannot duplicate", i32::MAX);
        assert_eq!(error, Some(system(what, libc::EBADF)));
    }
}

#[test]
fn a_channel_takes_no_more_participants_than_it_was_made_for() {
    let (_directory, path) = place();
    let server: Server = small().participants(2).server(&path).unwrap();
    let client: Client = small().client(&path).unwrap();
    let crowded = Error::Crowded { channel: path.display().to_string().into(), limit: 2 };
    assert_eq!(crowded.errno(), libc::EUSERS);
    let message =
        format!("{}: participants: found 2 attached and alive, expected fewer than 2", path.display());
    assert_eq!(crowded.to_string(), message);

    for _ in 0..3 {
        assert_eq!(error(small().client(&path)), crowded);
        assert_eq!(error(small().server(&path)), crowded);
        assert_eq!(error(small().client_from_server(&server)), crowded);
    }
    assert_eq!(server.channel().stats().participants, 2);

    drop(client);
    let next = small().client_from_server(&server).expect("the place is free again");
    let id = next.send(b"ping").unwrap();
    assert_eq!(server.recv(&mut [0; 64]).unwrap().id, id);
    assert_eq!(error(small().client(&path)), crowded);
}

#[test]
fn a_name_that_cannot_be_removed_is_named() {
    let (directory, path) = place();
    let cannot = |path: &Path, errno| system(format!("{}: cannot remove the name", path.display()), errno);
    assert_eq!(error(shmrr::unlink(&path)), cannot(&path, libc::ENOENT));
    assert_eq!(error(shmrr::unlink(directory.path())), cannot(directory.path(), libc::EISDIR));

    let server = small().server(&path).unwrap();
    assert_eq!(server.channel().unlink(), Ok(()));
    assert_eq!(error(server.channel().unlink()), cannot(&path, libc::ENOENT));

    let nameless = small().anonymous().unwrap();
    let error = error(nameless.channel().unlink());
    assert!(matches!(&error, Error::Invalid(what) if what.ends_with("has no name to remove")), "{error}");
}

#[test]
fn a_bare_name_is_one_in_dev_shm() {
    let name = format!("shmrr-test-bad-input-{}", std::process::id());
    let path = Path::new("/dev/shm").join(OsStr::new(&name));
    let expected = system(format!("{}: cannot open", path.display()), libc::ENOENT);
    assert_eq!(error(small().client(&name)), expected);
}
