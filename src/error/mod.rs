//! Every way a call can fail: one enum, one mapping to errno.
//!
//! Variants that a request can meet on its way carry no text, so that failing allocates nothing. Variants of opening a
//! channel carry a sentence that names the path, the field, the value found and the value expected. Failing never needs
//! memory: a sentence that there is none for is left out.
//!
//! | file | what |
//! |---|---|
//! | this | the ways to fail |
//! | `codes` | the codes that calls return, and what each means |
//! | `system` | what the operating system says |
//! | `text` | sentences |

pub(crate) mod codes;
mod system;
pub(crate) mod text;

use crate::id::RequestId;
use rustix::io::Errno;
use std::fmt::Display;
use std::io;
pub use text::Text;

/// The result of every fallible operation of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing now, and the call does not wait (`EAGAIN`).
    #[error("nothing is ready now")]
    WouldBlock,
    /// The deadline of the call passed (`ETIMEDOUT`).
    #[error("the deadline passed")]
    TimedOut,
    /// A signal handler ran while the call waited, or the handle was interrupted (`EINTR`).
    #[error("a signal handler ran during the wait")]
    Interrupted,
    /// The id is no request of this handle any more: cancelled, cleared, collected, replied to or recycled (`ESTALE`).
    #[error(
        "the id is no request of this handle any more: cancelled, cleared, collected, replied to or recycled"
    )]
    Stale,
    /// The word that was to cancel the wait was set (`ECANCELED`).
    #[error("the wait was cancelled by its cancel word")]
    Canceled,
    /// The server said that no reply will come (`ENOMSG`).
    #[error("the server dismissed the request: no reply will come")]
    Dismissed,
    /// The reply is there already and can be collected (`EALREADY`).
    #[error("the reply is already there: collect it")]
    AlreadyReplied,
    /// The request has been adopted as often as it can be (`EMLINK`); see [`crate::Server::adopt`].
    #[error("the request has been adopted as often as it can be")]
    AdoptedTooOften,
    /// A payload is larger than the channel's limit; nothing was sent (`EMSGSIZE`).
    #[error("a payload of {length} bytes exceeds the channel's limit of {limit} bytes")]
    MessageSize {
        /// Length of the payload, in bytes.
        length: usize,
        /// The most bytes that a payload may have.
        limit: usize,
    },
    /// A payload is longer than the buffer given (`EOVERFLOW`).
    #[error("a payload of {length} bytes does not fit into a buffer of {capacity} bytes")]
    Overflow {
        /// Length of the payload, in bytes.
        length: usize,
        /// Length of the buffer, in bytes.
        capacity: usize,
        /// The id by which the reply is to be collected; [`RequestId::NONE`] if it was dropped, or if the payload is a
        /// request, which stays queued.
        id: RequestId,
    },
    /// No slot of the channel is free, or those that are go to clients that have waited for long (`ENOBUFS`).
    #[error("no slot is free, or those that are go to clients that have waited for long")]
    NoSlots,
    /// No server is attached, and the handle needs one (`ECONNREFUSED`); see [`crate::Options::need_server`].
    #[error("no server is attached")]
    NoServer,
    /// The server died, or left, with the request (`EOWNERDEAD`).
    #[error("the server died with the request")]
    OwnerDead,
    /// The server replied with an error (`EREMOTEIO`).
    #[error("the server replied with error {code}: {text}")]
    Remote {
        /// The server's own number for the error.
        code: i32,
        /// The server's sentence.
        text: Text,
    },
    /// The handle was stopped (`ESHUTDOWN`).
    #[error("the handle was stopped")]
    Stopped,
    /// The shared memory holds what no participant that keeps to the format would write (`EPROTO`).
    #[error("the channel's memory is corrupt")]
    Corrupt,
    /// Not a channel, or not one of this layout version or kind (`EPROTO`).
    #[error("{0}")]
    Protocol(Text),
    /// The channel's payloads are of another kind than the call's (`EINVAL`).
    #[error("the channel's payloads are of another kind than the call's")]
    WrongKind,
    /// An argument no call accepts (`EINVAL`).
    #[error("{0}")]
    Invalid(Text),
    /// A pointer that must not be null (`EINVAL`); of the C interface alone. Without a call that makes a text, so that
    /// checking for it costs the calls of each request nothing but the comparison.
    #[error("{0}: found a null pointer, expected a valid one")]
    Null(&'static str),
    /// A structure with non-zero fields that this version does not know (`E2BIG`).
    #[error("{0}")]
    TooNew(Text),
    /// Every participant entry of the channel belongs to somebody alive (`EUSERS`).
    #[error("{channel}: participants: found {limit} attached and alive, expected fewer than {limit}")]
    Crowded {
        /// The channel.
        channel: Text,
        /// How many handles the channel was made for.
        limit: u32,
    },
    /// This handle has no eventfd for that (`ENXIO`).
    #[error("this handle has no eventfd for {0}")]
    NoEventFd(&'static str),
    /// No memory is left (`ENOMEM`).
    #[error("no memory is left")]
    NoMemory,
    /// A forked child's handle can't join the channel anew: the process has lost what that takes (`ENOTCONN`).
    #[error(
        "this forked child can't join the channel anew: it has neither the descriptors of its parent's handle nor a \
         way to open the channel's file"
    )]
    NotJoined,
    /// The operating system refused (its own errno where that means the same in all calls, else another).
    #[error("{what}")]
    System {
        /// What was tried, on what, and what the system said.
        what: Text,
        /// The code, positive.
        errno: i32,
    },
}

