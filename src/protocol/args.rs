//! A cursor over the words of a command, and transaction ids.

use super::Line;
use crate::model::{Address, GroupId};
use std::fmt;

/// A transaction id: decimal, at most 4294967295, echoed exactly as the client wrote it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TrId {
    /// As the client wrote it, zeros in front included; behind it zeros.
    text: [u8; Self::DIGITS_MAX],
    digits: u8,
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
    pub(super) const DIGITS_MAX: usize = 10;
    const LARGEST: [u8; Self::DIGITS_MAX] = *b"4294967295";

    /// `0`, the id of asynchronous lines.
    pub const ZERO: Self = Self { text: [b'0'; Self::DIGITS_MAX], digits: 1 };

    /// Reads a transaction id.
    ///
    /// # Errors
    /// [`ArgError::TrId`].
    pub fn parse(word: &[u8]) -> Result<Self, ArgError> {
        if word.is_empty() || word.len() > Self::DIGITS_MAX {
            return Err(ArgError::TrId);
        }
        let mut text = Self::ZERO.text;
        let mut digits = 0;
        for (place, byte) in text.iter_mut().zip(word) {
            if !byte.is_ascii_digit() {
                return Err(ArgError::TrId);
            }
            *place = *byte;
            digits += 1;
        }
        if word.len() == Self::DIGITS_MAX && text > Self::LARGEST {
            return Err(ArgError::TrId);
        }
        Ok(Self { text, digits })
    }

    /// Its digits, and bytes behind them that are none: so many can be copied at once.
    pub(super) const fn padded(&self) -> (&[u8; Self::DIGITS_MAX], usize) {
        (&self.text, self.digits as usize)
    }
}

impl fmt::Display for TrId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (text, digits) = self.padded();
        text.iter().take(digits).try_for_each(|digit| write!(f, "{}", char::from(*digit)))
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
    line: Line<'a>,
    /// Behind the last word that was taken.
    at: usize,
}

impl<'a> Args<'a> {
    /// All words, the verb first.
    #[must_use]
    pub const fn whole(line: Line<'a>) -> Self {
        Self::from(line, 0)
    }

    /// The words from byte `at` on.
    #[must_use]
    pub const fn from(line: Line<'a>, at: usize) -> Self {
        Self { line, at }
    }

    /// The next word, if there is one.
    #[inline]
    pub fn optional(&mut self) -> Option<&'a [u8]> {
        let word = self.line.word(self.at)?;
        self.at = word.end;
        self.line.as_bytes().get(word)
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
    use crate::protocol::Decoder;

    fn decoder(text: &str) -> Decoder {
        let mut decoder = Decoder::new(1000);
        decoder.feed(format!("{text}\r\n").as_bytes());
        decoder
    }

    fn line(decoder: &mut Decoder) -> Line<'_> {
        let found = decoder.find_line().unwrap().unwrap();
        decoder.line(found)
    }

    #[test]
    fn walks_words_over_any_white_space() {
        let mut decoder = decoder("  CHG\t5  NLN 268435492 ");
        let line = line(&mut decoder);
        assert_eq!(line.verb(), b"CHG");
        let mut args = Args::whole(line);
        assert_eq!(args.word(), Ok(&b"CHG"[..]));
        assert_eq!(args.word(), Ok(&b"5"[..]));
        let mut args = Args::from(line, "  CHG\t5".len());
        assert_eq!(args.word(), Ok(&b"NLN"[..]));
        assert_eq!(args.u32(), Ok(268_435_492));
        assert_eq!(args.word(), Err(ArgError::Missing));
        args.finish().unwrap();
    }

    #[test]
    fn refuses_leftovers_and_bad_numbers() {
        let mut decoder = decoder("SYN 8 4294967296 x");
        let line = line(&mut decoder);
        let mut args = Args::whole(line);
        assert_eq!(args.word(), Ok(&b"SYN"[..]));
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
