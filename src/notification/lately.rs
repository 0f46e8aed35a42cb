//! What a session did in the last minute, as far as it may not do it as often as it likes. Knows
//! not what it did.

use std::time::Duration;
use tokio::time::Instant;

/// How long a moment counts.
const WINDOW: Duration = Duration::from_secs(60);

/// Moments, at most as many as are allowed; no memory when there are none.
#[derive(Debug, Default)]
pub(super) struct Lately(Vec<Instant>);

impl Lately {
    /// Whether it was `max` times or more.
    pub(super) fn is_too_often(&mut self, max: u32) -> bool {
        let now = Instant::now();
        self.0.retain(|at| now < *at + WINDOW);
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
        self.0.len() >= max as usize
    }

    /// It is done now.
    pub(super) fn note(&mut self) {
        self.0.push(Instant::now());
    }
}
