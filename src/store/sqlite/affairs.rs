//! What edits of contacts must know, read for many at once, and what they come to, written at once.
//! In between `model::roster` decides; nothing here talks to the database while it does.

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

/// One owner's affairs as one edit finds them.
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
    /// Only for an edit that may make a list longer.
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
struct Listed {
    entry: Entry,
    name: Option<String>,
}

/// What edits of contacts come to, until it is written.
#[derive(Default)]
pub(super) struct Draft {
    gone: Vec<(i64, i64)>,
    entries: Vec<(i64, i64, u8, u32, String)>,
    versions: Vec<(i64, u32)>,
}

/// Reads what these edits must know, in their order; `None` where there is no such owner.
pub(super) async fn read(
    conn: &mut SqliteConnection,
    edits: &[(AccountId, &Edit)],
) -> Result<Vec<Option<Affairs>>, StoreError> {
    let asked: Vec<_> = edits
        .iter()
        .map(|(owner, edit)| {
            let adds = matches!(edit, Edit::Add { .. });
            (read::key(*owner), contact(edit).map(Address::as_str), adds)
        })
        .collect();
    let json: String =
        sqlx::query_scalar(sql::AFFAIRS).bind(to_json(&asked)?).fetch_one(conn).await?;
    let rows: Vec<Row> = read::listed(&json)?;
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
    /// The owner's version once this edit is made; also what others are told if the owner is
    /// among them, since one edit raises a version once.
    pub(super) fn next_version(&self) -> u32 {
        next_version(self.me.version)
    }

    /// The accounts whose lists this edit reads and may change.
    pub(super) fn concerned(&self) -> impl Iterator<Item = i64> + use<> {
        [Some(self.owner), self.other.as_ref().map(|other| other.key)].into_iter().flatten()
    }

    /// Adds what an edit of a contact comes to, unless a rule forbids it.
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
            draft.versions.push((self.owner, self.next_version()));
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
        let before = other.mine.entry;
        let after = before.add(list, group, self.me.groups, self.me.counts, limits)?;
        let watched = newly(before, after, ListBits::FORWARD);
        let old_name = other.mine.name.as_deref().filter(|_| !watched);
        let old_name = old_name.filter(|_| before.lists != ListBits::NONE);
        let name = old_name.unwrap_or(name.as_str());
        if !watched {
            draft.put(self.owner, other.key, after, name);
            return Ok(match list {
                List::Forward => Change::Private,
                _ => Change::Listed { list, contact: other.id },
            });
        }
        if other.key == self.owner {
            let both = Entry { lists: after.lists.with(ListBits::REVERSE), ..after };
            draft.put(self.owner, self.owner, both, name);
        } else {
            let theirs = other.theirs.entry;
            let theirs = Entry { lists: theirs.lists.with(ListBits::REVERSE), ..theirs };
            let their_name = other.theirs.name.as_deref().unwrap_or(&self.me.name);
            draft.put(self.owner, other.key, after, name);
            draft.put(other.key, self.owner, theirs, their_name);
        }
        let reverse_version = self.raise(other, draft);
        let properties = other.visible_properties();
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
        let before = other.mine.entry;
        let after = before.remove(list, group, self.me.groups)?;
        let my_name = other.mine.name.as_deref().unwrap_or_default();
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
            let theirs = other.theirs.entry;
            let theirs = Entry { lists: theirs.lists.without(ListBits::REVERSE), ..theirs };
            draft.put(self.owner, other.key, after, my_name);
            let their_name = other.theirs.name.as_deref().unwrap_or_default();
            draft.put(other.key, self.owner, theirs, their_name);
        }
        let reverse_version = self.raise(other, draft);
        Ok(Change::Unwatched { contact: other.id, reverse_version })
    }

    fn rename_contact(&self, name: &Name, draft: &mut Draft) -> Result<Change, Refusal> {
        let other = self.other.as_ref().ok_or(Refusal::NotOnList)?;
        if other.mine.name.as_deref().ok_or(Refusal::NotOnList)? == name.as_str() {
            return Ok(Change::None);
        }
        draft.put(self.owner, other.key, other.mine.entry, name.as_str());
        Ok(Change::Private)
    }

    /// Raises the other's version and returns it; the owner's own rises in any case.
    fn raise(&self, other: &Other, draft: &mut Draft) -> u32 {
        if other.key == self.owner {
            return self.next_version();
        }
        let version = next_version(other.version);
        draft.versions.push((other.key, version));
        version
    }
}

impl Other {
    /// The shared properties, if the owner may see them.
    fn visible_properties(&self) -> Option<Properties> {
        self.privacy.allows(self.theirs.entry.lists).then(|| {
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
        sqlx::query(sql::SAVE)
            .bind(to_json(&self.gone)?)
            .bind(to_json(&self.entries)?)
            .bind(to_json(&self.versions)?)
            .execute(conn)
            .await?;
        Ok(())
    }

    /// An entry as it is now; one that is on no list any more disappears.
    fn put(&mut self, owner: i64, contact: i64, entry: Entry, name: &str) {
        if entry.lists == ListBits::NONE {
            self.gone.push((owner, contact));
        } else {
            let (lists, groups) = (entry.lists.0, entry.groups.0);
            self.entries.push((owner, contact, lists, groups, name.to_owned()));
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
