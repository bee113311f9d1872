//! What the operating system refuses comes back as its own error, names the channel, kills nobody and leaves nothing.
//!
//! Limits, users and mounts belong to a process, so each of these is set up in a child.

use crate::child::{self, Child};
use rustix::process::{Resource, Rlimit, getegid, geteuid, getrlimit, setrlimit};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use shmrr::{Client, Error, Options, Result, Server};
use std::ffi::CString;
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn small() -> Options {
    Options::new().slots(1).participants(4).request_max(64).response_max(64)
}

/// The error of an open that must fail, and whose message must begin with the channel's path.
fn refusal<T: std::fmt::Debug>(path: &Path, result: Result<T>) -> i32 {
    let error = result.expect_err("it is refused");
    assert!(matches!(error, Error::System { .. }), "{error:?}");
    assert!(error.to_string().starts_with(&format!("{}: ", path.display())), "{error}");
    error.errno()
}

fn assert_works(server: &Server, client: &Client) {
    let id = client.send(b"ping").unwrap();
    let request = server.recv_wait(&mut [0; 64], Duration::from_secs(60)).unwrap();
    server.reply(request.id, b"pong").unwrap();
    assert_eq!(client.get(id, &mut [0; 64]), Ok(4));
}

fn is_empty(directory: &Path) -> bool {
    fs::read_dir(directory).unwrap().next().is_none()
}

fn in_child(role: &str) {
    let directory = tempfile::tempdir().unwrap();
    // Another user must get in.
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    Child::spawn(&format!("bad_system::{role}"), &[("DIRECTORY", directory.path().as_os_str())]).succeed();
}

#[test]
#[ignore = "run by other tests as their child process"]
fn child() {
    child::play(|role| {
        let directory = PathBuf::from(child::setting("DIRECTORY"));
        match role {
            "full file system" => full_file_system(&directory),
            "read-only file system" => read_only_file_system(&directory),
            "no permission" => no_permission(&directory),
            "useless mode" => useless_mode(&directory),
            "file size limit" => file_size_limit(&directory),
            "descriptor limit" => descriptor_limit(&directory),
            "locked memory" => locked_memory(&directory),
            "huge pages" => huge_pages(&directory),
            "address space" => address_space(&directory),
            "long error replies" => long_error_replies(),
            _ => panic!("no role {role}"),
        }
    });
}

/// Mounts of this process's own, whoever runs it. Says so and returns false where that is not allowed.
fn enter_namespace() -> bool {
    let (user, group) = (geteuid(), getegid());
    let is_root = user.is_root();
    let spaces = if is_root { UnshareFlags::NEWNS } else { UnshareFlags::NEWNS | UnshareFlags::NEWUSER };
    // SAFETY: descriptors stay shared.
    let entered = unsafe { unshare_unsafe(spaces) }.map_err(io::Error::from).and_then(|()| {
        if !is_root {
            fs::write("/proc/self/setgroups", "deny")?;
            fs::write("/proc/self/uid_map", format!("0 {} 1", user.as_raw()))?;
            fs::write("/proc/self/gid_map", format!("0 {} 1", group.as_raw()))?;
        }
        mount(Path::new("/"), "", libc::MS_PRIVATE | libc::MS_REC, "")
    });
    if let Err(error) = &entered {
        child::skip(&format!("no mount namespace of its own: {error}"));
    }
    entered.is_ok()
}

