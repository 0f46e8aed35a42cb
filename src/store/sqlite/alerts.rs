//! Alerts: kept and settled inside the writer's transaction, and read by session. Knows no clock.

use super::{read, sql};
use crate::{
    model::{
        AccountId, Address, Alert, AlertId,
        alert::{AlertError, AlertParts},
    },
    store::{Audience, NewAlert, Posted, Recipients, StoreError, Waiting},
};
use anyhow::Context as _;
use sqlx::SqliteConnection;
use std::collections::BTreeSet;

/// Accounts for which one job stores an alert that is for all; edits of clients wait so long.
const PART_ACCOUNTS: u32 = 512;
/// Alerts forgotten for each one that is added.
const PURGED_MAX: u32 = 4;
/// How long an expired alert stays: a clock that is wrong for an hour must not destroy what waits.
const PURGE_AFTER_SECS: i64 = 86_400;

/// What came of one job.
pub(super) struct Part {
    pub(super) posted: Posted,
    /// The account behind which the next job goes on, if there is more to do.
    pub(super) next: Option<AccountId>,
}

/// Keeps an alert for its one recipient, or for the next part of all accounts behind `after`, which
/// may be nobody. Forgets some that expired long ago.
pub(super) async fn add(
    conn: &mut SqliteConnection,
    new: &NewAlert,
    audience: &dyn Audience,
    after: AccountId,
) -> Result<Part, StoreError> {
    let purge_before = new.created_at_secs.saturating_sub(PURGE_AFTER_SECS);
    let mut expired = 0;
    // Recipients first, to know how many there were.
    for (statement, is_counted) in [(sql::PURGE_RECIPIENTS, true), (sql::PURGE_ALERTS, false)] {
        let purge = sqlx::query(statement).bind(purge_before).bind(PURGED_MAX);
        let purged = purge.execute(&mut *conn).await?.rows_affected();
        expired += if is_counted { purged } else { 0 };
    }
    let expired = usize::try_from(expired).unwrap_or(usize::MAX);
    let key = insert(conn, new).await?;
    let (recipients, next) = match &new.to {
        Recipients::One(address) => (vec![add_one(conn, new, audience, address, key).await?], None),
        Recipients::All => add_part(conn, new, audience, after, key).await?,
    };
    if recipients.is_empty() {
        sqlx::query(sql::DROP_SETTLED_ALERT).bind(key).execute(conn).await?;
    }
    Ok(Part { posted: Posted { id: alert_id(key)?, recipients, expired }, next })
}

async fn insert(conn: &mut SqliteConnection, new: &NewAlert) -> Result<i64, StoreError> {
    let parts = new.alert.parts();
    let inserted = sqlx::query_scalar(sql::ADD_ALERT)
        .bind(new.created_at_secs)
        .bind(new.expires_at_secs)
        .bind(parts.site_id)
        .bind(&parts.site_url)
        .bind(&parts.action_url)
        .bind(&parts.subscribe_url)
        .bind(&parts.icon)
        .bind(parts.lang)
        .bind(parts.priority)
        .bind(&parts.text)
        .bind(&parts.html);
    Ok(inserted.fetch_one(conn).await?)
}

async fn add_one(
    conn: &mut SqliteConnection,
    new: &NewAlert,
    audience: &dyn Audience,
    address: &Address,
    key: i64,
) -> Result<AccountId, StoreError> {
    let row: Option<(i64, i64)> = sqlx::query_as(sql::WAITING_COUNT)
        .bind(address.as_str())
        .bind(new.created_at_secs)
        .fetch_optional(&mut *conn)
        .await?;
    let (account, waiting) = row.ok_or(StoreError::NotFound)?;
    let id = read::account_id(account)?;
    if waiting >= new.waiting_max.into() {
        let hears = audience.hears(id);
        if !hears || waiting >= new.unconfirmed_max.into() {
            return Err(StoreError::Conflict(if hears {
                format!(
                    "{waiting} alerts wait until the client of {address} confirms them, and \
                         no more may"
                )
            } else {
                format!("{waiting} alerts wait for {address} already, and no more may")
            }));
        }
    }
    sqlx::query(sql::ADD_RECIPIENT).bind(account).bind(key).execute(conn).await?;
    Ok(id)
}

