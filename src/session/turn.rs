//! Turns of those who send much, pictures and files: so many of them are read at once. What was
//! received so goes out before more is read, while it is still in the processor's cache, and less
//! of it waits. Knows no connection.

use std::{
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::sync::PollSemaphore;

/// The turns there are.
#[derive(Debug)]
pub struct Turns(Arc<Semaphore>);

/// Somebody's place among those who send much.
#[derive(Default)]
pub(super) enum Place {
    /// It sends little, or nothing has come.
    #[default]
    Away,
    Waiting(Box<PollSemaphore>),
    /// It is its turn.
    Turn(OwnedSemaphorePermit),
    /// It has had its turn, and those whom it has woken have theirs.
    Rest {
        _turn: OwnedSemaphorePermit,
    },
}

impl Turns {
    /// As many as this runtime can work at together.
    #[must_use]
    pub fn new() -> Self {
        let workers = Handle::try_current().map_or(1, |runtime| runtime.metrics().num_workers());
        Self(Arc::new(Semaphore::new(workers)))
    }
}

impl Default for Turns {
    fn default() -> Self {
        Self::new()
    }
}

impl Place {
    /// Waits for a turn, or for another one after the last. To be left when nothing is read.
    pub(super) fn poll_turn(&mut self, turns: &Turns, cx: &mut Context<'_>) -> Poll<()> {
        match std::mem::take(self) {
            Self::Turn(turn) => {
                *self = Self::Rest { _turn: turn };
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Self::Waiting(waiting) => *self = Self::Waiting(waiting),
            Self::Away | Self::Rest { .. } => {
                *self = Self::Waiting(Box::new(PollSemaphore::new(turns.0.clone())));
            }
        }
        if let Self::Waiting(waiting) = self
            && let Some(turn) = ready!(waiting.poll_acquire(cx))
        {
            *self = Self::Turn(turn);
        }
        Poll::Ready(())
    }

    /// Gives up the turn, or the wait for it.
    pub(super) fn leave(&mut self) {
        if !matches!(self, Self::Away) {
            *self = Self::Away;
        }
    }
}
