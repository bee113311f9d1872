//! The handle that a view or a loan belongs to.

use std::ops::Deref;
use std::sync::Arc;

/// A handle: borrowed, or kept for as long as this lives.
#[derive(Debug)]
pub(crate) enum Held<'h, H> {
    Borrowed(&'h H),
    Kept(Arc<H>),
}

impl<H> Deref for Held<'_, H> {
    type Target = H;

    #[inline]
    fn deref(&self) -> &H {
        match self {
            Self::Borrowed(handle) => handle,
            Self::Kept(handle) => handle,
        }
    }
}
