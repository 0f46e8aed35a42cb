//! The four lists, groups and their rules (reference `presence-rules.md` §1, `ns-commands.md` ADD
//! to REA). Pure: a store loads an entry, asks here what becomes of it, and saves the answer.

use super::{Address, Name, Privacy, Prompt, Properties, PropertyKey};
use std::fmt;

/// Groups per account, ids 0 to 29; group 0 always exists.
pub const GROUPS_MAX: usize = 30;
/// Name of group 0 of a new account.
pub const FIRST_GROUP_NAME: &str = "~";

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

/// One person on somebody's lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Who.
    pub id: AccountId,
    /// Their handle.
    pub address: Address,
    /// The list owner's copy of their name.
    pub name: Name,
    /// The lists they are on.
    pub lists: ListBits,
    /// Their groups; empty unless on the forward list.
    pub groups: GroupSet,
    /// Their shared properties; empty unless on the forward list and the owner may see them.
    pub properties: Properties,
}

/// A contact group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its number.
    pub id: GroupId,
    /// Its name.
    pub name: Name,
}

/// All that `SYN` sends, as of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    /// The list version, never 0.
    pub version: u32,
    /// `GTC`
    pub prompt: Prompt,
    /// `BLP`
    pub privacy: Privacy,
    /// The owner's own properties.
    pub properties: Properties,
    /// Groups, lowest number first; group 0 is always there.
    pub groups: Vec<Group>,
    /// Everybody on any list, in the order in which they came.
    pub contacts: Vec<Contact>,
}

/// The groups of a new account: group 0, named [`FIRST_GROUP_NAME`].
#[must_use]
pub fn first_groups() -> Vec<Group> {
    Name::new(FIRST_GROUP_NAME).map(|name| Group { id: GroupId::ZERO, name }).into_iter().collect()
}

/// A change that a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// `ADD`; `group` only with [`List::Forward`].
    Add {
        /// Where to.
        list: List,
        /// Whom.
        contact: Address,
        /// The owner's name for them.
        name: Name,
        /// Into which group.
        group: Option<GroupId>,
    },
    /// `REM`; `group` only with [`List::Forward`].
    Remove {
        /// Where from.
        list: List,
        /// Whom.
        contact: Address,
        /// Only from this group.
        group: Option<GroupId>,
    },
    /// `ADG`
    AddGroup {
        /// Its name.
        name: Name,
    },
    /// `REG`
    RenameGroup {
        /// Which.
        group: GroupId,
        /// Its new name.
        name: Name,
    },
    /// `RMG`
    RemoveGroup {
        /// Which.
        group: GroupId,
    },
    /// `REA` of the own handle.
    Rename {
        /// The new friendly name.
        name: Name,
    },
    /// `REA` of a contact.
    RenameContact {
        /// Whom.
        contact: Address,
        /// The owner's new name for them.
        name: Name,
    },
    /// `BLP`
    SetPrivacy(Privacy),
    /// `GTC`
    SetPrompt(Prompt),
    /// `PRP`
    SetProperty {
        /// Which.
        key: PropertyKey,
        /// The decoded value; `None` clears.
        value: Option<String>,
    },
}

/// A committed change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Whose roster changed.
    pub owner: AccountId,
    /// The owner's list version after the change.
    pub version: u32,
    /// What happened.
    pub change: Change,
}

/// What a committed change means to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// `contact` is new on the forward list; its reverse list changed with it.
    Watched {
        /// Whom.
        contact: AccountId,
        /// *Their* list version after the change.
        reverse_version: u32,
        /// Their shared properties if they allow the owner to see them.
        properties: Option<Properties>,
    },
    /// `contact` left the forward list.
    Unwatched {
        /// Whom.
        contact: AccountId,
        /// *Their* list version after the change.
        reverse_version: u32,
    },
    /// `contact` came onto the allow or block list.
    Listed {
        /// [`List::Allow`] or [`List::Block`].
        list: List,
        /// Whom.
        contact: AccountId,
    },
    /// `contact` left the allow or block list.
    Unlisted {
        /// [`List::Allow`] or [`List::Block`].
        list: List,
        /// Whom.
        contact: AccountId,
    },
    /// A new group.
    GroupAdded {
        /// Its number.
        group: GroupId,
    },
    /// A group is gone; these left the forward list with it, each with *their* new list version.
    GroupRemoved {
        /// Contact and its list version.
        dropped: Vec<(AccountId, u32)>,
    },
    /// The owner's own friendly name changed.
    Renamed {
        /// The new name.
        name: Name,
    },
    /// `BLP` changed.
    Privacy(Privacy),
    /// A property changed.
    Property {
        /// Which.
        key: PropertyKey,
        /// The value now in force; `None` if cleared.
        value: Option<String>,
        /// Who is to hear of it (they watch and may see the owner), with *their* new list version.
        told: Vec<(AccountId, u32)>,
    },
    /// Something only the owner sees: filing into groups, names of contacts and groups, `GTC`.
    Private,
    /// Nothing at all changed; the version is the old one.
    None,
}

