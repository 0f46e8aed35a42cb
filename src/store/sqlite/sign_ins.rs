//! Reads for those who sign in at the same moment: one statement for all who wait, for it costs
//! more to hand work to the database's thread and back than to read. Knows no session.

use super::{read, readers::Readers};
use crate::{
    model::AccountId,
    store::{SignIn, StoreError},
};
use parking_lot::Mutex;
use std::{mem, sync::Arc};
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

/// Accounts read by one statement.
const BATCH_MAX: usize = 32;

/// Who waits for its account. Nothing runs while nobody does.
#[derive(Clone)]
pub(super) struct SignIns {
    readers: Arc<Readers>,
    tasks: TaskTracker,
    queue: Arc<Mutex<Queue>>,
}

#[derive(Default)]
struct Queue {
    /// One for each connection that signs in, at most.
    waiting: Vec<Waiting>,
    is_read: bool,
}

struct Waiting {
    id: AccountId,
    answer: oneshot::Sender<Result<SignIn, StoreError>>,
}

impl SignIns {
    pub(super) fn new(readers: Arc<Readers>, tasks: TaskTracker) -> Self {
        Self { readers, tasks, queue: Arc::default() }
    }

    /// The account as it is at some moment after this was asked.
    pub(super) async fn read(&self, id: AccountId) -> Result<SignIn, StoreError> {
        let (answer, answered) = oneshot::channel();
        let is_read = {
            let mut queue = self.queue.lock();
            queue.waiting.push(Waiting { id, answer });
            mem::replace(&mut queue.is_read, true)
        };
        if !is_read {
            let shift = Shift { queue: self.queue.clone(), is_over: false };
            self.tasks.spawn(read_all(self.readers.clone(), shift));
        }
        answered.await.map_err(|_| super::closed())?
    }
}

/// Reads for all who wait, until nobody does.
async fn read_all(readers: Arc<Readers>, mut shift: Shift) {
    loop {
        let batch = shift.next();
        if batch.is_empty() {
            return;
        }
        let ids: Vec<_> = batch.iter().map(|waiting| waiting.id).collect();
        let mut read = read_together(&readers, &ids).await;
        if let (Err(error), [_, _, ..]) = (&read, &*batch) {
            tracing::warn!(
                "reading {} accounts that sign in failed, each is read alone now: {error:#}",
                ids.len()
            );
        }
        for Waiting { id, answer } in batch {
            let outcome = match &mut read {
                Ok(read) => {
                    let at = read.iter().position(|(found, _)| *found == id);
                    at.map_or(Err(StoreError::NotFound), |at| Ok(read.swap_remove(at).1?))
                }
                // Over a new connection. Everybody learns what is wrong, and what concerns one
                // account alone stays its.
                Err(_) => read_alone(&readers, id).await,
            };
            // It may have gone away.
            let _ = answer.send(outcome);
        }
    }
}

async fn read_together(
    readers: &Readers,
    ids: &[AccountId],
) -> Result<Vec<(AccountId, anyhow::Result<SignIn>)>, StoreError> {
    let mut reader = readers.take().await?;
    let outcome = read::sign_ins(reader.conn(), ids).await;
    reader.settle(outcome)
}

async fn read_alone(readers: &Readers, id: AccountId) -> Result<SignIn, StoreError> {
    let mut reader = readers.take().await?;
    let outcome = read::sign_in(reader.conn(), id).await;
    reader.settle(outcome)
}

/// Serves the queue. However it ends, nobody is left waiting.
struct Shift {
    queue: Arc<Mutex<Queue>>,
    is_over: bool,
}

impl Shift {
    /// Those who wait, the first ones first. If there are none the shift is over.
    fn next(&mut self) -> Vec<Waiting> {
        let mut queue = self.queue.lock();
        let count = queue.waiting.len().min(BATCH_MAX);
        if count == 0 {
            *queue = Queue::default();
            self.is_over = true;
        }
        queue.waiting.drain(..count).collect()
    }
}

impl Drop for Shift {
    fn drop(&mut self) {
        if !self.is_over {
            *self.queue.lock() = Queue::default();
        }
    }
}

#[cfg(test)]
mod tests;
