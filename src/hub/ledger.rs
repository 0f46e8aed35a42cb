//! What both tickets and cookies need: secrets that stand for something, kept as digests only, by
//! age and by account, bounded. Knows not what they stand for.

use super::by_account::ByAccount;
use crate::model::{AccountId, Address};
use sha2::{Digest as _, Sha256};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fmt,
};
use tokio::time::Instant;

/// What is kept of a secret. Looking it up takes a time that depends on the digest, which tells
/// nothing about the secret: no comparison of secrets is left to be timed.
pub(super) type Digest = [u8; 32];

/// The digest of a secret.
pub(super) fn digest(secret: &[u8]) -> Digest {
    Sha256::digest(secret).into()
}

/// Secrets of one kind, by digest, by age and by account; the three views always agree.
pub(super) struct Ledger<V> {
    entries: HashMap<Digest, Filed<V>>,
    by_age: BTreeMap<u64, Digest>,
    by_account: ByAccount<VecDeque<u64>>,
    next_serial: u64,
    entries_max: usize,
    per_account_max: usize,
}

struct Filed<V> {
    serial: u64,
    entry: Entry<V>,
}

/// One secret's meaning.
pub(super) struct Entry<V> {
    /// Whose it is.
    pub(super) account: AccountId,
    /// The address that whoever presents it must name; `None`: nobody can redeem it.
    pub(super) address: Option<Address>,
    /// The last moment it is good for; `None` if it does not age. All of a ledger live equally
    /// long.
    pub(super) expires: Option<Instant>,
    /// What it stands for.
    pub(super) value: V,
}

impl<V> Ledger<V> {
    /// At most so many in all and of one account (at least one); the oldest gives way.
    pub(super) fn new(entries_max: usize, per_account_max: usize) -> Self {
        Self {
            entries: HashMap::new(),
            by_age: BTreeMap::new(),
            by_account: ByAccount::default(),
            next_serial: 0,
            entries_max,
            per_account_max: per_account_max.max(1),
        }
    }

    /// Files a secret.
    pub(super) fn insert(&mut self, digest: Digest, entry: Entry<V>, now: Instant) {
        self.drop_expired(now);
        if self.entries.len() >= self.entries_max {
            self.remove_oldest();
        }
        let account = entry.account;
        if let Some(serials) = self.by_account.get(&account)
            && serials.len() >= self.per_account_max
            && let Some(oldest) = serials.front()
            && let Some(digest) = self.by_age.get(oldest).copied()
        {
            self.remove(&digest);
        }
        let serial = self.next_serial;
        self.next_serial += 1;
        self.by_account.entry(account).or_default().push_back(serial);
        self.by_age.insert(serial, digest);
        self.entries.insert(digest, Filed { serial, entry });
    }

    /// What a secret stands for, if it was presented in time by whoever it was given to. It is
    /// gone afterwards in any case.
    pub(super) fn redeem(
        &mut self,
        digest: &Digest,
        address: Option<&Address>,
        now: Instant,
    ) -> Option<Entry<V>> {
        let entry = self.remove(digest)?;
        let timely = entry.expires.is_some_and(|expires| now <= expires);
        (timely && address.is_some() && entry.address.as_ref() == address).then_some(entry)
    }

    /// Looks a secret up and leaves it.
    pub(super) fn find(&self, digest: &Digest) -> Option<&Entry<V>> {
        self.entries.get(digest).map(|filed| &filed.entry)
    }

    /// All of an account, oldest first. Some may have expired.
    pub(super) fn of_account(&self, account: AccountId) -> impl Iterator<Item = &Entry<V>> {
        let serials = self.by_account.get(&account).into_iter().flatten();
        let digests = serials.filter_map(|serial| self.by_age.get(serial));
        digests.filter_map(|digest| self.find(digest))
    }

    /// Whether another one of this account would push one out.
    pub(super) fn is_full_for(&self, account: AccountId) -> bool {
        self.entries.len() >= self.entries_max
            || self.by_account.get(&account).is_some_and(|all| all.len() >= self.per_account_max)
    }

    /// Takes a secret out.
    pub(super) fn remove(&mut self, digest: &Digest) -> Option<Entry<V>> {
        let Filed { serial, entry } = self.entries.remove(digest)?;
        self.by_age.remove(&serial);
        if let Some(serials) = self.by_account.get_mut(&entry.account) {
            serials.retain(|other| *other != serial);
            if serials.is_empty() {
                self.by_account.remove(&entry.account);
            }
        }
        Some(entry)
    }

    /// Takes all of an account out.
    pub(super) fn remove_account(&mut self, account: AccountId) {
        for serial in self.by_account.remove(&account).unwrap_or_default() {
            if let Some(digest) = self.by_age.remove(&serial) {
                self.entries.remove(&digest);
            }
        }
    }

    /// Secrets filed, some of which may have expired.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// All of a kind live equally long, so the expired ones are the oldest. Each is dropped once:
    /// the cost belongs to its own insertion.
    pub(super) fn drop_expired(&mut self, now: Instant) {
        while let Some((_, oldest)) = self.by_age.first_key_value()
            && let Some(filed) = self.entries.get(oldest)
            && filed.entry.expires.is_some_and(|expires| expires < now)
        {
            self.remove_oldest();
        }
    }

    fn remove_oldest(&mut self) {
        if let Some((_, digest)) = self.by_age.first_key_value() {
            let digest = *digest;
            self.remove(&digest);
        }
    }

    /// Sizes of the three views.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize, usize) {
        (self.entries.len(), self.by_age.len(), self.by_account.len())
    }
}

/// Shows sizes only.
impl<V> fmt::Debug for Ledger<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_oldest_of_all_gives_way() {
        let mut ledger = Ledger::new(2, 8);
        for number in 0..3_u8 {
            let account = AccountId(number.into());
            let entry = Entry { account, address: None, expires: None, value: number };
            ledger.insert([number; 32], entry, Instant::now());
        }
        assert!(ledger.remove(&[0; 32]).is_none());
        assert!(ledger.remove(&[1; 32]).is_some_and(|entry| entry.value == 1));
        assert!(ledger.remove(&[2; 32]).is_some());
        assert_eq!(ledger.sizes(), (0, 0, 0));
    }
}
