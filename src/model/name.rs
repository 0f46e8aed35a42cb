//! Friendly names and group names: decoded text that is safe to relay.

use std::{fmt, sync::Arc};

/// Longest friendly name in bytes as it stands on the wire (reference README §3.4).
pub const FRIENDLY_NAME_BYTES_MAX: usize = 387;
/// Longest group name in bytes as it stands on the wire.
pub const GROUP_NAME_BYTES_MAX: usize = 61;

/// A decoded name: not empty, no control characters, at most [`FRIENDLY_NAME_BYTES_MAX`] bytes in
/// its shortest wire form. Cloning shares the text.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name(Arc<str>);

/// Why a text cannot be a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No text at all.
    #[error("must not be empty")]
    Empty,
    /// Longer than [`FRIENDLY_NAME_BYTES_MAX`] bytes on the wire.
    #[error("longer than {FRIENDLY_NAME_BYTES_MAX} bytes on the wire")]
    TooLong,
    /// A control character.
    #[error("contains a control character")]
    Control,
}

impl Name {
    /// Checks a decoded text.
    ///
    /// # Errors
    /// [`NameError`] names the rule that `text` breaks.
    pub fn new(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.chars().any(char::is_control) {
            return Err(NameError::Control);
        }
        if Self::shortest_wire_bytes(text) > FRIENDLY_NAME_BYTES_MAX {
            return Err(NameError::TooLong);
        }
        Ok(Self(text.into()))
    }

    /// Bytes of the shortest legal wire form: only space and `%` are escaped.
    #[must_use]
    pub fn shortest_wire_bytes(text: &str) -> usize {
        text.len() + 2 * text.bytes().filter(|b| matches!(b, b' ' | b'%')).count()
    }

    /// The decoded text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Characters that names may have, but that break lines, turn text around or cannot be seen: what
/// people look at shows them as escapes, or a name could pass for something else. Joiners are none
/// of them: some scripts and many emoji need them.
#[must_use]
pub const fn is_deceptive(character: char) -> bool {
    matches!(
        character,
        '\u{200b}'
            | '\u{200e}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
    )
}

impl From<&super::Address> for Name {
    /// An address is always a legal name: it is what clients send before they know a better one.
    fn from(address: &super::Address) -> Self {
        Self(address.as_str().into())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_would_break_a_line() {
        assert_eq!(Name::new(""), Err(NameError::Empty));
        assert_eq!(Name::new("a\r\nOUT"), Err(NameError::Control));
        assert_eq!(Name::new("a\u{85}"), Err(NameError::Control));
        assert!(Name::new(&"x".repeat(387)).is_ok());
        assert_eq!(Name::new(&"x".repeat(388)), Err(NameError::TooLong));
        assert_eq!(Name::new(&" ".repeat(130)), Err(NameError::TooLong));
        assert!(Name::new(&"é".repeat(129)).is_ok());
    }
}
