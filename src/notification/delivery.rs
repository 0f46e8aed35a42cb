//! Alerts that have been received and need not be kept any longer: one task takes them out of the
//! store, so that no session waits for the disk. Knows no session.

use crate::{
    metrics::NewsMeters,
    model::{AccountId, AlertId},
    store::Store,
};
use parking_lot::Mutex;
use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::task::TaskTracker;

/// Deliveries waiting to be taken out of the store; what finds no room stays there and is
/// delivered once more at the next sign-in.
const DELIVERIES_WAITING_MAX: usize = 65_536;
/// Deliveries in one job of the store's writer, which edits of clients wait for.
const DELIVERIES_PER_JOB: usize = 256;
/// How often at most the log says that there was no room.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// An alert and who has received it.
type Delivery = (AccountId, AlertId);

/// The way to the task. Dropping it ends the task once everything is done.
#[derive(Debug)]
pub struct Deliveries {
    queue: mpsc::Sender<Delivery>,
    /// Received, but perhaps still in the store: a session that reads there must pass over them.
    under_way: Arc<Mutex<BTreeSet<Delivery>>>,
    meters: NewsMeters,
    /// Those for which there was no room, and when that was logged last.
    turned_away: Mutex<(u64, Option<Instant>)>,
}

impl Deliveries {
    /// Starts the task.
    #[must_use]
    pub fn start(store: Arc<dyn Store>, meters: &NewsMeters, tasks: &TaskTracker) -> Self {
        let (queue, deliveries) = mpsc::channel(DELIVERIES_WAITING_MAX);
        let under_way = Arc::<Mutex<BTreeSet<Delivery>>>::default();
        tasks.spawn(settle(store, deliveries, under_way.clone(), meters.clone()));
        Self { queue, under_way, meters: meters.clone(), turned_away: Mutex::default() }
    }

    /// `account` has received `alert`.
    pub(super) fn delivered(&self, account: AccountId, alert: AlertId) {
        self.meters.alerts_delivered.inc();
        self.settle(account, alert);
    }

    /// `alert` need not be kept for `account`: it was received, or can never be told.
    pub(super) fn settle(&self, account: AccountId, alert: AlertId) {
        match self.queue.try_reserve() {
            Ok(place) => {
                // First, so that the task cannot be done with it before.
                self.under_way.lock().insert((account, alert));
                place.send((account, alert));
            }
            Err(_) => self.turn_away(),
        }
    }

    fn turn_away(&self) {
        self.meters.removals_failed.inc();
        let (count, warned_at) = &mut *self.turned_away.lock();
        *count += 1;
        let now = Instant::now();
        if warned_at.is_none_or(|at| now >= at + WARN_EVERY) {
            *warned_at = Some(now);
            tracing::warn!(
                count = std::mem::take(count),
                "the database is too slow to forget alerts that were received: these will be told \
                 once more"
            );
        }
    }

    /// What `account` has received and the store may still have. To be asked before the store is
    /// read: what is no longer here by then, is no longer there either.
    pub(super) fn under_way(&self, account: AccountId) -> HashSet<AlertId> {
        let all = (account, AlertId(0))..=(account, AlertId(u64::MAX));
        self.under_way.lock().range(all).map(|(_, alert)| *alert).collect()
    }
}

async fn settle(
    store: Arc<dyn Store>,
    mut queue: mpsc::Receiver<Delivery>,
    under_way: Arc<Mutex<BTreeSet<Delivery>>>,
    meters: NewsMeters,
) {
    let mut batch = Vec::new();
    while queue.recv_many(&mut batch, DELIVERIES_PER_JOB).await > 0 {
        let done = std::mem::take(&mut batch);
        let settled = store.settle_alerts(done.clone()).await;
        {
            let mut under_way = under_way.lock();
            for delivery in &done {
                under_way.remove(delivery);
            }
        }
        if let Err(error) = settled {
            let count = done.len();
            meters.removals_failed.inc_by(u64::try_from(count).unwrap_or(u64::MAX));
            tracing::warn!(count, "delivered alerts will be delivered again: {error:#}");
        }
    }
}
