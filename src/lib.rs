//! Request/response between processes of one Linux machine, through one piece of shared memory.
//!
//! Any number of clients send requests, any number of servers take them and reply, and every reply goes back to the
//! caller that asked. There is no broker, and no thread of the library's own except for programs that wait with epoll. Any
//! process may be killed at any instruction: the others go on.
//!
//! ```
//! use shmrr::{Options, Timeout};
//!
//! let server = Options::new().anonymous()?;
//! let client = Options::new().client_from_server(&server)?;
//! std::thread::scope(|threads| {
//!     threads.spawn(|| {
//!         let mut buffer = [0; 4096];
//!         let request = server.recv_wait(&mut buffer, Timeout::FOREVER).unwrap();
//!         server.reply(request.id, buffer[..request.length].to_ascii_uppercase().as_slice()).unwrap();
//!     });
//!     let mut reply = [0; 4096];
//!     let length = client.req(b"hello", &mut reply, Timeout::FOREVER).unwrap();
//!     assert_eq!(&reply[..length], b"HELLO");
//! });
//! # Ok::<(), shmrr::Error>(())
//! ```
//!
//! # Layers
//!
//! Each module uses those below it, never those above.
//!
//! | module | what |
//! |---|---|
//! | `capi` | the C interface: checks arguments, turns results into codes |
//! | `asynchronous` | handles for tasks of a runtime |
//! | `open` | the ways to open a handle |
//! | `client`, `server` | calls, deadlines, copies |
//! | `channel` | create, attach, join; waiting and recovering for both kinds of handle; statistics |
//! | `recovery` | what survivors do with what the dead left |
//! | `wait` | deadlines, polling, signals, futexes, eventfds |
//! | `layout` | the format: geometry, header, lines |
//! | `protocol` | the words and their transitions; pure |
//! | `region` | files, memfds, descriptors, locks, mappings, forks |
//! | `memory` | allocation that can fail |
//! | `error` | every way to fail |
//! | `id` | what names a request |
//!
//! # Features
//!
//! `capi`, which is on by default: the C interface, `rr_*`. A Rust program that wants no C symbols in its library
//! leaves it out by `default-features = false`.
//!
//! `tokio`: `AsyncClient` and `AsyncServer`, handles for tasks of that runtime.

// What only the C interface calls stays in all builds.
#![cfg_attr(not(feature = "capi"), allow(dead_code))]

#[cfg(not(all(target_os = "linux", target_endian = "little", target_pointer_width = "64")))]
compile_error!("shmrr is for Linux on 64-bit little-endian machines");

#[cfg(feature = "tokio")]
mod asynchronous;
#[cfg(feature = "capi")]
mod capi;
mod channel;
mod client;
mod error;
mod id;
mod layout;
mod memory;
mod open;
mod protocol;
mod recovery;
mod region;
mod server;
mod wait;

#[cfg(feature = "tokio")]
pub use asynchronous::client::AsyncClient;
#[cfg(feature = "tokio")]
pub use asynchronous::server::AsyncServer;
pub use channel::Channel;
pub use channel::admin::ParticipantInfo;
pub use channel::flags::MessageFlags;
pub use channel::membership::Role;
pub use channel::message::{Buffer, Bytes, Message, TYPE_MIN};
pub use channel::options::{LENGTH_NONE, Options};
pub use channel::poll::{Armed, Tended};
pub use channel::stats::Stats;
pub use client::loan::RequestLoan;
pub use client::poll::ArmFor;
pub use client::view::ReplyView;
pub use client::{Client, Reply};
pub use error::{Error, Result, Text};
pub use id::RequestId;
pub use layout::geometry::Kind;
pub use region::name::unlink;
pub use server::loan::ReplyLoan;
pub use server::serve::{Failure, Response};
pub use server::view::RequestView;
pub use server::{Request, Server};
pub use wait::{Timeout, Wait};
