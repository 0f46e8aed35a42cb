//! How many pages each account has sent lately, whichever session it sent them from. Knows no
//! command.

use crate::model::AccountId;
use parking_lot::Mutex;
use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};
use tokio::time::Instant;

/// What `limits.pages_per_minute_max` counts in.
const WINDOW: Duration = Duration::from_secs(60);
/// Accounts that may page within one window; others have to wait.
const ACCOUNTS_MAX: usize = 16_384;

/// Counts pages.
#[derive(Debug)]
pub struct Pages {
    per_window_max: usize,
    /// When each account sent its last pages; what is older than the window may still be here.
    sent: Mutex<HashMap<AccountId, VecDeque<Instant>>>,
}

impl Pages {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(per_minute_max: u32) -> Self {
        Self { per_window_max: per_minute_max as usize, sent: Mutex::default() }
    }

    /// Counts one more page, unless the account has sent too many.
    pub(super) fn take(&self, account: AccountId) -> bool {
        let now = Instant::now();
        let is_old = |at: &Instant| now >= *at + WINDOW;
        let mut sent = self.sent.lock();
        if sent.len() >= ACCOUNTS_MAX && !sent.contains_key(&account) {
            sent.retain(|_, times| times.back().is_some_and(|at| !is_old(at)));
            if sent.len() >= ACCOUNTS_MAX {
                return false;
            }
        }
        let times = sent.entry(account).or_default();
        while times.pop_front_if(|at| is_old(at)).is_some() {}
        let is_free = times.len() < self.per_window_max;
        if is_free {
            times.push_back(now);
        }
        is_free
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn each_account_has_its_own_count_and_a_page_counts_for_a_minute() {
        let pages = Pages::new(2);
        let (alice, bob) = (AccountId(1), AccountId(2));
        assert!(pages.take(alice));
        advance(WINDOW / 2).await;
        assert_eq!([pages.take(alice), pages.take(alice)], [true, false]);
        assert!(pages.take(bob));
        advance(WINDOW / 2).await;
        assert_eq!([pages.take(alice), pages.take(alice)], [true, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_accounts_are_remembered() {
        let pages = Pages::new(1);
        for account in 0..ACCOUNTS_MAX as u64 {
            assert!(pages.take(AccountId(account)));
        }
        assert!(!pages.take(AccountId(u64::MAX)));
        advance(WINDOW).await;
        assert!(pages.take(AccountId(u64::MAX)));
        assert_eq!(pages.sent.lock().len(), 1);
    }
}
