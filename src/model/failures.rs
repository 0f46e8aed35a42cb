//! Counting what goes wrong for each account or address, in bounded memory. Knows nothing of what
//! is counted, and asks no clock: the caller says what time it is.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    time::Duration,
};
use tokio::time::Instant;

/// Failures of each key. They drain evenly: after `max` of them at once one more is free every
/// `window / max`. For each key the moment is kept at which all will have drained.
#[derive(Debug)]
pub struct Failures<K> {
    keys: HashMap<K, Drain>,
    by_age: BTreeMap<u64, K>,
    next_serial: u64,
    step: Duration,
    burst: Duration,
    keys_max: usize,
}

#[derive(Debug, Clone, Copy)]
struct Drain {
    empty_at: Instant,
    serial: u64,
}

impl<K: Clone + Eq + Hash> Failures<K> {
    /// Nothing counted yet. `max` counts from 1, a 0 is taken for 1. Of more than `keys_max` keys
    /// the one that failed least recently is forgotten.
    #[must_use]
    pub fn new(max: u32, window: Duration, keys_max: usize) -> Self {
        let max = max.max(1);
        let step = window / max;
        Self {
            keys: HashMap::new(),
            by_age: BTreeMap::new(),
            next_serial: 0,
            step,
            burst: step * (max - 1),
            keys_max,
        }
    }

    /// Whether the key has failed `max` times lately.
    #[must_use]
    pub fn full(&self, key: &K, now: Instant) -> bool {
        self.keys.get(key).is_some_and(|drain| drain.empty_at > now + self.burst)
    }

    /// Counts one.
    pub fn charge(&mut self, key: &K, now: Instant) {
        let begins = self.take(key).map_or(now, |drain| drain.empty_at.max(now));
        self.make_room(now);
        let serial = self.next_serial;
        self.next_serial += 1;
        self.by_age.insert(serial, key.clone());
        self.keys.insert(key.clone(), Drain { empty_at: begins + self.step, serial });
    }

    /// Takes one back.
    pub fn refund(&mut self, key: &K) {
        if let Some(drain) = self.keys.get_mut(key) {
            drain.empty_at = drain.empty_at.checked_sub(self.step).unwrap_or(drain.empty_at);
        }
    }

    /// Takes all of the key's back.
    pub fn forget(&mut self, key: &K) {
        self.take(key);
    }

    fn take(&mut self, key: &K) -> Option<Drain> {
        let drain = self.keys.remove(key)?;
        self.by_age.remove(&drain.serial);
        Some(drain)
    }

    /// Drops up to two drained keys for each new one, and whatever is necessary beyond.
    fn make_room(&mut self, now: Instant) {
        for _ in 0..2 {
            let Some((_, oldest)) = self.by_age.first_key_value() else { return };
            let drained = self.keys.get(oldest).is_none_or(|drain| drain.empty_at <= now);
            if (drained || self.keys.len() >= self.keys_max)
                && let Some((_, oldest)) = self.by_age.pop_first()
            {
                self.keys.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(300);

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded_and_the_oldest_is_forgotten() {
        let now = Instant::now();
        let mut failures = Failures::new(1, WINDOW, 3);
        for key in [1, 2, 3, 1, 4, 5] {
            failures.charge(&key, now);
            assert!(failures.keys.len() <= 3 && failures.keys.len() == failures.by_age.len());
        }
        let full: Vec<_> = (1..=5).filter(|key| failures.full(key, now)).collect();
        assert_eq!(full, [1, 4, 5]);
        failures.charge(&6, now + 2 * WINDOW);
        failures.charge(&7, now + 2 * WINDOW);
        assert_eq!(failures.keys.len(), 2);
    }
}
