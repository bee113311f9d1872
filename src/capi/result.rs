//! What came back, as the general forms tell it in an `rr_result`.

use super::constants::RR_MSG_ERROR;
use super::structures::read;
use super::types::rr_result;
use crate::client::{Found, Reply};
use crate::error::{Error, Result, Text};
use std::ffi::c_char;

/// A result of the caller's, or none, that is being filled.
pub(super) struct Telling {
    place: *mut rr_result,
    text: *mut c_char,
    text_cap: usize,
    told: Told,
}

/// All zeros if there is nothing to tell.
#[derive(Clone, Copy, Default)]
struct Told {
    flags: u32,
    length: usize,
    msg_type: u32,
    code: i32,
    text_length: usize,
}

impl Telling {
    /// # Safety
    /// A pointer that is not null must be valid until this is done with, and so must the text's.
    #[inline]
    pub unsafe fn begin(place: *mut rr_result) -> Result<Self> {
        let (mut text, mut text_cap) = (std::ptr::null_mut(), 0);
        if !place.is_null() {
            // SAFETY: the caller's.
            rr_result { text, text_cap, .. } = unsafe { read(place) }?;
        }
        Ok(Self { place, text, text_cap, told: Told::default() })
    }

    #[inline]
    pub fn is_wanted(&self) -> bool {
        !self.place.is_null()
    }

    /// Copies a reply, and notes what it is, whether or not there is room for it.
    ///
    /// # Safety
    /// `buffer` must be writable for `capacity` bytes.
    #[inline]
    pub unsafe fn take(&mut self, found: &Found<'_>, buffer: *mut u8, capacity: usize) -> Result<usize> {
        if found.is_error() {
            return Err(self.take_error(found));
        }
        self.note(&found.reply());
        // SAFETY: the caller's.
        unsafe { found.copy_to(buffer, capacity) }
    }

    #[inline]
    pub fn note(&mut self, reply: &Reply) {
        let Reply { length, message_type, flags } = *reply;
        let flags = flags.bits();
        self.told = Told { flags, length, msg_type: message_type, ..Told::default() };
    }

    /// Copies an error reply's text to where the caller wants it, without memory of its own.
    #[cold]
    pub fn take_error(&mut self, found: &Found<'_>) -> Error {
        let (code, text_length) = (found.code(), found.length);
        self.told = Told { flags: RR_MSG_ERROR, code, text_length, ..Told::default() };
        if !self.text.is_null() && self.text_cap > 0 {
            let mut length = text_length.min(self.text_cap - 1);
            // A character that would be cut is left out.
            while length < text_length && length > 0 && is_within_character(found, length) {
                length -= 1;
            }
            // SAFETY: the text has room for the length and a NUL.
            unsafe { self.text.cast::<u8>().copy_from_nonoverlapping(found.bytes, length) };
            // SAFETY: as above.
            let end = unsafe { self.text.add(length) };
            // SAFETY: as above.
            unsafe { end.write(0) };
        }
        Error::Remote { code, text: Text::fixed("") }
    }

    /// Fills the caller's structure. `id`: what is left to be collected or released, or 0.
    #[inline]
    pub fn end<T>(mut self, id: u64, outcome: &Result<T>) {
        let Some(place) = std::ptr::NonNull::new(self.place) else { return };
        if !matches!(outcome, Ok(_) | Err(Error::Remote { .. } | Error::Overflow { .. })) {
            // Another thread may have collected what was noted.
            self.told = Told::default();
        }
        let Told { flags, length, msg_type, code, text_length } = self.told;
        let place = place.as_ptr();
        // SAFETY: the caller's; every version of the structure has these fields.
        unsafe { (*place).flags = flags };
        // SAFETY: as above.
        unsafe { (*place).id = id };
        // SAFETY: as above.
        unsafe { (*place).length = length };
        // SAFETY: as above.
        unsafe { (*place).msg_type = msg_type };
        // SAFETY: as above.
        unsafe { (*place).code = code };
        // SAFETY: as above.
        unsafe { (*place).text_length = text_length };
    }
}

/// Whether a byte of a text in UTF-8 is one inside of a character.
fn is_within_character(found: &Found<'_>, at: usize) -> bool {
    let mut byte = [0];
    found.payload().read_at(at, &mut byte);
    byte[0] & 0xC0 == 0x80
}

/// The id by which a request is still to be collected after a call for it, or 0.
#[inline]
pub(super) fn left<T>(id: u64, outcome: &Result<T>) -> u64 {
    use Error::{Corrupt, Dismissed, OwnerDead, Remote, Stale};
    match outcome {
        Ok(_) | Err(OwnerDead | Remote { .. } | Dismissed | Corrupt | Stale) => 0,
        Err(_) => id,
    }
}
