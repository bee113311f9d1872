//! Bounded access to a channel's lines and buffers in a mapping.
//!
//! Every offset comes from the private copy of the geometry. Slot and participant numbers that were read from shared
//! memory must be bounded by the caller; this module checks them again in debug builds only.

use super::geometry::{Geometry, HEADER_SIZE, SHARED_WORDS};
use super::lines::{
    Doorbell, END_ALIGNED, INLINE, ParticipantLine, ReplyLine, RequestLine, SharedLine, SharedWord,
};
use crate::protocol::{Memory, Participant};
use std::mem::size_of;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

/// A channel's memory, seen through its geometry. It doesn't own the mapping, which must outlive it.
pub(crate) struct Mapping {
    base: NonNull<u8>,
    geometry: Geometry,
}

// SAFETY: all shared fields are atomics, and payload bytes are copied only by the request's owner in the protocol.
unsafe impl Send for Mapping {}
// SAFETY: as above; the mapping itself never changes.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// # Safety
    /// `base` must be 128-byte aligned and the start of a mapping of `geometry.total_size` bytes, readable and
    /// writable for as long as the mapping is used.
    pub unsafe fn new(base: NonNull<u8>, geometry: Geometry) -> Self {
        Self { base, geometry }
    }

    /// The same mapping once more.
    ///
    /// # Safety
    /// The region must stay mapped for as long as either is used.
    pub unsafe fn again(&self) -> Self {
        Self { base: self.base, geometry: self.geometry }
    }

    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// A line at an offset that the geometry derived.
    #[inline]
    fn line<T>(&self, offset: u64) -> &T {
        debug_assert!(offset + size_of::<T>() as u64 <= self.geometry.total_size);
        // SAFETY: the offset is within the mapping, by the geometry's bounds and those of the caller.
        let line = unsafe { self.base.add(offset as usize) }.cast::<T>();
        // SAFETY: aligned, since all offsets and the base are multiples of 128 (8 for cells and bits); all fields of T allow
        // shared mutation.
        unsafe { line.as_ref() }
    }

    #[inline]
    pub fn doorbell(&self, name: Doorbell) -> &AtomicU64 {
        self.shared(match name {
            Doorbell::Request => SharedWord::RequestDoorbell,
            Doorbell::FreeSlot => SharedWord::SlotDoorbell,
        })
    }

    #[inline]
    pub fn shared(&self, name: SharedWord) -> &AtomicU64 {
        debug_assert!((name as u64) < SHARED_WORDS);
        let line: &SharedLine = self.line(HEADER_SIZE + name as u64 * size_of::<SharedLine>() as u64);
        &line.word
    }

    pub fn participant(&self, number: Participant) -> &ParticipantLine {
        debug_assert!(number >= 1 && u32::from(number) <= self.geometry.participants);
        let index = u64::from(number) - 1;
        self.line(self.geometry.participants_offset + index * size_of::<ParticipantLine>() as u64)
    }

    #[inline]
    pub fn request_line(&self, slot: u32) -> &RequestLine {
        debug_assert!(slot < self.geometry.total_slots());
        self.line(self.geometry.slot_offset(slot))
    }

    #[inline]
    pub fn reply_line(&self, slot: u32) -> &ReplyLine {
        debug_assert!(slot < self.geometry.total_slots());
        self.line(self.geometry.slot_offset(slot) + size_of::<RequestLine>() as u64)
    }

    /// Fetches a request line to be written soon: a store that misses would hold up the next locked instruction.
    #[inline]
    pub fn prefetch_request(&self, slot: u32) {
        prefetch_for_writing(std::ptr::from_ref(self.request_line(slot)).cast());
    }

    /// Fetches a reply line to be written soon.
    #[inline]
    pub fn prefetch_reply(&self, slot: u32) {
        prefetch_for_writing(std::ptr::from_ref(self.reply_line(slot)).cast());
    }

    /// Fetches the ring's cell of a position to be published at soon.
    #[inline]
    pub fn prefetch_cell(&self, position: u64) {
        prefetch_for_writing(std::ptr::from_ref(self.cell(position)).cast());
    }

    /// Where a request of this length and with these flags lies: in its line if it fits, else in the slot's buffer.
    #[inline]
    pub fn request_bytes(&self, slot: u32, length: usize, flags: u32) -> *mut u8 {
        debug_assert!(length as u64 <= self.geometry.request_max);
        if length <= INLINE {
            return self.request_line(slot).bytes.get().cast();
        }
        self.in_buffer(self.request_buffer(slot), self.geometry.request_max, length, flags)
    }

    /// Where a response of this length and with these flags lies.
    #[inline]
    pub fn response_bytes(&self, slot: u32, length: usize, flags: u32) -> *mut u8 {
        if length <= INLINE {
            return self.reply_line(slot).bytes.get().cast();
        }
        debug_assert!(length as u64 <= self.geometry.response_max);
        self.in_buffer(self.response_buffer(slot), self.geometry.response_max, length, flags)
    }

    /// Where a message of this length lies in a buffer with room for `most` bytes, which `length` must not exceed.
    #[inline]
    fn in_buffer(&self, buffer: *mut u8, most: u64, length: usize, flags: u32) -> *mut u8 {
        let start = if flags & END_ALIGNED == 0 { 0 } else { most as usize - length };
        // SAFETY: the start is within the buffer.
        unsafe { buffer.add(start) }
    }

    /// The buffer for a slot's request, of `request_max` bytes.
    #[inline]
    pub fn request_buffer(&self, slot: u32) -> *mut u8 {
        self.buffer(self.geometry.request_buffer_offset(slot))
    }

    /// The buffer for a slot's response, of `response_max` bytes.
    #[inline]
    pub fn response_buffer(&self, slot: u32) -> *mut u8 {
        self.buffer(self.geometry.response_buffer_offset(slot))
    }

    /// Moves a request that was written in place in its buffer to where one of its length belongs.
    pub fn place_request(&self, slot: u32, length: usize, flags: u32) {
        let from = self.in_buffer(self.request_buffer(slot), self.geometry.request_max, length, flags);
        self.place(from, self.request_bytes(slot, length, flags), length);
    }

    /// Moves a response that was written in place in its buffer to where one of its length belongs.
    pub fn place_response(&self, slot: u32, length: usize, flags: u32) {
        let from = self.in_buffer(self.response_buffer(slot), self.geometry.response_max, length, flags);
        self.place(from, self.response_bytes(slot, length, flags), length);
    }

    fn place(&self, from: *mut u8, to: *mut u8, length: usize) {
        if from != to {
            // SAFETY: a buffer and a line's bytes, which have room for the length and don't overlap.
            unsafe { to.copy_from_nonoverlapping(from, length) };
        }
    }

    fn buffer(&self, offset: u64) -> *mut u8 {
        // SAFETY: the offset is within the mapping, by the geometry.
        unsafe { self.base.add(offset as usize) }.as_ptr()
    }
}

