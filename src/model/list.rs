//! Accounts, lists and groups by number: the small sets that everything else is made of.

use std::fmt;

/// Groups per account, ids 0 to 29; group 0 always exists.
pub const GROUPS_MAX: usize = 30;

/// The number of an account in the store. Shown to clients as the member id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub u64);

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A list that clients may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// `FL`: people I want to see.
    Forward,
    /// `AL`: people who may see and call me.
    Allow,
    /// `BL`: people who may not.
    Block,
}

impl List {
    /// Reads the wire form; `RL` is the server's alone and therefore unknown here.
    #[must_use]
    pub fn from_code(code: &[u8]) -> Option<Self> {
        match code {
            b"FL" => Some(Self::Forward),
            b"AL" => Some(Self::Allow),
            b"BL" => Some(Self::Block),
            _ => None,
        }
    }

    /// The wire form.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Forward => "FL",
            Self::Allow => "AL",
            Self::Block => "BL",
        }
    }

    /// The bit of this list.
    #[must_use]
    pub const fn bit(self) -> ListBits {
        match self {
            Self::Forward => ListBits::FORWARD,
            Self::Allow => ListBits::ALLOW,
            Self::Block => ListBits::BLOCK,
        }
    }
}

/// On which of the four lists somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListBits(pub u8);

impl ListBits {
    /// On no list.
    pub const NONE: Self = Self(0);
    /// `FL`
    pub const FORWARD: Self = Self(1);
    /// `AL`
    pub const ALLOW: Self = Self(2);
    /// `BL`
    pub const BLOCK: Self = Self(4);
    /// `RL`
    pub const REVERSE: Self = Self(8);

    /// Whether all of `other` is set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// With `other` set too.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// With `other` cleared.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// A group number, 0 to 29.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(u8);

impl GroupId {
    /// The group that always exists.
    pub const ZERO: Self = Self(0);

    /// A number in range.
    #[must_use]
    pub fn new(id: u32) -> Option<Self> {
        u8::try_from(id).ok().filter(|id| usize::from(*id) < GROUPS_MAX).map(Self)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A set of groups, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GroupSet(pub u32);

impl GroupSet {
    /// Only group 0.
    pub const ZERO: Self = Self(1);

    /// Whether `group` is in it.
    #[must_use]
    pub const fn has(self, group: GroupId) -> bool {
        self.0 & (1 << group.0) != 0
    }

    /// With `group` in it.
    #[must_use]
    pub const fn with(self, group: GroupId) -> Self {
        Self(self.0 | 1 << group.0)
    }

    /// Without `group`.
    #[must_use]
    pub const fn without(self, group: GroupId) -> Self {
        Self(self.0 & !(1 << group.0))
    }

    /// Whether no group is in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The groups, lowest number first.
    pub fn iter(self) -> impl Iterator<Item = GroupId> {
        (0..GROUPS_MAX as u8).map(GroupId).filter(move |group| self.has(*group))
    }

    /// The lowest number that is not taken.
    #[must_use]
    pub fn lowest_free(self) -> Option<GroupId> {
        (0..GROUPS_MAX as u8).map(GroupId).find(|group| !self.has(*group))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_stay_dense() {
        assert_eq!(GroupSet(0b1011).lowest_free(), GroupId::new(2));
        assert_eq!(GroupSet((1 << GROUPS_MAX) - 1).lowest_free(), None);
        assert_eq!(GroupId::new(30), None);
        assert_eq!(GroupSet(0b101).iter().map(GroupId::get).collect::<Vec<_>>(), [0, 2]);
    }
}
