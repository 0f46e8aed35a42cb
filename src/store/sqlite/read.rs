//! From rows to accounts and rosters, each whole as of one moment. Writes nothing.

use super::sql;
use crate::{
    model::{
        AccountId, Address, Contact, Group, GroupId, GroupSet, ListBits, Mailbox, Name, Privacy,
        Prompt, Properties, PropertyKey, Roster,
    },
    store::{Account, Callee, PasswordHash, SignIn, StoreError},
};
use anyhow::{Context, anyhow};
use serde::Deserialize;
use sqlx::{Connection, SqliteConnection};
use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
};
use tokio::task::yield_now;

/// Contacts of all accounts that are read together after which others have their turn.
const CONTACTS_PER_TURN: usize = 500;

/// One account by its handle.
pub(super) async fn account(
    conn: &mut SqliteConnection,
    address: &Address,
) -> Result<Account, StoreError> {
    let row: Option<AccountRow> =
        sqlx::query_as(sql::ACCOUNT_BY_ADDRESS).bind(address.as_str()).fetch_optional(conn).await?;
    Ok(row.ok_or(StoreError::NotFound)?.account()?)
}

/// All accounts, by handle.
pub(super) async fn accounts(conn: &mut SqliteConnection) -> Result<Vec<Account>, StoreError> {
    let rows: Vec<AccountRow> = sqlx::query_as(sql::ACCOUNTS).fetch_all(conn).await?;
    Ok(rows.into_iter().map(AccountRow::account).collect::<anyhow::Result<_>>()?)
}

/// Every account, and whether it may sign in.
pub(super) async fn standings(
    conn: &mut SqliteConnection,
) -> Result<HashMap<AccountId, bool>, StoreError> {
    let rows: Vec<(i64, bool)> = sqlx::query_as(sql::STANDINGS).fetch_all(conn).await?;
    Ok(rows
        .into_iter()
        .map(|(id, enabled)| Ok((account_id(id)?, enabled)))
        .collect::<anyhow::Result<_>>()?)
}

/// How often standings have changed.
pub(super) async fn standing_changes(conn: &mut SqliteConnection) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar(sql::STANDING_CHANGES).fetch_one(conn).await?)
}

/// An account with its lists.
pub(super) async fn sign_in(
    conn: &mut SqliteConnection,
    id: AccountId,
) -> Result<SignIn, StoreError> {
    let read = sign_ins(conn, &[id]).await?.pop();
    read.map_or(Err(StoreError::NotFound), |(_, read)| Ok(read?))
}

/// Those of these accounts that are there, with their lists: each once, and once more for each
/// repetition.
pub(super) async fn sign_ins(
    conn: &mut SqliteConnection,
    ids: &[AccountId],
) -> Result<Vec<(AccountId, anyhow::Result<SignIn>)>, StoreError> {
    let ids = serde_json::Value::from_iter(ids.iter().map(|id| key(*id))).to_string();
    let json: String = sqlx::query_scalar(sql::ROSTERS).bind(ids).fetch_one(conn).await?;
    let rows: Vec<RosterRow<'_>> = assembled(&json)?;
    let (mut read, mut contacts) = (Vec::with_capacity(rows.len()), 0);
    for row in rows {
        contacts += row.contacts.len();
        if contacts > CONTACTS_PER_TURN {
            contacts = 0;
            yield_now().await;
        }
        read.push((account_id(row.account.id)?, row.sign_in()));
    }
    Ok(read)
}

/// An account as far as it concerns a caller: one row.
pub(super) async fn callee(
    conn: &mut SqliteConnection,
    callee: &Address,
    caller: AccountId,
) -> Result<Callee, StoreError> {
    let row: Option<(i64, bool, String, u8, bool)> = sqlx::query_as(sql::CALLEE)
        .bind(callee.as_str())
        .bind(key(caller))
        .fetch_optional(conn)
        .await?;
    let (id, enabled, code, bits, caller_enabled) = row.ok_or(StoreError::NotFound)?;
    let allows = stored_privacy(&code)?.allows(ListBits(bits));
    Ok(Callee { id: account_id(id)?, enabled, allows, caller_enabled })
}

/// Everything on an account's lists.
pub(super) async fn roster(
    conn: &mut SqliteConnection,
    id: AccountId,
) -> Result<Roster, StoreError> {
    Ok(sign_in(conn, id).await?.roster)
}

/// Accounts with their lists, by handle; all of them without `only`.
pub(super) async fn export(
    conn: &mut SqliteConnection,
    only: Option<&[Address]>,
) -> Result<Vec<(Account, Roster)>, StoreError> {
    let mut tx = conn.begin().await?;
    let rows: Vec<AccountRow> = match only {
        None => sqlx::query_as(sql::ACCOUNTS).fetch_all(&mut *tx).await?,
        Some(only) => {
            let mut rows = Vec::with_capacity(only.len());
            for address in only.iter().collect::<BTreeSet<_>>() {
                let query = sqlx::query_as(sql::ACCOUNT_BY_ADDRESS).bind(address.as_str());
                let row: Option<AccountRow> = query.fetch_optional(&mut *tx).await?;
                rows.push(row.ok_or(StoreError::NotFound)?);
            }
            rows
        }
    };
    let mut exported = Vec::with_capacity(rows.len());
    for row in rows {
        let account = row.account()?;
        let mut roster = roster(&mut tx, account.id).await?;
        roster.contacts.iter_mut().for_each(|contact| contact.properties.clear());
        exported.push((account, roster));
    }
    tx.commit().await?;
    Ok(exported)
}

