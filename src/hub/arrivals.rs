//! Sign-ins between reading an account and registering: what was edited and sent meanwhile.

use super::{Event, Stale};
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
    /// The last alert and the last news of mail that were published meanwhile.
    alert: Option<Event>,
    mail: Option<Event>,
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

    /// An alert was stored for the account. What was read may not have it; the last one is enough
    /// for the session to know that it must read again.
    pub(super) fn alert(&mut self, id: AccountId, event: &Event) {
        if let Some(arriving) = self.0.get_mut(&id) {
            arriving.alert = Some(event.clone());
        }
    }

    /// There is news of the account's mail. The last one says how much is unread.
    pub(super) fn mail(&mut self, id: AccountId, event: &Event) {
        if let Some(arriving) = self.0.get_mut(&id) {
            arriving.mail = Some(event.clone());
        }
    }

    /// What a session that registers now must be told.
    pub(super) fn news(&self, id: AccountId) -> impl Iterator<Item = Event> {
        let arriving = self.0.get(&id);
        let news = arriving.map(|arriving| [arriving.alert.clone(), arriving.mail.clone()]);
        news.into_iter().flatten().flatten()
    }

    /// Whether lists read at `version` still hold.
    pub(super) fn check(&self, id: AccountId, version: u32) -> Result<(), Stale> {
        let edited_at = self.0.get(&id).and_then(|arriving| arriving.edited_at);
        let is_stale = edited_at.is_some_and(|edited_at| version_is_newer(edited_at, version));
        if is_stale { Err(Stale) } else { Ok(()) }
    }
}
