//! Peers in containers of their own, each with pid 1: they call each other as any others do, and their deaths are found
//! from whatever container.

use super::contained::{Contained, INSIDE, USER, skipped};
use super::peer::{HEARD, Peer, SOON, ask, options};
use crate::channel::Name;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

const PEERS: usize = 3;
/// The test's own handles, which are outside.
const OWN: u32 = 2;

#[test]
fn peers_in_pid_namespaces_of_their_own_call_and_bury_each_other() {
    let name = Name::new("pid-namespaces");
    let mut outside = Peer::open(name.as_ref(), &options());
    let peers = (0..PEERS).map(|_| Contained::spawn("contained", name.as_ref(), &[])).collect();
    live_and_die(name.as_ref(), &mut outside, peers);
}

#[test]
fn peers_in_user_and_mount_namespaces_of_their_own_call_and_bury_each_other() {
    let name = Name::new("user-namespaces");
    let mut outside = Peer::open(name.as_ref(), &options().mode(0o666));
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    let peers = (0..PEERS).map(|number| {
        let inside = directory.path().join(format!("channel-{number}"));
        File::create(&inside).unwrap();
        let user = (4001 + number).to_string();
        let settings = [(USER, OsStr::new(&user)), (INSIDE, inside.as_os_str())];
        Contained::spawn("contained", name.as_ref(), &settings)
    });
    let peers = peers.collect();
    live_and_die(name.as_ref(), &mut outside, peers);
}

fn live_and_die(file: &Path, outside: &mut Peer, peers: Option<Vec<Contained>>) {
    let Some(mut peers) = peers else { return };
    for peer in &mut peers {
        let said = peer.child.hear();
        if said != "ready as 1" {
            return skipped(&said);
        }
    }
    let [mut server, mut client, mut other] = <[Contained; PEERS]>::try_from(peers).ok().unwrap();
    assert_eq!(recorded_pids(file)[OWN as usize..], [1; 2 * PEERS]);

    round_trips(&mut client, &mut server);
    round_trips(&mut other, &mut client);
    server.child.tell("serve 200");
    assert_eq!(outside.obey("request 200"), "ok");
    assert_eq!(server.child.hear(), "ok");
    for peer in [&mut server, &mut client, &mut other] {
        assert_eq!(ask(&mut peer.child, "recover 50"), "0", "all are alive");
    }
    assert_eq!(outside.obey("recover 50"), "0", "all are alive");

    assert_eq!(ask(&mut client.child, "send held by the dead"), "ok");
    assert_eq!(ask(&mut server.child, "take"), "held by the dead");
    assert_eq!(outside.obey("send held, too"), "ok");
    assert_eq!(ask(&mut server.child, "take"), "held, too");
    assert_eq!(ask(&mut other.child, "send from the dead"), "ok");
    assert_eq!(ask(&mut other.child, "send from the dead"), "ok");
    assert_eq!(ask(&mut client.child, "take"), "from the dead");
    server.kill();
    assert_eq!(ask(&mut client.child, HEARD), "OwnerDead");
    assert_eq!(outside.obey(HEARD), "OwnerDead");
    other.kill();
    assert_eq!(
        ask(&mut client.child, "recover 1"),
        "3",
        "one of the first dead handles was found by who waited"
    );
    assert_eq!(ask(&mut client.child, "reply too late"), "Stale");
    outside.assert_clean(OWN + 2);

    client.child.tell("serve 200");
    assert_eq!(outside.obey("request 200"), "ok");
    assert_eq!(client.child.hear(), "ok");
    assert_eq!(ask(&mut client.child, "send last"), "ok");
    assert_eq!(outside.obey("take"), "last");
    assert_eq!(outside.obey("reply well"), "ok");
    assert_eq!(ask(&mut client.child, SOON), "well");
    client.kill();
    assert_eq!(outside.obey("recover 1"), "2");
    outside.assert_works();
    outside.assert_clean(OWN);
}

fn round_trips(from: &mut Contained, to: &mut Contained) {
    to.child.tell("serve 200");
    assert_eq!(ask(&mut from.child, "request 200"), "ok");
    assert_eq!(to.child.hear(), "ok");
}

/// Of the participants in the order of their numbers: see docs/FORMAT.md.
fn recorded_pids(file: &Path) -> Vec<u32> {
    let file = File::open(file).unwrap();
    let pid = |number: u64| {
        let mut bytes = [0; 4];
        file.read_exact_at(&mut bytes, 1024 + 128 * number + 8).unwrap();
        u32::from_ne_bytes(bytes)
    };
    (0..u64::from(OWN) + 2 * PEERS as u64).map(pid).collect()
}
