//! Mailboxes: given, taken and counted inside the writer's transaction; and who takes pages. Knows
//! no mail.

use super::{read, sql};
use crate::{
    model::{AccountId, Address, Mailbox, mail::MailChange},
    store::StoreError,
};
use sqlx::SqliteConnection;

/// An account joined with its mailbox.
type Row = (i64, Option<u32>, Option<u32>);

/// Gives an account an empty mailbox, if it has none, or takes it away.
pub(super) async fn set(
    conn: &mut SqliteConnection,
    address: &Address,
    has_one: bool,
) -> Result<(), StoreError> {
    let (account, ..) = find(conn, address).await?;
    let statement = if has_one { sql::ADD_MAILBOX } else { sql::DROP_MAILBOX };
    sqlx::query(statement).bind(account).execute(conn).await?;
    Ok(())
}

/// Counts anew.
pub(super) async fn change(
    conn: &mut SqliteConnection,
    address: &Address,
    change: &MailChange,
) -> Result<(AccountId, Mailbox), StoreError> {
    let (account, inbox, folders) = find(conn, address).await?;
    let mailbox = read::mailbox(inbox, folders)
        .ok_or_else(|| StoreError::Conflict(format!("{address} has no mailbox")))?
        .after(change);
    sqlx::query(sql::SET_UNREAD)
        .bind(account)
        .bind(mailbox.inbox_unread)
        .bind(mailbox.folders_unread)
        .execute(conn)
        .await?;
    Ok((read::account_id(account)?, mailbox))
}

/// An account, and whether it takes pages.
pub(super) async fn takes_pages(
    conn: &mut SqliteConnection,
    address: &Address,
) -> Result<(AccountId, bool), StoreError> {
    let row: Option<(i64, bool)> =
        sqlx::query_as(sql::TAKES_PAGES).bind(address.as_str()).fetch_optional(conn).await?;
    let (account, takes_pages) = row.ok_or(StoreError::NotFound)?;
    Ok((read::account_id(account)?, takes_pages))
}

async fn find(conn: &mut SqliteConnection, address: &Address) -> Result<Row, StoreError> {
    let row = sqlx::query_as(sql::MAILBOX).bind(address.as_str()).fetch_optional(conn).await?;
    row.ok_or(StoreError::NotFound)
}
