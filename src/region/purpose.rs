//! What the library keeps a descriptor for, and how one can be told from the program's.
//!
//! Locks and reserves are opened with status flags that hardly anybody else combines, so that a child can tell copies of
//! them from descriptors of the program's own on the same file.

use super::fd;
use rustix::fd::BorrowedFd;
use rustix::fs::OFlags;

/// What a descriptor is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Use {
    /// The channel's file, without locks: for asking after others' locks, and to be passed on.
    File = 1,
    /// Carries the lock of a participant.
    Lock = 2,
    /// A description without locks that a forked child is to join with.
    Reserve = 3,
    /// An eventfd.
    Event = 4,
    /// An eventfd that its handle has replaced or dropped; see [`super::aside`].
    Aside = 5,
}

impl Use {
    pub(super) fn from_word(word: u64) -> Option<Self> {
        [Self::File, Self::Lock, Self::Reserve, Self::Event, Self::Aside]
            .into_iter()
            .find(|what| *what as u8 == (word >> 8) as u8)
    }

    /// Whether its description carries locks, or is made to.
    pub const fn is_of_locks(self) -> bool {
        matches!(self, Self::Lock | Self::Reserve)
    }

    /// Which status flags tell such a descriptor from others. Of locks and reserves the same: a reserve becomes a lock in
    /// a child, while its parent still has a copy to close.
    const fn telltale(self) -> OFlags {
        let of_locks = OFlags::NONBLOCK.union(OFlags::DSYNC);
        if self.is_of_locks() { of_locks } else { of_locks.union(OFlags::APPEND) }
    }

    /// Whether a descriptor has the flags of such a one.
    pub(super) fn is_shown_by(self, fd: BorrowedFd<'_>) -> bool {
        self.flags().is_none_or(|flags| fd::has_flags(fd, self.telltale(), flags))
    }

    /// The status flags that tell such a descriptor from others, where it has some.
    pub fn flags(self) -> Option<OFlags> {
        match self {
            Self::File => None,
            Self::Lock => Some(OFlags::NONBLOCK | OFlags::DSYNC),
            Self::Reserve => Some(OFlags::NONBLOCK | OFlags::DSYNC | OFlags::APPEND),
            Self::Event | Self::Aside => Some(OFlags::NONBLOCK | OFlags::APPEND),
        }
    }
}
