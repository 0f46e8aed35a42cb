//! What edits of contacts must know, read for many at once, and what they come to, written at once.
//! In between `model::roster` decides, each edit by what those before it came to; nothing here
//! talks to the database while it does.

use super::{read, sql};
use crate::{
    model::{
        AccountId, Address, Change, Edit, GroupId, GroupSet, List, ListBits, Name, Privacy, Prompt,
        Properties, Refusal,
        roster::{Entry, ListCounts, RosterLimits, next_version},
    },
    store::StoreError,
};
use anyhow::{Context as _, anyhow};
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;
use std::collections::{BTreeMap, HashMap};

/// One owner's affairs as they were read. What edits decided since came to is in the [`Draft`].
pub(super) struct Affairs {
    /// The owner.
    pub(super) owner: i64,
    pub(super) me: Me,
    /// Whom the edit is about, if it is about somebody and there is such an account.
    other: Option<Other>,
}

pub(super) struct Me {
    pub(super) name: String,
    pub(super) version: u32,
    pub(super) privacy: Privacy,
    pub(super) prompt: Prompt,
    pub(super) groups: GroupSet,
    /// Only for an edit that may make a list too long.
    counts: ListCounts,
}

/// Somebody else, or the owner as its own contact.
struct Other {
    key: i64,
    id: AccountId,
    version: u32,
    privacy: Privacy,
    /// Where it stands on the owner's lists.
    mine: Listed,
    /// Where the owner stands on its lists.
    theirs: Listed,
    /// Only for an edit that may make a list longer.
    properties: Properties,
}

/// An entry and the name in it; without a name if there is none.
#[derive(Clone, Default)]
struct Listed {
    entry: Entry,
    name: Option<String>,
}

/// What edits of contacts come to, until it is written. Never larger than the edits of one commit
/// make it: two entries and two versions for each.
#[derive(Default)]
pub(super) struct Draft {
    /// Entries that disappeared, though some may have come again.
    gone: Vec<(i64, i64)>,
    /// Owner, contact and entry, in the order in which they came; what disappeared is left empty.
    entries: Vec<(i64, i64, Listed)>,
    /// Where the last entry of a pair is among them.
    places: HashMap<(i64, i64), usize>,
    versions: BTreeMap<i64, u32>,
    /// How much longer somebody's lists are: forward, then allow and block.
    grown: HashMap<i64, (i32, i32)>,
}

/// Reads what these edits must know, in their order; `None` where there is no such owner.
pub(super) async fn read(
    conn: &mut SqliteConnection,
    edits: &[(AccountId, &Edit)],
    limits: RosterLimits,
) -> Result<Vec<Option<Affairs>>, StoreError> {
    let asked: Vec<_> = edits
        .iter()
        .map(|(owner, edit)| {
            let adds = matches!(edit, Edit::Add { .. });
            (read::key(*owner), contact(edit).map(Address::as_str), adds)
        })
        .collect();
    let limit = i64::from(limits.forward_max.min(limits.allow_block_max));
    let json: String = sqlx::query_scalar(sql::AFFAIRS)
        .bind(to_json(&asked)?)
        .bind(limit - edits.len() as i64)
        .fetch_one(conn)
        .await?;
    let rows: Vec<Row> = read::assembled(&json)?;
    if rows.len() != edits.len() {
        return Err(anyhow!("{} edits came back as {}", edits.len(), rows.len()).into());
    }
    let affairs = edits.iter().zip(rows).map(|((owner, _), row)| row.affairs(read::key(*owner)));
    Ok(affairs.collect::<anyhow::Result<_>>()?)
}

/// Whom an edit is about, if it is about one contact.
pub(super) fn contact(edit: &Edit) -> Option<&Address> {
    match edit {
        Edit::Add { contact, .. }
        | Edit::Remove { contact, .. }
        | Edit::RenameContact { contact, .. } => Some(contact),
        _ => None,
    }
}

impl Affairs {
    /// The owner's version once an edit is made that comes alone.
    pub(super) fn next_version(&self) -> u32 {
        next_version(self.me.version)
    }

    /// The owner's version as it is now.
    pub(super) fn version(&self, draft: &Draft) -> u32 {
        draft.version(self.owner, self.me.version)
    }

    /// Adds what an edit of a contact comes to, unless a rule forbids it. One edit raises a version
    /// once: others are told the owner's if the owner is among them.
    pub(super) fn decide(
        &self,
        edit: &Edit,
        limits: RosterLimits,
        draft: &mut Draft,
    ) -> Result<Change, Refusal> {
        let change = match edit {
            Edit::Add { list, name, group, .. } => self.add(*list, name, *group, limits, draft),
            Edit::Remove { list, group, .. } => self.remove(*list, *group, draft),
            Edit::RenameContact { name, .. } => self.rename_contact(name, draft),
            _ => Ok(Change::None),
        }?;
        if change != Change::None {
            draft.raise(self.owner, self.me.version);
        }
        Ok(change)
    }

