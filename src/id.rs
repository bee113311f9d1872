//! What names a request.

use std::fmt;

/// The id of a request: of this channel, and only for as long as the request is not ended. A call that is given one that
/// is over, or was never one, fails with [`crate::Error::Stale`].
///
/// Other processes name the same request by the same number, so it can be passed on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct RequestId(u64);

impl RequestId {
    /// Names no request; [`crate::Client::wait_any`] and [`crate::Client::done`] pass it over.
    pub const NONE: Self = Self(0);

    /// The id that this number stands for.
    #[must_use]
    pub const fn from_u64(number: u64) -> Self {
        Self(number)
    }

    /// Its number: positive in 64 signed bits, and not 0, if it was ever a request's.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        self.0
    }
}

impl From<u64> for RequestId {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl From<RequestId> for u64 {
    fn from(id: RequestId) -> Self {
        id.0
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({:#x})", self.0)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
