//! `GET /api/v1/sessions` and `DELETE /api/v1/users/{address}/sessions`: who holds which
//! connection, and an end to it.

use crate::{
    admin::{Admin, Problem},
    hub::{Kicked, Listed, SessionId},
    model::Address,
};
use axum::{
    Json,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::StatusCode,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Entries of one answer; more come with the next page.
pub const PAGE_MAX: usize = 1000;

/// Which part of a long list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct Page {
    /// The `next` of the page before.
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

impl Page {
    /// The entries, and where the next page starts if there is one.
    pub(super) fn of(&self, admin: &Admin) -> Result<(Vec<Listed>, Option<u64>), Problem> {
        let limit = self.limit.unwrap_or(PAGE_MAX);
        if !(1..=PAGE_MAX).contains(&limit) {
            return Err(Problem::unfit(format!("limit must be from 1 to {PAGE_MAX}")));
        }
        let mut listed = admin.hub.sessions(SessionId(self.after), limit + 1);
        let has_more = listed.len() > limit;
        listed.truncate(limit);
        let next = listed.last().filter(|_| has_more).map(|last| last.session.0);
        Ok((listed, next))
    }
}

#[derive(Debug, Serialize)]
pub(in crate::admin) struct Sessions {
    sessions: Vec<Session>,
    next: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Session {
    id: u64,
    user: String,
    name: String,
    role: &'static str,
    dialect: &'static str,
    status: Option<&'static str>,
    client_version: Option<String>,
    address: String,
    signed_in_at: String,
    list_version: u32,
    waiting_events: usize,
}

impl From<Listed> for Session {
    fn from(listed: Listed) -> Self {
        let Listed { session, person, card, facts, list_version, waiting_events } = listed;
        let signed_in_at = i64::try_from(facts.signed_in_at_secs).unwrap_or(i64::MAX);
        Self {
            id: session.0,
            user: person.address.to_string(),
            name: person.name.as_str().to_owned(),
            role: facts.role,
            dialect: facts.dialect.name(),
            status: status(card.as_deref()),
            client_version: facts.client_version.as_deref().map(str::to_owned),
            address: facts.peer.to_string(),
            signed_in_at: Timestamp::from_second(signed_in_at).unwrap_or_default().to_string(),
            list_version,
            waiting_events,
        }
    }
}

/// The three letters of a status; none before the first `CHG`.
pub(super) fn status(card: Option<&crate::hub::Card>) -> Option<&'static str> {
    card.map(|card| card.presence.status.code())
}

pub(in crate::admin) async fn list(
    State(admin): State<Arc<Admin>>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Sessions>, Problem> {
    let (listed, next) = page?.of(&admin)?;
    Ok(Json(Sessions { sessions: listed.into_iter().map(Session::from).collect(), next }))
}

#[derive(Debug, Serialize)]
pub(in crate::admin) struct Ended {
    /// Sessions. 0: there were only conversations, which have ended.
    ended: usize,
}

pub(in crate::admin) async fn end(
    State(admin): State<Arc<Admin>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<Ended>, Problem> {
    let Path(text) = path?;
    let user = Address::parse(&text)
        .map_err(|error| Problem::unfit(format!("no account has such an address: {error}")))?;
    match admin.hub.kick(&user) {
        Some(Kicked::Session(session)) => {
            tracing::info!(session.id = %session, %user, "an operator ends the session");
            Ok(Json(Ended { ended: 1 }))
        }
        Some(Kicked::Conversations) => {
            tracing::info!(%user, "an operator ends conversations of somebody not signed in");
            Ok(Json(Ended { ended: 0 }))
        }
        None => Err(Problem::new(StatusCode::NOT_FOUND, format!("{user} is not online"))),
    }
}
