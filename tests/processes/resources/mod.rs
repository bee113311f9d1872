//! Channels come and go and leave nothing: descriptors, mappings, memory, places and slots are as before. And what
//! becomes of a channel whose file is removed, replaced or cut off, and of one for which the system has no room.
//!
//! Limits and `/proc` are a process's own, so all of it happens in children.
//!
//! | file | what |
//! |---|---|
//! | `cycles` | a thousand times the same |
//! | `files` | names and files that change under those who are attached |
//! | `limits` | descriptors, address space and pages that are not to be had; `tests/opening/bad_system.rs` has more |

mod cycles;
mod files;
mod limits;
mod used;

use crate::channel::Name;
use crate::child::{self, Child};
use shmrr::{Client, Options, Server};
use std::path::PathBuf;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

fn small() -> Options {
    Options::new().slots(4).participants(4).request_max(64).response_max(64)
}

fn in_child(role: &str) {
    let name = Name::new(&role.replace(' ', "-"));
    assert!(Child::spawn_for(120, &format!("resources::{role}"), &[("NAME", name.as_ref())]).succeed());
}

fn path() -> PathBuf {
    child::setting("NAME").into()
}

fn assert_works(server: &Server, client: &Client) {
    let id = client.send(b"ping").unwrap();
    let request = server.recv_wait(&mut [0; 64], LONG).unwrap();
    assert_eq!(request.id, id);
    server.reply(id, b"pong").unwrap();
    assert_eq!(client.get(id, &mut [0; 64]), Ok(4));
}

#[test]
#[ignore = "run by other tests as their child process"]
fn child() {
    child::play(|role| match role {
        "open and close" => cycles::open_and_close(),
        "open use and close" => cycles::open_use_and_close(),
        "echo" => files::echo(),
        "removed" => files::removed(),
        "cut off" => files::cut_off(),
        "sealed" => files::sealed(),
        "replaced" => files::replaced(),
        "few descriptors" => limits::few_descriptors(),
        "forked with few" => limits::forked_with_few_descriptors(),
        "full" => limits::full(),
        "address space" => limits::address_space(),
        _ => panic!("no role {role}"),
    });
}
