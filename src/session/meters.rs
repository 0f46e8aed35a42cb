//! What a role counts: slots for its rows and for every error code, made once.

use super::Role;
use crate::{
    metrics::{Metrics, RoleMeters},
    protocol::ErrorCode,
};

/// The handles of role `R`, whose label is `name`.
#[must_use]
pub fn meters<R: Role>(metrics: &Metrics, name: &'static str) -> RoleMeters {
    metrics.role(
        name,
        R::rows().iter().map(|row| row.verb),
        ErrorCode::ALL.iter().map(|(code, _)| (code.number(), code.digits())),
    )
}
