//! What a message carries besides its bytes, and bytes that lie in the channel.

use super::flags::MessageFlags;
use crate::error::{Error, Result};
use crate::layout::geometry::{INT_SIZE, Kind};
use std::fmt;
use std::marker::PhantomData;

/// The first number of a message type that is the application's; 0 is no type, and those between are the library's.
pub const TYPE_MIN: u32 = 128;

/// A message to be sent: its bytes, its type, and flags.
#[derive(Clone, Copy, Debug, Default)]
pub struct Message<'a> {
    /// The payload.
    pub data: &'a [u8],
    /// The message's type, a number of the application's: 0 for none, or [`TYPE_MIN`] and up.
    pub message_type: u32,
    /// [`MessageFlags::UTF8`], [`MessageFlags::END_ALIGNED`], or both.
    pub flags: MessageFlags,
}

impl<'a> Message<'a> {
    /// Bytes without a type and flags.
    #[must_use]
    pub const fn of(data: &'a [u8]) -> Self {
        Self { data, message_type: 0, flags: MessageFlags::empty() }
    }

    /// That it can be sent through a channel of this kind, except for its length in one of bytes.
    #[inline]
    pub(crate) fn check(&self, kind: Kind) -> Result<()> {
        check_label(self.message_type, self.flags)?;
        if kind == Kind::Int && self.data.len() != INT_SIZE as usize {
            return Err(Error::bad_argument("length", self.data.len(), "8, in a channel of integers"));
        }
        Ok(())
    }
}

/// That a sender may give a message this type and these flags.
pub(crate) fn check_label(message_type: u32, flags: MessageFlags) -> Result<()> {
    if (1..TYPE_MIN).contains(&message_type) {
        return Err(Error::bad_argument("msg_type", message_type, "0, or 128 and up"));
    }
    let unknown = flags & !MessageFlags::SENDERS;
    if !unknown.is_empty() {
        let expected = "RR_MSG_UTF8 (0x1), RR_MSG_END_ALIGNED (0x2)";
        return Err(Error::bad_argument("flags", format_args!("{:#x}", unknown.bits()), expected));
    }
    Ok(())
}

/// That a message of this length fits.
#[inline]
pub(crate) fn check_length(length: usize, limit: usize) -> Result<()> {
    if length > limit {
        return Err(Error::MessageSize { length, limit });
    }
    Ok(())
}

/// Bytes that lie in the channel's memory, to be read in place.
///
/// Another process could write to them at any time, though none does that keeps to the format: so there is no safe
/// reference to them, only copies and a pointer.
#[derive(Clone, Copy)]
pub struct Bytes<'a> {
    start: *const u8,
    length: usize,
    _channel: PhantomData<&'a ()>,
}

// SAFETY: a pointer to shared memory that any thread may read while the borrow lasts.
unsafe impl Send for Bytes<'_> {}
// SAFETY: as above.
unsafe impl Sync for Bytes<'_> {}

impl Bytes<'_> {
    /// # Safety
    /// `start` must be readable for `length` bytes during the lifetime.
    pub(crate) unsafe fn new(start: *const u8, length: usize) -> Self {
        Self { start, length, _channel: PhantomData }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Where they lie.
    #[must_use]
    pub fn as_ptr(&self) -> *const u8 {
        self.start
    }

    /// Copies as many of them as `buffer` has room for, from the one at `offset` on; returns how many.
    pub fn read_at(&self, offset: usize, buffer: &mut [u8]) -> usize {
        let count = self.length.saturating_sub(offset).min(buffer.len());
        if count > 0 {
            // SAFETY: `count` bytes from `offset` on are within the length.
            let from = unsafe { self.start.add(offset) };
            // SAFETY: as above, and the buffer has room for them.
            unsafe { from.copy_to_nonoverlapping(buffer.as_mut_ptr(), count) };
        }
        count
    }

    /// Copies all of them, to memory that they are as many as their sender chose: [`Bytes::read_at`] needs none.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.length];
        self.read_at(0, &mut bytes);
        bytes
    }

    /// All of them, in place.
    ///
    /// # Safety
    /// No other process may write to them while the slice is used.
    #[must_use]
    pub unsafe fn as_slice(&self) -> &[u8] {
        // SAFETY: readable for the length; that nobody writes is the caller's.
        unsafe { std::slice::from_raw_parts(self.start, self.length) }
    }
}

impl fmt::Debug for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes({})", self.length)
    }
}

/// A place for a message in the channel's memory, to be written in place. It is its loan's, and gone when that ends.
#[derive(Debug)]
pub struct Buffer<'a> {
    start: *mut u8,
    capacity: usize,
    _loan: PhantomData<&'a mut ()>,
}

// SAFETY: a pointer to shared memory that is the holder's to write, in whatever thread.
unsafe impl Send for Buffer<'_> {}
// SAFETY: shared references to it only tell how much there is.
unsafe impl Sync for Buffer<'_> {}

impl Buffer<'_> {
    /// # Safety
    /// `start` must be writable for `capacity` bytes during the lifetime.
    pub(crate) unsafe fn new(start: *mut u8, capacity: usize) -> Self {
        Self { start, capacity, _loan: PhantomData }
    }

    /// The same buffer, for as long as this one is borrowed.
    pub(crate) fn reborrow(&mut self) -> Buffer<'_> {
        Buffer { ..*self }
    }

    /// How many bytes fit: the channel's longest request or response.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Where they are to be written; what is there now is left from an earlier message.
    #[must_use]
    pub fn as_mut_ptr(&mut self) -> *mut u8 {
        self.start
    }

    /// Writes `data` from byte `offset` on.
    ///
    /// # Errors
    /// [`Error::MessageSize`] if it does not fit.
    pub fn write_at(&mut self, offset: usize, data: &[u8]) -> Result<()> {
        check_length(offset.saturating_add(data.len()), self.capacity)?;
        // SAFETY: within the capacity.
        let to = unsafe { self.start.add(offset) };
        // SAFETY: as above.
        unsafe { to.copy_from_nonoverlapping(data.as_ptr(), data.len()) };
        Ok(())
    }
}
