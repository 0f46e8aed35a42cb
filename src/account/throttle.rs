//! Slows down guessing: counts failed sign-ins of each account and from each address, and says
//! when to wait. Somebody who signed in from the same network lately need not wait for an account
//! that others guess at. Knows nothing of passwords and never learns whether an account exists.

use super::familiar::Familiar;
use crate::model::{Address, failures::Failures, subnet::network};
use parking_lot::Mutex;
use std::{net::IpAddr, time::Duration};
use tokio::time::Instant;

/// Accounts, and again network addresses, whose failures are remembered; the one that failed
/// least recently is forgotten first.
pub const REMEMBERED_MAX: usize = 16_384;

/// Failed sign-ins, which drain evenly.
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
}