impl Memory for Mapping {
    type Word = AtomicU64;

    #[inline]
    fn slots(&self) -> u32 {
        self.geometry.slots
    }
    #[inline]
    fn total_slots(&self) -> u32 {
        self.geometry.total_slots()
    }
    #[inline]
    fn cells(&self) -> u64 {
        self.geometry.cells
    }
    #[inline]
    fn request(&self, slot: u32) -> &AtomicU64 {
        &self.request_line(slot).word
    }
    #[inline]
    fn reply(&self, slot: u32) -> &AtomicU64 {
        &self.reply_line(slot).word
    }
    #[inline]
    fn cell(&self, position: u64) -> &AtomicU64 {
        self.line(self.geometry.cell_offset(position))
    }
    #[inline]
    fn tail(&self) -> &AtomicU64 {
        self.shared(SharedWord::Tail)
    }
    #[inline]
    fn head(&self) -> &AtomicU64 {
        self.shared(SharedWord::Head)
    }
    #[inline]
    fn spares_in_use(&self) -> &AtomicU64 {
        self.shared(SharedWord::SparesInUse)
    }
    #[inline]
    fn outcomes(&self, slot: u32) -> &AtomicU64 {
        debug_assert!(slot < self.geometry.total_slots());
        self.line(self.geometry.outcome_offset(slot))
    }
}

#[inline]
fn prefetch_for_writing(line: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch has an effect on caches only.
    unsafe {
        std::arch::asm!("prefetchw [{}]", in(reg) line, options(nostack, preserves_flags, readonly));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: a prefetch has an effect on caches only.
    unsafe {
        std::arch::asm!("prfm pstl1keep, [{}]", in(reg) line, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = line;
}
