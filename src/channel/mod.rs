//! A channel as one handle sees it: the mapping, this handle's place among the participants, and what both kinds of
//! handle do alike.
//!
//! | file | what |
//! |---|---|
//! | [`options`] | what a caller may choose |
//! | [`attach`] | from options to a checked, mapped channel |
//! | [`membership`] | joining, leaving, forking, and who is dead |
//! | [`waiting`] | how calls wait |
//! | [`sleep`] | waking, and what sleepers owe each other |
//! | [`rouse`] | ending waits from within the process |
//! | [`looks`] | what those who wait look after now and then |
//! | [`recover`] | recovering from participants that are gone |
//! | [`stats`] | counters and snapshots |
//! | [`admin`] | clearing, recovering, who is attached |
//! | [`notify`] | eventfds |
//! | [`poll`] | a descriptor for epoll that needs nothing of the peers |
//! | [`servers`] | whether a server is attached |
//! | [`held`] | the handle of a view or a loan |
//! | [`message`], [`flags`] | what goes through it, and how it is named |

pub(crate) mod admin;
pub(crate) mod attach;
pub(crate) mod flags;
pub(crate) mod held;
pub(crate) mod looks;
pub(crate) mod membership;
pub(crate) mod message;
mod notify;
pub(crate) mod options;
pub(crate) mod poll;
mod recover;
pub(crate) mod rouse;
mod servers;
pub(crate) mod sleep;
pub(crate) mod stats;
pub(crate) mod waiting;

use crate::error::{Error, Result, Text};
use crate::id::RequestId;
use crate::layout::geometry::Kind;
use crate::layout::{Geometry, Mapping};
use crate::protocol::ring::Known;
use crate::protocol::state::SLOTS_NAMEABLE;
use crate::protocol::{Id, Memory, Participant, ring};
use crate::region::Region;
use crate::region::name::Name;
use crate::wait::interrupts::Ended;
use crate::wait::{Interrupts, Spinners};
use membership::{Membership, Why};
use notify::Notifier;
use poll::{Poll, Tending};
use rouse::Asleep;
use rustix::fd::{AsFd, BorrowedFd};
use rustix::io::Errno;
use servers::Servers;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicPtr, AtomicU32};

/// The channel behind a handle: its identity, geometry and state.
///
/// Any number of threads may use it at once.
pub struct Channel {
    mapping: Mapping,
    region: Region,
    subject: Text,
    membership: Membership,
    pub(crate) known: Known,
    spinners: Spinners,
    interrupts: Interrupts,
    asleep: Asleep,
    /// How often a client of this handle looked after its requests.
    looks: AtomicU32,
    /// When this handle may next ask after those who hold the slots, on the monotonic clock.
    looks_for_slot_from: AtomicI64,
    notifier: Notifier,
    servers: Servers,
    tending: Tending,
    /// The newest record for waiting with epoll, of this process or one that it was forked from; see [`poll`].
    polls: AtomicPtr<Poll>,
    /// Whether there was such a record, or a wait that took nothing: calls that send or take look for it then.
    is_looped: AtomicBool,
    /// How often this handle asked the kernel whether somebody lives.
    #[cfg(test)]
    asked: AtomicU32,
}

