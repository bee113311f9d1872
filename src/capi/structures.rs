//! Structures of callers, which may be of another version than this one's: each says its size, by itself or beside an
//! array of them.

use super::constants::{RR_WAIT_ABSOLUTE, RR_WAIT_RESTART};
use super::convert::{null, payload};
use super::types::{rr_buffer, rr_msg, rr_options, rr_result, rr_stats, rr_wait};
use crate::channel::flags::MessageFlags;
use crate::error::{Error, Result, Text};
use crate::{Message, Timeout, Wait};
use std::mem::{align_of, offset_of, size_of};
use std::slice;
use std::sync::atomic::AtomicU32;

/// A longer structure than this comes from no header of any version.
const STRUCT_MAX: usize = 4096;

/// A structure of the caller's that begins with its size, and may be of an older or a newer version than this one.
///
/// # Safety
/// It is `repr(C)` and begins with a `u32`; its first version has no padding, and any bytes are valid in its fields.
pub(super) unsafe trait Sized32: Copy {
    const NAME: &'static str;
    /// The size of the shortest version.
    const LEAST: usize;
    /// What stands in for fields that the caller's version does not have.
    const DEFAULT: Self;
}

macro_rules! sized {
    ($($type:ident $name:literal $after_least:ident,)+) => {
        $(
            // SAFETY: see the type.
            unsafe impl Sized32 for $type {
                const NAME: &'static str = $name;
                const LEAST: usize = offset_of!($type, $after_least);
                const DEFAULT: Self = Self::DEFAULT;
            }
        )+
    };
}

sized! {
    rr_options "opts" slots,
    rr_stats "stats" queued,
    rr_wait "wait" cancel,
    rr_msg "msg" msg_type,
    rr_result "result" reserved,
    rr_buffer "buffer" msg_type,
}

/// Reads a structure.
///
/// # Safety
/// A pointer that is not null must be readable for as many bytes as the structure's own `size` says.
#[inline]
pub(super) unsafe fn read<T: Sized32>(pointer: *const T) -> Result<T> {
    if pointer.is_null() {
        return Err(null(T::NAME));
    }
    // SAFETY: the caller's; every version of the structure begins with its size.
    let size = unsafe { pointer.cast::<u32>().read() } as usize;
    if size == size_of::<T>() {
        // SAFETY: the caller's.
        return Ok(unsafe { pointer.read() });
    }
    // SAFETY: the caller's.
    unsafe { read_other(pointer, size) }
}

/// Of another version.
///
/// # Safety
/// The pointer must be readable for `size` bytes.
#[cold]
unsafe fn read_other<T: Sized32>(pointer: *const T, size: usize) -> Result<T> {
    check_size(T::NAME, size, T::LEAST)?;
    // SAFETY: the caller's.
    let bytes = unsafe { slice::from_raw_parts(pointer.cast::<u8>(), size) };
    let known = size.min(size_of::<T>());
    if bytes[known..].iter().any(|byte| *byte != 0) {
        return Err(Error::TooNew(Text::of(format_args!(
            "{}: size: found {size} with fields set past byte {known}, expected none that this version does not know",
            T::NAME
        ))));
    }
    let mut given = T::DEFAULT;
    // SAFETY: any bytes are valid in the structure, and the length is at most its own.
    unsafe { std::ptr::from_mut(&mut given).cast::<u8>().copy_from(bytes.as_ptr(), known) };
    Ok(given)
}

/// Fills a structure of the caller's, except its size: as much of it as both versions know.
///
/// # Safety
/// A pointer that is not null must be valid for as many bytes as the structure's own `size` says.
#[inline]
pub(super) unsafe fn fill<T: Sized32>(pointer: *mut T, with: T) -> Result<()> {
    // SAFETY: the caller's.
    let size = unsafe { size_of_place(pointer) }?;
    if size == size_of::<T>() {
        // SAFETY: the caller's.
        unsafe { pointer.write(with) };
    } else {
        // SAFETY: the caller's.
        unsafe { fill_other(pointer, size, &with) };
    }
    Ok(())
}

/// The size of a structure that is to be filled, if it is that of some version.
///
/// # Safety
/// As [`fill`].
#[inline]
pub(super) unsafe fn size_of_place<T: Sized32>(pointer: *mut T) -> Result<usize> {
    if pointer.is_null() {
        return Err(null(T::NAME));
    }
    // SAFETY: the caller's; every version of the structure begins with its size.
    let size = unsafe { pointer.cast::<u32>().read() } as usize;
    if size != size_of::<T>() {
        check_size(T::NAME, size, T::LEAST)?;
    }
    Ok(size)
}

/// # Safety
/// The pointer must be valid for `size` bytes.
#[cold]
unsafe fn fill_other<T: Sized32>(pointer: *mut T, size: usize, with: &T) {
    let to = pointer.cast::<u8>();
    let known = size.min(size_of::<T>());
    // SAFETY: the caller's.
    unsafe { to.write_bytes(0, size) };
    // SAFETY: within both structures.
    unsafe { to.copy_from(std::ptr::from_ref(with).cast(), known) };
    // SAFETY: every version begins with its size.
    unsafe { pointer.cast::<u32>().write(size as u32) };
}

