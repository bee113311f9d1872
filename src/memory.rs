//! Memory that there may be none of: every allocation of the library is made here or by `try_reserve`, and one that
//! fails is an error.

use crate::error::{Error, Result};
use std::alloc::{Layout, alloc};

/// A value in memory of its own; the value is dropped if there is none.
pub(crate) fn boxed<T>(value: T) -> Result<Box<T>> {
    const { assert!(size_of::<T>() > 0) };
    // SAFETY: the size is not zero.
    let memory = unsafe { alloc(Layout::new::<T>()) }.cast::<T>();
    if memory.is_null() {
        return Err(Error::NoMemory);
    }
    // SAFETY: room for a T, and nobody else knows it.
    unsafe { memory.write(value) };
    // SAFETY: from the allocator that boxes use, with the layout of a T, and initialised.
    Ok(unsafe { Box::from_raw(memory) })
}

/// An array that never grows.
pub(crate) fn array<T>(values: impl ExactSizeIterator<Item = T>) -> Result<Vec<T>> {
    let mut array = reserved(values.len())?;
    array.extend(values);
    Ok(array)
}

/// An empty array with space for so many values.
pub(crate) fn reserved<T>(count: usize) -> Result<Vec<T>> {
    let mut array = Vec::new();
    array.try_reserve_exact(count).map_err(|_| Error::NoMemory)?;
    Ok(array)
}
