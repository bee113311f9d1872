//! Creating: racing processes end on one channel, which is as its creator asked for, complete, and alone in its
//! directory.

use crate::child::{self, Child};
use rustix::fs::{SealFlags, fcntl_get_seals, ftruncate};
use shmrr::{Error, Options, Server, Timeout};
use std::ffi::OsStr;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

const RACERS: u32 = 32;
const SOON: Duration = Duration::from_secs(60);

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("channel");
    (directory, path)
}

fn names_in(directory: &TempDir) -> Vec<String> {
    fs::read_dir(directory.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
#[ignore = "run by other tests as their child process"]
fn child() {
    child::play(|role| {
        let path = PathBuf::from(child::setting("CHANNEL"));
        match role {
            "racer" => race(&path),
            "umask" => apply_modes(&path),
            _ => panic!("no role {role}"),
        }
    });
}

/// Starts the racers, lets them go at once and returns what each found.
fn start_race(path: &Path, exclusive: &str) -> (Vec<Child>, Vec<String>) {
    let mut racers: Vec<Child> = (1..=RACERS)
        .map(|number| {
            let slots = number.to_string();
            let settings =
                [("CHANNEL", path.as_os_str()), ("SLOTS", slots.as_ref()), ("EXCLUSIVE", exclusive.as_ref())];
            Child::spawn("creating::racer", &settings)
        })
        .collect();
    for racer in &mut racers {
        assert_eq!(racer.hear(), "ready");
    }
    for racer in &mut racers {
        racer.tell("go");
    }
    let found = racers.iter_mut().map(Child::hear).collect();
    (racers, found)
}

/// Asks for as many slots as no other racer does.
fn race(path: &Path) {
    let slots = child::setting("SLOTS").to_str().unwrap().parse().unwrap();
    let exclusive = child::setting("EXCLUSIVE") == OsStr::new("yes");
    let options = Options::new().slots(slots).exclusive(exclusive);
    child::say("ready");
    assert_eq!(child::listen().as_deref(), Some("go"));
    let server = match options.server(path) {
        Ok(server) => server,
        Err(Error::System { errno: libc::EEXIST, .. }) => return child::say("exists"),
        Err(error) => panic!("{error}"),
    };
    let channel = server.channel();
    let inode = rustix::fs::fstat(channel.fd().unwrap()).unwrap().st_ino;
    child::say(&format!("inode {inode}, {} slots", channel.slots()));
    match child::listen().as_deref() {
        Some("serve") => {
            for _ in 1..RACERS {
                let mut buffer = [0; 16];
                let request = server.recv_wait(&mut buffer, SOON).unwrap();
                server.reply(request.id, &[b"re: ", &buffer[..request.length]].concat()).unwrap();
            }
        }
        Some("call") => {
            let client = options.client_from_server(&server).unwrap();
            let question = format!("{}", std::process::id());
            let mut answer = [0; 32];
            let length = client.req(question.as_bytes(), &mut answer, SOON).unwrap();
            assert_eq!(answer[..length], *format!("re: {question}").as_bytes());
        }
        told => panic!("told {told:?}"),
    }
}

#[test]
fn racing_creators_end_on_one_channel() {
    let (directory, path) = place();
    let (mut racers, found) = start_race(&path, "no");
    let inode = fs::metadata(&path).unwrap().ino();
    let slots = Options::new().client(&path).unwrap().channel().slots();
    assert!((1..=RACERS).contains(&slots), "one of the racers made it");
    assert_eq!(found, vec![format!("inode {inode}, {slots} slots"); RACERS as usize]);
    assert_eq!(names_in(&directory), ["channel"]);

    let mut server = racers.pop().unwrap();
    server.tell("serve");
    for racer in &mut racers {
        racer.tell("call");
    }
    for racer in racers.into_iter().chain([server]) {
        assert!(racer.succeed());
    }
    assert_eq!(names_in(&directory), ["channel"]);
}

#[test]
fn exactly_one_of_racing_creators_makes_the_channel() {
    let (directory, path) = place();
    let (racers, found) = start_race(&path, "yes");
    let made: Vec<_> = found.iter().filter(|found| *found != "exists").collect();
    assert_eq!(made.len(), 1, "{found:?}");
    let inode = fs::metadata(&path).unwrap().ino();
    assert!(made[0].starts_with(&format!("inode {inode}, ")), "{made:?}");
    assert_eq!(names_in(&directory), ["channel"]);
    drop(racers);
}

#[test]
fn a_channel_that_exists_keeps_its_shape_and_its_requests() {
    let (directory, path) = place();
    let made = Options::new().slots(5).request_max(100).response_max(300).mode(0o660);
    let first = made.server(&path).unwrap();
    let client = Options::new().client(&path).unwrap();
    let ids = [b"one", b"two", b"six"].map(|request| client.send(request).unwrap());
    let before = fs::metadata(&path).unwrap();
    drop(first);

    let other = Options::new().slots(64).participants(9).request_max(9999).response_max(1).mode(0o666);
    let again = other.server(&path).unwrap();
    let channel = again.channel();
    assert_eq!((channel.slots(), channel.request_max(), channel.response_max()), (5, 100, 300));
    assert_eq!(channel.queued(), 3);
    let after = fs::metadata(&path).unwrap();
    let identity = |meta: &fs::Metadata| (meta.ino(), meta.len(), meta.mode());
    assert_eq!(identity(&after), identity(&before));

    let mut buffer = [0; 300];
    for (id, text) in ids.into_iter().zip([b"one", b"two", b"six"]) {
        let request = again.recv(&mut buffer).unwrap();
        assert_eq!((request.id, &buffer[..request.length]), (id, &text[..]));
        again.reply(id, &[0; 300]).unwrap();
        assert_eq!(client.get(id, &mut buffer), Ok(300));
    }
    assert_eq!(names_in(&directory), ["channel"]);
}

#[test]
fn the_mode_is_the_one_asked_for_whatever_the_umask() {
    let (_directory, path) = place();
    assert!(Child::spawn("creating::umask", &[("CHANNEL", path.as_os_str())]).succeed());
}

fn apply_modes(path: &Path) {
    for umask in [0, 0o022, 0o077, 0o777] {
        // SAFETY: has no preconditions, and this process is the test's own.
        unsafe { libc::umask(umask) };
        for (asked, expected) in [(0, 0o600), (0o600, 0o600), (0o660, 0o660), (0o666, 0o666), (0o777, 0o777)]
        {
            let server = Options::new().mode(asked).server(path).unwrap();
            assert_eq!(mode(&server), expected, "{asked:o} under umask {umask:o}");
            server.channel().unlink().unwrap();
        }
        for (asked, expected) in [(0, 0o600), (0o660, 0o660), (0o666, 0o666)] {
            let server = Options::new().mode(asked).anonymous().unwrap();
            assert_eq!(mode(&server), expected, "memfd of {asked:o} under umask {umask:o}");
        }
    }
}

fn mode(server: &Server) -> u32 {
    rustix::fs::fstat(server.channel().fd().unwrap()).unwrap().st_mode & 0o7777
}

/// Linux refuses the bits that say executable on a memfd that is sealed against execution.
#[test]
fn a_channel_without_a_name_takes_every_mode_that_one_with_a_name_takes() {
    for asked in [0o700, 0o733, 0o777] {
        let server = Options::new().mode(asked).anonymous();
        assert!(server.is_ok(), "mode {asked:o}: {}", server.unwrap_err());
    }
}

#[test]
fn channels_without_a_name_are_sealed_at_their_size() {
    for server in [Options::new().anonymous().unwrap(), Options::new().memfd("sealed").unwrap()] {
        let fd = server.channel().fd().unwrap();
        let seals = fcntl_get_seals(fd).unwrap();
        let expected = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        assert!(seals.contains(expected), "{seals:?}");
        assert!(!seals.intersects(SealFlags::WRITE | SealFlags::FUTURE_WRITE), "{seals:?}");

        let size = rustix::fs::fstat(fd).unwrap().st_size as u64;
        assert_eq!(size, 711_808);
        for other in [0, size - 1, size + 1, size + 4096] {
            assert_eq!(ftruncate(fd, other), Err(rustix::io::Errno::PERM));
        }
        let client = Options::new().client_from_fd(fd).unwrap();
        let id = client.send(b"still works").unwrap();
        assert_eq!(server.recv(&mut [0; 64]).unwrap().id, id);
    }
}

#[test]
fn a_memfd_carries_the_name_that_it_was_given() {
    let server = Options::new().memfd("calls").unwrap();
    let fd = server.channel().fd().unwrap();
    let link = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&fd));
    assert!(fs::read_link(link).unwrap().to_string_lossy().starts_with("/memfd:calls"));
}

