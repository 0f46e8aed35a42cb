//! How much the robot does at most: conversations, and answers. Whatever talks to it, be it another
//! robot that answers everything too, it neither fills the server with rooms nor talks for ever.

use crate::model::AccountId;
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::time::Instant;

/// Conversations at the same time. Further calls stay unanswered.
pub const ROOMS_MAX: usize = 200;
/// Of these, such as one account has called it into.
pub const ROOMS_PER_CALLER_MAX: usize = 4;
/// Answers in one conversation within [`WINDOW`]; what is said beyond that stays unanswered.
pub const ANSWERS_MAX: u32 = 10;
/// Answers in all conversations within [`WINDOW`].
pub const ANSWERS_IN_ALL_MAX: u32 = 1200;
/// The window of both.
pub const WINDOW: Duration = Duration::from_secs(60);
/// Answers after which it leaves a conversation.
pub const ANSWERS_PER_ROOM_MAX: u32 = 100;

/// The places in conversations that are taken; clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Places(Arc<Mutex<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_caller: HashMap<AccountId, usize>,
}

/// A place in a conversation; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    caller: AccountId,
}

impl Places {
    /// A place for a call of `caller`, if there is one.
    pub(super) fn take(&self, caller: AccountId) -> Option<Place> {
        let mut taken = self.0.lock();
        let of_caller = taken.by_caller.get(&caller).copied().unwrap_or_default();
        if taken.all >= ROOMS_MAX || of_caller >= ROOMS_PER_CALLER_MAX {
            return None;
        }
        taken.all += 1;
        taken.by_caller.insert(caller, of_caller + 1);
        Some(Place { places: self.clone(), caller })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock();
        taken.all -= 1;
        if let Some(of_caller) = taken.by_caller.get_mut(&self.caller) {
            *of_caller -= 1;
            if *of_caller == 0 {
                taken.by_caller.remove(&self.caller);
            }
        }
    }
}

/// How often something may happen. What has happened drains evenly: after as many times as may be
/// at once, one more is free every `window / max`.
#[derive(Debug)]
pub(super) struct Pace {
    step: Duration,
    burst: Duration,
    /// When all will have drained.
    empty_at: Option<Instant>,
}

impl Pace {
    /// At most `max` times (at least one) within `window`.
    pub(super) fn new(max: u32, window: Duration) -> Self {
        let step = window / max.max(1);
        Self { step, burst: window.saturating_sub(step), empty_at: None }
    }

    /// Whether it may happen now, in which case it counts.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let begins = self.empty_at.map_or(now, |empty_at| empty_at.max(now));
        if begins > now + self.burst {
            return false;
        }
        self.empty_at = Some(begins + self.step);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_few_for_each_caller_and_in_all_and_come_back() {
        let places = Places::default();
        let mut taken: Vec<_> =
            (0..ROOMS_PER_CALLER_MAX).map(|_| places.take(AccountId(0)).unwrap()).collect();
        assert!(places.take(AccountId(0)).is_none());
        for caller in 1.. {
            let Some(place) = places.take(AccountId(caller)) else { break };
            taken.push(place);
        }
        assert_eq!(taken.len(), ROOMS_MAX);
        taken.swap_remove(0);
        assert!(places.take(AccountId(0)).is_some());
        drop(taken);
        let left = places.0.lock();
        assert_eq!((left.all, left.by_caller.len()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_at_once_and_then_one_at_a_time() {
        let mut pace = Pace::new(10, WINDOW);
        let mut count = || (0..100).filter(|_| pace.take(Instant::now())).count();
        assert_eq!(count(), 10);
        tokio::time::advance(Duration::from_secs(6)).await;
        assert_eq!(count(), 1);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(count(), 10);
    }
}
