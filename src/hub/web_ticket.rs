//! Tickets for web pages. Each lives as long as the session it was given to, so `connections_max`
//! bounds them too, and little is kept of each. Knows no page.

use super::{by_account::ByAccount, ledger::digest};
use crate::model::AccountId;
use parking_lot::Mutex;
use std::{collections::HashMap, fmt, sync::Arc};
use tokio::time::Instant;

/// What is kept of a ticket: half of its digest, which is still more than anybody can guess.
type Half = [u8; 16];

/// The tickets that are alive.
#[derive(Default)]
pub(super) struct WebTickets {
    by_half: HashMap<Half, Issued>,
    /// How many each account has.
    counts: ByAccount<u32>,
}

/// A ticket that is alive.
#[derive(Debug, Clone, Copy)]
pub(super) struct Issued {
    pub(super) account: AccountId,
    pub(super) at: Instant,
}

/// Keeps a web ticket alive.
pub struct WebTicket {
    half: Half,
    all: Arc<Mutex<WebTickets>>,
}

impl WebTickets {
    /// Files a ticket. With `account_max` of this account, the oldest of these gives way.
    pub(super) fn insert(
        all: &Arc<Mutex<Self>>,
        text: &[u8],
        account: AccountId,
        account_max: u32,
    ) -> WebTicket {
        let half = half(text);
        let mut tickets = all.lock();
        if tickets.counts.get(&account).is_some_and(|count| *count >= account_max) {
            tickets.remove_oldest(account);
        }
        *tickets.counts.entry(account).or_default() += 1;
        tickets.by_half.insert(half, Issued { account, at: Instant::now() });
        WebTicket { half, all: all.clone() }
    }

    /// A ticket that was presented, if it is alive.
    pub(super) fn find(&self, text: &[u8]) -> Option<Issued> {
        self.by_half.get(&half(text)).copied()
    }

    /// All of an account are worthless. Looks at everybody's, for which nothing need be kept: this
    /// is seldom.
    pub(super) fn remove_account(&mut self, account: AccountId) {
        if self.counts.remove(&account).is_some() {
            self.by_half.retain(|_, issued| issued.account != account);
        }
    }

    fn remove(&mut self, half: &Half) {
        let Some(Issued { account, .. }) = self.by_half.remove(half) else { return };
        if let Some(count) = self.counts.get_mut(&account) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&account);
            }
        }
    }

    /// Looks at everybody's: an account has more than one session at most for a moment.
    fn remove_oldest(&mut self, account: AccountId) {
        let all = self.by_half.iter().filter(|(_, issued)| issued.account == account);
        if let Some(oldest) = all.min_by_key(|(_, issued)| issued.at).map(|(half, _)| *half) {
            self.remove(&oldest);
        }
    }
}

impl Drop for WebTicket {
    fn drop(&mut self) {
        self.all.lock().remove(&self.half);
    }
}

/// Shows sizes only.
impl fmt::Debug for WebTickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebTickets").field("alive", &self.by_half.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for WebTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebTicket(hidden)")
    }
}

fn half(text: &[u8]) -> Half {
    let mut half = Half::default();
    half.iter_mut().zip(digest(text)).for_each(|(to, from)| *to = from);
    half
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const ALICE: AccountId = AccountId(1);
    const BOB: AccountId = AccountId(2);

    #[tokio::test(start_paused = true)]
    async fn the_oldest_gives_way_and_nothing_is_left_of_what_is_gone() {
        let all = Arc::default();
        let mut held = Vec::new();
        for (text, account) in [(b"1", ALICE), (b"2", BOB), (b"3", ALICE), (b"4", ALICE)] {
            held.push(WebTickets::insert(&all, text, account, 2));
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        let alive = || [b"1", b"2", b"3", b"4", b"5"].map(|text| all.lock().find(text).is_some());
        assert_eq!(alive(), [false, true, true, true, false]);
        held.push(WebTickets::insert(&all, b"5", BOB, 2));
        assert_eq!(alive(), [false, true, true, true, true]);
        all.lock().remove_account(ALICE);
        assert_eq!(alive(), [false, true, false, false, true]);
        drop(held);
        let tickets = all.lock();
        assert_eq!((tickets.by_half.len(), tickets.counts.len()), (0, 0));
    }
}
