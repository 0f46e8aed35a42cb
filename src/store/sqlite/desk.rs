//! The owner's affairs during one edit of its own: what the rules need to know beside
//! `super::affairs` is loaded here, what they decide is saved here. Decides nothing itself.

use super::{affairs::Me, read, sql};
use crate::{
    model::{AccountId, GroupSet, ListBits, PropertyKey, roster::Entry},
    store::StoreError,
};
use sqlx::SqliteConnection;

/// The owner's affairs during one edit.
pub(super) struct Desk<'c> {
    pub(super) conn: &'c mut SqliteConnection,
    /// The owner.
    pub(super) owner: i64,
    pub(super) me: &'c Me,
    /// The owner's version once this edit is made.
    pub(super) next_version: u32,
}

impl Desk<'_> {
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
            told.push((read::account_id(self.owner)?, self.next_version));
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