/// Why an edit cannot be made. Nothing has changed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 205
    #[error("no such user")]
    NoSuchUser,
    /// 210
    #[error("list full")]
    ListFull,
    /// 215
    #[error("already there")]
    AlreadyThere,
    /// 216
    #[error("not on the list")]
    NotOnList,
    /// 218
    #[error("already in that mode")]
    AlreadyInMode,
    /// 219
    #[error("on the opposite list")]
    OnOppositeList,
    /// 223
    #[error("too many groups")]
    TooManyGroups,
    /// 224
    #[error("no such group")]
    NoSuchGroup,
    /// 225
    #[error("not in that group")]
    NotInGroup,
    /// 230
    #[error("group 0 cannot be removed")]
    GroupZero,
}

/// How long lists may grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RosterLimits {
    /// People on the forward list.
    pub forward_max: u32,
    /// People on the allow and block lists together.
    pub allow_block_max: u32,
}

impl Default for RosterLimits {
    fn default() -> Self {
        Self { forward_max: 600, allow_block_max: 1000 }
    }
}

/// How long the owner's lists are before an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListCounts {
    /// People on the forward list.
    pub forward: u32,
    /// People on the allow and block lists together.
    pub allow_block: u32,
}

/// Where one person stands on the owner's lists. All zero for somebody unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Entry {
    /// The lists.
    pub lists: ListBits,
    /// The groups; empty unless on the forward list.
    pub groups: GroupSet,
}

impl Entry {
    /// The entry after `ADD`. `groups` are the owner's existing groups.
    ///
    /// # Errors
    /// The refusal of highest priority: group, presence, opposite list, room.
    pub fn add(
        self,
        list: List,
        group: Option<GroupId>,
        groups: GroupSet,
        counts: ListCounts,
        limits: RosterLimits,
    ) -> Result<Self, Refusal> {
        if group.is_some_and(|group| !groups.has(group)) {
            return Err(Refusal::NoSuchGroup);
        }
        match list {
            List::Forward if self.lists.has(ListBits::FORWARD) => match group {
                Some(group) if !self.groups.has(group) => {
                    Ok(Self { groups: self.groups.with(group), ..self })
                }
                _ => Err(Refusal::AlreadyThere),
            },
            List::Forward if counts.forward >= limits.forward_max => Err(Refusal::ListFull),
            List::Forward => Ok(Self {
                lists: self.lists.with(ListBits::FORWARD),
                groups: GroupSet::default().with(group.unwrap_or(GroupId::ZERO)),
            }),
            List::Allow | List::Block => {
                let opposite = if list == List::Allow { ListBits::BLOCK } else { ListBits::ALLOW };
                if self.lists.has(list.bit()) {
                    Err(Refusal::AlreadyThere)
                } else if self.lists.has(opposite) {
                    Err(Refusal::OnOppositeList)
                } else if counts.allow_block >= limits.allow_block_max {
                    Err(Refusal::ListFull)
                } else {
                    Ok(Self { lists: self.lists.with(list.bit()), ..self })
                }
            }
        }
    }

