//! Negotiation of the dialect (`VER`).

pub use crate::model::Dialect;

/// The word by which a client asks for an update check only.
pub const UPDATE_CHECK: &str = "CVR0";

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
