//! Slows down guessing: counts failed sign-ins of each account and from each address, and says
//! when to wait. Somebody who signed in from the same network lately need not wait for an account
//! that others guess at. Knows nothing of passwords and never learns whether an account exists.

use super::familiar::Familiar;
use crate::model::Address;
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};
use tokio::time::Instant;

/// Accounts, and again network addresses, whose failures are remembered; the one that failed
/// least recently is forgotten first.
pub const REMEMBERED_MAX: usize = 16_384;

/// Failures drain evenly: after `max` of them at once one more try is free every `window / max`.
#[derive(Debug)]
pub(super) struct Throttle {
    accounts: Mutex<Failures<Address>>,
    peers: Mutex<Failures<IpAddr>>,
    familiar: Mutex<Familiar>,
}

/// Too many failures lately.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wait;

/// One sign-in under way. Dropped without a word it counts as a failure, so giving up half way
/// gains nothing.
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    throttle: &'a Throttle,
    account: Option<&'a Address>,
    /// Whether the account was charged for it.
    is_charged: bool,
    peer: IpAddr,
    verdict: Verdict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Failed,
    Succeeded,
    Unknown,
}

impl Throttle {
    /// Maxima count from 1; a 0 is taken for 1.
    pub(super) fn new(per_account_max: u32, per_peer_max: u32, window: Duration) -> Self {
        Self {
            accounts: Mutex::new(Failures::new(per_account_max, window, REMEMBERED_MAX)),
            peers: Mutex::new(Failures::new(per_peer_max, window, REMEMBERED_MAX)),
            familiar: Mutex::default(),
        }
    }

    /// Lets an attempt begin. The account is charged now, so that guesses made side by side count
    /// too; the peer is charged when it fails, so that many people behind one address may sign in
    /// at the same time. What that lets through is bounded by the password queue.
    ///
    /// An account that has to wait lets in who signed in to it from this network lately: otherwise
    /// anybody could lock its owner out. Such an attempt counts for the peer only.
    pub(super) fn begin<'a>(
        &'a self,
        account: Option<&'a Address>,
        peer: IpAddr,
    ) -> Result<Attempt<'a>, Wait> {
        let now = Instant::now();
        let peer = network(peer);
        if self.peers.lock().full(&peer, now) {
            return Err(Wait);
        }
        let mut is_charged = false;
        if let Some(account) = account {
            let mut accounts = self.accounts.lock();
            if !accounts.full(account, now) {
                accounts.charge(account, now);
                is_charged = true;
            } else if !self.familiar.lock().knows(account, peer, now) {
                return Err(Wait);
            }
        }
        Ok(Attempt { throttle: self, account, is_charged, peer, verdict: Verdict::Failed })
    }
}

impl Attempt<'_> {
    /// The right password: the account's failures are forgotten, its peer is remembered.
    pub(super) fn succeeded(mut self) {
        self.verdict = Verdict::Succeeded;
    }

    /// We could not tell: nothing is counted.
    pub(super) fn undecided(mut self) {
        self.verdict = Verdict::Unknown;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        match (self.verdict, self.account) {
            (Verdict::Failed, _) => self.throttle.peers.lock().charge(&self.peer, Instant::now()),
            (Verdict::Succeeded, Some(account)) => {
                self.throttle.accounts.lock().forget(account);
                self.throttle.familiar.lock().remember(account, self.peer, Instant::now());
            }
            (Verdict::Unknown, Some(account)) if self.is_charged => {
                self.throttle.accounts.lock().refund(account);
            }
            (Verdict::Succeeded | Verdict::Unknown, _) => {}
        }
    }
}

/// Who counts as one peer: an IPv4 address, or the network an IPv6 subscriber chooses from.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// For each key the moment at which its failures will all have drained.
#[derive(Debug)]
struct Failures<K> {
    keys: HashMap<K, Drain>,
    by_age: BTreeMap<u64, K>,
    next_serial: u64,
    step: Duration,
    burst: Duration,
    keys_max: usize,
}

#[derive(Debug, Clone, Copy)]
struct Drain {
    empty_at: Instant,
    serial: u64,
}