/// As mount(2), with `directory` for the source too.
fn mount(directory: &Path, kind: &str, flags: libc::c_ulong, options: &str) -> io::Result<()> {
    let [kind, options] = [kind, options].map(|text| CString::new(text).unwrap());
    let directory = CString::new(directory.as_os_str().as_encoded_bytes()).unwrap();
    let (place, options) = (directory.as_ptr(), options.as_ptr().cast());
    // SAFETY: four strings that end in NUL.
    let result = unsafe { libc::mount(place, place, kind.as_ptr(), flags, options) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[test]
fn a_full_file_system_is_an_error_at_creation_and_never_a_signal() {
    in_child("full file system");
}

fn full_file_system(directory: &Path) {
    if !enter_namespace() {
        return;
    }
    if let Err(error) = mount(directory, "tmpfs", 0, "size=256k,mode=0755") {
        return child::skip(&format!("no tmpfs of its own: {error}"));
    }
    let free = || rustix::fs::statvfs(directory).unwrap().f_bfree;
    let path = directory.join("channel");
    let all = free();
    assert!((64..=128).contains(&all), "{all} free pages in 256 KiB");

    // 711,808 bytes, of which the first few would fit.
    for options in [Options::new(), Options::new().exclusive(true)] {
        assert_eq!(refusal(&path, options.server(&path)), libc::ENOSPC);
        assert!(is_empty(directory));
        assert_eq!(free(), all, "all pages are given back");
    }

    let large = Options::new().slots(4).participants(8).request_max(1 << 20);
    assert_eq!(refusal(&path, large.server(&path)), libc::ENOSPC);
    let sparse = large.sparse(true).server(&path).unwrap();
    assert_works(&sparse, &small().client(&path).unwrap());
    drop(sparse);
    shmrr::unlink(&path).unwrap();
    assert_eq!(free(), all);

    let filler = directory.join("filler");
    let mut file = File::create(&filler).unwrap();
    let full = loop {
        if let Err(error) = file.write_all(&[1; 4096]) {
            break error;
        }
    };
    assert_eq!(full.raw_os_error(), Some(libc::ENOSPC));
    for options in [small(), small().sparse(true)] {
        assert_eq!(refusal(&path, options.server(&path)), libc::ENOSPC);
        assert_eq!(fs::read_dir(directory).unwrap().count(), 1, "the filler is alone");
    }

    drop(file);
    fs::remove_file(filler).unwrap();
    let server = small().server(&path).unwrap();
    let mut file = File::create(directory.join("filler")).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
    assert_eq!(free(), 0);
    assert_works(&server, &small().client(&path).expect("its pages are its own"));
}

#[test]
fn a_read_only_file_system_is_told_as_such() {
    in_child("read-only file system");
}

fn read_only_file_system(directory: &Path) {
    let path = directory.join("channel");
    let server = small().server(&path).unwrap();
    if !enter_namespace() {
        return;
    }
    let remounted = mount(directory, "", libc::MS_BIND, "")
        .and_then(|()| mount(directory, "", libc::MS_BIND | libc::MS_REMOUNT | libc::MS_RDONLY, ""));
    if let Err(error) = remounted {
        return child::skip(&format!("no read-only mount of its own: {error}"));
    }
    assert_eq!(refusal(&path, small().client(&path)), libc::EROFS);
    assert_eq!(refusal(&path, small().server(&path)), libc::EROFS);
    let new = directory.join("new");
    assert_eq!(refusal(&new, small().server(&new)), libc::EROFS);
    assert_eq!(refusal(&path, shmrr::unlink(&path)), libc::EROFS);
    // It was attached before, by a path that could be written.
    assert_works(&server, &small().client_from_server(&server).unwrap());
}

#[test]
fn who_lacks_permission_is_told_so() {
    in_child("no permission");
}

fn no_permission(directory: &Path) {
    let open = directory.join("open");
    let closed = directory.join("closed");
    let read_only = directory.join("read-only");
    for (path, mode) in [(&open, 0o777), (&closed, 0o700)] {
        fs::create_dir(path).unwrap();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
    drop(small().server(&read_only).unwrap());
    fs::set_permissions(&read_only, Permissions::from_mode(0o444)).unwrap();
    let private = open.join("private");
    drop(small().mode(0o600).server(&private).unwrap());
    let shared = open.join("shared");
    drop(small().mode(0o666).server(&shared).unwrap());
    if geteuid().is_root() {
        become_nobody();
        assert_eq!(refusal(&private, small().client(&private)), libc::EACCES);
        assert_eq!(refusal(&private, small().server(&private)), libc::EACCES);
    } else {
        fs::set_permissions(&closed, Permissions::from_mode(0o000)).unwrap();
        fs::set_permissions(directory, Permissions::from_mode(0o555)).unwrap();
    }

    assert_eq!(refusal(&read_only, small().client(&read_only)), libc::EACCES);
    assert_eq!(refusal(&read_only, small().server(&read_only)), libc::EACCES);
    let hidden = closed.join("channel");
    assert_eq!(refusal(&hidden, small().client(&hidden)), libc::EACCES);
    assert_eq!(refusal(&hidden, small().server(&hidden)), libc::EACCES);
    let new = directory.join("new");
    assert_eq!(refusal(&new, small().server(&new)), libc::EACCES);
    assert_eq!(refusal(&read_only, shmrr::unlink(&read_only)), libc::EACCES);

    let own = open.join("own");
    for path in [&shared, &own] {
        let server = small().server(path).expect("what is permitted works");
        assert_works(&server, &small().client(path).unwrap());
    }
    drop(fs::set_permissions(directory, Permissions::from_mode(0o755)));
}

/// A mode without the owner's right to read or write shuts out even who makes the channel.
#[test]
fn a_mode_that_shuts_its_owner_out_is_refused_and_leaves_nothing() {
    in_child("useless mode");
}

fn useless_mode(directory: &Path) {
    let own = directory.join("own");
    fs::create_dir(&own).unwrap();
    fs::set_permissions(&own, Permissions::from_mode(0o777)).unwrap();
    if geteuid().is_root() {
        become_nobody();
    }
    for mode in [0o400, 0o200, 0o066] {
        let path = own.join("channel");
        let error = small().mode(mode).server(&path).expect_err("it is refused");
        assert!(matches!(error.errno(), libc::EACCES | libc::EINVAL), "{error}");
        assert!(is_empty(&own), "mode {mode:o}: {error}, and yet the file is there");
    }
}

fn become_nobody() {
    const NOBODY: u32 = 65534;
    // SAFETY: an empty list of groups.
    assert_eq!(unsafe { libc::setgroups(0, std::ptr::null()) }, 0, "{}", io::Error::last_os_error());
    // SAFETY: has no preconditions.
    assert_eq!(unsafe { libc::setresgid(NOBODY, NOBODY, NOBODY) }, 0, "{}", io::Error::last_os_error());
    // SAFETY: has no preconditions.
    assert_eq!(unsafe { libc::setresuid(NOBODY, NOBODY, NOBODY) }, 0, "{}", io::Error::last_os_error());
}

fn limit(resource: Resource, current: u64) {
    let limit = Rlimit { current: Some(current), ..getrlimit(resource) };
    setrlimit(resource, limit).unwrap();
}

#[test]
fn a_limit_on_file_sizes_is_an_error_and_never_a_signal() {
    in_child("file size limit");
}

fn file_size_limit(directory: &Path) {
    let path = directory.join("channel");
    let size = {
        drop(small().server(&path).unwrap());
        fs::metadata(&path).unwrap().len()
    };
    shmrr::unlink(&path).unwrap();

    for too_low in [0, 4096, size - 1] {
        limit(Resource::Fsize, too_low);
        for options in [small(), small().sparse(true)] {
            assert_eq!(refusal(&path, options.server(&path)), libc::EFBIG);
            assert_eq!(options.memfd("channel").unwrap_err().errno(), libc::EFBIG);
            assert_eq!(options.anonymous().unwrap_err().errno(), libc::EFBIG);
            assert!(is_empty(directory));
        }
    }
    limit(Resource::Fsize, size);
    let server = small().server(&path).unwrap();
    limit(Resource::Fsize, 0);
    assert_works(&server, &small().client(&path).expect("it has its size already"));
}

#[test]
fn a_process_out_of_descriptors_is_told_so_and_loses_none() {
    in_child("descriptor limit");
}

fn descriptor_limit(directory: &Path) {
    let existing = directory.join("existing");
    let server = small().server(&existing).unwrap();
    let before = open_descriptors();
    let kept = with_few_descriptors(&existing, || small().client(&existing));
    assert_works(&server, &kept);
    drop(kept);
    let kept = with_few_descriptors(&existing, || small().server(&existing));
    drop((kept, server));

    let new = directory.join("new");
    let kept = with_few_descriptors(&new, || small().server(&new));
    assert_works(&kept, &small().client(&new).unwrap());
    drop(kept);
    assert_eq!(open_descriptors(), before - 2, "all but those of the first server");
    assert_eq!(fs::read_dir(directory).unwrap().count(), 2);
}

/// Opens with room for 0, 1, 2… more descriptors, until it works.
fn with_few_descriptors<T: std::fmt::Debug>(path: &Path, open: impl Fn() -> Result<T>) -> T {
    let all = getrlimit(Resource::Nofile).current.unwrap();
    let before = open_descriptors();
    for room in 0..8 {
        // Descriptors are given out from the lowest on.
        let lowest = io::stdin().lock();
        let lowest = rustix::io::dup(&lowest).map(|fd| std::os::fd::AsRawFd::as_raw_fd(&fd)).unwrap();
        limit(Resource::Nofile, lowest as u64 + room);
        let opened = open();
        limit(Resource::Nofile, all);
        match opened {
            Ok(opened) => {
                assert!(room > 0);
                return opened;
            }
            Err(error) => assert_eq!(refusal::<()>(path, Err(error)), libc::EMFILE),
        }
        assert_eq!(open_descriptors(), before, "after a failure with room for {room}");
    }
    panic!("cannot be opened with eight descriptors");
}

/// mmap says EAGAIN then, which in a call of the library means that there is nothing to take.
#[test]
fn a_limit_on_locked_memory_is_want_of_memory() {
    in_child("locked memory");
}

fn locked_memory(directory: &Path) {
    let path = directory.join("channel");
    let large = small().request_max(8 << 20).mode(0o666);
    let server = large.server(&path).unwrap();
    limit(Resource::Memlock, 4 << 20);
    if geteuid().is_root() {
        become_nobody();
    }
    // SAFETY: only what is mapped from now on is locked.
    if unsafe { libc::mlockall(libc::MCL_FUTURE) } != 0 {
        return child::skip(&format!("memory can't be locked: {}", io::Error::last_os_error()));
    }
    assert_eq!(refusal(&path, large.client(&path)), libc::ENOMEM);
    assert_eq!(large.memfd("locked").unwrap_err().errno(), libc::ENOMEM);
    // SAFETY: has no preconditions.
    unsafe { libc::munlockall() };
    assert_works(&server, &large.client(&path).unwrap());
}

/// What such a file system says of a size that it does not have is EINVAL, which means a wrong argument otherwise.
#[test]
fn a_file_system_that_can_t_hold_a_channel_is_told_as_such() {
    in_child("huge pages");
}

fn huge_pages(directory: &Path) {
    if !enter_namespace() {
        return;
    }
    if let Err(error) = mount(directory, "hugetlbfs", 0, "") {
        return child::skip(&format!("no huge pages of its own: {error}"));
    }
    let path = directory.join("channel");
    for options in [small(), small().sparse(true)] {
        assert_eq!(refusal(&path, options.server(&path)), libc::EOPNOTSUPP);
        assert!(is_empty(directory));
    }
}

/// Bytes of address space that this process has.
fn address_space_used() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').next().unwrap().parse::<u64>().unwrap() * 4096
}

/// Forks a child that has so much address space left, does `part` there, and says how many children ended with its
/// results 0 and 1. Nothing else is an end.
fn ends_with_room(rooms: impl Iterator<Item = u64>, part: impl Fn() -> i32) -> [u32; 2] {
    let mut ends = [0; 2];
    for room in rooms {
        let used = address_space_used();
        // SAFETY: this process has no thread but this and the harness's, which waits.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let limit = libc::rlimit { rlim_cur: used + room, rlim_max: used + room };
            // SAFETY: a valid limit.
            unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) };
            let result = part();
            // SAFETY: has no preconditions.
            unsafe { libc::_exit(result) };
        }
        let mut status = 0;
        // SAFETY: the status is writable.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert!(libc::WIFEXITED(status), "with room for {room} bytes: status {status:#x}");
        ends[libc::WEXITSTATUS(status) as usize] += 1;
    }
    ends
}

