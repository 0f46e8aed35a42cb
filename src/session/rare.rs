//! What a connection waits for, and who woke it. A bell notes that it has rung: what rang none need
//! not be looked at again, and each look costs a lock or a list that others share. What hardly ever
//! happens (the end of the server, its own deadline) is so waited for once, not at every wake-up;
//! and news for a connection does not make it look for bytes.

use std::{
    mem,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::WaitForCancellationFuture;

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
    drained: Pin<&'p mut WaitForCancellationFuture<'d>>,
    timer: Pin<&'p mut Sleep>,
    deadline: Option<Instant>,
    /// What both ring.
    bell: Bell,
}

/// Wakes the task that waits, and notes that it did: also one whose wait was put off because it had
/// used up its time.
#[derive(Default)]
pub(super) struct Bell(Option<Hung>);

/// A bell hung up for one task.
pub(super) struct Hung {
    /// Rings; to be given to whatever the task waits for, in place of its own waker.
    pub(super) waker: Waker,
    rope: Arc<Rope>,
}

struct Rope {
    task: Waker,
    has_rung: AtomicBool,
}

impl<'d, 'p> Rare<'d, 'p> {
    /// `timer` has not been polled. No deadline yet.
    pub(super) fn new(
        drained: Pin<&'p mut WaitForCancellationFuture<'d>>,
        timer: Pin<&'p mut Sleep>,
    ) -> Self {
        Self { drained, timer, deadline: None, bell: Bell::default() }
    }

    /// When [`Due::Deadline`] is due.
    pub(super) fn set_deadline(&mut self, deadline: Option<Instant>) {
        if mem::replace(&mut self.deadline, deadline) != deadline
            && let Some(deadline) = deadline
        {
            self.timer.as_mut().reset(deadline);
            self.bell.note();
        }
    }

    /// Waits; goes on waiting afterwards.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Due> {
        let bell = self.bell.hung_for(cx);
        if !bell.take_ring() {
            return Poll::Pending;
        }
        let mut cx = Context::from_waker(&bell.waker);
        let due = if self.drained.as_mut().poll(&mut cx).is_ready() {
            Due::Drain
        } else if self.deadline.is_some() && self.timer.as_mut().poll(&mut cx).is_ready() {
            Due::Deadline
        } else {
            return Poll::Pending;
        };
        self.bell.note();
        Poll::Ready(due)
    }
}

impl Bell {
    /// As the task that polls now needs it: if another one waited before, it has rung.
    pub(super) fn hung_for(&mut self, cx: &Context<'_>) -> &Hung {
        if self.0.as_ref().is_some_and(|hung| !hung.rope.task.will_wake(cx.waker())) {
            self.0 = None;
        }
        self.0.get_or_insert_with(|| {
            let task = cx.waker().clone();
            let rope = Arc::new(Rope { task, has_rung: AtomicBool::new(true) });
            Hung { waker: rope.clone().into(), rope }
        })
    }

    /// Lets the next look see that it has rung, but wakes nobody.
    pub(super) fn note(&self) {
        if let Some(hung) = &self.0 {
            hung.rope.has_rung.store(true, Ordering::Relaxed);
        }
    }
}

impl Hung {
    /// Whether it has rung since the last look. Whatever rings from here on is for the next one.
    pub(super) fn take_ring(&self) -> bool {
        let has_rung = &self.rope.has_rung;
        has_rung.load(Ordering::Acquire) && has_rung.swap(false, Ordering::Acquire)
    }
}

impl Wake for Rope {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.has_rung.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{pin::pin, sync::atomic::AtomicUsize, time::Duration};
    use tokio::time::{advance, sleep_until};
    use tokio_util::sync::CancellationToken;

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
        let mut rare = Rare::new(drained, timer);
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
