//! What requests have in common: whose account, which part of a long list. Knows no endpoint.

use super::Problem;
use crate::model::Address;
use axum::extract::{Path, rejection::PathRejection};
use serde::Deserialize;

/// Entries of one answer; more come with the next page.
pub const PAGE_MAX: usize = 1000;

/// Which part of a long list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// The `next` of the page before.
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

impl Page {
    /// The entries, and where the next page starts if there is one. `read` gives so many of those
    /// whose `number` is above the given one, in the order of their numbers.
    pub(super) fn of<T>(
        &self,
        read: impl FnOnce(u64, usize) -> Vec<T>,
        number: impl FnOnce(&T) -> u64,
    ) -> Result<(Vec<T>, Option<u64>), Problem> {
        let limit = self.limit.unwrap_or(PAGE_MAX);
        if !(1..=PAGE_MAX).contains(&limit) {
            return Err(Problem::unfit(format!("limit must be from 1 to {PAGE_MAX}")));
        }
        let mut entries = read(self.after, limit + 1);
        let has_more = entries.len() > limit;
        entries.truncate(limit);
        let next = entries.last().filter(|_| has_more).map(number);
        Ok((entries, next))
    }
}

/// The account that a path names.
pub(super) fn address(path: Result<Path<String>, PathRejection>) -> Result<Address, Problem> {
    let Path(text) = path?;
    Address::parse(&text)
        .map_err(|error| Problem::unfit(format!("no account has such an address: {error}")))
}
