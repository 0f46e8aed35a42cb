//! `PRP` and `BPR` properties: phone numbers and mobile settings.

use std::fmt;

/// Longest property value in bytes as it stands on the wire.
pub const PROPERTY_BYTES_MAX: usize = 95;

/// The properties an account can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PropertyKey {
    /// `PHH`, home phone.
    HomePhone,
    /// `PHW`, work phone.
    WorkPhone,
    /// `PHM`, mobile phone.
    MobilePhone,
    /// `MOB`, others may page my mobile device.
    MobileAllowed,
    /// `MBE`, a mobile device is enabled.
    MobileEnabled,
    /// `WWE`, MSN Direct (MSNP9).
    WebWatch,
}

impl PropertyKey {
    /// Every key with its wire form, in the order in which lines are sent.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::HomePhone, "PHH"),
        (Self::WorkPhone, "PHW"),
        (Self::MobilePhone, "PHM"),
        (Self::MobileAllowed, "MOB"),
        (Self::MobileEnabled, "MBE"),
        (Self::WebWatch, "WWE"),
    ];

    /// The key with this exact wire form.
    #[must_use]
    pub fn from_code(code: &[u8]) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| known.as_bytes() == code).map(|(key, _)| *key)
    }

    /// Three letters.
    #[must_use]
    pub const fn code(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// Whether contacts are told (`BPR`): phones and `MOB`; the rest is the owner's alone.
    #[must_use]
    pub const fn is_shared(self) -> bool {
        matches!(self, Self::HomePhone | Self::WorkPhone | Self::MobilePhone | Self::MobileAllowed)
    }

    /// What watchers are told of a change of this property: the change itself, or that nobody may
    /// page a device that is no longer there.
    #[must_use]
    pub fn told_as(self, value: Option<&str>) -> (Self, Option<String>) {
        match self {
            Self::MobileEnabled => (Self::MobileAllowed, Some("N".into())),
            key => (key, value.map(str::to_owned)),
        }
    }

    /// Whether `value` (decoded) is legal for this key: `Y`/`N` for the switches, digits for
    /// `WWE`, any text without control characters for phones.
    #[must_use]
    pub fn accepts(self, value: &str) -> bool {
        match self {
            Self::MobileAllowed | Self::MobileEnabled => matches!(value, "Y" | "N"),
            Self::WebWatch => !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()),
            _ => !value.chars().any(char::is_control),
        }
    }
}

impl fmt::Display for PropertyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// The set properties of one account, decoded, in the order of [`PropertyKey::ALL`].
pub type Properties = std::collections::BTreeMap<PropertyKey, String>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_round_trip_and_values_are_checked() {
        for (key, code) in PropertyKey::ALL {
            assert_eq!(key.code(), code);
            assert_eq!(PropertyKey::from_code(code.as_bytes()), Some(key));
        }
        assert_eq!(PropertyKey::from_code(b"MFN"), None);
        assert!(PropertyKey::MobileAllowed.accepts("Y"));
        assert!(!PropertyKey::MobileAllowed.accepts("yes"));
        assert!(PropertyKey::HomePhone.accepts("46 555"));
        assert!(!PropertyKey::HomePhone.accepts("46\n555"));
        assert!(!PropertyKey::WebWatch.accepts("x"));
    }
}
