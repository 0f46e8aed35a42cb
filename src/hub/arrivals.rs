//! Sign-ins between reading an account's lists and registering: what was edited meanwhile.

use super::Stale;
use crate::model::{AccountId, roster::version_is_newer};
use std::collections::HashMap;

/// By account. Accounts without a sign-in under way have no entry.
#[derive(Debug, Default)]
pub(super) struct Arrivals(HashMap<AccountId, Arriving>);

#[derive(Debug, Default)]
struct Arriving {
    /// How many sign-ins are under way.
    count: usize,
    /// The version of the last edit of the account's lists that was published meanwhile.
    edited_at: Option<u32>,
}

impl Arrivals {
    /// A sign-in begins.
    pub(super) fn begin(&mut self, id: AccountId) {
        self.0.entry(id).or_default().count += 1;
    }

    /// A sign-in has ended, in whatever way.
    pub(super) fn end(&mut self, id: AccountId) {
        if let Some(arriving) = self.0.get_mut(&id) {
            arriving.count -= 1;
            if arriving.count == 0 {
                self.0.remove(&id);
            }
        }
    }

    /// An edit of the account's lists was published.
    pub(super) fn edited(&mut self, id: AccountId, version: u32) {
        if let Some(arriving) = self.0.get_mut(&id) {
            arriving.edited_at = Some(version);
        }
    }

    /// Whether lists read at `version` still hold.
    pub(super) fn check(&self, id: AccountId, version: u32) -> Result<(), Stale> {
        let edited_at = self.0.get(&id).and_then(|arriving| arriving.edited_at);
        let is_stale = edited_at.is_some_and(|edited_at| version_is_newer(edited_at, version));
        if is_stale { Err(Stale) } else { Ok(()) }
    }
}
