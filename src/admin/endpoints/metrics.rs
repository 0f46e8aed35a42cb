//! `GET /metrics`: everything counted, for Prometheus.

use crate::{
    admin::{Admin, Problem},
    metrics::{CONTENT_TYPE, Standing},
    switchboard::rooms::Rooms,
};
use axum::{
    extract::State,
    http::{HeaderName, StatusCode, header},
};
use std::sync::Arc;

type Text = ([(HeaderName, &'static str); 1], String);

pub(in crate::admin) async fn handle(State(admin): State<Arc<Admin>>) -> Result<Text, Problem> {
    let counts = admin.hub.counts();
    let rooms = admin.rooms.as_ref().map_or(0, Rooms::len);
    let standing = Standing { online: counts.sessions, watches: counts.watches, rooms };
    match admin.metrics.render(standing) {
        Ok(text) => Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text)),
        Err(error) => {
            tracing::error!("metrics cannot be written: {error}");
            Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "metrics cannot be written"))
        }
    }
}
