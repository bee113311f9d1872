//! Sentences of errors, made without an allocation that can't fail: they are written on the stack first, and kept in
//! memory of their own if there is some.

use std::fmt::{self, Display, Write};
use std::ops::Deref;

/// The most bytes that a text has; what exceeds them is cut off between characters.
pub(crate) const TEXT_MAX: usize = 1024;

/// What stands in for a text that there was no memory for.
const NO_MEMORY: &str = "no memory is left to say more";

/// A text of an error: up to 1,024 bytes. Made of more it is cut, and made where no memory is left it says that
/// instead.
pub struct Text(Kept);

enum Kept {
    Static(&'static str),
    Own(String),
}

impl Text {
    /// A text that needs no memory.
    pub(crate) const fn fixed(text: &'static str) -> Self {
        Self(Kept::Static(text))
    }

    /// What this shows.
    pub(crate) fn of(shown: impl Display) -> Self {
        let mut page = Page::new();
        // A page that is full takes the rest and drops it.
        let _ = write!(page, "{shown}");
        page.keep()
    }

    /// The characters of these bytes; what is none is replaced. `is_cut`: more bytes followed, so that the last
    /// character may be incomplete.
    pub(crate) fn of_bytes(bytes: &[u8], is_cut: bool) -> Self {
        let mut page = Page::new();
        page.add_bytes(bytes, is_cut);
        page.keep()
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Kept::Static(text) => text,
            Kept::Own(text) => text,
        }
    }
}

/// A text on its way.
pub(crate) struct Page {
    bytes: [u8; TEXT_MAX],
    length: usize,
    is_full: bool,
}

impl Page {
    pub fn new() -> Self {
        Self { bytes: [0; TEXT_MAX], length: 0, is_full: false }
    }

    fn add(&mut self, text: &str) {
        let room = TEXT_MAX - self.length;
        let taken = if self.is_full { "" } else { cut(text, room) };
        self.is_full |= taken.len() < text.len();
        self.bytes[self.length..][..taken.len()].copy_from_slice(taken.as_bytes());
        self.length += taken.len();
    }

    /// As [`Text::of_bytes`].
    pub fn add_bytes(&mut self, bytes: &[u8], is_cut: bool) {
        let mut left = bytes.len();
        for chunk in bytes.utf8_chunks() {
            self.add(chunk.valid());
            left -= chunk.valid().len() + chunk.invalid().len();
            let may_be_cut = is_cut && left == 0;
            if !chunk.invalid().is_empty() && !may_be_cut {
                self.add("\u{FFFD}");
            }
        }
    }

    pub fn as_str(&self) -> &str {
        // Only whole characters are ever added.
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }

    fn keep(&self) -> Text {
        keep(self.as_str())
    }
}

impl Write for Page {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.add(text);
        Ok(())
    }
}

/// The text, or as many of its characters as have `most` bytes.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or(0)]
}

fn keep(text: &str) -> Text {
    let mut own = String::new();
    if own.try_reserve_exact(text.len()).is_err() {
        return Text::fixed(NO_MEMORY);
    }
    own.push_str(text);
    Text(Kept::Own(own))
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        keep(cut(text, TEXT_MAX))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        if text.len() > TEXT_MAX { Self::from(text.as_str()) } else { Self(Kept::Own(text)) }
    }
}

impl Clone for Text {
    fn clone(&self) -> Self {
        match &self.0 {
            Kept::Static(text) => Self::fixed(text),
            Kept::Own(text) => keep(text),
        }
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("short", 104), "short");
        assert_eq!(cut("añb", 2), "a");
        assert_eq!(cut("añb", 3), "añ");
        assert_eq!(cut("ñ", 1), "");
    }

    #[test]
    fn a_text_has_at_most_1024_bytes_and_whole_characters() {
        let long = "x".to_owned() + &"ñ".repeat(TEXT_MAX);
        for text in [Text::of(&long), Text::from(long.as_str()), Text::from(long.clone())] {
            assert_eq!(text, &long[..TEXT_MAX - 1]);
        }
        // What comes after the cut is not added, though there may be room for it.
        assert_eq!(Text::of(format_args!("{long}{}", "!")), &long[..TEXT_MAX - 1]);
        assert_eq!(Text::of("a"), "a");
        assert_eq!(Text::of("a").clone(), Text::fixed("a"));
    }

    #[test]
    fn bytes_that_are_no_characters_are_replaced_and_a_cut_one_is_left_out() {
        assert_eq!(Text::of_bytes(b"a\xFFb\xC3", false), "a\u{FFFD}b\u{FFFD}");
        assert_eq!(Text::of_bytes(b"a\xFFb\xC3", true), "a\u{FFFD}b");
        assert_eq!(Text::of_bytes(&[0xFF; TEXT_MAX], false).len(), TEXT_MAX / 3 * 3);
    }
}
