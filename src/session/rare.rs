//! What a connection waits for that hardly ever happens: the end of the server, its own deadline.
//! Both are waited for once, not at every wake-up: each costs a lock or a list that all connections
//! share. While the same task waits, a look at a flag of its own is enough.

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
    is_timed: bool,
    /// What both ring; `None` before anybody waits.
    bell: Option<Arc<Bell>>,
}

/// Wakes a task and notes that it did. It also rings for a task whose wait was put off because it
/// had used up its time.
struct Bell {
    task: Waker,
    /// Both must be asked.
    has_rung: AtomicBool,
}

impl<'d, 'p> Rare<'d, 'p> {
    /// `timer` has not been polled. No deadline yet.
    pub(super) const fn new(
        drained: Pin<&'p mut WaitForCancellationFuture<'d>>,
        timer: Pin<&'p mut Sleep>,
    ) -> Self {
        Self { drained, timer, is_timed: false, bell: None }
    }

    /// When [`Due::Deadline`] is due.
    pub(super) fn set_deadline(&mut self, deadline: Option<Instant>) {
        let was_timed = mem::replace(&mut self.is_timed, deadline.is_some());
        if let Some(deadline) = deadline
            && !(was_timed && self.timer.deadline() == deadline)
        {
            self.timer.as_mut().reset(deadline);
            if let Some(bell) = &self.bell {
                bell.has_rung.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Waits; goes on waiting afterwards.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Due> {
        let bell = match &self.bell {
            Some(bell) if bell.task.will_wake(cx.waker()) => {
                if !bell.has_rung.load(Ordering::Acquire) {
                    return Poll::Pending;
                }
                bell
            }
            _ => self.bell.insert(Arc::new(Bell::of(cx.waker().clone()))),
        };
        // Whatever rings from here on is heard the next time.
        bell.has_rung.store(false, Ordering::Release);
        let waker = Waker::from(bell.clone());
        let mut cx = Context::from_waker(&waker);
        let due = if self.drained.as_mut().poll(&mut cx).is_ready() {
            Due::Drain
        } else if self.is_timed && self.timer.as_mut().poll(&mut cx).is_ready() {
            Due::Deadline
        } else {
            return Poll::Pending;
        };
        bell.has_rung.store(true, Ordering::Relaxed);
        Poll::Ready(due)
    }
}

impl Bell {
    fn of(task: Waker) -> Self {
        Self { task, has_rung: AtomicBool::new(true) }
    }
}

impl Wake for Bell {
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
