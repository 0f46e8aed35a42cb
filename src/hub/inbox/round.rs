//! Presence for sessions that sleep and have nothing to write themselves: whoever comes round
//! writes it to their wires, and their own tasks sleep on.

use super::{Entry, Event, Queue, Rest, Shared, fetch, presence_of};
use crate::model::Dialect;
use bytes::Bytes;
use std::{mem, sync::Arc, vec};
use tokio::{runtime::Handle, sync::Semaphore, task::yield_now};

/// Inboxes that are visited without a pause.
const INBOXES_MAX: usize = 32;
/// Inboxes that are visited before others have a turn, for each worker of the runtime.
const INBOXES_AT_ONCE: usize = 256;
/// Workers that count: all that they visit may come to one of them.
const WORKERS_MAX: usize = 4;
/// Bytes written to one wire at once, not counting the line that goes beyond. Who has more waiting
/// is woken.
const BYTES_MAX: usize = 16 * 1024;

/// How presence is written in a dialect: one whole line. `None` for everything else.
pub type Encode = fn(&Event, Dialect) -> Option<Bytes>;

/// All rounds of a hub.
#[derive(Debug)]
pub(in crate::hub) struct Rounds {
    encode: Encode,
    places: Arc<Semaphore>,
}

/// Inboxes in which presence waits, while they are collected.
pub(in crate::hub) struct Round<'a> {
    rounds: &'a Rounds,
    inboxes: Vec<Arc<Shared>>,
}

/// A part of a round under way. Sessions that it does not reach because it ends early are woken.
struct Visits {
    encode: Encode,
    inboxes: vec::IntoIter<Arc<Shared>>,
}

impl Rounds {
    /// Presence is written by `encode`.
    pub(in crate::hub) fn new(encode: Encode) -> Self {
        let workers = Handle::try_current().map_or(1, |runtime| runtime.metrics().num_workers());
        let places = INBOXES_AT_ONCE * workers.min(WORKERS_MAX);
        Self { encode, places: Arc::new(Semaphore::new(places)) }
    }
}

impl<'a> Round<'a> {
    pub(in crate::hub) const fn new(rounds: &'a Rounds) -> Self {
        Self { rounds, inboxes: Vec::new() }
    }

    pub(super) fn add(&mut self, inbox: &Arc<Shared>) {
        if self.inboxes.capacity() == 0 {
            self.inboxes.reserve_exact(INBOXES_MAX);
        }
        self.inboxes.push(inbox.clone());
        if self.inboxes.len() == INBOXES_MAX {
            self.set_out();
        }
    }

    /// Visits those that have been added. Without a runtime they are woken.
    fn set_out(&mut self) {
        if self.inboxes.is_empty() {
            return;
        }
        let inboxes = mem::take(&mut self.inboxes).into_iter();
        let Rounds { encode, places } = self.rounds;
        let visits = Visits { encode: *encode, inboxes };
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(visits.make(places.clone()));
        }
    }
}

impl Drop for Round<'_> {
    fn drop(&mut self) {
        self.set_out();
    }
}

impl Visits {
    async fn make(mut self, places: Arc<Semaphore>) {
        // Of those who are about to show something everybody's goes along.
        yield_now().await;
        // Nobody closes it.
        let count = self.inboxes.len() as u32;
        let Ok(_places) = places.acquire_many(count).await else { return };
        self.inboxes.as_slice().iter().for_each(|inbox| fetch(inbox));
        for inbox in self.inboxes.by_ref() {
            inbox.lock().write_presence(self.encode);
        }
        // Who waits for something else, also for bytes, comes before the next visits.
        yield_now().await;
    }
}

impl Drop for Visits {
    fn drop(&mut self) {
        for inbox in self.inboxes.by_ref() {
            let mut queue = inbox.lock();
            queue.is_awaited = false;
            if queue.is_lent {
                queue.wake();
            }
        }
    }
}

impl Queue {
    /// Writes what waits to the wire, if it is lent. What cannot be written is for the session.
    fn write_presence(&mut self, encode: Encode) {
        self.is_awaited = false;
        let Some(dialect) = self.dialect.filter(|_| self.is_lent) else {
            // The session is awake, or has heard everything.
            return;
        };
        if let Some(mut lines) = self.pop_presence(encode, dialect) {
            if self.next.is_some() {
                let mut gathered = lines.to_vec();
                while gathered.len() < BYTES_MAX
                    && let Some(line) = self.pop_presence(encode, dialect)
                {
                    gathered.extend_from_slice(&line);
                }
                lines = gathered.into();
            }
            let written = self.wire.as_ref().map_or(0, |wire| wire.write(&lines));
            if written < lines.len() {
                self.rest = Some(Arc::new(Rest::of(&lines, written)));
            }
        }
        if self.next.is_some() || self.rest.is_some() {
            self.wake();
        }
    }

    /// The first that waits, if it is presence.
    fn pop_presence(&mut self, encode: Encode, dialect: Dialect) -> Option<Bytes> {
        let is_presence = match self.next.as_ref()? {
            Entry::Event(event) => presence_of(event).is_some(),
            Entry::Latest(_) => true,
        };
        if !is_presence {
            return None;
        }
        self.pop_behind_rest().and_then(|event| encode(&event, dialect))
    }
}

#[cfg(test)]
mod tests;
