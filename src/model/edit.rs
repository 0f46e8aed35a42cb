//! Changes of a roster: what a client asks for, what came of it, why it cannot be.

use super::{AccountId, Address, GroupId, List, Name, Privacy, Prompt, Properties, PropertyKey};

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
    /// Nothing but a new list version: the list that the client keeps is out of date.
    Touch,
    /// `PRP`
    SetProperty {
        /// Which.
        key: PropertyKey,
        /// The decoded value; `None` clears.
        value: Option<String>,
    },
}

impl Edit {
    /// One word for the kind, for metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Add { .. } => "add",
            Self::Remove { .. } => "remove",
            Self::AddGroup { .. } => "add_group",
            Self::RenameGroup { .. } => "rename_group",
            Self::RemoveGroup { .. } => "remove_group",
            Self::Rename { .. } => "rename",
            Self::RenameContact { .. } => "rename_contact",
            Self::SetPrivacy(_) => "set_privacy",
            Self::SetPrompt(_) => "set_prompt",
            Self::Touch => "touch",
            Self::SetProperty { .. } => "set_property",
        }
    }
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
        /// Who is to hear of it as [`PropertyKey::told_as`] says (they watch and may see the
        /// owner), with *their* new list version.
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
