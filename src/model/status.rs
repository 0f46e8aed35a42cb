//! Online status codes.

use std::fmt;

/// What a user can choose with `CHG`. Offline is no choice: it is the absence of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// `NLN`
    Online,
    /// `BSY`
    Busy,
    /// `IDL`
    Idle,
    /// `BRB`
    BeRightBack,
    /// `AWY`
    Away,
    /// `PHN`
    OnThePhone,
    /// `LUN`
    OutToLunch,
    /// `HDN`: signed in, but offline to everybody else.
    Hidden,
}

impl Status {
    /// Every status with its code, in the order of the reference.
    pub const ALL: [(Self, &'static str); 8] = [
        (Self::Online, "NLN"),
        (Self::Busy, "BSY"),
        (Self::Idle, "IDL"),
        (Self::BeRightBack, "BRB"),
        (Self::Away, "AWY"),
        (Self::OnThePhone, "PHN"),
        (Self::OutToLunch, "LUN"),
        (Self::Hidden, "HDN"),
    ];

    /// The status with this exact code; codes are case-sensitive.
    #[must_use]
    pub fn from_code(code: &[u8]) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| known.as_bytes() == code).map(|(status, _)| *status)
    }

    /// The three letters on the wire.
    #[must_use]
    pub const fn code(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_round_trip() {
        for (status, code) in Status::ALL {
            assert_eq!(status.code(), code);
            assert_eq!(Status::from_code(code.as_bytes()), Some(status));
        }
        assert_eq!(Status::from_code(b"FLN"), None);
        assert_eq!(Status::from_code(b"nln"), None);
    }
}
