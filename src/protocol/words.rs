//! Writes one line: words with exactly one space between them. Numbers and texts are put down as
//! they are; formatting them takes many times as long.

use super::{Dialect, ErrorCode, TrId, escape};
use crate::model::{
    Address, GroupId, Name, PropertyKey, Status, name::FRIENDLY_NAME_BYTES_MAX,
    property::PROPERTY_BYTES_MAX,
};
use std::{fmt::Display, io::Write as _};

/// A line that is being written.
pub(super) struct Words<'a> {
    out: &'a mut Vec<u8>,
}

/// What can be a word of a line.
pub(super) trait Word {
    /// Appends it.
    fn put(&self, out: &mut Vec<u8>);
}

impl<'a> Words<'a> {
    /// Appends to `out`.
    pub(super) const fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    /// The verb, or how the line begins.
    #[inline]
    pub(super) fn first(&mut self, word: impl Word) -> &mut Self {
        word.put(self.out);
        self
    }

    /// A further word.
    #[inline]
    pub(super) fn word(&mut self, word: impl Word) -> &mut Self {
        self.out.push(b' ');
        word.put(self.out);
        self
    }

    /// A word of a client, byte for byte.
    #[inline]
    pub(super) fn token(&mut self, token: &[u8]) -> &mut Self {
        self.out.push(b' ');
        self.out.extend_from_slice(token);
        self
    }

    /// An escaped name.
    pub(super) fn name(&mut self, name: &Name) -> &mut Self {
        self.token(escape::encode(name.as_str(), FRIENDLY_NAME_BYTES_MAX).as_bytes())
    }

    /// An escaped value of a property.
    pub(super) fn value(&mut self, value: &str) -> &mut Self {
        self.token(escape::encode(value, PROPERTY_BYTES_MAX).as_bytes())
    }

    /// A word that may be missing.
    pub(super) fn optional(&mut self, word: Option<impl Word>) -> &mut Self {
        if let Some(word) = word {
            self.word(word);
        }
        self
    }

    /// An item of a list of which the items before it have been written.
    pub(super) fn listed(&mut self, index: usize, word: impl Word) {
        self.out.push(if index == 0 { b' ' } else { b',' });
        word.put(self.out);
    }

    /// The line end.
    #[inline]
    pub(super) fn end(&mut self) {
        self.out.extend_from_slice(b"\r\n");
    }

    /// Ends a chain whose value is not wanted.
    pub(super) fn skip(&mut self) {}
}

impl Word for str {
    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
}

impl Word for [u8] {
    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

impl Word for TrId {
    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        let (text, digits) = self.padded();
        let end = out.len() + digits;
        // A copy of a length that is known is no call.
        out.extend_from_slice(text);
        out.truncate(end);
    }
}

impl Word for Address {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_str().as_bytes());
    }
}

impl Word for u64 {
    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(itoa::Buffer::new().format(*self).as_bytes());
    }
}

impl Word for u32 {
    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        u64::from(*self).put(out);
    }
}

impl Word for usize {
    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        (*self as u64).put(out);
    }
}

impl<T: Word + ?Sized> Word for &T {
    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        (**self).put(out);
    }
}

/// Words that are rare, or few.
macro_rules! displayed {
    ($($word:ty),*) => {
        $(impl Word for $word {
            fn put(&self, out: &mut Vec<u8>) {
                display(self, out);
            }
        })*
    };
}

displayed!(Dialect, ErrorCode, GroupId, PropertyKey, Status, i32, u8);

fn display(word: &impl Display, out: &mut Vec<u8>) {
    // Writing to a growing buffer cannot fail.
    let _ = write!(out, "{word}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_they_are_displayed() {
        for number in [0, 1, 9, 10, 99, 100, 1_000_000_007, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            Words::new(&mut out).first(number).optional(Some(number)).end();
            assert_eq!(out, format!("{number} {number}\r\n").as_bytes());
        }
    }
}
