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
    let certificates = admin.tls.as_ref().and_then(|tls| tls.certificates().ok());
    let mut ends = certificates.iter().flatten().map(|certificate| certificate.expires_at_secs);
    let certificate_ends = [ends.next(), ends.next()];
    let (online, watches) = (counts.sessions, counts.watches);
    let standing = Standing { online, watches, rooms, certificate_ends };
    match admin.metrics.render(standing) {
        Ok(text) => Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text)),
        Err(error) => {
            tracing::error!("metrics cannot be written: {error}");
            Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "metrics cannot be written"))
        }
    }
}
