//! The handles by which other modules count. Knows no metric by name.

use super::{Counters, EDITS, Histograms, READS};
use prometheus_client::metrics::{
    counter::Counter,
    gauge::Gauge,
    histogram::{Histogram, exponential_buckets},
};
use std::sync::Arc;
use tokio::time::Instant;

/// A part of a gauge: one as long as this lives.
#[derive(Debug)]
pub struct Held(Gauge);

/// What the connections of one role count; one slot for each row of its table.
#[derive(Debug)]
pub struct RoleMeters {
    pub(super) role: &'static str,
    pub(super) commands: Box<[Counter]>,
    pub(super) errors: Box<[(u16, Counter)]>,
    pub(super) ends: Counters<2>,
    pub(super) write_stalls: Counter,
}

/// What the hub counts.
#[derive(Debug, Clone, Default)]
pub struct HubMeters {
    /// Presence put into inboxes.
    pub deliveries: Counter,
    /// Sessions dropped because their inbox was full.
    pub overflows: Counter,
}

/// What conversations count.
#[derive(Debug)]
pub struct ConversationMeters {
    /// Conversations opened.
    pub opened: Counter,
    /// Calls answered.
    pub joined: Counter,
    /// Calls that reached somebody.
    pub rung: Counter,
    /// Messages that nobody got, or not everybody.
    pub undelivered: Counter,
    /// Participants who were too far behind.
    pub overflows: Counter,
    pub(super) refusals: Box<[Counter]>,
    /// Messages and their bytes.
    pub(super) messages: Box<[(Counter, Counter)]>,
}

/// What the store counts and times.
#[derive(Debug, Clone)]
pub struct StoreMeters {
    pub(super) reads: Histograms,
    pub(super) edits: Counters<1>,
    /// The same histograms in the order of [`READS`], to be reached without a lock.
    by_operation: Arc<[Histogram]>,
    /// The same counters in the order of [`EDITS`].
    by_kind: Arc<[Counter]>,
    pub(super) commits: Histogram,
    pub(super) batches: Histogram,
}

/// A read of the store; its time counts when this is dropped.
#[derive(Debug)]
pub struct TimedRead {
    histogram: Option<Histogram>,
    since: Instant,
}

/// What verifying passwords counts.
#[derive(Debug, Clone, Default)]
pub struct PasswordMeters {
    /// Passwords hashed or verified.
    pub verifications: Counter,
    /// Turned away because too many wait.
    pub refusals: Counter,
    pub(super) waiting: Gauge,
    pub(super) working: Gauge,
}

impl Held {
    pub(super) fn new(gauge: Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl RoleMeters {
    /// So many commands of this row of the table were let in.
    pub fn commands(&self, row: usize, count: u64) {
        if let Some(counter) = self.commands.get(row) {
            counter.inc_by(count);
        }
    }

    /// An error line with this number was sent.
    pub fn error(&self, number: u16) {
        if let Some((_, counter)) = self.errors.iter().find(|(known, _)| *known == number) {
            counter.inc();
        }
    }

    /// A connection ended for this reason.
    pub fn end(&self, reason: &'static str) {
        self.ends.get_or_create(&[("role", self.role), ("reason", reason)]).inc();
    }

    /// A connection ended because nothing could be sent.
    pub fn write_stalled(&self) {
        self.write_stalls.inc();
    }
}

impl ConversationMeters {
    /// Something was refused; `reason` counts in the table given to
    /// [`super::Metrics::conversations`].
    pub fn refused(&self, reason: usize) {
        if let Some(counter) = self.refusals.get(reason) {
            counter.inc();
        }
    }

    /// So many messages of this type, of so many bytes together.
    pub fn said(&self, kind: usize, count: u64, bytes: u64) {
        if let Some((messages, in_bytes)) = self.messages.get(kind) {
            messages.inc_by(count);
            in_bytes.inc_by(bytes);
        }
    }
}

impl StoreMeters {
    /// Times a read, one of [`READS`], until the guard is dropped.
    #[must_use]
    pub fn read(&self, operation: &'static str) -> TimedRead {
        let at = READS.iter().position(|known| *known == operation);
        debug_assert!(at.is_some(), "{operation} is not among READS");
        let histogram = at.and_then(|at| self.by_operation.get(at)).cloned();
        TimedRead { histogram, since: Instant::now() }
    }

    /// A transaction with so many jobs was committed; it began at `since`.
    pub fn committed(&self, jobs: usize, since: Instant) {
        self.commits.observe(since.elapsed().as_secs_f64());
        self.batches.observe(f64::from(u32::try_from(jobs).unwrap_or(u32::MAX)));
    }

    /// A list edit of this kind, one of [`EDITS`], was committed.
    pub fn edited(&self, kind: &'static str) {
        let at = EDITS.iter().position(|known| *known == kind);
        debug_assert!(at.is_some(), "{kind} is not among EDITS");
        if let Some(counter) = at.and_then(|at| self.by_kind.get(at)) {
            counter.inc();
        }
    }
}

impl Default for StoreMeters {
    fn default() -> Self {
        let reads = Histograms::new_with_constructor(latency);
        let edits = Counters::default();
        let by_operation = READS.map(|read| reads.get_or_create_owned(&[("operation", read)]));
        let by_kind = EDITS.map(|kind| edits.get_or_create_owned(&[("kind", kind)]));
        Self {
            reads,
            edits,
            by_operation: by_operation.into(),
            by_kind: by_kind.into(),
            commits: latency(),
            batches: Histogram::new(exponential_buckets(1.0, 2.0, 9)),
        }
    }
}

impl Drop for TimedRead {
    fn drop(&mut self) {
        if let Some(histogram) = &self.histogram {
            histogram.observe(self.since.elapsed().as_secs_f64());
        }
    }
}

impl PasswordMeters {
    /// A guard for a sign-in that waits for its turn.
    #[must_use]
    pub fn wait(&self) -> Held {
        Held::new(self.waiting.clone())
    }

    /// A guard for a hash that is being computed.
    #[must_use]
    pub fn work(&self) -> Held {
        Held::new(self.working.clone())
    }
}

/// From 50 microseconds to about 13 seconds, each bucket four times the one before.
fn latency() -> Histogram {
    Histogram::new(exponential_buckets(0.000_05, 4.0, 10))
}