/// Sets a structure of the caller's to its defaults: what the `rr_*_init` calls do.
///
/// # Safety
/// A pointer that is not null must be writable for `size` bytes.
pub(super) unsafe fn init<T: Sized32>(pointer: *mut T, size: u32) -> Result<()> {
    if pointer.is_null() {
        return Err(null(T::NAME));
    }
    check_size(T::NAME, size as usize, T::LEAST)?;
    // SAFETY: the caller's.
    unsafe { fill_other(pointer, size as usize, &T::DEFAULT) };
    Ok(())
}

/// That a structure's `size` is one that some header has.
#[cold]
fn check_size(name: &str, size: usize, least: usize) -> Result<()> {
    if (least..=STRUCT_MAX).contains(&size) {
        return Ok(());
    }
    Err(Error::bad_argument(
        format_args!("{name}: size"),
        size,
        format_args!("the size of the structure, {least} to {STRUCT_MAX}"),
    ))
}

/// An array of the caller's whose elements may be of another version than this one's: the address of each.
pub(super) struct Elements<T> {
    first: *mut T,
    size: usize,
}

impl<T> Elements<T> {
    /// `least`: bytes of the shortest version's element. The array may be null if it has no elements.
    pub fn new(name: &'static str, first: *mut T, size: usize, count: usize, least: usize) -> Result<Self> {
        if first.is_null() && count > 0 {
            return Err(null(name));
        }
        if size != size_of::<T>() && (size % align_of::<T>() != 0 || !(least..=STRUCT_MAX).contains(&size)) {
            return Err(Error::bad_argument(
                format_args!("{name}: size"),
                size,
                format_args!("the size of an element, {least} to {STRUCT_MAX}"),
            ));
        }
        Ok(Self { first, size })
    }

    /// The place of an element.
    ///
    /// # Safety
    /// The array must have that many elements.
    pub unsafe fn at(&self, index: usize) -> *mut T {
        // SAFETY: the caller's.
        unsafe { self.first.byte_add(index * self.size) }
    }

    /// Bytes of an element.
    pub fn size(&self) -> usize {
        self.size
    }
}

/// How a call waits; null is for ever.
///
/// # Safety
/// A pointer that is not null must be valid, and so must the cancel word for as long as the result is used.
#[inline]
pub(super) unsafe fn wait<'a>(pointer: *const rr_wait) -> Result<Wait<'a>> {
    if pointer.is_null() {
        return Ok(Wait::FOREVER);
    }
    // SAFETY: the caller's.
    let given = unsafe { read(pointer) }?;
    let unknown = given.flags & !(RR_WAIT_ABSOLUTE | RR_WAIT_RESTART);
    if unknown != 0 {
        return Err(unknown_flags(unknown, "RR_WAIT_ABSOLUTE (0x1000000), RR_WAIT_RESTART (0x2000000)"));
    }
    if given.reserved != [0; 2] {
        return Err(reserved("wait"));
    }
    let mut wait = match given.flags & RR_WAIT_ABSOLUTE {
        0 => Wait::from(Timeout::from_nanos(given.timeout_ns)),
        _ => Wait::until_nanos(given.timeout_ns),
    };
    if given.flags & RR_WAIT_RESTART != 0 {
        wait = wait.restart();
    }
    if given.cancel.is_null() {
        return Ok(wait);
    }
    if !given.cancel.is_aligned() {
        return Err(Error::bad_argument("wait: cancel", "an odd address", "that of a uint32_t"));
    }
    // SAFETY: aligned; the caller's. It is only read.
    Ok(wait.cancel(unsafe { AtomicU32::from_ptr(given.cancel.cast_mut()) }))
}

#[cold]
fn reserved(name: &str) -> Error {
    Error::TooNew(Text::of(format_args!(
        "{name}: reserved: found fields set that this version does not know, expected 0"
    )))
}

/// Marks a buffer as one that was committed or given back.
///
/// # Safety
/// It must be valid.
pub(super) unsafe fn end_buffer(buffer: *mut rr_buffer) {
    // SAFETY: the caller's; every version has these fields.
    let data = unsafe { &raw mut (*buffer).data };
    // SAFETY: as above.
    let capacity = unsafe { &raw mut (*buffer).capacity };
    // SAFETY: as above.
    unsafe { data.write(std::ptr::null_mut()) };
    // SAFETY: as above.
    unsafe { capacity.write(0) };
}

#[cold]
pub(super) fn unknown_flags(unknown: u32, known: &str) -> Error {
    Error::bad_argument("flags", format_args!("{unknown:#x}"), known)
}

/// A message to be sent. What its type and flags are is checked when it is sent.
///
/// # Safety
/// A pointer that is not null must be valid, and so must its data.
#[inline]
pub(super) unsafe fn message<'a>(pointer: *const rr_msg) -> Result<Message<'a>> {
    // SAFETY: the caller's.
    let msg = unsafe { read(pointer) }?;
    // SAFETY: the caller's.
    let data = unsafe { payload(msg.data, msg.length) }?;
    Ok(Message { data, message_type: msg.msg_type, flags: MessageFlags::from_bits(msg.flags) })
}
