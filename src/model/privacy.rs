//! Who may see and reach whom (reference `presence-rules.md` §2).

use super::{AccountId, ListBits};

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

    /// Whether somebody who is on these of the owner's lists may see and reach it.
    #[must_use]
    pub const fn allows(self, lists: ListBits) -> bool {
        !lists.has(ListBits::BLOCK)
            && (matches!(self, Self::AllowOthers) || lists.has(ListBits::ALLOW))
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
    /// Gives back what the lists hold in reserve: they seldom change, and are kept for long.
    pub fn shrink_to_fit(&mut self) {
        let Self { forward, allow, block, .. } = self;
        [forward, allow, block].into_iter().for_each(Vec::shrink_to_fit);
    }

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

    #[test]
    fn the_rule_is_the_same_by_list_bits() {
        let (watcher, lists) = (AccountId(1), [ListBits::ALLOW, ListBits::BLOCK]);
        for privacy in [Privacy::AllowOthers, Privacy::BlockOthers] {
            for bits in (0..16).map(ListBits).filter(|bits| !lists.iter().all(|on| bits.has(*on))) {
                let on = |list| if bits.has(list) { vec![watcher] } else { Vec::new() };
                let (allow, block) = (on(ListBits::ALLOW), on(ListBits::BLOCK));
                let circle = Circle { allow, block, privacy, ..Circle::default() };
                assert_eq!(privacy.allows(bits), circle.allows(watcher), "{privacy:?} {bits:?}");
            }
        }
    }
}
