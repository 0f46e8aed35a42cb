//! `PUT` and `DELETE /api/v1/users/{address}/mailbox`: whether somebody has a mailbox elsewhere.
//! The client hears of it at its next sign-in.

use crate::admin::{Admin, Problem, request::address};
use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
};
use serde::Serialize;
use std::sync::Arc;

#[derive(Debug, Serialize)]
pub(in crate::admin) struct Has {
    has_mailbox: bool,
}

type Answer = Result<Json<Has>, Problem>;

pub(in crate::admin) async fn give(
    State(admin): State<Arc<Admin>>,
    path: Result<Path<String>, PathRejection>,
) -> Answer {
    set(&admin, path, true).await
}

pub(in crate::admin) async fn take(
    State(admin): State<Arc<Admin>>,
    path: Result<Path<String>, PathRejection>,
) -> Answer {
    set(&admin, path, false).await
}

async fn set(
    admin: &Admin,
    path: Result<Path<String>, PathRejection>,
    has_mailbox: bool,
) -> Answer {
    let user = address(path)?;
    let set = admin.alerts.set_mailbox(&user, has_mailbox).await;
    set.map_err(|error| Problem::store(Some(&user), error))?;
    tracing::info!(%user, has_mailbox, "an operator sets the mailbox");
    Ok(Json(Has { has_mailbox }))
}
