//! What a connection waits for that hardly ever happens: the end of the server and its own
//! deadline. Both are waited for once, not at every wake-up: each costs a lock or a list that all
//! connections share. While the same task waits, a look at two flags is enough.

use std::{
    mem,
    pin::Pin,
    task::{Context, Poll, Waker},
};
use tokio::{
    task::coop::has_budget_remaining,
    time::{Instant, Sleep},
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// The server goes down.
    Drain,
    /// The deadline has passed.
    Deadline,
}

/// The wait for both.
pub(super) struct Rare<'d, 'p> {
    drain: &'d CancellationToken,
    drained: Pin<&'p mut WaitForCancellationFuture<'d>>,
    timer: Pin<&'p mut Sleep>,
    is_timed: bool,
    /// Who is woken by both; `None` if they must be asked.
    woken: Option<Waker>,
}

impl<'d, 'p> Rare<'d, 'p> {
    /// `drained` is the wait for `drain`; `timer` has not been polled. No deadline yet.
    pub(super) const fn new(
        drain: &'d CancellationToken,
        drained: Pin<&'p mut WaitForCancellationFuture<'d>>,
        timer: Pin<&'p mut Sleep>,
    ) -> Self {
        Self { drain, drained, timer, is_timed: false, woken: None }
    }

    /// When [`Due::Deadline`] is due.
    pub(super) fn set_deadline(&mut self, deadline: Option<Instant>) {
        let was_timed = mem::replace(&mut self.is_timed, deadline.is_some());
        if let Some(deadline) = deadline
            && !(was_timed && self.timer.deadline() == deadline)
        {
            self.timer.as_mut().reset(deadline);
            self.woken = None;
        }
    }

    /// Waits; goes on waiting afterwards.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Due> {
        if self.woken.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()))
            && !self.drain.is_cancelled()
            && !(self.is_timed && self.timer.is_elapsed())
        {
            return Poll::Pending;
        }
        self.woken = None;
        if self.drained.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Due::Drain);
        }
        if self.is_timed && self.timer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Due::Deadline);
        }
        // A task that has used up its time may have been turned away from the timer unheard.
        if has_budget_remaining() {
            self.woken = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        pin::pin,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::Wake,
        time::Duration,
    };
    use tokio::time::{advance, sleep_until};

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Alarm(AtomicUsize);

    impl Wake for Alarm {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_waited_last_is_woken_at_each_deadline_and_at_the_end() {
        const SECOND: Duration = Duration::from_secs(1);
        let drain = CancellationToken::new();
        let (drained, timer) = (drain.cancelled(), sleep_until(Instant::now()));
        let (drained, timer) = (pin!(drained), pin!(timer));
        let mut rare = Rare::new(&drain, drained, timer);
        let alarms = [Arc::<Alarm>::default(), Arc::default()];
        let wakers = alarms.clone().map(Waker::from);
        let mut contexts = wakers.each_ref().map(Context::from_waker);
        let woken = || alarms.each_ref().map(|alarm| alarm.0.load(Ordering::Relaxed));

        assert!(rare.poll(&mut contexts[0]).is_pending(), "without a deadline none is due");
        rare.set_deadline(Some(Instant::now() + SECOND));
        for cx in [0, 0, 1] {
            assert!(rare.poll(&mut contexts[cx]).is_pending());
        }
        advance(2 * SECOND).await;
        assert_eq!(woken(), [0, 1]);
        assert_eq!(rare.poll(&mut contexts[1]), Poll::Ready(Due::Deadline));

        rare.set_deadline(Some(Instant::now() + SECOND));
        assert!(rare.poll(&mut contexts[1]).is_pending());
        advance(2 * SECOND).await;
        assert_eq!(woken(), [0, 2]);
        rare.set_deadline(None);
        assert!(rare.poll(&mut contexts[1]).is_pending());
        drain.cancel();
        assert_eq!(woken(), [0, 3]);
        assert_eq!(rare.poll(&mut contexts[1]), Poll::Ready(Due::Drain));
    }
}