async fn add_part(
    conn: &mut SqliteConnection,
    new: &NewAlert,
    audience: &dyn Audience,
    after: AccountId,
    key: i64,
) -> Result<(Vec<AccountId>, Option<AccountId>), StoreError> {
    let after = read::key(after);
    let next: Option<i64> = sqlx::query_scalar(sql::END_OF_PART)
        .bind(after)
        .bind(PART_ACCOUNTS - 1)
        .fetch_optional(&mut *conn)
        .await?;
    // Those who are left are fewer.
    let end = next.unwrap_or(i64::MAX);
    let full: Vec<i64> = sqlx::query_scalar(sql::FULL_IN_PART)
        .bind(after)
        .bind(end)
        .bind(new.created_at_secs)
        .bind(new.waiting_max)
        .bind(i64::from(new.unconfirmed_max) - 1)
        .fetch_all(&mut *conn)
        .await?;
    let added: Vec<i64> = sqlx::query_scalar(sql::ADD_PART)
        .bind(after)
        .bind(end)
        .bind(new.created_at_secs)
        .bind(new.waiting_max)
        .bind(key)
        .fetch_all(&mut *conn)
        .await?;
    let mut recipients =
        added.into_iter().map(read::account_id).collect::<anyhow::Result<Vec<_>>>()?;
    for account in full {
        let id = read::account_id(account)?;
        if audience.hears(id) {
            sqlx::query(sql::ADD_RECIPIENT).bind(account).bind(key).execute(&mut *conn).await?;
            recipients.push(id);
        }
    }
    recipients.sort_unstable();
    Ok((recipients, next.map(read::account_id).transpose()?))
}

/// These accounts need these alerts no more; what nobody needs goes.
pub(super) async fn settle(
    conn: &mut SqliteConnection,
    settled: &[(AccountId, AlertId)],
) -> Result<(), StoreError> {
    for (account, alert) in settled {
        sqlx::query(sql::SETTLE_ALERT)
            .bind(read::key(*account))
            .bind(alert_key(*alert))
            .execute(&mut *conn)
            .await?;
    }
    for alert in settled.iter().map(|(_, alert)| *alert).collect::<BTreeSet<_>>() {
        let key = alert_key(alert);
        sqlx::query(sql::DROP_SETTLED_ALERT).bind(key).execute(&mut *conn).await?;
    }
    Ok(())
}

/// The alerts that wait for an account.
pub(super) async fn waiting(
    conn: &mut SqliteConnection,
    id: AccountId,
    now_secs: i64,
) -> Result<Waiting, StoreError> {
    let rows: Vec<Row> = sqlx::query_as(sql::WAITING_ALERTS)
        .bind(read::key(id))
        .bind(now_secs)
        .fetch_all(conn)
        .await?;
    let mut waiting = Waiting { alerts: Vec::new(), illegal: Vec::new() };
    for row in rows {
        let id = alert_id(row.id)?;
        match row.alert() {
            Ok(alert) => waiting.alerts.push((id, alert)),
            Err(_) => waiting.illegal.push(id),
        }
    }
    Ok(waiting)
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    site_id: u32,
    site_url: Option<String>,
    action_url: String,
    subscribe_url: String,
    icon: Option<String>,
    lang: u16,
    priority: u8,
    text: String,
    html: Option<String>,
}

impl Row {
    fn alert(self) -> Result<Alert, AlertError> {
        let Self { site_id, site_url, action_url, subscribe_url, icon, .. } = self;
        let Self { lang, priority, text, html, .. } = self;
        let parts = AlertParts {
            site_id,
            site_url,
            action_url,
            subscribe_url,
            icon,
            lang,
            priority,
            text,
            html,
        };
        Alert::new(parts)
    }
}

fn alert_id(key: i64) -> anyhow::Result<AlertId> {
    u64::try_from(key).map(AlertId).with_context(|| format!("{key} is no number of an alert"))
}

/// As for accounts: a number too large is simply not found.
fn alert_key(id: AlertId) -> i64 {
    i64::try_from(id.0).unwrap_or(i64::MAX)
}
