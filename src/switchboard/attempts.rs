//! Slows down whoever calls people who cannot or do not want to be called. Knows no callee.

use crate::model::{AccountId, failures::Failures};
use parking_lot::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// Callers whose failures are remembered; the one that failed least recently is forgotten first.
const REMEMBERED_MAX: usize = 16_384;

/// Calls that were refused lately, for each caller.
#[derive(Debug)]
pub(super) struct Attempts(Mutex<Failures<AccountId>>);

/// A call under way. Counts as refused until it is known that it was not.
#[derive(Debug)]
#[must_use]
pub(super) struct Attempt<'a> {
    attempts: &'a Attempts,
    caller: AccountId,
}

impl Attempts {
    /// At most `refused_max` (from 1) refused calls, which drain within `window`.
    pub(super) fn new(refused_max: u32, window: Duration) -> Self {
        Self(Mutex::new(Failures::new(refused_max, window, REMEMBERED_MAX)))
    }

    /// Begins a call, unless too many were refused. The caller is charged now, so that calls made
    /// side by side count too.
    pub(super) fn begin(&self, caller: AccountId) -> Option<Attempt<'_>> {
        let now = Instant::now();
        let mut failures = self.0.lock();
        if failures.full(&caller, now) {
            return None;
        }
        failures.charge(&caller, now);
        drop(failures);
        Some(Attempt { attempts: self, caller })
    }
}

impl Attempt<'_> {
    /// The call was not refused by the callee: the charge is taken back.
    pub(super) fn was_not_refused(self) {
        self.attempts.0.lock().refund(&self.caller);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn calls_side_by_side_count_and_those_that_ring_do_not() {
        let attempts = Attempts::new(3, Duration::from_secs(60));
        let alice = AccountId(1);
        for _ in 0..10 {
            attempts.begin(alice).unwrap().was_not_refused();
        }
        let at_once: Vec<_> = (0..100).filter_map(|_| attempts.begin(alice)).collect();
        assert_eq!(at_once.len(), 3);
        drop(at_once);
        assert!(attempts.begin(alice).is_none(), "a call given up half way counts as refused");
        assert!(attempts.begin(AccountId(2)).is_some());
    }
}
