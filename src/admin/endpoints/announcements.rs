//! `POST /api/v1/announcements`: the system message of the time, "the server goes down in N
//! minutes", to everybody online. Nothing else happens: whoever announces also stops the server.

use crate::admin::{Admin, Problem};
use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Longest time that can be announced: a day.
pub const MINUTES_MAX: u32 = 1440;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct Announcement {
    minutes: u32,
}

#[derive(Debug, Serialize)]
pub(in crate::admin) struct Told {
    told: usize,
}

pub(in crate::admin) async fn handle(
    State(admin): State<Arc<Admin>>,
    body: Result<Json<Announcement>, JsonRejection>,
) -> Result<Json<Told>, Problem> {
    let Json(Announcement { minutes }) = body?;
    if !(1..=MINUTES_MAX).contains(&minutes) {
        return Err(Problem::unfit(format!("minutes must be from 1 to {MINUTES_MAX}")));
    }
    let told = admin.hub.announce(minutes);
    tracing::info!(minutes, told, "announced a shutdown to everybody online");
    Ok(Json(Told { told }))
}
