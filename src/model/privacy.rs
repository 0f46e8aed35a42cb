//! Who may see and reach whom (reference `presence-rules.md` §2).

use super::AccountId;

/// How people on neither the allow nor the block list are treated (`BLP`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Privacy {
    /// `AL`: they may see and call me.
    #[default]
    AllowOthers,
    /// `BL`: they may not.
    BlockOthers,
}

impl Privacy {
    /// The wire form.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::AllowOthers => "AL",
            Self::BlockOthers => "BL",
        }
    }

    /// Reads the wire form.
    #[must_use]
    pub fn from_code(code: &[u8]) -> Option<Self> {
        match code {
            b"AL" => Some(Self::AllowOthers),
            b"BL" => Some(Self::BlockOthers),
            _ => None,
        }
    }
}

/// What the client does when somebody new appears on the reverse list (`GTC`). Stored only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Prompt {
    /// `A`: ask.
    #[default]
    Ask,
    /// `N`: allow silently.
    Never,
}

impl Prompt {
    /// The wire form.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Ask => "A",
            Self::Never => "N",
        }
    }

    /// Reads the wire form.
    #[must_use]
    pub fn from_code(code: &[u8]) -> Option<Self> {
        match code {
            b"A" => Some(Self::Ask),
            b"N" => Some(Self::Never),
            _ => None,
        }
    }
}

/// The part of a roster that decides visibility, small enough to keep for every online user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Circle {
    /// The forward list, in list order.
    pub forward: Vec<AccountId>,
    /// The allow list, sorted.
    pub allow: Vec<AccountId>,
    /// The block list, sorted.
    pub block: Vec<AccountId>,
    /// The rule for everybody else.
    pub privacy: Privacy,
}

impl Circle {
    /// `allowed(watcher, self)`: whether the owner lets `watcher` see and call it.
    #[must_use]
    pub fn allows(&self, watcher: AccountId) -> bool {
        self.block.binary_search(&watcher).is_err()
            && (self.privacy == Privacy::AllowOthers || self.allow.binary_search(&watcher).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_beats_mode_and_mode_decides_for_strangers() {
        let (alice, bob, carol) = (AccountId(1), AccountId(2), AccountId(3));
        let mut circle = Circle { allow: vec![alice], block: vec![bob], ..Circle::default() };
        assert!(circle.allows(alice) && !circle.allows(bob) && circle.allows(carol));
        circle.privacy = Privacy::BlockOthers;
        assert!(circle.allows(alice) && !circle.allows(bob) && !circle.allows(carol));
    }
}
