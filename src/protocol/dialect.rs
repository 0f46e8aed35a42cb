//! Dialect names and their negotiation (`VER`).

use std::fmt;

/// A dialect we speak, older first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// MSNP8, client 5.0 and many third-party clients.
    Msnp8,
    /// MSNP9, client 6.0.
    Msnp9,
}

/// The word by which a client asks for an update check only.
pub const UPDATE_CHECK: &str = "CVR0";

impl Dialect {
    /// All dialects, best first.
    pub const ALL: [Self; 2] = [Self::Msnp9, Self::Msnp8];

    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Msnp8 => "MSNP8",
            Self::Msnp9 => "MSNP9",
        }
    }

    /// A small number for tables with one slot for each dialect.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a client offered with `VER`, reduced to what matters to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offer {
    /// `MSNP8` was among the words.
    pub msnp8: bool,
    /// `MSNP9` was among the words.
    pub msnp9: bool,
    /// `CVR0` was among the words.
    pub update_check: bool,
}

impl Offer {
    /// Reads the words of a `VER`; case does not matter, unknown words neither.
    pub fn read<'a>(words: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut offer = Self::default();
        for word in words {
            offer.msnp8 |= word.eq_ignore_ascii_case(b"MSNP8");
            offer.msnp9 |= word.eq_ignore_ascii_case(b"MSNP9");
            offer.update_check |= word.eq_ignore_ascii_case(UPDATE_CHECK.as_bytes());
        }
        offer
    }

    /// The dialects both sides speak, best first.
    pub fn common(self) -> impl Iterator<Item = Dialect> {
        Dialect::ALL.into_iter().filter(move |dialect| match dialect {
            Dialect::Msnp8 => self.msnp8,
            Dialect::Msnp9 => self.msnp9,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picks_the_best_whatever_the_order_and_case() {
        let offer = Offer::read([&b"msnp8"[..], b"MSNP10", b"MSNP9", b"CVR0"].into_iter());
        assert_eq!(offer.common().collect::<Vec<_>>(), [Dialect::Msnp9, Dialect::Msnp8]);
        assert!(offer.update_check);
        let offer = Offer::read([&b"MSNP7"[..], b"CVRO"].into_iter());
        assert_eq!(offer, Offer::default());
    }
}