impl<K: Clone + Eq + Hash> Failures<K> {
    fn new(max: u32, window: Duration, keys_max: usize) -> Self {
        let max = max.max(1);
        let step = window / max;
        Self {
            keys: HashMap::new(),
            by_age: BTreeMap::new(),
            next_serial: 0,
            step,
            burst: step * (max - 1),
            keys_max,
        }
    }

    fn full(&self, key: &K, now: Instant) -> bool {
        self.keys.get(key).is_some_and(|drain| drain.empty_at > now + self.burst)
    }

    fn charge(&mut self, key: &K, now: Instant) {
        let begins = self.take(key).map_or(now, |drain| drain.empty_at.max(now));
        self.make_room(now);
        let serial = self.next_serial;
        self.next_serial += 1;
        self.by_age.insert(serial, key.clone());
        self.keys.insert(key.clone(), Drain { empty_at: begins + self.step, serial });
    }

    fn refund(&mut self, key: &K) {
        if let Some(drain) = self.keys.get_mut(key) {
            drain.empty_at = drain.empty_at.checked_sub(self.step).unwrap_or(drain.empty_at);
        }
    }

    fn forget(&mut self, key: &K) {
        self.take(key);
    }

    fn take(&mut self, key: &K) -> Option<Drain> {
        let drain = self.keys.remove(key)?;
        self.by_age.remove(&drain.serial);
        Some(drain)
    }

