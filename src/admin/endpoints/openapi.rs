//! `GET /api/v1/openapi.json`: this API described.

use crate::admin::OPENAPI;
use axum::http::{HeaderName, header};

pub(in crate::admin) async fn handle() -> ([(HeaderName, &'static str); 1], &'static str) {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI)
}
