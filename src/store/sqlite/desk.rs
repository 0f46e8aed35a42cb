//! The owner's affairs during one edit: what the rules need to know is loaded here, what they
//! decide is saved here. Decides nothing itself.

use super::{read, sql};
use crate::{
    model::{
        AccountId, Address, GroupSet, ListBits, Privacy, Prompt, Properties, PropertyKey,
        roster::{Entry, ListCounts, RosterLimits, next_version},
    },
    store::StoreError,
};
use anyhow::Context as _;
use sqlx::SqliteConnection;

/// The owner's affairs during one edit.
pub(super) struct Desk<'c> {
    pub(super) conn: &'c mut SqliteConnection,
    pub(super) limits: RosterLimits,
    /// The owner.
    pub(super) owner: i64,
    pub(super) me: Me,
    /// Whom the edit is about, if it is about somebody and there is such an account.
    pub(super) other: Option<Other>,
}

pub(super) struct Me {
    pub(super) name: String,
    pub(super) version: u32,
    pub(super) privacy: Privacy,
    pub(super) prompt: Prompt,
    pub(super) groups: GroupSet,
    /// Only if it was asked for.
    pub(super) counts: ListCounts,
}

/// Somebody else, or the owner as its own contact.
pub(super) struct Other {
    pub(super) key: i64,
    pub(super) id: AccountId,
    version: u32,
    /// Where it stands on the owner's lists.
    pub(super) mine: Listed,
    /// Where the owner stands on its lists.
    pub(super) theirs: Listed,
    privacy: Privacy,
    /// Only if it was asked for.
    properties: Properties,
}

/// An entry and the name in it; without a name if there is none.
#[derive(Default)]
pub(super) struct Listed {
    pub(super) entry: Entry,
    pub(super) name: Option<String>,
}

#[derive(sqlx::FromRow)]
struct DeskRow {
    name: String,
    list_version: u32,
    privacy: String,
    prompt: String,
    groups: u32,
    other: Option<i64>,
    other_version: Option<u32>,
    other_privacy: Option<String>,
    my_lists: Option<u8>,
    my_groups: Option<u32>,
    my_name: Option<String>,
    their_lists: Option<u8>,
    their_groups: Option<u32>,
    their_name: Option<String>,
    counts: Option<String>,
    properties: Option<String>,
}

impl<'c> Desk<'c> {
    /// Loads what an edit must know that is about `contact`, or only about the owner; if it may
    /// make the lists longer, also how long they are and what `contact` would show.
    pub(super) async fn open(
        conn: &'c mut SqliteConnection,
        limits: RosterLimits,
        owner: AccountId,
        contact: Option<&Address>,
        adds: bool,
    ) -> Result<Self, StoreError> {
        let owner = read::key(owner);
        let row: Option<DeskRow> = sqlx::query_as(sql::DESK)
            .bind(owner)
            .bind(contact.map(Address::as_str))
            .bind(adds)
            .fetch_optional(&mut *conn)
            .await?;
        let row = row.ok_or(StoreError::NotFound)?;
        let other = row.other()?;
        let (forward, allow_block) = match &row.counts {
            Some(json) => serde_json::from_str(json).context("the counts have another form")?,
            None => (0, 0),
        };
        let me = Me {
            privacy: read::stored_privacy(&row.privacy)?,
            prompt: read::stored_prompt(&row.prompt)?,
            name: row.name,
            version: row.list_version,
            groups: GroupSet(row.groups),
            counts: ListCounts { forward, allow_block },
        };
        Ok(Self { conn, limits, owner, me, other })
    }

    /// The owner's version once this edit is made; also what others are told if the owner is
    /// among them, since one edit raises a version once.
    pub(super) fn next_version(&self) -> u32 {
        next_version(self.me.version)
    }

    /// The version of whom the edit is about, once it is made.
    pub(super) fn next_version_of(&self, other: &Other) -> u32 {
        if other.key == self.owner { self.next_version() } else { next_version(other.version) }
    }

    /// Makes an entry of the owner's or replaces what is there, and saves the version.
    pub(super) async fn enter(
        &mut self,
        contact: i64,
        entry: Entry,
        name: &str,
    ) -> Result<(), StoreError> {
        let version = self.next_version();
        let query = sqlx::query(sql::ENTER).bind(self.owner).bind(contact);
        let query = query.bind(entry.lists.0).bind(entry.groups.0).bind(name).bind(version);
        query.execute(&mut *self.conn).await?;
        Ok(())
    }

    /// Saves the bits of an entry that exists, and the version; an entry that is on no list any
    /// more disappears.
    pub(super) async fn save(&mut self, other: &Other, entry: Entry) -> Result<(), StoreError> {
        match &other.mine.name {
            Some(name) if entry.lists != ListBits::NONE => self.enter(other.key, entry, name).await,
            _ => {
                let version = self.next_version();
                let query = sqlx::query(sql::DROP_ENTRY).bind(self.owner).bind(other.key);
                query.bind(version).execute(&mut *self.conn).await?;
                Ok(())
            }
        }
    }

    /// Saves both entries of who is watched from now on, and both versions.
    pub(super) async fn watch(
        &mut self,
        other: &Other,
        entry: Entry,
        name: &str,
    ) -> Result<(), StoreError> {
        let theirs = if other.key == self.owner { entry } else { other.theirs.entry };
        let theirs = Entry { lists: theirs.lists.with(ListBits::REVERSE), ..theirs };
        let (mine, their_name) = if other.key == self.owner {
            (theirs, name)
        } else {
            (entry, other.theirs.name.as_deref().unwrap_or(&self.me.name))
        };
        sqlx::query(sql::WATCH)
            .bind(self.owner)
            .bind(other.key)
            .bind(mine.lists.0)
            .bind(mine.groups.0)
            .bind(name)
            .bind(theirs.lists.0)
            .bind(theirs.groups.0)
            .bind(their_name)
            .bind(self.next_version())
            .bind(self.next_version_of(other))
            .execute(&mut *self.conn)
            .await?;
        Ok(())
    }

