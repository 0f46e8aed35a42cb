//! `GET /api/v1/users/online`: who is online, and how.

use super::sessions::{listed, status};
use crate::admin::{Admin, Problem, request::Page};
use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use serde::Serialize;
use std::sync::Arc;

#[derive(Debug, Serialize)]
pub(in crate::admin) struct Online {
    users: Vec<User>,
    next: Option<u64>,
}

#[derive(Debug, Serialize)]
struct User {
    address: String,
    name: String,
    status: Option<&'static str>,
}

pub(in crate::admin) async fn handle(
    State(admin): State<Arc<Admin>>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Online>, Problem> {
    let (listed, next) = listed(&admin, &page?.0)?;
    let users = listed
        .into_iter()
        .map(|listed| User {
            address: listed.person.address.to_string(),
            name: listed.person.name.as_str().to_owned(),
            status: status(listed.card.as_deref()),
        })
        .collect();
    Ok(Json(Online { users, next }))
}
