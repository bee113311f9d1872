//! What an operator does to a channel, by its Rust names: clear, recover, sync, and who is attached.

use crate::channel::Name;
use crate::child::{self, Child};
use shmrr::{Channel, Client, Error, Kind, Options, ParticipantInfo, Role, Server, Timeout};
use std::fs;
use std::os::unix::fs::FileExt;
use std::time::Duration;

/// The first bytes of every channel's file.
const MAGIC: &[u8] = b"SHMRR\x7f\r\n";

fn pair(slots: u32) -> (Server, Client) {
    let server = Options::new().slots(slots).anonymous().unwrap();
    let client = Options::new().client_from_server(&server).unwrap();
    (server, client)
}

fn round_trip(server: &Server, client: &Client) {
    let id = client.send(b"works?").unwrap();
    let mut buffer = [0; 8];
    let request = server.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..request.length], b"works?");
    server.reply(request.id, b"yes").unwrap();
    assert_eq!(client.get(id, &mut buffer), Ok(3));
}

/// Field 22 of `/proc/PID/stat`; the second field is in parentheses and may contain anything.
fn start_time(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, after_name) = stat.rsplit_once(')').unwrap();
    after_name.split_whitespace().nth(19).unwrap().parse().unwrap()
}

fn only(channel: &Channel, role: Role, pid: u32) -> ParticipantInfo {
    let all = channel.participants().unwrap();
    let mut found = all.iter().filter(|one| one.role == Some(role) && one.pid == pid);
    let one = *found.next().unwrap_or_else(|| panic!("no {role:?} of {pid}: {all:?}"));
    assert_eq!(found.next(), None);
    one
}

#[test]
fn clear_ends_queued_and_taken_requests_and_drops_queued_messages() {
    let (server, client) = pair(4);
    let taken = client.send(b"taken").unwrap();
    let queued = client.send(b"queued").unwrap();
    client.post(b"told", Timeout::NOW).unwrap();
    let request = server.recv(&mut [0; 8]).unwrap();
    assert_eq!(client.channel().clear(), Ok(3));
    assert_eq!(client.channel().clear(), Ok(0));
    assert_eq!(server.recv(&mut [0; 8]), Err(Error::WouldBlock));
    assert_eq!(server.reply(request.id, b"late"), Err(Error::Stale));
    for id in [taken, queued] {
        assert_eq!(client.get(id, &mut []), Err(Error::Stale));
    }
    let stats = server.channel().stats();
    assert_eq!((stats.cancels, stats.in_flight, stats.free), (3, 0, 4));
    round_trip(&server, &client);
}

#[test]
fn clear_leaves_replies_loans_and_what_servers_hold_of_messages() {
    let (server, client) = pair(3);
    let replied = client.send(b"1").unwrap();
    server.recv_view(Timeout::NOW).unwrap().reply(b"one").unwrap();
    client.post(b"2", Timeout::NOW).unwrap();
    let message = server.recv_view(Timeout::NOW).unwrap();
    let mut loan = client.loan(Timeout::NOW).unwrap();
    loan.buffer().write_at(0, b"works?").unwrap();

    assert_eq!(server.channel().clear(), Ok(0));
    let mut buffer = [0; 8];
    assert_eq!(client.get(replied, &mut buffer), Ok(3));
    assert_eq!(server.channel().stats().in_flight, 2);
    drop(message);
    assert_eq!(server.channel().stats().in_flight, 1);
    let id = loan.commit(6).unwrap();
    let request = server.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..request.length], b"works?");
    server.reply(request.id, b"").unwrap();
    assert_eq!(client.get(id, &mut buffer), Ok(0));
    round_trip(&server, &client);
}

#[test]
fn clear_ends_the_wait_of_another_process() {
    let name = Name::new("clear");
    let server = Options::new().slots(2).server(&name).unwrap();
    let waiting = Child::spawn("administration::waiting", &[("NAME", name.as_ref())]);
    let mut buffer = [0; 8];
    let request = server.recv_wait(&mut buffer, Duration::from_secs(60)).unwrap();
    assert_eq!(server.channel().clear(), Ok(1));
    assert_eq!(server.reply(request.id, b"late"), Err(Error::Stale));
    assert!(waiting.succeed());
}

fn waiting() {
    let client = Options::new().client(child::setting("NAME")).unwrap();
    assert_eq!(client.req(b"asked", &mut [0; 8], Timeout::FOREVER), Err(Error::Stale));
    assert_eq!(client.pending(), 0);
}

