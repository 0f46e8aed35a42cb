//! Sign-ins between reading an account and registering: what was edited and sent meanwhile.

use super::{Stale, by_account::ByAccount};
use crate::model::{AccountId, Mailbox, roster::version_is_newer};

/// By account. Accounts without a sign-in under way have no entry.
#[derive(Debug, Default)]
pub(super) struct Arrivals(ByAccount<Arriving>);

/// Changes are published in the order of their commits, so the versions here only rise. What was
/// read may be ahead of them.
#[derive(Debug, Default)]
struct Arriving {
    /// How many sign-ins are under way.
    count: usize,
    /// The version of the last edit of the account's lists that was published meanwhile.
    edited_at: Option<u32>,
    /// The version of the last change that others made to them meanwhile.
    changed_at: Option<u32>,
    missed: Missed,
}

/// What was sent to an account between a sign-in's reading and its registering. What was read may
/// have it or not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Missed {
    /// Whether there was an alert: the store has it.
    pub alert: bool,
    /// What is unread, if there was news of it.
    pub mailbox: Option<Mailbox>,
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

    /// Somebody else changed what the account's lists hold.
    pub(super) fn changed(&mut self, id: AccountId, version: u32) {
        if let Some(arriving) = self.0.get_mut(&id) {
            arriving.changed_at = Some(version);
        }
    }

    /// An alert was stored for the account.
    pub(super) fn alert(&mut self, id: AccountId) {
        if let Some(arriving) = self.0.get_mut(&id) {
            arriving.missed.alert = true;
        }
    }

    /// There is news of the account's mail; so much is unread now.
    pub(super) fn mail(&mut self, id: AccountId, mailbox: Mailbox) {
        if let Some(arriving) = self.0.get_mut(&id) {
            arriving.missed.mailbox = Some(mailbox);
        }
    }

    /// What a session that registers now must know.
    pub(super) fn missed(&self, id: AccountId) -> Missed {
        self.0.get(&id).map(|arriving| arriving.missed).unwrap_or_default()
    }

    /// Whether a circle read at `version` still holds. If so, the version that the account's lists
    /// have by now: others may have changed what is no part of the circle.
    pub(super) fn check(&self, id: AccountId, version: u32) -> Result<u32, Stale> {
        let Some(arriving) = self.0.get(&id) else { return Ok(version) };
        let is_newer = |at: &u32| version_is_newer(*at, version);
        match arriving.edited_at.filter(is_newer) {
            Some(_) => Err(Stale),
            None => Ok(arriving.changed_at.filter(is_newer).unwrap_or(version)),
        }
    }
}