#[test]
fn whatever_address_space_is_left_attaching_works_or_says_that_it_is_too_little() {
    in_child("address space");
}

fn address_space(directory: &Path) {
    let path = directory.join("channel");
    let large = Options::new().slots(65_472).participants(4095).request_max(8).response_max(8);
    let _server = large.server(&path).unwrap();
    let size = fs::metadata(&path).unwrap().len();
    let rooms = (0..300).map(|step| size.saturating_sub(2 << 20) + step * 0x4000);
    let attach = || match small().client(&path) {
        Ok(_) => 0,
        Err(error) if error.errno() == libc::ENOMEM => 1,
        Err(_) => 2,
    };
    let [works, too_little] = ends_with_room(rooms, attach);
    assert!(works > 0 && too_little > 0, "{works} {too_little}");
}

/// The text of an error reply is as long as its server likes, and a client needs room for a part of it only.
#[test]
fn an_error_reply_of_any_length_needs_little_memory() {
    in_child("long error replies");
}

fn long_error_replies() {
    let server = Options::new().slots(64).response_max(8 << 20).sparse(true).anonymous().unwrap();
    let client = small().client_from_server(&server).unwrap();
    let text = "e".repeat(8 << 20);
    let mut ids = Vec::new();
    for _ in 0..40 {
        ids.push(client.send(b"").unwrap());
        let request = server.recv(&mut []).unwrap();
        server.reply_error(request.id, 7, &text).unwrap();
    }
    drop(text);
    for (step, id) in (0_u64..).zip(ids) {
        let room = step << 16;
        let before = getrlimit(Resource::As);
        limit(Resource::As, address_space_used() + room);
        let result = client.get(id, &mut []);
        setrlimit(Resource::As, before).unwrap();
        assert!(
            matches!(result, Err(Error::Remote { code: 7, .. })),
            "with room for {room} bytes: {result:?}"
        );
    }
}

fn open_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}