/// The number as the database has it. No account has a number beyond `i64`, so one that is too
/// large is simply not found.
pub(super) fn key(id: AccountId) -> i64 {
    i64::try_from(id.0).unwrap_or(i64::MAX)
}

/// The number as the model has it.
pub(super) fn account_id(key: i64) -> anyhow::Result<AccountId> {
    u64::try_from(key).map(AccountId).with_context(|| format!("{key} is no account number"))
}

/// A stored name; all were checked before they were stored.
pub(super) fn stored_name(text: &str) -> anyhow::Result<Name> {
    Name::new(text).context("a stored name is not legal")
}

/// Stored properties.
pub(super) fn properties(rows: Vec<(String, String)>) -> anyhow::Result<Properties> {
    rows.into_iter().map(|(code, value)| Ok((property_key(&code)?, value))).collect()
}

/// What the database has put together as JSON.
pub(super) fn assembled<'j, T: Deserialize<'j>>(json: &'j str) -> anyhow::Result<T> {
    serde_json::from_str(json).context("the database's rows have another form")
}

/// A stored `BLP`.
pub(super) fn stored_privacy(code: &str) -> anyhow::Result<Privacy> {
    Privacy::from_code(code.as_bytes()).ok_or_else(|| anyhow!("`{code}` is no privacy mode"))
}

/// A stored `GTC`.
pub(super) fn stored_prompt(code: &str) -> anyhow::Result<Prompt> {
    Prompt::from_code(code.as_bytes()).ok_or_else(|| anyhow!("`{code}` is no prompt mode"))
}

/// A mailbox as joined to an account, which may have none.
pub(super) fn mailbox(inbox_unread: Option<u32>, folders_unread: Option<u32>) -> Option<Mailbox> {
    let (inbox_unread, folders_unread) = (inbox_unread?, folders_unread?);
    Some(Mailbox { inbox_unread, folders_unread })
}

/// A row of the accounts; without `Debug`, for it holds the password.
#[derive(Deserialize, sqlx::FromRow)]
struct AccountRow {
    id: i64,
    address: String,
    name: String,
    password: String,
    /// 0 or 1, which JSON does not take for a `bool`.
    enabled: u8,
    credential_epoch: u32,
    list_version: u32,
    created_at: i64,
    inbox_unread: Option<u32>,
    folders_unread: Option<u32>,
}

/// An account with its lists, as the database puts them together.
#[derive(Deserialize)]
struct RosterRow<'j> {
    account: AccountRow,
    /// 0 or 1.
    has_alerts: u8,
    prompt: &'j str,
    privacy: &'j str,
    own: Vec<(String, String)>,
    #[serde(borrow)]
    groups: Vec<(u32, Cow<'j, str>)>,
    #[serde(borrow)]
    contacts: Vec<ContactRow<'j>>,
}

/// Place in the list, number, handle, name, lists, groups, and properties that the owner may see.
#[derive(Deserialize)]
struct ContactRow<'j>(
    i64,
    i64,
    #[serde(borrow)] Cow<'j, str>,
    #[serde(borrow)] Cow<'j, str>,
    u8,
    u32,
    Option<Vec<(String, String)>>,
);

impl AccountRow {
    fn account(self) -> anyhow::Result<Account> {
        Ok(Account {
            id: account_id(self.id)?,
            address: stored_address(&self.address)?,
            name: stored_name(&self.name)?,
            password: PasswordHash(self.password.into()),
            enabled: self.enabled != 0,
            credential_epoch: self.credential_epoch,
            list_version: self.list_version,
            created_at_secs: self.created_at,
            mailbox: mailbox(self.inbox_unread, self.folders_unread),
        })
    }
}

impl RosterRow<'_> {
    fn sign_in(self) -> anyhow::Result<SignIn> {
        let Self { account, has_alerts, prompt, privacy, own, mut groups, mut contacts } = self;
        groups.sort_unstable_by_key(|(id, _)| *id);
        let groups = groups.into_iter().map(|(id, name)| {
            let id = GroupId::new(id).ok_or_else(|| anyhow!("{id} is no group"))?;
            Ok(Group { id, name: stored_name(&name)? })
        });
        contacts.sort_unstable_by_key(|row| row.0);
        let contacts = contacts.into_iter().map(|row| {
            let ContactRow(_, id, address, name, lists, groups, shown) = row;
            let mut properties = properties(shown.unwrap_or_default())?;
            properties.retain(|key, _| key.is_shared());
            Ok(Contact {
                id: account_id(id)?,
                address: stored_address(&address)?,
                name: stored_name(&name)?,
                lists: ListBits(lists),
                groups: GroupSet(groups),
                properties,
            })
        });
        let roster = Roster {
            version: account.list_version,
            prompt: stored_prompt(prompt)?,
            privacy: stored_privacy(privacy)?,
            properties: properties(own)?,
            groups: groups.collect::<anyhow::Result<_>>()?,
            contacts: contacts.collect::<anyhow::Result<_>>()?,
        };
        let (account, has_alerts) = (account.account()?, has_alerts != 0);
        Ok(SignIn { account, circle: roster.circle(), has_alerts, roster })
    }
}

fn property_key(code: &str) -> anyhow::Result<PropertyKey> {
    PropertyKey::from_code(code.as_bytes()).ok_or_else(|| anyhow!("`{code}` is no property"))
}

fn stored_address(text: &str) -> anyhow::Result<Address> {
    Address::parse(text).with_context(|| format!("the stored address {text:?} is not legal"))
}
