//! Handles for tasks of a runtime, tokio's: what would block waits for the handle's descriptor instead.
//!
//! | file | what |
//! |---|---|
//! | [`client`] | requests whose replies are awaited |
//! | [`server`] | requests that are awaited |

pub(crate) mod client;
pub(crate) mod server;

use std::os::fd::{AsRawFd, RawFd};

/// The descriptor of a handle that is kept next to this, and closes it.
#[derive(Debug)]
struct Readable(RawFd);

impl AsRawFd for Readable {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}
