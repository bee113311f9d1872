//! What a message's sender says of it besides its type.

use crate::layout::lines::{END_ALIGNED, ONE_WAY, UTF8};
use std::fmt;
use std::ops::{BitAnd, BitOr, BitOrAssign, Not};

/// Flags of a message.
///
/// ```
/// use shmrr::MessageFlags;
/// let flags = MessageFlags::UTF8 | MessageFlags::END_ALIGNED;
/// assert!(flags.contains(MessageFlags::UTF8) && !flags.contains(MessageFlags::ONE_WAY));
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct MessageFlags(u32);

impl MessageFlags {
    /// The sender says that the message is text in UTF-8. The library does not check that.
    pub const UTF8: Self = Self(UTF8);
    /// The message stands at the end of its buffer, where builders that write backwards leave it.
    pub const END_ALIGNED: Self = Self(END_ALIGNED);
    /// Nobody waits for a reply. Seen by receivers; [`crate::Client::post`] sets it.
    pub const ONE_WAY: Self = Self(ONE_WAY);

    /// Those that a sender may set.
    pub(crate) const SENDERS: Self = Self(UTF8 | END_ALIGNED);
    /// Those that a receiver sees.
    pub(crate) const RECEIVERS: Self = Self(UTF8 | END_ALIGNED | ONE_WAY);

    /// No flag.
    #[must_use]
    pub const fn empty() -> Self {
        Self(0)
    }

    /// Whether no flag is set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `others` are set.
    #[must_use]
    pub const fn contains(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// As they stand in a channel's memory and in C.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// From bits of any meaning: calls refuse those that nobody may set.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }
}

impl BitOr for MessageFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for MessageFlags {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl BitAnd for MessageFlags {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Not for MessageFlags {
    type Output = Self;

    fn not(self) -> Self {
        Self(!self.0)
    }
}

impl fmt::Debug for MessageFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = [("UTF8", Self::UTF8), ("END_ALIGNED", Self::END_ALIGNED), ("ONE_WAY", Self::ONE_WAY)];
        let mut names = f.debug_set();
        for (name, flag) in named {
            if self.contains(flag) {
                names.entry(&format_args!("{name}"));
            }
        }
        let unnamed = *self & !Self::RECEIVERS;
        if !unnamed.is_empty() {
            names.entry(&format_args!("{:#x}", unnamed.0));
        }
        names.finish()
    }
}