#[test]
fn pages_are_reserved_unless_the_channel_is_sparse() {
    let bytes = |fd: std::os::fd::BorrowedFd<'_>| {
        let stat = rustix::fs::fstat(fd).unwrap();
        (stat.st_blocks as u64 * 512, stat.st_size as u64)
    };
    let large = Options::new().slots(4).request_max(1 << 20);
    let in_shared_memory = tempfile::tempdir_in("/dev/shm").unwrap();
    let on_disk = tempfile::tempdir().unwrap();
    for sparse in [false, true] {
        let options = large.clone().sparse(sparse);
        let servers = [
            options.server(in_shared_memory.path().join(format!("sparse {sparse}"))).unwrap(),
            options.server(on_disk.path().join(format!("sparse {sparse}"))).unwrap(),
            options.anonymous().unwrap(),
            options.memfd("reserved").unwrap(),
        ];
        for server in servers {
            let (reserved, size) = bytes(server.channel().fd().unwrap().as_fd());
            assert!(size > 8 << 20);
            assert_eq!(reserved < size, sparse, "{reserved} of {size}, sparse: {sparse}");
        }
    }
}

#[test]
fn a_bare_name_makes_a_file_in_dev_shm() {
    struct Name(String);
    impl Drop for Name {
        fn drop(&mut self) {
            let _ = shmrr::unlink(&self.0);
        }
    }
    let name = Name(format!("shmrr-test-creating-{}", std::process::id()));
    let path = Path::new("/dev/shm").join(&name.0);
    let server = Options::new().exclusive(true).server(&name.0).unwrap();
    assert_eq!(server.channel().path(), Some(path.as_path()));
    assert!(path.is_file());
    let client = Options::new().client(&path).unwrap();
    let id = client.send(b"").unwrap();
    assert_eq!(server.recv_wait(&mut [], Timeout::NOW).unwrap().id, id);
    server.channel().unlink().unwrap();
    assert!(!path.exists());
}

/// The sizes that docs/OPERATION.md gives as examples; nothing is reserved for them.
#[test]
fn a_channel_takes_as_much_as_the_document_says() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/OPERATION.md");
    let text = fs::read_to_string(document).unwrap();
    let (_, table) = text.split_once("| bytes |\n|---|---|---|---|---|\n").unwrap();
    let directory = TempDir::new().unwrap();
    let rows = table.lines().map_while(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let mut count = 0;
    for row in rows {
        let numbers: Vec<u64> = row.split(" | ").map(|number| number.parse().unwrap()).collect();
        let [slots, participants, request_max, response_max, bytes] = numbers[..] else { panic!("{row}") };
        let options = Options::new().sparse(true).slots(slots as u32).participants(participants as u32);
        let path = directory.path().join(format!("sized-{count}"));
        drop(options.request_max(request_max).response_max(response_max).server(&path).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().len(), bytes, "{row}");
        count += 1;
    }
    assert_eq!(count, 6);
}
