//! What all connections of the switchboard share: conversations, counts, and what keeps guessing
//! and calling within bounds.

use super::{
    Switchboard,
    attempts::Attempts,
    counts::Counts,
    queue::FAIR_SHARE_BYTES,
    room::RoomLimits,
    rooms::{Rooms, RoomsLimits},
};
use crate::{
    config::Config,
    hub::{Hub, cookie::ANSWER_COOKIE_TTL},
    metrics::{Metrics, RoleMeters},
    model::{Address, failures::Failures},
    session::{self, turn::Turns},
    store::Store,
};
use parking_lot::Mutex;
use std::{collections::HashSet, net::IpAddr, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// The name of the role, for metrics.
pub(super) const NAME: &str = "switchboard";
/// How long somebody who was called counts as called; so long the cookie to answer with is good.
const RING: Duration = ANSWER_COOKIE_TTL;
/// Wrong cookies from one address within [`COOKIE_WINDOW`] that are answered; further ones are not.
/// Each costs a connection. A good cookie is taken in any case, or others behind the same address
/// could be kept out.
const WRONG_COOKIES_MAX: u32 = 100;
/// The window of [`WRONG_COOKIES_MAX`].
const COOKIE_WINDOW: Duration = Duration::from_secs(300);
/// Addresses whose failures are remembered.
const REMEMBERED_MAX: usize = 16_384;

/// What all switchboard connections share.
#[derive(Debug)]
pub struct Context {
    pub(super) config: Arc<Config>,
    pub(super) store: Arc<dyn Store>,
    pub(super) hub: Hub,
    pub(super) rooms: Rooms,
    pub(super) counts: Arc<Counts>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) meters: RoleMeters,
    /// Cancelled when nobody is let in any more.
    pub(super) closing: CancellationToken,
    /// Accounts whose lines are logged.
    pub(super) traced: HashSet<Address>,
    /// Calls that were refused.
    pub(super) refused_calls: Attempts,
    /// Cookies that were none.
    pub(super) wrong_cookies: Mutex<Failures<IpAddr>>,
    pub(super) turns: Turns,
}

impl Context {
    /// No conversations yet. `closing` is cancelled when nobody is let in any more; lines of
    /// `traced` accounts are logged.
    #[must_use]
    pub fn new(
        config: Arc<Config>,
        store: Arc<dyn Store>,
        hub: Hub,
        metrics: &Arc<Metrics>,
        closing: CancellationToken,
        traced: HashSet<Address>,
    ) -> Self {
        let (limits, options) = (&config.limits, &config.switchboard);
        let room = RoomLimits {
            members_max: limits.room_members_max,
            queue_bytes_max: limits.room_queue_bytes_max,
            idle: Duration::from_secs(config.timers.room_idle_secs),
            ring: RING,
        };
        let (rooms_max, per_user_max) = (limits.rooms_max, limits.rooms_per_user_max);
        // Numbers are no secrets; a random start only keeps those from before a restart apart.
        let first = getrandom::u32().unwrap_or_default();
        let (queues_bytes_max, fair_share_bytes) = (limits.room_queues_bytes_max, FAIR_SHARE_BYTES);
        let rooms =
            RoomsLimits { rooms_max, per_user_max, queues_bytes_max, fair_share_bytes, room };
        let rooms = Rooms::new(rooms, first);
        let window = Duration::from_secs(options.call_window_secs);
        let refused_calls = Attempts::new(options.refused_calls_max, window);
        let wrong_cookies = Failures::new(WRONG_COOKIES_MAX, COOKIE_WINDOW, REMEMBERED_MAX);
        Self {
            config,
            store,
            hub,
            rooms,
            counts: Arc::new(Counts::new(metrics)),
            meters: session::meters::<Switchboard>(metrics, NAME),
            metrics: metrics.clone(),
            closing,
            traced,
            refused_calls,
            wrong_cookies: Mutex::new(wrong_cookies),
            turns: Turns::new(),
        }
    }

    /// The conversations.
    #[must_use]
    pub const fn rooms(&self) -> &Rooms {
        &self.rooms
    }

    /// Where it is counted what happens in them.
    #[must_use]
    pub const fn counts(&self) -> &Arc<Counts> {
        &self.counts
    }
}
