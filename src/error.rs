//! Every way a call can fail: one enum, one mapping to errno.
//!
//! Variants that a request can meet on its way carry no text, so that failing allocates nothing. Variants of opening a
//! channel carry a sentence that names the path, the field, the value found and the value expected.

use rustix::io::Errno;

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
    /// A signal handler ran while the call slept (`EINTR`).
    #[error("a signal handler ran during the wait")]
    Interrupted,
    /// The id is no longer that request's: cancelled, collected or recycled (`ESTALE`).
    #[error("the id is no longer a request of this handle: cancelled, collected or recycled")]
    Stale,
    /// The request was cancelled or cleared while somebody waited for it, or the server let go of it without a reply
    /// (`ECANCELED`).
    #[error("the request was cancelled, or its server let go of it without a reply")]
    Canceled,
    /// The reply is there already and can be collected (`EALREADY`).
    #[error("the reply is already there: collect it")]
    AlreadyReplied,
    /// A payload is longer than the channel's limit or than the buffer given (`EMSGSIZE`).
    #[error("a payload of {length} bytes exceeds the {limit} bytes there is room for")]
    MessageSize {
        /// Length of the payload, in bytes.
        length: usize,
        /// Room there is for it, in bytes.
        limit: usize,
    },
    /// All slots of the channel hold requests in flight (`ENOBUFS`).
    #[error("every slot of the channel is in use")]
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
        text: String,
    },
    /// The handle was stopped (`ESHUTDOWN`).
    #[error("the handle was stopped")]
    Stopped,
    /// The shared memory holds what no participant that keeps to the format would write (`EPROTO`).
    #[error("the channel's memory is corrupt")]
    Corrupt,
    /// Not a channel, or not one of this layout version or kind (`EPROTO`).
    #[error("{0}")]
    Protocol(String),
    /// The channel's payloads are of another kind than the call's (`EINVAL`).
    #[error("the channel's payloads are of another kind than the call's")]
    WrongKind,
    /// An argument no call accepts (`EINVAL`).
    #[error("{0}")]
    Invalid(String),
    /// An options structure with non-zero fields that this version does not know (`E2BIG`).
    #[error("{0}")]
    OptionsTooLong(String),
    /// Every participant entry of the channel belongs to somebody alive (`EUSERS`).
    #[error("{channel}: participants: found {limit} attached and alive, expected fewer than {limit}")]
    Crowded {
        /// The channel.
        channel: String,
        /// How many handles the channel was made for.
        limit: u32,
    },
    /// The operating system refused (its own errno).
    #[error("{what}: {}", sentence(*.errno))]
    System {
        /// What was tried, on what.
        what: String,
        /// The errno value, positive.
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
            Self::MessageSize { .. } => libc::EMSGSIZE,
            Self::NoSlots => libc::ENOBUFS,
            Self::NoServer => libc::ECONNREFUSED,
            Self::OwnerDead => libc::EOWNERDEAD,
            Self::Remote { .. } => libc::EREMOTEIO,
            Self::Stopped => libc::ESHUTDOWN,
            Self::Corrupt | Self::Protocol(_) => libc::EPROTO,
            Self::Invalid(_) | Self::WrongKind => libc::EINVAL,
            Self::OptionsTooLong(_) => libc::E2BIG,
            Self::Crowded { .. } => libc::EUSERS,
            Self::System { errno, .. } => *errno,
        }
    }

    pub(crate) fn system(what: impl Into<String>, errno: Errno) -> Self {
        Self::System { what: what.into(), errno: errno.raw_os_error() }
    }

    /// A value in a file that is not what the format asks for.
    pub(crate) fn mismatch(
        subject: &str,
        field: &str,
        found: impl std::fmt::Display,
        expected: impl std::fmt::Display,
    ) -> Self {
        Self::Protocol(format!("{subject}: {field}: found {found}, expected {expected}"))
    }

    /// An argument outside what a call accepts.
    pub(crate) fn bad_argument(
        name: &str,
        found: impl std::fmt::Display,
        expected: impl std::fmt::Display,
    ) -> Self {
        Self::Invalid(format!("{name}: found {found}, expected {expected}"))
    }
}

/// The system's sentence for an errno value.
fn sentence(errno: i32) -> String {
    let error = std::io::Error::from_raw_os_error(errno).to_string();
    error.strip_suffix(&format!(" (os error {errno})")).unwrap_or(&error).to_owned()
}
