//! Making, changing and removing accounts inside the writer's transaction. Many are made with few
//! statements, each carrying hundreds of rows. Knows nothing of files or passwords' making.

use super::sql;
use crate::{
    model::{Address, GroupId, GroupSet, ListBits, Mailbox},
    store::{NewAccount, NewContact, PasswordHash, StoreError},
};
use anyhow::Context;
use secrecy::ExposeSecret;
use serde::Serialize;
use sqlx::SqliteConnection;
use std::collections::HashSet;

/// Rows in one statement.
const ROWS_PER_STATEMENT: usize = 500;

/// Makes accounts with their lists, and marks them on the reverse lists of those they watch.
pub(super) async fn create(
    conn: &mut SqliteConnection,
    accounts: &[NewAccount],
) -> Result<(), StoreError> {
    check(accounts)?;
    let last: i64 = sqlx::query_scalar(sql::LAST_ACCOUNT).fetch_one(&mut *conn).await?;
    insert_accounts(conn, &accounts.iter().collect::<Vec<_>>()).await?;
    insert_belongings(conn, accounts).await?;
    insert_contacts(conn, accounts).await?;
    for statement in [sql::MARK_NEW_REVERSE, sql::BUMP_NEWLY_WATCHED] {
        sqlx::query(statement).bind(last).execute(&mut *conn).await?;
    }
    let first: Option<(String, String)> =
        sqlx::query_as(sql::FIRST_FALSE_REVERSE).bind(last).fetch_optional(&mut *conn).await?;
    match first {
        Some((owner, contact)) => Err(false_reverse(&owner, &contact)),
        None => Ok(()),
    }
}

/// What an entry of a reverse list is refused with that no forward list causes.
pub(super) fn false_reverse(owner: &str, contact: &str) -> StoreError {
    StoreError::Conflict(format!(
        "{contact} is on the reverse list of {owner} but does not have {owner} on the forward list"
    ))
}

/// Replaces a password.
pub(super) async fn set_password(
    conn: &mut SqliteConnection,
    address: &Address,
    hash: &PasswordHash,
) -> Result<(), StoreError> {
    let done = sqlx::query(sql::SET_PASSWORD)
        .bind(address.as_str())
        .bind(hash.0.expose_secret())
        .execute(conn)
        .await?;
    found(done.rows_affected())
}

/// Lets an account sign in or not.
pub(super) async fn set_enabled(
    conn: &mut SqliteConnection,
    address: &Address,
    enabled: bool,
) -> Result<(), StoreError> {
    let set = sqlx::query(sql::SET_ENABLED).bind(address.as_str()).bind(enabled);
    let done = set.execute(&mut *conn).await?;
    sqlx::query(sql::CHANGE_STANDINGS).execute(conn).await?;
    found(done.rows_affected())
}

/// Removes an account; foreign keys take its belongings and everybody's entries for it along.
pub(super) async fn remove(
    conn: &mut SqliteConnection,
    address: &Address,
) -> Result<(), StoreError> {
    let row: Option<(i64, String)> =
        sqlx::query_as(sql::PERSON).bind(address.as_str()).fetch_optional(&mut *conn).await?;
    let (id, _) = row.ok_or(StoreError::NotFound)?;
    for statement in [sql::BUMP_LISTERS, sql::REMOVE_ACCOUNT] {
        sqlx::query(statement).bind(id).execute(&mut *conn).await?;
    }
    sqlx::query(sql::CHANGE_STANDINGS).execute(conn).await?;
    Ok(())
}

/// Refuses what contradicts itself, before the database would with less helpful words.
pub(super) fn check(accounts: &[NewAccount]) -> Result<(), StoreError> {
    let mut seen = HashSet::with_capacity(accounts.len());
    for account in accounts {
        let address = &account.address;
        let conflict = |what: String| Err(StoreError::Conflict(format!("{address}: {what}")));
        if !seen.insert(address) {
            return conflict("given twice".to_owned());
        }
        if account.list_version == 0 {
            return conflict("the list version must not be 0".to_owned());
        }
        let mut groups = GroupSet::default();
        for group in &account.groups {
            if groups.has(group.id) {
                return conflict(format!("group {} given twice", group.id));
            }
            groups = groups.with(group.id);
        }
        if !groups.has(GroupId::ZERO) {
            return conflict("group 0 is missing".to_owned());
        }
        let mut listed = HashSet::with_capacity(account.contacts.len());
        for contact in &account.contacts {
            let (whom, lists) = (&contact.address, contact.lists);
            if !listed.insert(whom) {
                return conflict(format!("{whom} given twice"));
            }
            if lists == ListBits::NONE || lists.0 > 15 {
                return conflict(format!("{whom} is on no list"));
            }
            if lists.has(ListBits::ALLOW.with(ListBits::BLOCK)) {
                return conflict(format!("{whom} is both allowed and blocked"));
            }
            if contact.groups.0 & !groups.0 != 0 {
                return conflict(format!("{whom} is in a group that does not exist"));
            }
            if !contact.groups.is_empty() && !lists.has(ListBits::FORWARD) {
                return conflict(format!("{whom} is in a group but not on the forward list"));
            }
        }
    }
    Ok(())
}

