//! What a role counts: slots for its rows and for every error code, made once.

use super::Role;
use crate::{
    metrics::{Metrics, RoleMeters},
    protocol::ErrorCode,
};
use std::mem;

/// Commands of one row of the table that are counted together: a number that all connections share
/// is dear.
#[derive(Default)]
pub(super) struct Tally {
    row: usize,
    count: u64,
}

/// The handles of role `R`, whose label is `name`.
#[must_use]
pub fn meters<R: Role>(metrics: &Metrics, name: &'static str) -> RoleMeters {
    metrics.role(
        name,
        R::rows().iter().map(|row| row.verb),
        ErrorCode::ALL.iter().map(|(code, _)| (code.number(), code.digits())),
    )
}

impl Tally {
    /// One more is carried out. Returns whether those before it were of another row.
    pub(super) fn add(&mut self, row: usize, meters: &RoleMeters) -> bool {
        let is_other = self.row != row && self.count > 0;
        if is_other {
            self.settle(meters);
        }
        self.row = row;
        self.count += 1;
        is_other
    }

    /// Counts them.
    pub(super) fn settle(&mut self, meters: &RoleMeters) {
        let count = mem::take(&mut self.count);
        if count > 0 {
            meters.commands(self.row, count);
        }
    }
}
