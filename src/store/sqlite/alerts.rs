//! Alerts: kept and settled inside the writer's transaction, and read by session. Knows no clock.

use super::{read, sql};
use crate::{
    model::{AccountId, Alert, AlertId, alert::AlertParts},
    store::{NewAlert, Posted, Recipients, StoreError, Waiting},
};
use anyhow::Context as _;
use sqlx::SqliteConnection;
use std::collections::BTreeSet;

/// Keeps an alert, and forgets those that had expired when it was made.
pub(super) async fn add(conn: &mut SqliteConnection, new: &NewAlert) -> Result<Posted, StoreError> {
    let now_secs = new.created_at_secs;
    let purged = sqlx::query(sql::PURGE_RECIPIENTS).bind(now_secs).execute(&mut *conn).await?;
    sqlx::query(sql::PURGE_ALERTS).bind(now_secs).execute(&mut *conn).await?;
    let parts = new.alert.parts();
    let key: i64 = sqlx::query_scalar(sql::ADD_ALERT)
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
        .bind(&parts.html)
        .fetch_one(&mut *conn)
        .await?;
    let recipients = match &new.to {
        Recipients::One(address) => {
            let row: Option<(i64, i64)> = sqlx::query_as(sql::WAITING_COUNT)
                .bind(address.as_str())
                .fetch_optional(&mut *conn)
                .await?;
            let (account, waiting) = row.ok_or(StoreError::NotFound)?;
            if waiting >= i64::from(new.waiting_max) {
                return Err(StoreError::Conflict(format!(
                    "{waiting} alerts wait for {address} already, and no more may"
                )));
            }
            sqlx::query(sql::ADD_RECIPIENT).bind(account).bind(key).execute(conn).await?;
            vec![account]
        }
        Recipients::All => {
            sqlx::query_scalar(sql::ADD_ALL_RECIPIENTS)
                .bind(key)
                .bind(new.waiting_max)
                .fetch_all(conn)
                .await?
        }
    };
    if recipients.is_empty() {
        let why = "there is no account that may sign in and for which one more alert may wait";
        return Err(StoreError::Conflict(why.to_owned()));
    }
    let recipients = recipients.into_iter().map(read::account_id).collect::<Result<_, _>>()?;
    let expired = usize::try_from(purged.rows_affected()).unwrap_or(usize::MAX);
    Ok(Posted { id: alert_id(key)?, recipients, expired })
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
    let rows: Vec<Row> =
        sqlx::query_as(sql::WAITING_ALERTS).bind(read::key(id)).fetch_all(conn).await?;
    let mut waiting = Waiting { alerts: Vec::new(), expired: Vec::new() };
    for row in rows {
        let id = alert_id(row.id)?;
        if row.expires_at <= now_secs {
            waiting.expired.push(id);
        } else {
            waiting.alerts.push((id, row.alert()?));
        }
    }
    Ok(waiting)
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    expires_at: i64,
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
    fn alert(self) -> anyhow::Result<Alert> {
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
        Alert::new(parts).context("a stored alert is not legal")
    }
}

fn alert_id(key: i64) -> anyhow::Result<AlertId> {
    u64::try_from(key).map(AlertId).with_context(|| format!("{key} is no number of an alert"))
}

/// As for accounts: a number too large is simply not found.
fn alert_key(id: AlertId) -> i64 {
    i64::try_from(id.0).unwrap_or(i64::MAX)
}