    /// The entry after `REM`: out of one group, or off the list with the last one.
    ///
    /// # Errors
    /// [`Refusal::NoSuchGroup`], [`Refusal::NotOnList`] or [`Refusal::NotInGroup`].
    pub fn remove(
        self,
        list: List,
        group: Option<GroupId>,
        groups: GroupSet,
    ) -> Result<Self, Refusal> {
        if group.is_some_and(|group| !groups.has(group)) {
            return Err(Refusal::NoSuchGroup);
        }
        if !self.lists.has(list.bit()) {
            return Err(Refusal::NotOnList);
        }
        let gone = Self {
            lists: self.lists.without(list.bit()),
            groups: if list == List::Forward { GroupSet::default() } else { self.groups },
        };
        match group {
            Some(group) if list == List::Forward => {
                if !self.groups.has(group) {
                    return Err(Refusal::NotInGroup);
                }
                let left = self.groups.without(group);
                Ok(if left.is_empty() { gone } else { Self { groups: left, ..self } })
            }
            _ => Ok(gone),
        }
    }
}

/// The list version after one more change: 4294967295 is followed by 1, 0 never comes.
#[must_use]
pub fn next_version(version: u32) -> u32 {
    version.checked_add(1).unwrap_or(1)
}

/// Whether `version` comes after `other` in the endless round of list versions.
#[must_use]
pub const fn version_is_newer(version: u32, other: u32) -> bool {
    (version.wrapping_sub(other) as i32) > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const FL: Entry = Entry { lists: ListBits::FORWARD, groups: GroupSet::ZERO };
    const NONE: ListCounts = ListCounts { forward: 0, allow_block: 0 };

    fn group(id: u32) -> Option<GroupId> {
        GroupId::new(id)
    }

    #[test]
    fn versions_never_become_zero() {
        assert_eq!(next_version(1), 2);
        assert_eq!(next_version(u32::MAX), 1);
    }

    #[test]
    fn forward_add_files_and_refuses_in_priority_order() {
        let limits = RosterLimits { forward_max: 1, allow_block_max: 1 };
        let groups = GroupSet(0b11);
        let add =
            |entry: Entry, list, group, counts| entry.add(list, group, groups, counts, limits);
        assert_eq!(add(Entry::default(), List::Forward, None, NONE), Ok(FL));
        assert_eq!(add(FL, List::Forward, group(1), NONE).unwrap().groups, GroupSet(0b11));
        assert_eq!(add(FL, List::Forward, group(0), NONE), Err(Refusal::AlreadyThere));
        assert_eq!(add(FL, List::Forward, None, NONE), Err(Refusal::AlreadyThere));
        assert_eq!(add(FL, List::Forward, group(7), NONE), Err(Refusal::NoSuchGroup));
        let full = ListCounts { forward: 1, allow_block: 1 };
        assert_eq!(add(Entry::default(), List::Forward, None, full), Err(Refusal::ListFull));
        assert_eq!(add(FL, List::Allow, None, full), Err(Refusal::ListFull));
        let blocked = Entry { lists: ListBits::BLOCK, ..Entry::default() };
        assert_eq!(add(blocked, List::Allow, None, full), Err(Refusal::OnOppositeList));
        assert_eq!(add(blocked, List::Block, None, full), Err(Refusal::AlreadyThere));
    }

    #[test]
    fn leaving_the_last_group_leaves_the_list() {
        let groups = GroupSet(0b111);
        let two = Entry { lists: ListBits(1 | 8), groups: GroupSet(0b11) };
        let one = two.remove(List::Forward, group(0), groups).unwrap();
        assert_eq!(one, Entry { lists: ListBits(9), groups: GroupSet(0b10) });
        assert_eq!(one.remove(List::Forward, group(0), groups), Err(Refusal::NotInGroup));
        assert_eq!(one.remove(List::Forward, group(9), groups), Err(Refusal::NoSuchGroup));
        let gone = one.remove(List::Forward, group(1), groups).unwrap();
        assert_eq!(gone, Entry { lists: ListBits::REVERSE, groups: GroupSet(0) });
        assert_eq!(gone.remove(List::Forward, None, groups), Err(Refusal::NotOnList));
        assert_eq!(two.remove(List::Forward, None, groups).unwrap().groups, GroupSet(0));
    }

    #[test]
    fn groups_stay_dense() {
        assert_eq!(GroupSet(0b1011).lowest_free(), group(2));
        assert_eq!(GroupSet((1 << GROUPS_MAX) - 1).lowest_free(), None);
        assert_eq!(GroupId::new(30), None);
        assert_eq!(GroupSet(0b101).iter().map(GroupId::get).collect::<Vec<_>>(), [0, 2]);
    }
}
