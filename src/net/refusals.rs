//! Tells of refusals without letting a flood of them fill the disk: a line now and then, with how
//! many went untold. Knows no listener.

use parking_lot::Mutex;
use std::{net::SocketAddr, time::Duration};
use tokio::time::Instant;

/// Least time between two lines about the same limit.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// The refusals for one reason.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    at: Option<Instant>,
    left_out: u64,
}

impl Refusals {
    /// Counts one, and logs it if the last line is long enough ago.
    pub(super) fn tell(&self, address: SocketAddr, reason: &str) {
        if let Some(left_out) = self.count(Instant::now()) {
            tracing::warn!(%address, reason, left_out, "connection refused");
        }
    }

    /// Counts one. How many were counted and not told before this one, if this one is to be told.
    pub fn count(&self, now: Instant) -> Option<u64> {
        let mut told = self.0.lock();
        if told.at.is_some_and(|at| now < at + LINE_INTERVAL) {
            told.left_out += 1;
            return None;
        }
        told.at = Some(now);
        Some(std::mem::take(&mut told.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_costs_a_line_now_and_then_and_is_counted() {
        let refusals = Refusals::default();
        let start = Instant::now();
        assert_eq!(refusals.count(start), Some(0));
        for _ in 0..1000 {
            assert_eq!(refusals.count(start + LINE_INTERVAL - Duration::from_millis(1)), None);
        }
        assert_eq!(refusals.count(start + LINE_INTERVAL), Some(1000));
        assert_eq!(refusals.count(start + LINE_INTERVAL), None);
        assert_eq!(refusals.count(start + 2 * LINE_INTERVAL), Some(1));
    }
}
