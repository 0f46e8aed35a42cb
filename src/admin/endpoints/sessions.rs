//! `GET /api/v1/sessions` and `DELETE /api/v1/users/{address}/sessions`: who holds which
//! connection, and an end to it.

use crate::{
    admin::{
        Admin, Problem,
        request::{Page, address},
    },
    hub::{Kicked, Listed, SessionId},
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
use serde::Serialize;
use std::sync::Arc;

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

/// Sessions, by number.
pub(super) fn listed(admin: &Admin, page: &Page) -> Result<(Vec<Listed>, Option<u64>), Problem> {
    let read = |after, limit| admin.hub.sessions(SessionId(after), limit);
    page.of(read, |last| last.session.0)
}

pub(in crate::admin) async fn list(
    State(admin): State<Arc<Admin>>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Sessions>, Problem> {
    let (listed, next) = listed(&admin, &page?.0)?;
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
    let user = address(path)?;
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
