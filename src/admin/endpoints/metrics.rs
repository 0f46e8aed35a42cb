//! `GET /metrics`: everything counted, for Prometheus.

use crate::{
    admin::{Admin, Problem},
    metrics::{CONTENT_TYPE, Standing},
};
use axum::{
    extract::State,
    http::{HeaderName, StatusCode, header},
};
use std::sync::Arc;

type Text = ([(HeaderName, &'static str); 1], String);

pub(in crate::admin) async fn handle(State(admin): State<Arc<Admin>>) -> Result<Text, Problem> {
    let counts = admin.hub.counts();
    let standing = Standing { online: counts.sessions, watches: counts.watches };
    match admin.metrics.render(standing) {
        Ok(text) => Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text)),
        Err(error) => {
            tracing::error!("metrics cannot be written: {error}");
            Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "metrics cannot be written"))
        }
    }
}
