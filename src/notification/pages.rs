//! How many pages each account has sent lately, whichever session it sent them from. Knows no
//! command.

use crate::model::{AccountId, failures::Failures};
use parking_lot::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// What `limits.pages_per_minute_max` counts in.
const WINDOW: Duration = Duration::from_secs(60);
/// Accounts whose pages are counted; of more, the one that paged least recently is forgotten.
const ACCOUNTS_MAX: usize = 16_384;

/// Counts pages. So many are free at once, and then one more each time an even share of the minute
/// has gone by.
#[derive(Debug)]
pub struct Pages(Mutex<Failures<AccountId>>);

impl Pages {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(per_minute_max: u32) -> Self {
        Self(Mutex::new(Failures::new(per_minute_max, WINDOW, ACCOUNTS_MAX)))
    }

    /// Counts one more page, unless the account has sent too many.
    pub(super) fn take(&self, account: AccountId) -> bool {
        let now = Instant::now();
        let mut sent = self.0.lock();
        let is_free = !sent.full(&account, now);
        if is_free {
            sent.charge(&account, now);
        }
        is_free
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn each_account_has_its_own_count_that_drains() {
        let pages = Pages::new(2);
        let (alice, bob) = (AccountId(1), AccountId(2));
        assert_eq!([pages.take(alice), pages.take(alice), pages.take(alice)], [true, true, false]);
        assert!(pages.take(bob));
        advance(WINDOW / 2).await;
        assert_eq!([pages.take(alice), pages.take(alice)], [true, false]);
        advance(WINDOW).await;
        assert_eq!([pages.take(alice), pages.take(alice)], [true, true]);
    }
}
