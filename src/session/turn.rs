//! Turns of those who send much, pictures and files: so many of them are read at once. What was
//! received so goes out before more is read, while it is still in the processor's cache, and less
//! of it waits. Knows no connection.

use std::{
    mem,
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
    /// It sends little, nothing has come, or this is the first time that it sends much.
    #[default]
    Away,
    /// It has sent much, perhaps in its turn, and those whom it has woken have theirs.
    Rest {
        _turn: Option<OwnedSemaphorePermit>,
    },
    Waiting(Box<PollSemaphore>),
    /// It is its turn.
    Turn(OwnedSemaphorePermit),
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
    /// Lets others have their turn after the last long read, and waits for a turn. To be
    /// [left](Self::leave) when nothing is read.
    pub(super) fn poll_turn(&mut self, turns: &Turns, cx: &mut Context<'_>) -> Poll<()> {
        let rest = |turn| Self::Rest { _turn: turn };
        *self = match mem::take(self) {
            Self::Away => rest(None),
            Self::Turn(turn) => rest(Some(turn)),
            Self::Rest { .. } => Self::Waiting(Box::new(PollSemaphore::new(turns.0.clone()))),
            waiting @ Self::Waiting(_) => waiting,
        };
        let Self::Waiting(waiting) = self else {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        };
        if let Some(turn) = ready!(waiting.poll_acquire(cx)) {
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
