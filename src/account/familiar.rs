//! Remembers from which networks each account was signed in to lately. Knows nothing of failures.

use crate::model::Address;
use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    time::Duration,
};
use tokio::time::Instant;

/// How long a network stays familiar after a sign-in: longer than a holiday weekend.
const FAMILIAR_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Accounts remembered; the one whose last sign-in is longest ago is forgotten first.
const ACCOUNTS_MAX: usize = 16_384;
/// Networks of one account; the one used least recently is forgotten first.
const NETWORKS_PER_ACCOUNT_MAX: usize = 8;

/// The familiar networks of all accounts, a few megabytes at most.
#[derive(Debug)]
pub(super) struct Familiar {
    accounts: HashMap<Address, Known>,
    by_age: BTreeMap<u64, Address>,
    next_serial: u64,
    accounts_max: usize,
}

#[derive(Debug)]
struct Known {
    serial: u64,
    /// With the time of the last sign-in, most recent last.
    networks: Vec<(IpAddr, Instant)>,
}

impl Familiar {
    /// Whether `account` was signed in to from `network` lately.
    pub(super) fn knows(&self, account: &Address, network: IpAddr, now: Instant) -> bool {
        let networks = self.accounts.get(account).map_or(&[][..], |known| &known.networks);
        networks.iter().any(|(known, at)| *known == network && now < *at + FAMILIAR_FOR)
    }

    /// Notes a sign-in.
    pub(super) fn remember(&mut self, account: &Address, network: IpAddr, now: Instant) {
        let mut networks = match self.accounts.remove(account) {
            Some(known) => {
                self.by_age.remove(&known.serial);
                known.networks
            }
            None => Vec::with_capacity(1),
        };
        networks.retain(|(known, at)| *known != network && now < *at + FAMILIAR_FOR);
        if networks.len() >= NETWORKS_PER_ACCOUNT_MAX {
            networks.remove(0);
        }
        networks.push((network, now));
        if self.accounts.len() >= self.accounts_max
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.accounts.remove(&oldest);
        }
        let serial = self.next_serial;
        self.next_serial += 1;
        self.by_age.insert(serial, account.clone());
        self.accounts.insert(account.clone(), Known { serial, networks });
    }
}

impl Default for Familiar {
    fn default() -> Self {
        Self {
            accounts: HashMap::new(),
            by_age: BTreeMap::new(),
            next_serial: 0,
            accounts_max: ACCOUNTS_MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(who: &str) -> Address {
        Address::parse(&format!("{who}@example.test")).unwrap()
    }

    fn network(number: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, number])
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_is_familiar_for_a_while() {
        let mut familiar = Familiar::default();
        let (alice, now) = (account("alice"), Instant::now());
        familiar.remember(&alice, network(1), now);
        assert!(familiar.knows(&alice, network(1), now + FAMILIAR_FOR - Duration::from_secs(1)));
        assert!(!familiar.knows(&alice, network(1), now + FAMILIAR_FOR));
        assert!(!familiar.knows(&alice, network(2), now));
        assert!(!familiar.knows(&account("bob"), network(1), now));
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_keeps_the_networks_it_used_last() {
        let mut familiar = Familiar::default();
        let (alice, now) = (account("alice"), Instant::now());
        for number in [1, 2, 3, 4, 5, 6, 7, 8, 1, 9] {
            familiar.remember(&alice, network(number), now);
        }
        let known: Vec<_> =
            (1..=9).filter(|number| familiar.knows(&alice, network(*number), now)).collect();
        assert_eq!(known, [1, 3, 4, 5, 6, 7, 8, 9]);
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded_and_the_oldest_account_is_forgotten() {
        let mut familiar = Familiar { accounts_max: 2, ..Familiar::default() };
        let now = Instant::now();
        for who in ["alice", "bob", "alice", "carol"] {
            familiar.remember(&account(who), network(1), now);
            assert!(familiar.accounts.len() <= 2);
            assert_eq!(familiar.accounts.len(), familiar.by_age.len());
        }
        assert!(familiar.knows(&account("alice"), network(1), now));
        assert!(!familiar.knows(&account("bob"), network(1), now));
        assert!(familiar.knows(&account("carol"), network(1), now));
    }
}
