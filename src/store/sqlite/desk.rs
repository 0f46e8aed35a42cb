//! The owner's affairs during one edit: what the rules need to know is loaded here, what they
//! decide is saved here. Decides nothing itself.

use super::{read, sql};
use crate::{
    model::{
        AccountId, Address, GroupSet, ListBits, Name, Privacy, Prompt, Properties, PropertyKey,
        roster::{Entry, ListCounts, RosterLimits, next_version},
    },
    store::StoreError,
};
use sqlx::SqliteConnection;

/// The owner's affairs during one edit.
pub(super) struct Desk<'c> {
    pub(super) conn: &'c mut SqliteConnection,
    pub(super) limits: RosterLimits,
    /// The owner.
    pub(super) owner: i64,
    pub(super) me: Me,
}

pub(super) struct Me {
    pub(super) name: String,
    pub(super) version: u32,
    pub(super) privacy: Privacy,
    pub(super) prompt: Prompt,
}

/// Somebody else, or the owner as its own contact.
pub(super) struct Person {
    pub(super) key: i64,
    pub(super) id: AccountId,
    pub(super) privacy: Privacy,
}

impl<'c> Desk<'c> {
    pub(super) async fn open(
        conn: &'c mut SqliteConnection,
        limits: RosterLimits,
        owner: AccountId,
    ) -> Result<Self, StoreError> {
        let owner = read::key(owner);
        let row: Option<(String, u32, String, String)> =
            sqlx::query_as(sql::OWNER).bind(owner).fetch_optional(&mut *conn).await?;
        let (name, version, privacy, prompt) = row.ok_or(StoreError::NotFound)?;
        let privacy = read::stored_privacy(&privacy)?;
        let prompt = read::stored_prompt(&prompt)?;
        Ok(Self { conn, limits, owner, me: Me { name, version, privacy, prompt } })
    }

    /// The owner's version once this edit is made; also what others are told if the owner is
    /// among them, since one edit raises a version once.
    pub(super) fn next_version(&self) -> u32 {
        next_version(self.me.version)
    }

    pub(super) async fn person(&mut self, address: &Address) -> Result<Option<Person>, StoreError> {
        let row: Option<(i64, String)> = sqlx::query_as(sql::PERSON)
            .bind(address.as_str())
            .fetch_optional(&mut *self.conn)
            .await?;
        let Some((key, privacy)) = row else { return Ok(None) };
        let (id, privacy) = (read::account_id(key)?, read::stored_privacy(&privacy)?);
        Ok(Some(Person { key, id, privacy }))
    }

    /// Where `contact` stands on the lists of `owner`.
    pub(super) async fn entry(&mut self, owner: i64, contact: i64) -> Result<Entry, StoreError> {
        let row: Option<(u8, u32, String)> = sqlx::query_as(sql::ENTRY)
            .bind(owner)
            .bind(contact)
            .fetch_optional(&mut *self.conn)
            .await?;
        Ok(row.map_or_else(Entry::default, |(lists, groups, _)| Entry {
            lists: ListBits(lists),
            groups: GroupSet(groups),
        }))
    }

    /// Makes an entry of the owner's, or replaces bits and name of the one that is there.
    pub(super) async fn enter(
        &mut self,
        person: &Person,
        entry: Entry,
        name: &Name,
    ) -> Result<(), StoreError> {
        sqlx::query(sql::ENTER)
            .bind(self.owner)
            .bind(person.key)
            .bind(entry.lists.0)
            .bind(entry.groups.0)
            .bind(name.as_str())
            .execute(&mut *self.conn)
            .await?;
        Ok(())
    }

    /// Saves the bits of an entry that exists; one that is on no list any more disappears.
    pub(super) async fn save(
        &mut self,
        owner: i64,
        contact: i64,
        entry: Entry,
    ) -> Result<(), StoreError> {
        let query = if entry.lists == ListBits::NONE {
            sqlx::query(sql::DROP_ENTRY).bind(owner).bind(contact)
        } else {
            let query = sqlx::query(sql::SAVE_ENTRY).bind(owner).bind(contact);
            query.bind(entry.lists.0).bind(entry.groups.0)
        };
        query.execute(&mut *self.conn).await?;
        Ok(())
    }

    pub(super) async fn groups(&mut self) -> Result<GroupSet, StoreError> {
        let bits =
            sqlx::query_scalar(sql::GROUP_BITS).bind(self.owner).fetch_one(&mut *self.conn).await?;
        Ok(GroupSet(bits))
    }

    pub(super) async fn counts(&mut self) -> Result<ListCounts, StoreError> {
        let (forward, allow_block) =
            sqlx::query_as(sql::LIST_COUNTS).bind(self.owner).fetch_one(&mut *self.conn).await?;
        Ok(ListCounts { forward, allow_block })
    }

    /// Raises somebody's version and returns it; the owner's own rises at the end of the edit.
    pub(super) async fn bump(&mut self, person: &Person) -> Result<u32, StoreError> {
        if person.key == self.owner {
            return Ok(self.next_version());
        }
        Ok(sqlx::query_scalar(sql::BUMP).bind(person.key).fetch_one(&mut *self.conn).await?)
    }

    /// Raises the versions of everybody who watches the owner and may see it.
    pub(super) async fn bump_watchers(&mut self) -> Result<Vec<(AccountId, u32)>, StoreError> {
        let mut told = self.bumped(sql::BUMP_WATCHERS, self.me.privacy.code()).await?;
        let me = self.entry(self.owner, self.owner).await?;
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

    /// The shared properties of somebody who lets the owner see them.
    pub(super) async fn visible_properties(
        &mut self,
        person: &Person,
    ) -> Result<Option<Properties>, StoreError> {
        let theirs = self.entry(person.key, self.owner).await?.lists;
        if theirs.has(ListBits::BLOCK)
            || (person.privacy == Privacy::BlockOthers && !theirs.has(ListBits::ALLOW))
        {
            return Ok(None);
        }
        let rows =
            sqlx::query_as(sql::PROPERTIES).bind(person.key).fetch_all(&mut *self.conn).await?;
        let mut properties = read::properties(rows)?;
        properties.retain(|key, _| key.is_shared());
        Ok(Some(properties))
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
