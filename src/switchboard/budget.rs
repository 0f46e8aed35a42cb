//! What all queues of conversations hold together. Knows no queue.

use std::sync::atomic::{AtomicUsize, Ordering};

/// What may wait in all queues together.
#[derive(Debug)]
pub(super) struct Budget {
    bytes: AtomicUsize,
    bytes_max: usize,
    fair_share: usize,
}

impl Budget {
    /// For so many bytes in all. Beyond them nobody gets more than `fair_share`.
    pub(super) const fn new(bytes_max: usize, fair_share: usize) -> Self {
        Self { bytes: AtomicUsize::new(0), bytes_max, fair_share }
    }

    /// What waits in all queues.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Takes so many bytes for a queue that will then hold `queue_bytes`, if that may be.
    pub(super) fn take(&self, bytes: usize, queue_bytes: usize) -> bool {
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let may_be = before + bytes <= self.bytes_max || queue_bytes <= self.fair_share;
        if !may_be {
            self.give_back(bytes);
        }
        may_be
    }

    /// So many bytes are out.
    pub(super) fn give_back(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}
