//! Giving accounts that exist already another content, inside the writer's transaction: what was
//! theirs goes, what is given comes, and everybody else's reverse lists follow.

use super::{accounts, sql};
use crate::{
    model::roster::{next_version, version_is_newer},
    store::{NewAccount, StoreError},
};
use secrecy::ExposeSecret as _;
use sqlx::SqliteConnection;

/// An account of the call that was there before it.
struct Old {
    id: i64,
    version: u32,
}

/// Makes accounts, or replaces all that those have that are there.
pub(super) async fn replace(
    conn: &mut SqliteConnection,
    given: &[NewAccount],
) -> Result<(), StoreError> {
    accounts::check(given)?;
    let mut olds = Vec::with_capacity(given.len());
    for account in given {
        olds.push(clear(conn, account).await?);
    }
    let new: Vec<&NewAccount> =
        given.iter().zip(&olds).filter(|(_, old)| old.is_none()).map(|(new, _)| new).collect();
    accounts::insert_accounts(conn, &new).await?;
    accounts::insert_belongings(conn, given).await?;
    accounts::insert_contacts(conn, given).await?;
    let mut ids = Vec::with_capacity(given.len());
    for (account, old) in given.iter().zip(&olds) {
        ids.push(match old {
            Some(old) => old.id,
            None => find(conn, account).await?.ok_or(StoreError::NotFound)?.id,
        });
    }
    for (account, id) in given.iter().zip(&ids) {
        let false_reverse: Option<String> =
            sqlx::query_scalar(sql::FALSE_REVERSE).bind(id).fetch_optional(&mut *conn).await?;
        if let Some(contact) = false_reverse {
            return Err(accounts::false_reverse(account.address.as_str(), &contact));
        }
    }
    for id in &ids {
        mirror(conn, *id).await?;
    }
    // Only now: mirroring raised versions in the file too.
    for ((account, old), id) in given.iter().zip(&olds).zip(&ids) {
        settle(conn, account, old.as_ref(), *id).await?;
    }
    sqlx::query(sql::CHANGE_STANDINGS).execute(conn).await?;
    Ok(())
}

async fn find(
    conn: &mut SqliteConnection,
    account: &NewAccount,
) -> Result<Option<Old>, StoreError> {
    let row: Option<(i64, u32)> =
        sqlx::query_as(sql::REPLACED).bind(account.address.as_str()).fetch_optional(conn).await?;
    Ok(row.map(|(id, version)| Old { id, version }))
}

/// Takes from an account that is there all that is its own.
async fn clear(
    conn: &mut SqliteConnection,
    account: &NewAccount,
) -> Result<Option<Old>, StoreError> {
    let Some(old) = find(conn, account).await? else { return Ok(None) };
    for statement in [sql::DROP_GROUPS, sql::DROP_PROPERTIES, sql::DROP_CONTACTS, sql::DROP_MAILBOX]
    {
        sqlx::query(statement).bind(old.id).execute(&mut *conn).await?;
    }
    Ok(Some(old))
}

/// Makes reverse lists agree with whom the account has on its forward list, and its own with who
/// has it there.
async fn mirror(conn: &mut SqliteConnection, id: i64) -> Result<(), StoreError> {
    for statement in [
        sql::BUMP_NO_LONGER_WATCHED,
        sql::FORGET_NO_LONGER_WATCHED,
        sql::UNMARK_NO_LONGER_WATCHED,
        sql::BUMP_NOW_WATCHED,
        sql::MARK_NOW_WATCHED,
        sql::MARK_WATCHERS,
    ] {
        sqlx::query(statement).bind(id).execute(&mut *conn).await?;
    }
    Ok(())
}

/// A client may remember any version the account ever had, and must not take what is new for what
/// it knows.
async fn settle(
    conn: &mut SqliteConnection,
    account: &NewAccount,
    old: Option<&Old>,
    id: i64,
) -> Result<(), StoreError> {
    let Some(old) = old else {
        let set = sqlx::query(sql::SET_VERSION).bind(id).bind(account.list_version);
        set.execute(conn).await?;
        return Ok(());
    };
    let version = if version_is_newer(account.list_version, old.version) {
        account.list_version
    } else {
        next_version(old.version)
    };
    sqlx::query(sql::REPLACE_ACCOUNT)
        .bind(id)
        .bind(account.name.as_str())
        .bind(account.password.0.expose_secret())
        .bind(account.enabled)
        .bind(version)
        .bind(account.privacy.code())
        .bind(account.prompt.code())
        .bind(account.created_at_secs)
        .execute(conn)
        .await?;
    Ok(())
}