impl Error {
    /// The errno value of this error, positive; C calls return its negative.
    #[must_use]
    pub fn errno(&self) -> i32 {
        match self {
            Self::WouldBlock => libc::EAGAIN,
            Self::TimedOut => libc::ETIMEDOUT,
            Self::Interrupted => libc::EINTR,
            Self::Stale => libc::ESTALE,
            Self::Canceled => libc::ECANCELED,
            Self::AlreadyReplied => libc::EALREADY,
            Self::Dismissed => libc::ENOMSG,
            Self::AdoptedTooOften => libc::EMLINK,
            Self::MessageSize { .. } => libc::EMSGSIZE,
            Self::Overflow { .. } => libc::EOVERFLOW,
            Self::NoSlots => libc::ENOBUFS,
            Self::NoServer => libc::ECONNREFUSED,
            Self::OwnerDead => libc::EOWNERDEAD,
            Self::Remote { .. } => libc::EREMOTEIO,
            Self::Stopped => libc::ESHUTDOWN,
            Self::Corrupt | Self::Protocol(_) => libc::EPROTO,
            Self::Invalid(_) | Self::Null(_) | Self::WrongKind => libc::EINVAL,
            Self::TooNew(_) => libc::E2BIG,
            Self::Crowded { .. } => libc::EUSERS,
            Self::NoEventFd(_) => libc::ENXIO,
            Self::NoMemory => libc::ENOMEM,
            Self::NotJoined => libc::ENOTCONN,
            Self::System { errno, .. } => *errno,
        }
    }

    /// What the system refused, and its word.
    #[cold]
    pub(crate) fn system(what: impl Display, errno: Errno) -> Self {
        Self::system_as(what, errno, system::code(errno))
    }

    /// As [`Error::system`], where the errno value has another meaning than elsewhere.
    pub(crate) fn system_as(what: impl Display, errno: Errno, code: i32) -> Self {
        Self::System { what: Text::of(format_args!("{what}: {}", system::Words(errno))), errno: code }
    }

    /// A value in a file that is not what the format asks for.
    pub(crate) fn mismatch(
        subject: impl Display,
        field: impl Display,
        found: impl Display,
        expected: impl Display,
    ) -> Self {
        Self::Protocol(Text::of(format_args!("{subject}: {field}: found {found}, expected {expected}")))
    }

    /// An argument outside what a call accepts.
    #[cold]
    pub(crate) fn bad_argument(name: impl Display, found: impl Display, expected: impl Display) -> Self {
        Self::Invalid(Text::of(format_args!("{name}: found {found}, expected {expected}")))
    }
}

impl From<Error> for io::Error {
    /// An error of the kind that the standard library gives to this code. It keeps the [`Error`], and so its sentence:
    /// [`io::Error::get_ref`] and [`io::Error::downcast`] find it, and [`Error::errno`] tells the code.
    fn from(error: Error) -> Self {
        let kind = Self::from_raw_os_error(error.errno()).kind();
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hot calls return it.
    #[test]
    fn an_error_is_small() {
        assert!(size_of::<Error>() <= 32, "{}", size_of::<Error>());
        assert!(size_of::<Result<usize>>() <= 32, "{}", size_of::<Result<usize>>());
    }
}
