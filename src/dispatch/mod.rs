//! The dispatch role: agrees on a dialect, then refers the client to a notification server
//! (reference README §2.1). Asks nobody whether the account exists.

mod commands;
pub mod referral;

use crate::{
    config::Config,
    hub::SessionId,
    metrics::{Metrics, RoleMeters},
    protocol::Dialect,
    session::{
        self, Outbox, Reason, Reject, Role, Row, Stage, command::RowInfo, commands::ver::Greeting,
    },
};
use referral::Referral;
use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::Arc,
    task::{Context as Poller, Poll},
    time::Duration,
};
use tokio::time::Instant;

/// What all dispatch connections share.
#[derive(Debug)]
pub struct Context {
    /// The options.
    pub config: Arc<Config>,
    /// Where clients are sent.
    pub referral: Referral,
    /// Where its connections count.
    pub meters: RoleMeters,
}

/// One dispatch connection.
#[derive(Debug)]
pub struct Dispatch {
    context: Arc<Context>,
    session: SessionId,
    peer: SocketAddr,
    local: SocketAddr,
    greeting: Greeting,
    /// Until sign-in must be complete, then until the connection may linger.
    deadline: Instant,
    is_referred: bool,
}

impl Dispatch {
    /// A fresh connection from `peer`, who reached us at `local`.
    #[must_use]
    pub fn new(
        context: Arc<Context>,
        session: SessionId,
        peer: SocketAddr,
        local: SocketAddr,
    ) -> Self {
        let deadline = Instant::now() + Duration::from_secs(context.config.timers.login_secs);
        let greeting = Greeting::default();
        Self { context, session, peer, local, greeting, deadline, is_referred: false }
    }

    /// Handles for [`Context::meters`].
    #[must_use]
    pub fn meters(metrics: &Metrics) -> RoleMeters {
        session::meters::<Self>(metrics, "dispatch")
    }

    /// The command table as shown to people.
    #[must_use]
    pub fn table() -> Vec<RowInfo> {
        Self::rows().iter().map(RowInfo::from).collect()
    }
}

impl Role for Dispatch {
    /// Nobody tells it anything.
    type Event = Infallible;

    fn rows() -> &'static [Row<Self>] {
        commands::ROWS
    }

    fn meters(&self) -> &RoleMeters {
        &self.context.meters
    }

    fn stage(&self) -> Stage {
        Stage::Handshake
    }

    fn dialect(&self) -> Option<Dialect> {
        self.greeting.dialect()
    }

    fn deadline(&self) -> Option<Instant> {
        Some(self.deadline)
    }

    fn on_deadline(&mut self, now: Instant, _outbox: &mut Outbox) -> Result<(), Reject> {
        match (now >= self.deadline, self.is_referred) {
            (true, true) => Err(Reason::Referred.into()),
            (true, false) => Err(Reason::LoginDeadline.into()),
            (false, _) => Ok(()),
        }
    }

    fn on_bytes(&mut self, _now: Instant) {}

    fn poll_event(
        &mut self,
        _takes_news: bool,
        _is_quiet: bool,
        _cx: &mut Poller<'_>,
    ) -> Poll<Option<Infallible>> {
        Poll::Pending
    }

    fn ready_event(&mut self) -> Option<Infallible> {
        None
    }

    fn on_event(&mut self, event: Infallible, _outbox: &mut Outbox) -> Result<(), Reject> {
        match event {}
    }

    fn on_shutdown(&mut self, _outbox: &mut Outbox) {}

    fn on_end(self, reason: &Reason) {
        tracing::debug!(session.id = %self.session, address = %self.peer, %reason, "dispatch ended");
    }
}
