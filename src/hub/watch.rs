//! The watcher index: for every watched person the online people who have it on their forward
//! list, split into those it allows to see it and the rest. A change of status walks only the
//! first half.

use crate::model::AccountId;
use std::collections::{HashMap, HashSet};

/// The watchers of one person.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    /// They may see the person. Empty while it is not present.
    pub(super) seers: HashSet<AccountId>,
    /// Everybody else.
    pub(super) others: HashSet<AccountId>,
}

/// Watchers by watched person; people without watchers have no entry.
#[derive(Debug, Default)]
pub(super) struct WatchIndex(HashMap<AccountId, Watchers>);

impl WatchIndex {
    /// `watcher` starts to watch `watched`; `allowed` tells whether it may see it now.
    pub(super) fn add(&mut self, watched: AccountId, watcher: AccountId, allowed: bool) {
        let watchers = self.0.entry(watched).or_default();
        let half = if allowed { &mut watchers.seers } else { &mut watchers.others };
        half.insert(watcher);
    }

    /// `watcher` no longer watches `watched`.
    pub(super) fn remove(&mut self, watched: AccountId, watcher: AccountId) {
        let Some(watchers) = self.0.get_mut(&watched) else { return };
        if !watchers.seers.remove(&watcher) {
            watchers.others.remove(&watcher);
        }
        if watchers.seers.is_empty() && watchers.others.is_empty() {
            self.0.remove(&watched);
        }
    }

    /// Those who may see `watched`.
    pub(super) fn seers(&self, watched: AccountId) -> impl Iterator<Item = AccountId> {
        self.0.get(&watched).into_iter().flat_map(|watchers| watchers.seers.iter().copied())
    }

    /// Splits the watchers of `watched` anew and returns who lost and who gained sight.
    pub(super) fn split(
        &mut self,
        watched: AccountId,
        allows: impl Fn(AccountId) -> bool,
    ) -> (Vec<AccountId>, Vec<AccountId>) {
        let Some(watchers) = self.0.get_mut(&watched) else { return Default::default() };
        let lost: Vec<_> = watchers.seers.extract_if(|watcher| !allows(*watcher)).collect();
        let gained: Vec<_> = watchers.others.extract_if(|watcher| allows(*watcher)).collect();
        watchers.others.extend(&lost);
        watchers.seers.extend(&gained);
        (lost, gained)
    }

    /// Like [`Self::split`] for one watcher: `Some(true)` if it gained sight, `Some(false)` if it
    /// lost it.
    pub(super) fn move_one(
        &mut self,
        watched: AccountId,
        watcher: AccountId,
        allowed: bool,
    ) -> Option<bool> {
        let watchers = self.0.get_mut(&watched)?;
        let (from, to) = if allowed {
            (&mut watchers.others, &mut watchers.seers)
        } else {
            (&mut watchers.seers, &mut watchers.others)
        };
        from.remove(&watcher).then(|| {
            to.insert(watcher);
            allowed
        })
    }

    /// `watched` is no longer present: nobody sees it.
    pub(super) fn conceal(&mut self, watched: AccountId) {
        if let Some(watchers) = self.0.get_mut(&watched) {
            let seers = std::mem::take(&mut watchers.seers);
            watchers.others.extend(seers);
        }
    }

    /// Nobody watches `watched` any more; returns who did.
    pub(super) fn forget(&mut self, watched: AccountId) -> impl Iterator<Item = AccountId> {
        let watchers = self.0.remove(&watched).unwrap_or_default();
        watchers.seers.into_iter().chain(watchers.others)
    }

    /// Everybody who is watched by somebody.
    pub(super) fn watched(&self) -> impl Iterator<Item = AccountId> {
        self.0.keys().copied()
    }

    /// Pairs of watcher and watched.
    pub(super) fn len(&self) -> usize {
        self.0.values().map(|watchers| watchers.seers.len() + watchers.others.len()).sum()
    }
}
