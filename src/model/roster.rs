//! The four lists, groups and their rules (reference `presence-rules.md` §1, `ns-commands.md` ADD
//! to REA). Pure: a store loads an entry, asks here what becomes of it, and saves the answer.

use super::{
    AccountId, Address, Circle, GroupId, GroupSet, List, ListBits, Name, Privacy, Prompt,
    Properties, Refusal,
};

/// Name of group 0 of a new account.
pub const FIRST_GROUP_NAME: &str = "~";

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

impl Roster {
    /// Who is watched and who may see the owner.
    #[must_use]
    pub fn circle(&self) -> Circle {
        let on = |list| -> Vec<_> {
            let chosen = self.contacts.iter().filter(move |contact| contact.lists.has(list));
            chosen.map(|contact| contact.id).collect()
        };
        let mut circle = Circle {
            forward: on(ListBits::FORWARD),
            allow: on(ListBits::ALLOW),
            block: on(ListBits::BLOCK),
            privacy: self.privacy,
        };
        circle.allow.sort_unstable();
        circle.block.sort_unstable();
        circle
    }
}

/// The groups of a new account: group 0, named [`FIRST_GROUP_NAME`].
#[must_use]
pub fn first_groups() -> Vec<Group> {
    Name::new(FIRST_GROUP_NAME).map(|name| Group { id: GroupId::ZERO, name }).into_iter().collect()
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
}
