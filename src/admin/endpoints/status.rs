//! `GET /api/v1/status`: the server in a few numbers.

use crate::admin::Admin;
use axum::{Json, extract::State};
use serde::Serialize;
use std::sync::Arc;

#[derive(Debug, Serialize)]
pub(in crate::admin) struct Status {
    version: &'static str,
    pid: u32,
    uptime_secs: u64,
    connections: usize,
    sessions: usize,
    watches: usize,
    closing: bool,
}

pub(in crate::admin) async fn handle(State(admin): State<Arc<Admin>>) -> Json<Status> {
    let counts = admin.hub.counts();
    Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        pid: std::process::id(),
        uptime_secs: admin.started.elapsed().as_secs(),
        connections: admin.admission.connections(),
        sessions: counts.sessions,
        watches: counts.watches,
        closing: admin.closing.is_cancelled(),
    })
}
