//! `GET /healthz` and `GET /readyz`: whether the process answers, and whether it can serve. For
//! supervisors, without a token; tells nothing about anybody.

use crate::admin::{Admin, Problem};
use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// How long the database may take.
const STORE_WAIT: Duration = Duration::from_secs(2);

#[derive(Debug, Serialize)]
pub(in crate::admin) struct Health {
    status: &'static str,
}

pub(in crate::admin) async fn alive() -> Json<Health> {
    Json(Health { status: "ok" })
}

pub(in crate::admin) async fn ready(
    State(admin): State<Arc<Admin>>,
) -> Result<Json<Health>, Problem> {
    let unready = |detail| Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
    if admin.closing.is_cancelled() {
        return Err(unready("the server is shutting down"));
    }
    match timeout(STORE_WAIT, admin.store.standing_changes()).await {
        Ok(Ok(_)) => Ok(Json(Health { status: "ok" })),
        Ok(Err(error)) => {
            tracing::warn!("not ready: {error:#}");
            Err(unready("the database does not answer; see the log"))
        }
        Err(_) => Err(unready("the database takes too long")),
    }
}