    /// Saves both entries of who is watched no longer, and both versions.
    pub(super) async fn unwatch(&mut self, other: &Other, entry: Entry) -> Result<(), StoreError> {
        let theirs = if other.key == self.owner { entry } else { other.theirs.entry };
        let theirs = Entry { lists: theirs.lists.without(ListBits::REVERSE), ..theirs };
        let mine = if other.key == self.owner { theirs } else { entry };
        sqlx::query(sql::UNWATCH)
            .bind(self.owner)
            .bind(other.key)
            .bind(mine.lists.0)
            .bind(mine.groups.0)
            .bind(theirs.lists.0)
            .bind(theirs.groups.0)
            .bind(self.next_version())
            .bind(self.next_version_of(other))
            .execute(&mut *self.conn)
            .await?;
        Ok(())
    }

    /// Where the owner stands on its own lists.
    async fn self_entry(&mut self) -> Result<Entry, StoreError> {
        let row: Option<(u8, u32)> = sqlx::query_as(sql::SELF_ENTRY)
            .bind(self.owner)
            .fetch_optional(&mut *self.conn)
            .await?;
        Ok(row.map_or_else(Entry::default, |(lists, groups)| Entry {
            lists: ListBits(lists),
            groups: GroupSet(groups),
        }))
    }

    /// Raises the versions of everybody who watches the owner and may see it.
    pub(super) async fn bump_watchers(&mut self) -> Result<Vec<(AccountId, u32)>, StoreError> {
        let mut told = self.bumped(sql::BUMP_WATCHERS, self.me.privacy.code()).await?;
        let me = self.self_entry().await?;
        if me.lists.has(ListBits::FORWARD) && self.me.privacy.allows(me.lists) {
            told.push((read::account_id(self.owner)?, self.next_version()));
        }
        told.sort_unstable();
        Ok(told)
    }

    /// Runs one of the statements that raise many versions and return them.
    pub(super) async fn bumped<'q, T>(
        &mut self,
        statement: &'static str,
        parameter: T,
    ) -> Result<Vec<(AccountId, u32)>, StoreError>
    where
        T: sqlx::Encode<'q, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite> + Send + 'q,
    {
        let rows: Vec<(i64, u32)> = sqlx::query_as(statement)
            .bind(self.owner)
            .bind(parameter)
            .fetch_all(&mut *self.conn)
            .await?;
        Ok(rows
            .into_iter()
            .map(|(id, version)| Ok((read::account_id(id)?, version)))
            .collect::<anyhow::Result<_>>()?)
    }

    pub(super) async fn property(
        &mut self,
        key: PropertyKey,
    ) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar(sql::PROPERTY)
            .bind(self.owner)
            .bind(key.code())
            .fetch_optional(&mut *self.conn)
            .await?)
    }

    pub(super) async fn put_property(
        &mut self,
        key: PropertyKey,
        value: Option<&str>,
    ) -> Result<(), StoreError> {
        let query = match value {
            None => sqlx::query(sql::DROP_PROPERTY).bind(self.owner).bind(key.code()),
            Some(value) => {
                sqlx::query(sql::PUT_PROPERTY).bind(self.owner).bind(key.code()).bind(value)
            }
        };
        query.execute(&mut *self.conn).await?;
        Ok(())
    }

    /// Runs a statement about the owner with one number.
    pub(super) async fn set_own(
        &mut self,
        statement: &'static str,
        number: i64,
    ) -> Result<(), StoreError> {
        sqlx::query(statement).bind(self.owner).bind(number).execute(&mut *self.conn).await?;
        Ok(())
    }

    /// Runs a statement about the owner with one text.
    pub(super) async fn set_own_text(
        &mut self,
        statement: &'static str,
        text: &str,
    ) -> Result<(), StoreError> {
        sqlx::query(statement).bind(self.owner).bind(text).execute(&mut *self.conn).await?;
        Ok(())
    }
}

impl Other {
    /// The shared properties, if the owner may see them.
    pub(super) fn visible_properties(self) -> Option<Properties> {
        let mut properties = self.properties;
        properties.retain(|key, _| key.is_shared());
        self.privacy.allows(self.theirs.entry.lists).then_some(properties)
    }
}

impl DeskRow {
    fn other(&self) -> Result<Option<Other>, StoreError> {
        let (Some(key), Some(version), Some(privacy)) =
            (self.other, self.other_version, &self.other_privacy)
        else {
            return Ok(None);
        };
        let properties = match &self.properties {
            Some(json) => read::properties(json)?,
            None => Properties::new(),
        };
        Ok(Some(Other {
            key,
            id: read::account_id(key)?,
            version,
            mine: Listed::new(self.my_lists, self.my_groups, self.my_name.as_ref()),
            theirs: Listed::new(self.their_lists, self.their_groups, self.their_name.as_ref()),
            privacy: read::stored_privacy(privacy)?,
            properties,
        }))
    }
}

impl Listed {
    fn new(lists: Option<u8>, groups: Option<u32>, name: Option<&String>) -> Self {
        let entry = Entry {
            lists: ListBits(lists.unwrap_or_default()),
            groups: GroupSet(groups.unwrap_or_default()),
        };
        Self { entry, name: name.cloned() }
    }
}
