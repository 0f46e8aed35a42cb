//! What a request gets that cannot be served: RFC 9457, `application/problem+json`.

use crate::{
    model::{Address, alert::AlertError, mail::MailError},
    store::StoreError,
};
use axum::{
    extract::rejection::{JsonRejection, PathRejection, QueryRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

/// Content type of every error.
const CONTENT_TYPE: &str = "application/problem+json";

/// An error as the caller sees it; holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    field: Option<&'static str>,
}

impl Problem {
    /// `detail` says what to do about it.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), field: None }
    }

    /// A value that is well formed but cannot be.
    pub(super) fn unfit(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    /// The same about a field of the body, which `detail` names too.
    pub(super) fn unfit_field(field: &'static str, detail: impl Into<String>) -> Self {
        Self { field: Some(field), ..Self::unfit(detail) }
    }

    /// The store did not do what was asked for `address`, if it was for one account.
    pub(super) fn store(address: Option<&Address>, error: StoreError) -> Self {
        match (error, address) {
            (StoreError::NotFound, Some(address)) => {
                Self::new(StatusCode::NOT_FOUND, format!("there is no account {address}"))
            }
            (StoreError::Conflict(what), _) => Self::new(StatusCode::CONFLICT, what),
            (error, _) => {
                tracing::error!("an operator's request failed: {error:#}");
                let detail = "the database does not answer; see the log";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if let Some(field) = self.field {
            body["field"] = field.into();
        }
        (self.status, [(header::CONTENT_TYPE, CONTENT_TYPE)], body.to_string()).into_response()
    }
}

impl From<AlertError> for Problem {
    fn from(error: AlertError) -> Self {
        Self::unfit_field(error.field().name(), error.to_string())
    }
}

impl From<MailError> for Problem {
    fn from(error: MailError) -> Self {
        Self::unfit_field(error.field(), error.to_string())
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::unfit(rejection.body_text())
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}