    fn add(
        &self,
        list: List,
        name: &Name,
        group: Option<GroupId>,
        limits: RosterLimits,
        draft: &mut Draft,
    ) -> Result<Change, Refusal> {
        let other = self.other.as_ref().ok_or(Refusal::NoSuchUser)?;
        let Listed { entry: before, name: old_name } = self.mine(other, draft);
        let counts = draft.counts(self.owner, self.me.counts);
        let after = before.add(list, group, self.me.groups, counts, limits)?;
        draft.grow(self.owner, before, after);
        let watched = newly(before, after, ListBits::FORWARD);
        let old_name = old_name.filter(|_| !watched && before.lists != ListBits::NONE);
        let name = old_name.unwrap_or_else(|| name.as_str().to_owned());
        if !watched {
            draft.put(self.owner, other.key, after, name);
            return Ok(match list {
                List::Forward => Change::Private,
                _ => Change::Listed { list, contact: other.id },
            });
        }
        let properties = other.visible_properties(self.theirs(other, draft).entry);
        if other.key == self.owner {
            let both = Entry { lists: after.lists.with(ListBits::REVERSE), ..after };
            draft.put(self.owner, self.owner, both, name);
        } else {
            let Listed { entry: theirs, name: their_name } = self.theirs(other, draft);
            let theirs = Entry { lists: theirs.lists.with(ListBits::REVERSE), ..theirs };
            draft.put(self.owner, other.key, after, name);
            let their_name = their_name.unwrap_or_else(|| self.me.name.clone());
            draft.put(other.key, self.owner, theirs, their_name);
        }
        let reverse_version = self.raise(other, draft);
        Ok(Change::Watched { contact: other.id, reverse_version, properties })
    }

    fn remove(
        &self,
        list: List,
        group: Option<GroupId>,
        draft: &mut Draft,
    ) -> Result<Change, Refusal> {
        let Some(other) = &self.other else {
            Entry::default().remove(list, group, self.me.groups)?;
            return Err(Refusal::NotOnList);
        };
        let Listed { entry: before, name } = self.mine(other, draft);
        let after = before.remove(list, group, self.me.groups)?;
        draft.grow(self.owner, before, after);
        let my_name = name.unwrap_or_default();
        if !newly(after, before, ListBits::FORWARD) {
            draft.put(self.owner, other.key, after, my_name);
            return Ok(match list {
                List::Forward => Change::Private,
                _ => Change::Unlisted { list, contact: other.id },
            });
        }
        if other.key == self.owner {
            let neither = Entry { lists: after.lists.without(ListBits::REVERSE), ..after };
            draft.put(self.owner, self.owner, neither, my_name);
        } else {
            let Listed { entry: theirs, name: their_name } = self.theirs(other, draft);
            let theirs = Entry { lists: theirs.lists.without(ListBits::REVERSE), ..theirs };
            draft.put(self.owner, other.key, after, my_name);
            draft.put(other.key, self.owner, theirs, their_name.unwrap_or_default());
        }
        let reverse_version = self.raise(other, draft);
        Ok(Change::Unwatched { contact: other.id, reverse_version })
    }

    fn rename_contact(&self, name: &Name, draft: &mut Draft) -> Result<Change, Refusal> {
        let other = self.other.as_ref().ok_or(Refusal::NotOnList)?;
        let mine = self.mine(other, draft);
        if mine.name.ok_or(Refusal::NotOnList)? == name.as_str() {
            return Ok(Change::None);
        }
        draft.put(self.owner, other.key, mine.entry, name.as_str().to_owned());
        Ok(Change::Private)
    }

    /// Where the other stands on the owner's lists by now.
    fn mine(&self, other: &Other, draft: &Draft) -> Listed {
        draft.entry(self.owner, other.key).unwrap_or(&other.mine).clone()
    }

    /// Where the owner stands on the other's lists by now.
    fn theirs(&self, other: &Other, draft: &Draft) -> Listed {
        draft.entry(other.key, self.owner).unwrap_or(&other.theirs).clone()
    }

    /// Raises the other's version and returns it; the owner's own rises in any case.
    fn raise(&self, other: &Other, draft: &mut Draft) -> u32 {
        if other.key == self.owner {
            return next_version(self.version(draft));
        }
        draft.raise(other.key, other.version)
    }
}

impl Other {
    /// The shared properties, if the owner, who stands there on this one's lists, may see them.
    fn visible_properties(&self, theirs: Entry) -> Option<Properties> {
        self.privacy.allows(theirs.lists).then(|| {
            let mut properties = self.properties.clone();
            properties.retain(|key, _| key.is_shared());
            properties
        })
    }
}