/// The accounts alone.
pub(super) async fn insert_accounts(
    conn: &mut SqliteConnection,
    accounts: &[&NewAccount],
) -> Result<(), StoreError> {
    for chunk in accounts.chunks(ROWS_PER_STATEMENT) {
        let rows = rows(chunk.iter().map(|account| {
            (
                account.address.as_str(),
                account.name.as_str(),
                account.password.0.expose_secret(),
                account.list_version,
                account.privacy.code(),
                account.prompt.code(),
                account.enabled,
                account.created_at_secs,
            )
        }))?;
        let taken: Option<String> = sqlx::query_scalar(sql::FIRST_TAKEN)
            .bind(rows.as_str())
            .fetch_optional(&mut *conn)
            .await?;
        if let Some(address) = taken {
            return Err(StoreError::Conflict(format!("{address} exists already")));
        }
        sqlx::query(sql::INSERT_ACCOUNTS).bind(rows).execute(&mut *conn).await?;
    }
    Ok(())
}

/// Groups, properties and mailboxes.
pub(super) async fn insert_belongings(
    conn: &mut SqliteConnection,
    accounts: &[NewAccount],
) -> Result<(), StoreError> {
    for chunk in accounts.chunks(ROWS_PER_STATEMENT) {
        let groups = rows(chunk.iter().flat_map(|account| {
            let owner = account.address.as_str();
            account.groups.iter().map(move |group| (owner, group.id.get(), group.name.as_str()))
        }))?;
        sqlx::query(sql::INSERT_GROUPS).bind(groups).execute(&mut *conn).await?;
        let properties = rows(chunk.iter().flat_map(|account| {
            let owner = account.address.as_str();
            let set = account.properties.iter().filter(|(_, value)| !value.is_empty());
            set.map(move |(key, value)| (owner, key.code(), value.as_str()))
        }))?;
        sqlx::query(sql::INSERT_PROPERTIES).bind(properties).execute(&mut *conn).await?;
        let mailboxes = rows(chunk.iter().filter_map(|account| {
            let Mailbox { inbox_unread, folders_unread } = account.mailbox?;
            Some((account.address.as_str(), inbox_unread, folders_unread))
        }))?;
        sqlx::query(sql::INSERT_MAILBOXES).bind(mailboxes).execute(&mut *conn).await?;
    }
    Ok(())
}

/// Everybody on their lists, without the reverse lists that follow.
pub(super) async fn insert_contacts(
    conn: &mut SqliteConnection,
    accounts: &[NewAccount],
) -> Result<(), StoreError> {
    let all: Vec<(&Address, &NewContact)> = accounts
        .iter()
        .flat_map(|account| account.contacts.iter().map(|contact| (&account.address, contact)))
        .collect();
    for chunk in all.chunks(ROWS_PER_STATEMENT) {
        let rows = rows(chunk.iter().map(|(owner, contact)| {
            let groups = match contact.groups {
                none if none.is_empty() && contact.lists.has(ListBits::FORWARD) => GroupSet::ZERO,
                groups => groups,
            };
            (
                owner.as_str(),
                contact.address.as_str(),
                contact.name.as_str(),
                contact.lists.0,
                groups.0,
            )
        }))?;
        let missing: Option<String> = sqlx::query_scalar(sql::FIRST_MISSING)
            .bind(rows.as_str())
            .fetch_optional(&mut *conn)
            .await?;
        if let Some(address) = missing {
            return Err(StoreError::Conflict(format!("{address} is listed but does not exist")));
        }
        sqlx::query(sql::INSERT_CONTACTS).bind(rows).execute(&mut *conn).await?;
    }
    Ok(())
}

/// Rows as the one parameter of a statement.
fn rows<T: Serialize>(rows: impl Iterator<Item = T>) -> Result<String, StoreError> {
    let rows: Vec<T> = rows.collect();
    Ok(serde_json::to_string(&rows).context("rows cannot be written as JSON")?)
}

fn found(rows: u64) -> Result<(), StoreError> {
    if rows == 0 { Err(StoreError::NotFound) } else { Ok(()) }
}
