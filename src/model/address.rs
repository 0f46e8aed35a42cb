//! E-mail addresses as account handles: validated once, lower case ever after.

use std::{fmt, sync::Arc};

/// Longest handle in bytes (reference README §3.4).
pub const ADDRESS_BYTES_MAX: usize = 129;

/// A valid, lower-cased e-mail handle. Cloning shares the text.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address(Arc<str>);

/// Why a text is no e-mail handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Longer than [`ADDRESS_BYTES_MAX`].
    #[error("longer than {ADDRESS_BYTES_MAX} bytes")]
    TooLong,
    /// Not exactly one `@` with text on both sides.
    #[error("must have the form name@domain")]
    Shape,
    /// The domain has no dot between two labels.
    #[error("the domain must contain a dot")]
    Domain,
    /// A byte that is no printable ASCII, or one that would break a line of the protocol.
    #[error("contains a character that is not allowed in an address")]
    Character,
}

impl Address {
    /// Checks and folds `text` to lower case.
    ///
    /// # Errors
    /// [`AddressError`] names the first rule that `text` breaks.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.len() > ADDRESS_BYTES_MAX {
            return Err(AddressError::TooLong);
        }
        if !text.bytes().all(is_allowed) {
            return Err(AddressError::Character);
        }
        let (local, domain) = text.split_once('@').ok_or(AddressError::Shape)?;
        if local.is_empty() || domain.is_empty() || domain.contains('@') {
            return Err(AddressError::Shape);
        }
        if !domain.contains('.') || domain.split('.').any(str::is_empty) {
            return Err(AddressError::Domain);
        }
        // Mostly it has been folded before.
        let has_upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
        Ok(Self(if has_upper { text.to_ascii_lowercase().into() } else { text.into() }))
    }

    /// The handle, lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Printable ASCII that breaks no line of the protocol.
const fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_graphic()
        && !matches!(byte, b'"' | b'%' | b'\'' | b'(' | b')' | b',' | b':' | b';')
        && !matches!(byte, b'<' | b'>' | b'[' | b'\\' | b']')
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_case() {
        assert_eq!(Address::parse("Maya@Example.ORG").unwrap().as_str(), "maya@example.org");
    }

    #[test]
    fn names_the_broken_rule() {
        for (text, error) in [
            ("hello", AddressError::Shape),
            ("@@a", AddressError::Shape),
            ("@example.org", AddressError::Shape),
            ("maya@", AddressError::Shape),
            ("nobody@b", AddressError::Domain),
            ("a@.org", AddressError::Domain),
            ("a@b..c", AddressError::Domain),
            ("a b@c.d", AddressError::Character),
            ("é@c.d", AddressError::Character),
            ("a,b@c.d", AddressError::Character),
            ("", AddressError::Shape),
        ] {
            assert_eq!(Address::parse(text), Err(error), "{text}");
        }
        let long = format!("{}@example.org", "a".repeat(118));
        assert_eq!(long.len(), 130);
        assert_eq!(Address::parse(&long), Err(AddressError::TooLong));
        assert!(Address::parse(&long[1..]).is_ok());
    }
}