impl Draft {
    /// Writes it.
    pub(super) async fn save(self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        if self.versions.is_empty() {
            return Ok(());
        }
        let entries = self.entries.iter().filter_map(|(owner, contact, Listed { entry, name })| {
            name.as_deref().map(|name| (owner, contact, entry.lists.0, entry.groups.0, name))
        });
        let entries: Vec<_> = entries.collect();
        sqlx::query(sql::SAVE)
            .bind(to_json(&self.gone)?)
            .bind(to_json(&entries)?)
            .bind(to_json(&self.versions)?)
            .execute(conn)
            .await?;
        Ok(())
    }

    /// An entry as it is now, if it has changed.
    fn entry(&self, owner: i64, contact: i64) -> Option<&Listed> {
        self.entries.get(*self.places.get(&(owner, contact))?).map(|(.., listed)| listed)
    }

    /// An entry as it is now; one that is on no list any more disappears, and would come again
    /// behind all others.
    fn put(&mut self, owner: i64, contact: i64, entry: Entry, name: String) {
        let is_gone = entry.lists == ListBits::NONE;
        let listed = if is_gone { Listed::default() } else { Listed { entry, name: Some(name) } };
        if is_gone {
            self.gone.push((owner, contact));
        }
        let place = self.places.entry((owner, contact)).or_insert(usize::MAX);
        match self.entries.get_mut(*place) {
            Some((.., old)) if is_gone || old.name.is_some() => *old = listed,
            _ => {
                *place = self.entries.len();
                self.entries.push((owner, contact, listed));
            }
        }
    }

    /// Somebody's version, if it was this one when it was read.
    fn version(&self, whose: i64, read: u32) -> u32 {
        self.versions.get(&whose).copied().unwrap_or(read)
    }

    fn raise(&mut self, whose: i64, read: u32) -> u32 {
        let version = self.versions.entry(whose).or_insert(read);
        *version = next_version(*version);
        *version
    }

    /// How long somebody's lists are, if they were so long when they were read.
    fn counts(&self, whose: i64, read: ListCounts) -> ListCounts {
        let (forward, allow_block) = self.grown.get(&whose).copied().unwrap_or_default();
        ListCounts {
            forward: read.forward.saturating_add_signed(forward),
            allow_block: read.allow_block.saturating_add_signed(allow_block),
        }
    }

    fn grow(&mut self, whose: i64, before: Entry, after: Entry) {
        let (forward, allow_block) = self.grown.entry(whose).or_default();
        for (entry, by) in [(before, -1), (after, 1)] {
            *forward += by * i32::from(entry.lists.has(ListBits::FORWARD));
            *allow_block += by * i32::from(entry.lists.has(ListBits::ALLOW));
            *allow_block += by * i32::from(entry.lists.has(ListBits::BLOCK));
        }
    }
}

/// As `sql::AFFAIRS` has it: the owner, whom it is about, the entries of both, what that one shows.
#[derive(Deserialize)]
struct Row(
    Option<String>,
    Option<u32>,
    Option<String>,
    Option<String>,
    u32,
    Option<(u32, u32)>,
    Option<i64>,
    Option<u32>,
    Option<String>,
    Option<u8>,
    Option<u32>,
    Option<String>,
    Option<u8>,
    Option<u32>,
    Option<String>,
    Option<Vec<(String, String)>>,
);

impl Row {
    fn affairs(self, owner: i64) -> anyhow::Result<Option<Affairs>> {
        let Self(name, version, privacy, prompt, groups, counts, key, other_version, ..) = self;
        let Self(.., other_privacy, l1, g1, n1, l2, g2, n2, properties) = self;
        let (Some(name), Some(version), Some(privacy), Some(prompt)) =
            (name, version, privacy, prompt)
        else {
            return Ok(None);
        };
        let (forward, allow_block) = counts.unwrap_or_default();
        let me = Me {
            name,
            version,
            privacy: read::stored_privacy(&privacy)?,
            prompt: read::stored_prompt(&prompt)?,
            groups: GroupSet(groups),
            counts: ListCounts { forward, allow_block },
        };
        let other = match (key, other_version, other_privacy) {
            (Some(key), Some(version), Some(privacy)) => Some(Other {
                key,
                id: read::account_id(key)?,
                version,
                privacy: read::stored_privacy(&privacy)?,
                mine: Listed::new(l1, g1, n1),
                theirs: Listed::new(l2, g2, n2),
                properties: read::properties(properties.unwrap_or_default())?,
            }),
            _ => None,
        };
        Ok(Some(Affairs { owner, me, other }))
    }
}

impl Listed {
    fn new(lists: Option<u8>, groups: Option<u32>, name: Option<String>) -> Self {
        let lists = ListBits(lists.unwrap_or_default());
        let groups = GroupSet(groups.unwrap_or_default());
        Self { entry: Entry { lists, groups }, name }
    }
}

fn to_json(rows: &impl Serialize) -> anyhow::Result<String> {
    serde_json::to_string(rows).context("rows cannot be written as JSON")
}

/// Whether `list` is in `after` but not in `before`.
fn newly(before: Entry, after: Entry, list: ListBits) -> bool {
    after.lists.has(list) && !before.lists.has(list)
}
