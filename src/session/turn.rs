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
        _permit: Option<OwnedSemaphorePermit>,
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
        *self = match mem::take(self) {
            Self::Away => Self::Rest { _permit: None },
            // Whoever has the next turn is woken when those have had theirs.
            Self::Turn(permit) => Self::Rest { _permit: Some(permit) },
            Self::Rest { .. } => Self::Waiting(Box::new(PollSemaphore::new(turns.0.clone()))),
            waiting @ Self::Waiting(_) => waiting,
        };
        let Self::Waiting(waiting) = self else {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        };
        if let Some(permit) = ready!(waiting.poll_acquire(cx)) {
            *self = Self::Turn(permit);
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        task::{Wake, Waker},
    };

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Alarm(AtomicUsize);

    impl Wake for Alarm {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Somebody who sends much.
    struct Sender {
        place: Place,
        alarm: Arc<Alarm>,
        woken: usize,
    }

    impl Sender {
        fn new() -> Self {
            Self { place: Place::default(), alarm: Arc::default(), woken: 0 }
        }

        fn has_turn(&mut self, turns: &Turns) -> bool {
            let waker = Waker::from(self.alarm.clone());
            self.place.poll_turn(turns, &mut Context::from_waker(&waker)).is_ready()
        }

        /// Since it was last asked.
        fn is_woken(&mut self) -> bool {
            let woken = self.alarm.0.load(Ordering::Relaxed);
            mem::replace(&mut self.woken, woken) != woken
        }

        /// After a long read.
        fn rests(&mut self, turns: &Turns) -> bool {
            !self.has_turn(turns) && self.is_woken()
        }
    }

    #[tokio::test]
    async fn one_after_the_other_and_each_lets_others_have_theirs_first() {
        let turns = Turns::new();
        let [mut alice, mut bob, mut carol] = [Sender::new(), Sender::new(), Sender::new()];
        assert!(alice.rests(&turns) && bob.rests(&turns) && carol.rests(&turns));
        assert!(alice.has_turn(&turns));
        assert!(!bob.has_turn(&turns) && !carol.has_turn(&turns));
        assert!(!bob.is_woken() && !carol.is_woken());
        assert!(alice.rests(&turns), "it has had its turn");
        assert!(!bob.is_woken(), "those whom it has woken come first");
        assert!(!alice.has_turn(&turns), "then the others");
        assert!(bob.is_woken() && !carol.is_woken());
        assert!(!carol.has_turn(&turns) && bob.has_turn(&turns));
        bob.place.leave();
        assert!(carol.is_woken() && carol.has_turn(&turns));
    }

    /// Others do not wait for who does not use its turn: because it reads no more, or is gone.
    #[tokio::test]
    async fn a_turn_that_is_not_used_is_given_to_the_next() {
        let turns = Turns::new();
        let mut senders = [(); 3].map(|()| Sender::new());
        for sender in &mut senders {
            assert!(sender.rests(&turns));
            sender.has_turn(&turns);
        }
        let [first, mut waiting, mut last] = senders;
        drop(first);
        assert!(waiting.is_woken() && !last.is_woken());
        waiting.place.leave();
        assert!(last.is_woken() && last.has_turn(&turns));
    }
}
