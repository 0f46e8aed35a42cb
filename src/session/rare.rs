//! What a connection waits for, and who woke it. A bell notes that it has rung: what rang none need
//! not be looked at again, and each look costs a lock or a list that others share. What hardly ever
//! happens (the end of the server, its own deadline) is so waited for once, not at every wake-up;
//! and news for a connection does not make it look for bytes.

use std::{
    mem,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
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

/// The wait for both. Both ring [`Bell::Rare`].
pub(super) struct Rare<'d, 'p> {
    drained: Pin<&'p mut WaitForCancellationFuture<'d>>,
    timer: Pin<&'p mut Sleep>,
}

/// What can ring.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bell {
    /// The transport may have bytes, or room for some.
    Transport = 1,
    /// The server goes down, or a deadline has passed.
    Rare = 2,
}

/// The bells of a task. They wake it if it waits, and note that they did: also if its wait was put
/// off because it had used up its time.
#[derive(Default)]
pub(super) struct Bells(Option<Hung>);

/// Bells hung up for one task.
struct Hung {
    transport: Waker,
    rare: Waker,
    rope: Arc<Rope>,
}

/// What all bells of a task share: most wake-ups touch nothing else of them. As a waker it rings
/// [`Bell::Transport`], which rings most.
struct Rope {
    task: Waker,
    /// A bit for each bell.
    rung: AtomicU8,
}

/// Rings [`Bell::Rare`].
struct Pull(Arc<Rope>);

impl<'d, 'p> Rare<'d, 'p> {
    /// `timer` has not been polled.
    pub(super) fn new(
        drained: Pin<&'p mut WaitForCancellationFuture<'d>>,
        timer: Pin<&'p mut Sleep>,
    ) -> Self {
        Self { drained, timer }
    }

    /// Waits; goes on waiting afterwards. [`Due::Deadline`] is due at `deadline`. `known` is what
    /// it was before, none at first, and lies where each wake-up looks anyway.
    pub(super) fn poll(
        &mut self,
        known: &mut Option<Instant>,
        deadline: Option<Instant>,
        bells: &mut Bells,
        cx: &Context<'_>,
    ) -> Poll<Due> {
        if mem::replace(known, deadline) != deadline
            && let Some(deadline) = deadline
        {
            self.timer.as_mut().reset(deadline);
            bells.note(Bell::Rare);
        }
        let Some(waker) = bells.take_ring(Bell::Rare, cx) else { return Poll::Pending };
        let mut cx = Context::from_waker(waker);
        let due = if self.drained.as_mut().poll(&mut cx).is_ready() {
            Due::Drain
        } else if deadline.is_some() && self.timer.as_mut().poll(&mut cx).is_ready() {
            Due::Deadline
        } else {
            return Poll::Pending;
        };
        bells.note(Bell::Rare);
        Poll::Ready(due)
    }
}

impl Bells {
    /// What rings this bell; to be given to whatever the task waits for, in place of its own waker.
    pub(super) fn waker(&mut self, bell: Bell, cx: &Context<'_>) -> &Waker {
        self.hung_for(cx).waker(bell)
    }

    /// The same if the bell has rung since the last look. Whatever rings from here on is for the
    /// next one.
    pub(super) fn take_ring(&mut self, bell: Bell, cx: &Context<'_>) -> Option<&Waker> {
        let hung = self.hung_for(cx);
        let (rung, bit) = (&hung.rope.rung, bell as u8);
        if rung.load(Ordering::Acquire) & bit == 0 {
            return None;
        }
        rung.fetch_and(!bit, Ordering::Acquire);
        Some(hung.waker(bell))
    }

    /// Lets the next look see that the bell has rung, but wakes nobody.
    pub(super) fn note(&self, bell: Bell) {
        if let Some(hung) = &self.0 {
            hung.rope.rung.fetch_or(bell as u8, Ordering::Relaxed);
        }
    }

    /// As the task that polls now needs them: if another one waited before, all have rung.
    fn hung_for(&mut self, cx: &Context<'_>) -> &Hung {
        if self.0.as_ref().is_some_and(|hung| !hung.rope.task.will_wake(cx.waker())) {
            self.0 = None;
        }
        self.0.get_or_insert_with(|| {
            let rung = AtomicU8::new(Bell::Transport as u8 | Bell::Rare as u8);
            let rope = Arc::new(Rope { task: cx.waker().clone(), rung });
            let rare = Arc::new(Pull(rope.clone())).into();
            Hung { transport: rope.clone().into(), rare, rope }
        })
    }
}

impl Hung {
    const fn waker(&self, bell: Bell) -> &Waker {
        match bell {
            Bell::Transport => &self.transport,
            Bell::Rare => &self.rare,
        }
    }
}

impl Rope {
    fn ring(&self, bell: Bell) {
        self.rung.fetch_or(bell as u8, Ordering::Release);
        self.task.wake_by_ref();
    }
}

impl Wake for Rope {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring(Bell::Transport);
    }
}

impl Wake for Pull {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.ring(Bell::Rare);
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
        let (mut rare, mut bells) = (Rare::new(drained, timer), Bells::default());
        let alarms = [Arc::<Alarm>::default(), Arc::default()];
        let wakers = alarms.clone().map(Waker::from);
        let contexts = wakers.each_ref().map(Context::from_waker);
        let woken = || alarms.each_ref().map(|alarm| alarm.0.load(Ordering::Relaxed));

        let (mut known, mut deadline) = (None, None);
        assert!(
            rare.poll(&mut known, deadline, &mut bells, &contexts[0]).is_pending(),
            "without a deadline none is due"
        );
        deadline = Some(Instant::now() + SECOND);
        for cx in [0, 0, 1] {
            assert!(rare.poll(&mut known, deadline, &mut bells, &contexts[cx]).is_pending());
        }
        advance(2 * SECOND).await;
        assert_eq!(woken(), [0, 1]);
        assert_eq!(
            rare.poll(&mut known, deadline, &mut bells, &contexts[1]),
            Poll::Ready(Due::Deadline)
        );

        deadline = Some(Instant::now() + SECOND);
        assert!(rare.poll(&mut known, deadline, &mut bells, &contexts[1]).is_pending());
        advance(2 * SECOND).await;
        assert_eq!(woken(), [0, 2]);
        deadline = None;
        assert!(rare.poll(&mut known, deadline, &mut bells, &contexts[1]).is_pending());
        drain.cancel();
        assert_eq!(woken(), [0, 3]);
        assert_eq!(
            rare.poll(&mut known, deadline, &mut bells, &contexts[1]),
            Poll::Ready(Due::Drain)
        );
    }
}