impl Channel {
    /// Requests that may be in flight at once, all clients together.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.geometry().slots
    }

    /// The longest request, in bytes.
    #[must_use]
    pub fn request_max(&self) -> usize {
        self.geometry().request_max as usize
    }

    /// The longest response, in bytes.
    #[must_use]
    pub fn response_max(&self) -> usize {
        self.geometry().response_max as usize
    }

    /// What the payloads are.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.geometry().kind
    }

    /// The file, if the channel was opened by a path.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.region.path().map(Name::as_path)
    }

    /// The descriptor of the region. It belongs to the handle; pass it on or duplicate it, but don't close it.
    ///
    /// # Errors
    /// [`Error::System`] with `EBADF` if the program closed it, and no path leads to the channel.
    pub fn fd(&self) -> Result<BorrowedFd<'_>> {
        self.region.file().ok_or_else(|| {
            let subject = &self.subject;
            Error::system(
                format_args!("{subject}: its descriptor is none of the channel's any more"),
                Errno::BADF,
            )
        })
    }

    /// Requests and one-way messages that a server would find. A snapshot, which costs by what it counts.
    #[must_use]
    pub fn queued(&self) -> u32 {
        const FEW: usize = 4096 / 64;
        const ALL: usize = SLOTS_NAMEABLE as usize / 64;
        if self.mapping.total_slots() as usize <= FEW * 64 {
            ring::count::<_, FEW>(&self.mapping, &self.known)
        } else {
            ring::count::<_, ALL>(&self.mapping, &self.known)
        }
    }

    /// Whether no server would find a request or a one-way message. A snapshot.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        ring::find(&self.mapping, &self.known).is_none()
    }

    /// What the channel's creator set by [`crate::Options::user`].
    #[must_use]
    pub fn user(&self) -> u64 {
        self.geometry().user
    }

    pub(crate) fn geometry(&self) -> &Geometry {
        self.mapping.geometry()
    }

    #[inline]
    pub(crate) fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// This handle's participant number; joins anew in a forked child.
    #[inline]
    pub(crate) fn me(&self) -> Result<Participant> {
        match self.membership.number() {
            Some(number) => Ok(number),
            None => self.join_anew(),
        }
    }

    /// In a forked child.
    #[cold]
    fn join_anew(&self) -> Result<Participant> {
        let join = || self.membership.join(Why::Forked, &self.region, &self.mapping, &self.subject);
        match join() {
            // The dead may hold every entry: children that each did a little and ended.
            Err(Error::Crowded { .. }) if self.recover_dead() > 0 => join(),
            joined => joined,
        }
    }

    /// When a handle is opened: recovery has run.
    fn join_first(&self) -> Result<Participant> {
        self.membership.join(Why::Opened, &self.region, &self.mapping, &self.subject)
    }

    /// The slot and generation that an id names.
    #[inline]
    pub(crate) fn id(&self, id: RequestId) -> Result<Id> {
        Id::from_u64(id.to_u64(), self.mapping.total_slots()).ok_or(Error::Stale)
    }

    /// That calls for payloads of this kind may use the channel.
    #[inline]
    pub(crate) fn check_kind(&self, kind: Kind) -> Result<()> {
        if self.geometry().kind == kind { Ok(()) } else { Err(Error::WrongKind) }
    }

    #[inline]
    pub(crate) fn check_running(&self) -> Result<()> {
        if self.interrupts.is_stopped() { Err(Error::Stopped) } else { Ok(()) }
    }

    /// What every call on a request begins with: the handle was not stopped, the call is for this channel's kind of
    /// payload (`None`: for any), and this process takes part. Its participant number.
    #[inline(always)]
    pub(crate) fn enter(&self, kind: Option<Kind>) -> Result<Participant> {
        self.check_running()?;
        if let Some(kind) = kind {
            self.check_kind(kind)?;
        }
        self.me()
    }
}

fn error_of(ended: Ended) -> Error {
    match ended {
        Ended::Stopped => Error::Stopped,
        Ended::Canceled => Error::Canceled,
        Ended::Interrupted => Error::Interrupted,
    }
}

impl fmt::Debug for Channel {
    /// What it is, and who this handle is in it: nothing that changes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("name", &self.subject)
            .field("kind", &self.kind())
            .field("slots", &self.slots())
            .field("request_max", &self.request_max())
            .field("response_max", &self.response_max())
            .field("participant", &self.membership.number())
            .finish()
    }
}

impl AsFd for Channel {
    /// The descriptor of the region, as [`Channel::fd`].
    ///
    /// # Panics
    /// If the program has closed a descriptor that belongs to the library, and no path leads to the channel.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd().expect("a descriptor of the library's was closed by somebody else")
    }
}

impl Drop for Channel {
    /// Leaves: what this participant still holds is recovered as if it had died, only at once.
    fn drop(&mut self) {
        self.end_poll();
        if let Some(me) = self.membership.number() {
            self.recover_slots(|owner| owner == me, &mut ring::patience(&self.mapping));
            self.membership.leave(&self.mapping, me);
        }
    }
}
