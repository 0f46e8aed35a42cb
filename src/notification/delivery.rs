//! Alerts that have been handed over and need not be kept any longer: one task takes them out of
//! the store, so that no session waits for the disk. Knows no session.

use crate::{
    metrics::NewsMeters,
    model::{AccountId, AlertId},
    store::Store,
};
use parking_lot::Mutex;
use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

/// Deliveries waiting to be taken out of the store; what finds no room stays there and is
/// delivered once more at the next sign-in.
const DELIVERIES_WAITING_MAX: usize = 65_536;
/// Deliveries in one job of the store's writer, which edits of clients wait for.
const DELIVERIES_PER_JOB: usize = 256;

/// An alert and who has received it.
type Delivery = (AccountId, AlertId);

/// The way to the task. Dropping it ends the task once everything is done.
#[derive(Debug)]
pub struct Deliveries {
    queue: mpsc::Sender<Delivery>,
    /// Handed over, but perhaps still in the store: a session that reads there must pass over them.
    under_way: Arc<Mutex<BTreeSet<Delivery>>>,
    meters: NewsMeters,
}

impl Deliveries {
    /// Starts the task.
    #[must_use]
    pub fn start(store: Arc<dyn Store>, meters: &NewsMeters, tasks: &TaskTracker) -> Self {
        let (queue, deliveries) = mpsc::channel(DELIVERIES_WAITING_MAX);
        let under_way = Arc::<Mutex<BTreeSet<Delivery>>>::default();
        tasks.spawn(settle(store, deliveries, under_way.clone(), meters.clone()));
        Self { queue, under_way, meters: meters.clone() }
    }

    /// `account` has received `alert`.
    pub(super) fn delivered(&self, account: AccountId, alert: AlertId) {
        self.meters.alerts_delivered.inc();
        self.settle(account, alert);
    }

    /// `alert` has expired before `account` could receive it.
    pub(super) fn expired(&self, account: AccountId, alert: AlertId) {
        self.meters.alerts_expired.inc();
        self.settle(account, alert);
    }

    fn settle(&self, account: AccountId, alert: AlertId) {
        match self.queue.try_reserve() {
            Ok(place) => {
                // First, so that the task cannot be done with it before.
                self.under_way.lock().insert((account, alert));
                place.send((account, alert));
            }
            Err(_) => {
                self.meters.removals_failed.inc();
                tracing::debug!(%account, %alert, "the alert will be delivered again");
            }
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
