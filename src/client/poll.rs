//! Waiting for replies and for slots with epoll and its like.

use super::Client;
use crate::channel::poll::{Armed, What};
use crate::channel::sleep::{STARVES, finds_slot};
#[cfg(feature = "tokio")]
use crate::error::Error;
use crate::error::Result;
#[cfg(feature = "tokio")]
use crate::id::RequestId;
use crate::layout::lines::Doorbell;
use crate::protocol::doorbell;
#[cfg(feature = "tokio")]
use crate::protocol::{
    Memory,
    slot::{self, Progress},
};
use crate::wait::deadline;
use rustix::fd::BorrowedFd;
use std::ops::BitOr;
use std::sync::atomic::Ordering::Relaxed;

/// Arms that follow each other within that time belong to one wait for a slot.
const ONE_WAIT: i64 = 4 * STARVES;

/// What a client is to be woken for; both, by `|`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArmFor(u32);

impl ArmFor {
    /// The outcome of a request that was sent and is still to be collected.
    pub const REPLY: Self = Self(0x100);
    /// A free slot.
    pub const SLOT: Self = Self(0x200);

    fn has(self, one: Self) -> bool {
        self.0 & one.0 != 0
    }
}

impl BitOr for ArmFor {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Client {
    /// A descriptor that becomes readable when something comes after [`Client::arm`]: for programs that wait for
    /// several things at once, with poll(2), epoll(7) or the like. Servers need not know of it. It may become readable
    /// though nothing is there, and when the handle is stopped or interrupted.
    ///
    /// The first call makes it, and starts a thread that sleeps for the program; the first arming for a slot starts
    /// another. They end with the handle. In a forked child it is another descriptor, with threads of its own.
    ///
    /// # Errors
    /// [`crate::Error::System`] if no thread can be started (ENOMEM, EPERM) or no descriptor made;
    /// [`crate::Error::NoMemory`]; [`crate::Error::Stopped`].
    pub fn poll_fd(&self) -> Result<BorrowedFd<'_>> {
        self.channel.poll_fd()
    }

    /// Has the descriptor become readable when what is asked for comes, unless it is there already: an outcome of any
    /// request of this handle that is neither collected nor viewed, or a free slot. To be called each time before the
    /// program waits for the descriptor. What is sent while it is armed is watched as well. Requests of calls that wait
    /// for their own replies ([`Client::req`]) don't count.
    ///
    /// # Errors
    /// As [`Client::poll_fd`].
    pub fn arm(&self, what: ArmFor) -> Result<Armed> {
        let mut armed = Armed::Waiting;
        if what.has(ArmFor::REPLY) && self.channel.arm_for_replies()? == Armed::Ready {
            armed = Armed::Ready;
        }
        if what.has(ArmFor::SLOT) && self.arm_for_slot()? == Armed::Ready {
            armed = Armed::Ready;
        }
        Ok(armed)
    }

    fn arm_for_slot(&self) -> Result<Armed> {
        let channel = &self.channel;
        let now = deadline::now();
        if now - self.armed_at.swap(now, Relaxed) > ONE_WAIT {
            self.waits_since.store(now, Relaxed);
        }
        let is_starving = now - self.waits_since.load(Relaxed) > STARVES;
        channel.arm(What::Slots, is_starving, || {
            let gives_way = doorbell::is_starving(channel.mapping().doorbell(Doorbell::FreeSlot));
            (is_starving || !gives_way) && finds_slot(channel.mapping())
        })
    }
}

impl Client {
    /// The program has a slot: when it is armed for one again, another wait begins, and the time of this one says nothing
    /// of whether others are to give way.
    pub(super) fn wait_of_loop_is_over(&self) {
        self.armed_at.store(i64::MIN / 2, Relaxed);
    }
}

/// For [`crate::AsyncClient`].
#[cfg(feature = "tokio")]
impl Client {
    /// Slots that a request of this handle may have.
    pub(crate) fn total_slots(&self) -> u32 {
        self.channel.mapping().total_slots()
    }

    /// Whether a request has its outcome, or is none of this handle's any more.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] if it has none; [`Error::NoServer`] if the handle needs a server and none is there.
    pub(crate) fn has_outcome(&self, id: RequestId) -> Result<()> {
        self.channel.check_running()?;
        let id = self.channel.id(id)?;
        match slot::progress(self.channel.mapping(), id, self.channel.me()?) {
            Ok(Progress::Pending(_)) if self.channel.lacks_server(std::iter::once(id)) => {
                Err(Error::NoServer)
            }
            Ok(Progress::Pending(_)) => Err(Error::WouldBlock),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Error, Options};
    use std::thread;
    use std::time::Duration;

    #[test]
    fn a_slot_that_was_had_ends_the_wait_of_a_loop() {
        let server = Options::new().slots(1).anonymous().unwrap();
        let client = Options::new().client_from_server(&server).unwrap();
        let other = Options::new().client_from_server(&server).unwrap();
        let arm_when_full = || {
            let held = other.send(b"held").unwrap();
            assert_eq!(client.send(b""), Err(Error::NoSlots));
            assert_eq!(client.arm(ArmFor::SLOT), Ok(Armed::Waiting));
            held
        };
        let held = arm_when_full();
        thread::sleep(Duration::from_nanos(STARVES as u64 + 1_000_000));
        other.cancel(held).unwrap();
        client.cancel(client.send(b"").unwrap()).unwrap();
        arm_when_full();
        assert!(!doorbell::is_starving(client.channel.mapping().doorbell(Doorbell::FreeSlot)));
    }
}
