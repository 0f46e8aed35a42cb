//! A cursor over the words of a command, and transaction ids.

use super::Line;
use crate::model::{Address, GroupId};
use std::fmt;

/// A transaction id: decimal, at most 4294967295, echoed exactly as the client wrote it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TrId {
    /// Zeros behind it. With the length 16 bytes, which are copied with one move.
    text: [u8; 15],
    len: u8,
}

/// Why an argument cannot be understood. All of them end the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ArgError {
    /// The transaction id is missing, no number, or above 4294967295.
    #[error("bad transaction id")]
    TrId,
    /// Fewer words than the command has.
    #[error("argument missing")]
    Missing,
    /// More words than the command has.
    #[error("too many arguments")]
    Leftover,
    /// A number that is none, or out of range.
    #[error("bad number")]
    Number,
    /// A word that is not one of the few allowed.
    #[error("illegal value")]
    Value,
    /// A name over the hard length limit.
    #[error("name too long")]
    NameTooLong,
}

impl TrId {
    const DIGITS_MAX: usize = 10;

    /// `0`, the id of asynchronous lines.
    pub const ZERO: Self = Self { text: *b"0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", len: 1 };

    /// Reads a transaction id.
    ///
    /// # Errors
    /// [`ArgError::TrId`].
    pub fn parse(word: &[u8]) -> Result<Self, ArgError> {
        if word.is_empty() || word.len() > Self::DIGITS_MAX {
            return Err(ArgError::TrId);
        }
        let (mut text, mut len, mut number) = ([0; 15], 0, 0u64);
        for (to, byte) in text.iter_mut().zip(word) {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return Err(ArgError::TrId);
            }
            (*to, len, number) = (*byte, len + 1, number * 10 + u64::from(digit));
        }
        if number > u64::from(u32::MAX) {
            return Err(ArgError::TrId);
        }
        Ok(Self { text, len })
    }

    /// The digits as they came.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.text.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl fmt::Display for TrId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(self.as_bytes()).unwrap_or_default())
    }
}

impl fmt::Debug for TrId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Takes the words of a command one after the other. No `Debug`: a word may be a ticket.
#[derive(Clone)]
pub struct Args<'a> {
    line: &'a [u8],
    /// Behind the last word that was taken.
    at: usize,
}

impl<'a> Args<'a> {
    /// The words behind the verb.
    #[must_use]
    pub fn of(line: Line<'a>) -> Self {
        let mut args = Self { line: line.as_bytes(), at: 0 };
        args.optional();
        args
    }

    /// The words from where others [stopped](Self::at).
    #[must_use]
    pub const fn from(line: Line<'a>, at: usize) -> Self {
        Self { line: line.as_bytes(), at }
    }

    /// How far the words are taken: bytes from the beginning of the line.
    #[must_use]
    pub const fn at(&self) -> usize {
        self.at
    }

    /// The next word, if there is one.
    pub fn optional(&mut self) -> Option<&'a [u8]> {
        let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
        let rest = self.line.get(self.at..)?;
        let start = rest.iter().position(|byte| !is_space(byte))?;
        let word = rest.get(start..)?;
        let end = word.iter().position(is_space).unwrap_or(word.len());
        self.at += start + end;
        word.get(..end)
    }

    /// The next word.
    ///
    /// # Errors
    /// [`ArgError::Missing`].
    pub fn word(&mut self) -> Result<&'a [u8], ArgError> {
        self.optional().ok_or(ArgError::Missing)
    }

    /// The next word as an unsigned 32-bit number.
    ///
    /// # Errors
    /// [`ArgError::Missing`] or [`ArgError::Number`].
    pub fn u32(&mut self) -> Result<u32, ArgError> {
        u32::try_from(number(self.word()?)?).map_err(|_| ArgError::Number)
    }

    /// The next word as an address; `None` inside if it is none, which is error 201 or 208 and
    /// not the end.
    ///
    /// # Errors
    /// [`ArgError::Missing`].
    pub fn address(&mut self) -> Result<Option<Address>, ArgError> {
        let word = self.word()?;
        Ok(std::str::from_utf8(word).ok().and_then(|text| Address::parse(text).ok()))
    }

    /// An optional group number: `None` if there is no word, `Some(None)` if no such group can
    /// exist (error 224).
    ///
    /// # Errors
    /// [`ArgError::Number`].
    pub fn optional_group(&mut self) -> Result<Option<Option<GroupId>>, ArgError> {
        let Some(word) = self.optional() else { return Ok(None) };
        let id = u32::try_from(number(word)?).map_err(|_| ArgError::Number)?;
        Ok(Some(GroupId::new(id)))
    }

    /// Refuses leftovers.
    ///
    /// # Errors
    /// [`ArgError::Leftover`].
    pub fn finish(mut self) -> Result<(), ArgError> {
        if self.optional().is_some() { Err(ArgError::Leftover) } else { Ok(()) }
    }
}

fn number(word: &[u8]) -> Result<u64, ArgError> {
    if word.is_empty() || word.len() > 20 || !word.iter().all(u8::is_ascii_digit) {
        return Err(ArgError::Number);
    }
    std::str::from_utf8(word).ok().and_then(|text| text.parse().ok()).ok_or(ArgError::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Decoder, FrameError};

    fn decoder(text: &str) -> Decoder {
        let mut decoder = Decoder::new(1000);
        decoder.feed(format!("{text}\r\n").as_bytes());
        decoder
    }

    fn line(decoder: &mut Decoder) -> Line<'_> {
        decoder.next::<FrameError>(|_| Ok(None)).unwrap().unwrap().line
    }

    #[test]
    fn walks_words_over_any_white_space() {
        let mut decoder = decoder("  CHG\t5  NLN 268435492 ");
        let line = line(&mut decoder);
        assert_eq!(line.verb(), b"CHG");
        let mut args = Args::of(line);
        assert_eq!(args.word(), Ok(&b"5"[..]));
        let mut args = Args::from(line, args.at());
        assert_eq!(args.word(), Ok(&b"NLN"[..]));
        assert_eq!(args.u32(), Ok(268_435_492));
        assert_eq!(args.word(), Err(ArgError::Missing));
        args.finish().unwrap();
    }

    #[test]
    fn refuses_leftovers_and_bad_numbers() {
        let mut decoder = decoder("SYN 8 4294967296 x");
        let line = line(&mut decoder);
        let mut args = Args::of(line);
        assert_eq!(args.u32(), Ok(8));
        assert_eq!(args.u32(), Err(ArgError::Number));
        assert_eq!(args.finish(), Err(ArgError::Leftover));
    }

    #[test]
    fn transaction_ids_are_echoed_as_written() {
        for text in ["0", "007", "4294967295"] {
            assert_eq!(TrId::parse(text.as_bytes()).unwrap().to_string(), text);
        }
        for text in ["", "-1", "+1", "1x", "4294967296", "00000000001", "99999999999999999999999"] {
            assert_eq!(TrId::parse(text.as_bytes()), Err(ArgError::TrId), "{text}");
        }
    }
}
