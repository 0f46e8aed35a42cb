//! The watcher index: for every watched person the online people who have it on their forward
//! list, split into those it allows to see it and the rest. A change of status walks only the
//! first half.

use super::{by_account::ByAccount, seats::Seat};
use crate::model::AccountId;

/// The watchers of one person. Sorted lists, since most people have few: a tenth of what hash sets
/// take, walked in a straight line. Among 10 000 watchers a new one moves 20 kB.
#[derive(Debug, Default)]
struct Watchers {
    /// They may see the person. Empty while it is not present.
    seers: Vec<Seat>,
    /// Everybody else.
    others: Vec<Seat>,
}

/// Watchers by watched person; people without watchers have no entry.
#[derive(Debug, Default)]
pub(super) struct WatchIndex(ByAccount<Watchers>);

impl WatchIndex {
    /// `watcher` starts to watch `watched`; `allowed` tells whether it may see it now.
    pub(super) fn add(&mut self, watched: AccountId, watcher: Seat, allowed: bool) {
        let watchers = self.0.entry(watched).or_default();
        insert(if allowed { &mut watchers.seers } else { &mut watchers.others }, watcher);
    }

    /// `watcher` no longer watches `watched`.
    pub(super) fn remove(&mut self, watched: AccountId, watcher: Seat) {
        let Some(watchers) = self.0.get_mut(&watched) else { return };
        if !remove(&mut watchers.seers, watcher) {
            remove(&mut watchers.others, watcher);
        }
        if watchers.seers.is_empty() && watchers.others.is_empty() {
            self.0.remove(&watched);
        }
    }

    /// Those who may see `watched`.
    pub(super) fn seers(&self, watched: AccountId) -> &[Seat] {
        self.0.get(&watched).map_or(&[], |watchers| &watchers.seers)
    }

    /// Splits the watchers of `watched` anew and returns who lost and who gained sight.
    pub(super) fn split(
        &mut self,
        watched: AccountId,
        allows: impl Fn(Seat) -> bool,
    ) -> (Vec<Seat>, Vec<Seat>) {
        let Some(watchers) = self.0.get_mut(&watched) else { return Default::default() };
        let lost: Vec<_> = watchers.seers.extract_if(.., |watcher| !allows(*watcher)).collect();
        let gained: Vec<_> = watchers.others.extract_if(.., |watcher| allows(*watcher)).collect();
        merge(&mut watchers.others, &lost);
        merge(&mut watchers.seers, &gained);
        (lost, gained)
    }

    /// Like [`Self::split`] for one watcher: `Some(true)` if it gained sight, `Some(false)` if it
    /// lost it.
    pub(super) fn move_one(
        &mut self,
        watched: AccountId,
        watcher: Seat,
        allowed: bool,
    ) -> Option<bool> {
        let watchers = self.0.get_mut(&watched)?;
        let (from, to) = if allowed {
            (&mut watchers.others, &mut watchers.seers)
        } else {
            (&mut watchers.seers, &mut watchers.others)
        };
        remove(from, watcher).then(|| {
            insert(to, watcher);
            allowed
        })
    }

    /// `watched` is no longer present: nobody sees it.
    pub(super) fn conceal(&mut self, watched: AccountId) {
        if let Some(watchers) = self.0.get_mut(&watched) {
            let seers = std::mem::take(&mut watchers.seers);
            merge(&mut watchers.others, &seers);
        }
    }

    /// Nobody watches `watched` any more; returns who did.
    pub(super) fn forget(&mut self, watched: AccountId) -> impl Iterator<Item = Seat> {
        let watchers = self.0.remove(&watched).unwrap_or_default();
        watchers.seers.into_iter().chain(watchers.others)
    }

    /// Everybody who is watched by somebody.
    pub(super) fn watched(&self) -> impl Iterator<Item = AccountId> {
        self.0.keys().copied()
    }

    /// Whether `watcher` still watches somebody. Looks at everybody: for checks alone.
    pub(super) fn has_watcher(&self, watcher: Seat) -> bool {
        let has = |seats: &Vec<Seat>| seats.binary_search(&watcher).is_ok();
        self.0.values().any(|watchers| has(&watchers.seers) || has(&watchers.others))
    }

    /// Pairs of watcher and watched.
    pub(super) fn len(&self) -> usize {
        self.0.values().map(|watchers| watchers.seers.len() + watchers.others.len()).sum()
    }
}

fn insert(seats: &mut Vec<Seat>, seat: Seat) {
    if let Err(at) = seats.binary_search(&seat) {
        seats.insert(at, seat);
    }
}

fn remove(seats: &mut Vec<Seat>, seat: Seat) -> bool {
    let Ok(at) = seats.binary_search(&seat) else { return false };
    seats.remove(at);
    give_back(seats);
    true
}

/// Adds seats that are not yet there.
fn merge(seats: &mut Vec<Seat>, more: &[Seat]) {
    seats.extend_from_slice(more);
    // Two sorted runs: this merges them.
    seats.sort();
    give_back(seats);
}

/// A list that has shrunk keeps no more than three quarters in vain.
fn give_back(seats: &mut Vec<Seat>) {
    if seats.len() < seats.capacity() / 4 {
        seats.shrink_to(seats.len() * 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::{inbox::inbox, seats::Seats};

    #[test]
    fn a_crowd_that_leaves_takes_its_memory_with_it() {
        const WATCHED: AccountId = AccountId(1);
        let (mut seats, mut watch) = (Seats::default(), WatchIndex::default());
        let crowd: Vec<_> = (0..1000).map(|n| seats.take(AccountId(n), inbox(1).0)).collect();
        // Backwards, so that each is put in front.
        crowd.iter().rev().for_each(|seat| watch.add(WATCHED, *seat, true));
        assert_eq!(watch.seers(WATCHED), crowd);
        watch.conceal(WATCHED);
        assert_eq!((watch.seers(WATCHED).len(), watch.len()), (0, 1000));
        for seat in crowd.iter().skip(10) {
            watch.remove(WATCHED, *seat);
        }
        let watchers = watch.0.get(&WATCHED).unwrap();
        assert_eq!(watchers.others, crowd[..10]);
        assert!(watchers.others.capacity() <= 40 && watchers.seers.capacity() == 0);
    }
}