#[test]
fn participants_say_who_they_are_and_what_they_hold() {
    let (server, client) = pair(3);
    let own = std::process::id();
    let all = client.channel().participants().unwrap();
    assert_eq!(all, server.channel().participants().unwrap());
    assert_eq!(all.len(), 2);
    assert!(0 < all[0].number && all[0].number < all[1].number, "{all:?}");
    assert!(all.iter().all(|one| one.is_alive && one.held == 0 && one.start_time == start_time(own)));

    let loan = client.loan(Timeout::NOW).unwrap();
    client.send(b"").unwrap();
    client.send(b"").unwrap();
    let request = server.recv(&mut []).unwrap();
    let by = only(server.channel(), Role::Client, own);
    assert_eq!((by.number, by.held), (request.client, 3));
    assert_eq!(only(server.channel(), Role::Server, own).held, 1);
    drop(loan);
    assert_eq!(only(server.channel(), Role::Client, own).held, 2);
    drop(client);
    assert_eq!(server.channel().participants().unwrap().len(), 1);
    // What it took of a client that left is still its to end.
    assert_eq!(only(server.channel(), Role::Server, own).held, 1);
    assert_eq!(server.reply(request.id, b""), Err(Error::Stale));
    assert_eq!(only(server.channel(), Role::Server, own).held, 0);
}

#[test]
fn a_killed_process_is_listed_as_dead_until_recover() {
    let name = Name::new("dead");
    let server = Options::new().slots(2).server(&name).unwrap();
    let client = Options::new().client(&name).unwrap();
    let id = client.send(b"taken").unwrap();
    let mut doomed = Child::spawn("administration::taking", &[("NAME", name.as_ref())]);
    assert_eq!(doomed.hear(), "taken");
    let pid = doomed.pid();
    let alive = only(server.channel(), Role::Server, pid);
    assert!(alive.is_alive && alive.held == 1 && alive.start_time == start_time(pid), "{alive:?}");

    doomed.signal(libc::SIGKILL);
    drop(doomed);
    let dead = only(client.channel(), Role::Server, pid);
    assert!(!dead.is_alive);
    let same = |one: ParticipantInfo| (one.number, one.role, one.pid, one.start_time, one.held);
    assert_eq!(same(dead), same(alive));
    assert_eq!(client.channel().recover(), Ok(1));
    assert_eq!(client.channel().recover(), Ok(0));
    assert!(client.channel().participants().unwrap().iter().all(|one| one.pid != pid));
    assert_eq!(client.get(id, &mut []), Err(Error::OwnerDead));
    assert_eq!(client.channel().stats().recoveries, 1);
    round_trip(&server, &client);
}

fn taking() {
    let server = Options::new().server(child::setting("NAME")).unwrap();
    server.recv(&mut [0; 8]).unwrap();
    child::say("taken");
    child::listen();
}

#[test]
fn sync_writes_a_channel_to_its_file_and_does_nothing_to_one_in_memory() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("channel");
    let server = Options::new().server(&path).unwrap();
    assert_eq!(server.channel().sync(), Ok(()));
    let mut first = [0; 8];
    fs::File::open(&path).unwrap().read_exact_at(&mut first, 0).unwrap();
    assert_eq!(first, MAGIC);

    let (server, client) = pair(1);
    assert_eq!(client.channel().sync(), Ok(()));
    round_trip(&server, &client);
    assert_eq!(Options::new().memfd("synced").unwrap().channel().sync(), Ok(()));
}

#[test]
fn a_stopped_handle_changes_nothing_and_still_tells() {
    let (server, client) = pair(1);
    let id = client.send(b"stays").unwrap();
    let stopped = Options::new().client_from_server(&server).unwrap();
    stopped.stop();
    assert_eq!(stopped.channel().clear(), Err(Error::Stopped));
    assert_eq!(stopped.channel().recover(), Err(Error::Stopped));
    assert_eq!(stopped.channel().participants().unwrap().len(), 3);
    assert_eq!(stopped.channel().stats().queued, 1);
    assert_eq!(client.cancel(id), Ok(()));
}

#[test]
fn a_channel_of_integers_is_administered_alike() {
    let server = Options::new().kind(Kind::Int).slots(2).anonymous().unwrap();
    let client = Options::new().kind(Kind::Int).client_from_server(&server).unwrap();
    let id = client.send_i64(7).unwrap();
    assert_eq!(only(server.channel(), Role::Client, std::process::id()).held, 1);
    assert_eq!(server.channel().clear(), Ok(1));
    assert_eq!(client.get_i64(id), Err(Error::Stale));
    assert_eq!(server.channel().stats().free, 2);
}

#[test]
#[ignore = "run by other tests as their child process"]
fn child() {
    child::play(|role| match role {
        "waiting" => waiting(),
        "taking" => taking(),
        _ => panic!("no role {role}"),
    });
}
