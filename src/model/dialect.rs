//! The dialects. How two sides agree on one is in `protocol/dialect.rs`.

use std::fmt;

/// A dialect we speak, older first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// MSNP8, client 5.0 and many third-party clients.
    Msnp8,
    /// MSNP9, client 6.0.
    Msnp9,
}

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