    /// Drops up to two drained keys for each new one, and whatever is necessary beyond.
    fn make_room(&mut self, now: Instant) {
        for _ in 0..2 {
            let Some((_, oldest)) = self.by_age.first_key_value() else { return };
            let drained = self.keys.get(oldest).is_none_or(|drain| drain.empty_at <= now);
            if (drained || self.keys.len() >= self.keys_max)
                && let Some((_, oldest)) = self.by_age.pop_first()
            {
                self.keys.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use tokio::time::advance;

    const WINDOW: Duration = Duration::from_secs(300);
    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn alice() -> Address {
        Address::parse("alice@example.test").unwrap()
    }

    fn fail(throttle: &Throttle, account: &Address, peer: IpAddr) -> Result<(), Wait> {
        throttle.begin(Some(account), peer).map(drop)
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_waits_after_its_failures_and_drains_evenly() {
        let throttle = Throttle::new(10, 1000, WINDOW);
        for _ in 0..10 {
            assert_eq!(fail(&throttle, &alice(), HERE), Ok(()));
        }
        assert_eq!(fail(&throttle, &alice(), HERE), Err(Wait));
        advance(Duration::from_secs(29)).await;
        assert_eq!(fail(&throttle, &alice(), HERE), Err(Wait));
        advance(Duration::from_secs(1)).await;
        assert_eq!(fail(&throttle, &alice(), HERE), Ok(()));
        assert_eq!(fail(&throttle, &alice(), HERE), Err(Wait));
        advance(WINDOW).await;
        for _ in 0..10 {
            assert_eq!(fail(&throttle, &alice(), HERE), Ok(()));
        }
        assert_eq!(fail(&throttle, &alice(), HERE), Err(Wait));
    }

    #[tokio::test(start_paused = true)]
    async fn being_told_to_wait_is_no_further_failure() {
        let throttle = Throttle::new(1, 1000, WINDOW);
        assert_eq!(fail(&throttle, &alice(), HERE), Ok(()));
        for _ in 0..100 {
            assert_eq!(fail(&throttle, &alice(), HERE), Err(Wait));
        }
        advance(WINDOW).await;
        assert_eq!(fail(&throttle, &alice(), HERE), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn guesses_side_by_side_count() {
        let throttle = Throttle::new(2, 1000, WINDOW);
        let alice = alice();
        let _first = throttle.begin(Some(&alice), HERE).unwrap();
        let _second = throttle.begin(Some(&alice), HERE).unwrap();
        assert!(throttle.begin(Some(&alice), HERE).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn success_clears_the_account_but_not_the_address() {
        let throttle = Throttle::new(2, 3, WINDOW);
        let alice = alice();
        for _ in 0..2 {
            fail(&throttle, &alice, HERE).unwrap();
            throttle.begin(Some(&alice), HERE).unwrap().succeeded();
        }
        fail(&throttle, &alice, HERE).unwrap();
        assert_eq!(fail(&throttle, &alice, HERE), Err(Wait));
        let elsewhere = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        assert_eq!(fail(&throttle, &alice, elsewhere), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn who_signed_in_lately_is_not_locked_out_by_others() {
        let throttle = Throttle::new(2, 3, WINDOW);
        let alice = alice();
        let home = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        throttle.begin(Some(&alice), home).unwrap().succeeded();
        fail(&throttle, &alice, HERE).unwrap();
        fail(&throttle, &alice, HERE).unwrap();
        assert_eq!(fail(&throttle, &alice, HERE), Err(Wait));
        // A slip, an attempt we could not decide, and then the right password.
        fail(&throttle, &alice, home).unwrap();
        throttle.begin(Some(&alice), home).unwrap().undecided();
        assert_eq!(fail(&throttle, &alice, HERE), Err(Wait));
        throttle.begin(Some(&alice), home).unwrap().succeeded();
        // Nobody else profits.
        let bob = Address::parse("bob@example.test").unwrap();
        fail(&throttle, &bob, "198.51.100.7".parse().unwrap()).unwrap();
        fail(&throttle, &bob, "198.51.100.8".parse().unwrap()).unwrap();
        assert_eq!(fail(&throttle, &bob, home), Err(Wait));
    }

    #[tokio::test(start_paused = true)]
    async fn a_familiar_address_still_waits_for_its_own_failures() {
        let throttle = Throttle::new(1, 3, WINDOW);
        let alice = alice();
        throttle.begin(Some(&alice), HERE).unwrap().succeeded();
        for _ in 0..3 {
            fail(&throttle, &alice, HERE).unwrap();
        }
        assert_eq!(fail(&throttle, &alice, HERE), Err(Wait));
    }

    #[tokio::test(start_paused = true)]
    async fn the_whole_ipv6_network_is_familiar() {
        let throttle = Throttle::new(1, 9, WINDOW);
        let alice = alice();
        throttle.begin(Some(&alice), "2001:db8::1".parse().unwrap()).unwrap().succeeded();
        fail(&throttle, &alice, HERE).unwrap();
        assert_eq!(fail(&throttle, &alice, "2001:db8::2:1".parse().unwrap()), Ok(()));
        assert_eq!(fail(&throttle, &alice, "2001:db8:0:1::1".parse().unwrap()), Err(Wait));
    }

    #[tokio::test(start_paused = true)]
    async fn an_undecided_attempt_counts_nowhere() {
        let throttle = Throttle::new(1, 1, WINDOW);
        let alice = alice();
        for _ in 0..5 {
            throttle.begin(Some(&alice), HERE).unwrap().undecided();
        }
        assert_eq!(fail(&throttle, &alice, HERE), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_waits_whatever_accounts_it_tries() {
        let throttle = Throttle::new(10, 5, WINDOW);
        for number in 0..5 {
            let account = Address::parse(&format!("user{number}@example.test")).unwrap();
            assert_eq!(fail(&throttle, &account, HERE), Ok(()));
        }
        assert!(throttle.begin(None, HERE).is_err());
        assert_eq!(fail(&throttle, &alice(), HERE), Err(Wait));
        let mapped = IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped());
        assert_eq!(fail(&throttle, &alice(), mapped), Err(Wait));
    }

    #[tokio::test(start_paused = true)]
    async fn one_ipv6_network_is_one_peer() {
        let throttle = Throttle::new(10, 1, WINDOW);
        assert_eq!(fail(&throttle, &alice(), "2001:db8::1".parse().unwrap()), Ok(()));
        assert_eq!(fail(&throttle, &alice(), "2001:db8::2:1".parse().unwrap()), Err(Wait));
        assert_eq!(fail(&throttle, &alice(), "2001:db8:0:1::1".parse().unwrap()), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded_and_the_oldest_is_forgotten() {
        let now = Instant::now();
        let mut failures = Failures::new(1, WINDOW, 3);
        for key in [1, 2, 3, 1, 4, 5] {
            failures.charge(&key, now);
            assert!(failures.keys.len() <= 3 && failures.keys.len() == failures.by_age.len());
        }
        let full: Vec<_> = (1..=5).filter(|key| failures.full(key, now)).collect();
        assert_eq!(full, [1, 4, 5]);
        failures.charge(&6, now + 2 * WINDOW);
        failures.charge(&7, now + 2 * WINDOW);
        assert_eq!(failures.keys.len(), 2);
    }
}
