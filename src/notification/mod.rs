//! The notification role: sign-in, lists, presence (reference README §2.2).

mod challenge;
mod commands;
mod delivery;
mod edit;
mod events;
mod handshake;
mod kept;
mod lately;
mod news;
mod pages;
mod signed_in;
mod switchboards;
mod urls;

use crate::{
    config::Config,
    hub::{Event, Hub, SessionId, ticket::Tickets},
    metrics::{Metrics, RoleMeters},
    model::{Address, AlertId},
    net::wire::Wire,
    protocol::Dialect,
    session::{
        self, Outbox, Reason, Reject, Role, Row, Stage, command::RowInfo, commands::ver::Greeting,
    },
    store::Store,
};
use handshake::Handshake;
use signed_in::SignedIn;
use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::Arc,
    task::{Context as Poller, Poll},
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use commands::Pong;
pub use delivery::Deliveries;
pub use events::{nln, presence};
pub use kept::KeptRoom;
pub use pages::Pages;
pub use switchboards::Switchboards;

/// The role in metrics and in what operators are told.
const NAME: &str = "notification";

/// What all notification connections share.
#[derive(Debug)]
pub struct Context {
    /// The options.
    pub config: Arc<Config>,
    /// Accounts and lists.
    pub store: Arc<dyn Store>,
    /// Who is online.
    pub hub: Hub,
    /// Where conversations take place; `None`: nowhere.
    pub switchboards: Option<Switchboards>,
    /// The port of the web pages, for links to them.
    pub web_port: u16,
    /// Tickets from the login service.
    pub tickets: Arc<Tickets>,
    /// Cancelled when nobody is let in any more.
    pub closing: CancellationToken,
    /// Where sign-ins and sessions count.
    pub metrics: Arc<Metrics>,
    /// Where its connections count.
    pub meters: RoleMeters,
    /// Alerts that have been received.
    pub deliveries: Deliveries,
    /// Pages that accounts have sent lately.
    pub pages: Pages,
    /// Room for lists that were read at sign-in.
    pub kept: KeptRoom,
    /// What `PNG` is answered.
    pub pong: Pong,
    /// Accounts whose lines are logged.
    pub traced: HashSet<Address>,
}

/// One notification connection.
#[derive(Debug)]
pub struct Notification {
    context: Arc<Context>,
    session: SessionId,
    greeting: Greeting,
    state: State,
}

/// How far the connection has come, with what belongs to that stage and nothing else.
#[derive(Debug)]
enum State {
    Handshake(Box<Handshake>),
    SignedIn(Box<SignedIn>),
}

impl Notification {
    /// A fresh connection from `peer`, who reached us at `local`.
    #[must_use]
    pub fn new(
        context: Arc<Context>,
        session: SessionId,
        peer: SocketAddr,
        local: SocketAddr,
    ) -> Self {
        let login = Duration::from_secs(context.config.timers.login_secs);
        let handshake = Handshake::new(Instant::now() + login, peer, local);
        let state = State::Handshake(Box::new(handshake));
        Self { context, session, greeting: Greeting::default(), state }
    }

    /// The connection has been there, waiting for its first word, since this moment.
    #[must_use]
    pub fn since(mut self, accepted_at: Instant) -> Self {
        let login = Duration::from_secs(self.context.config.timers.login_secs);
        if let State::Handshake(handshake) = &mut self.state {
            handshake.deadline = accepted_at + login;
        }
        self
    }

    /// What others show this client may go straight to `wire`, if it is not traced.
    #[must_use]
    pub fn reached_by(mut self, wire: Wire) -> Self {
        if let State::Handshake(handshake) = &mut self.state {
            handshake.wire = Some(wire);
        }
        self
    }

    /// Handles for [`Context::meters`].
    #[must_use]
    pub fn meters(metrics: &Metrics) -> RoleMeters {
        session::meters::<Self>(metrics, NAME)
    }

    /// The command table as shown to people.
    #[must_use]
    pub fn table() -> Vec<RowInfo> {
        Self::rows().iter().map(RowInfo::from).collect()
    }
}

impl Role for Notification {
    type Event = Event;

    fn rows() -> &'static [Row<Self>] {
        commands::ROWS
    }

    fn meters(&self) -> &RoleMeters {
        &self.context.meters
    }

    fn stage(&self) -> Stage {
        match self.state {
            State::Handshake(_) => Stage::Handshake,
            State::SignedIn(_) => Stage::SignedIn,
        }
    }

    fn dialect(&self) -> Option<Dialect> {
        self.greeting.dialect()
    }

    fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Handshake(handshake) => Some(handshake.deadline),
            State::SignedIn(session) => session.deadline(),
        }
    }

    fn on_deadline(&mut self, now: Instant, outbox: &mut Outbox) -> Result<(), Reject> {
        match &mut self.state {
            State::Handshake(handshake) if now < handshake.deadline => Ok(()),
            State::Handshake(_) => Err(Reason::LoginDeadline.into()),
            State::SignedIn(session) => session.on_deadline(now, outbox),
        }
    }

    fn on_bytes(&mut self, now: Instant) {
        if let State::SignedIn(session) = &mut self.state {
            session.heard_at = now;
        }
    }

    fn on_quiet(&mut self) {
        if let State::SignedIn(session) = &mut self.state {
            session.inbox.lend_wire();
        }
    }

    fn on_confirmed(&mut self, number: u64) {
        if let State::SignedIn(session) = &mut self.state {
            session.context.deliveries.delivered(session.account, AlertId(number));
        }
    }

    fn poll_event(
        &mut self,
        takes_news: bool,
        is_quiet: bool,
        cx: &mut Poller<'_>,
    ) -> Poll<Option<Event>> {
        match &mut self.state {
            State::Handshake(_) => Poll::Pending,
            State::SignedIn(session) => session.inbox.poll_recv(takes_news, is_quiet, cx),
        }
    }

    fn ready_event(&mut self) -> Option<Event> {
        match &mut self.state {
            State::Handshake(_) => None,
            State::SignedIn(session) => session.inbox.try_recv(),
        }
    }

    fn on_event(&mut self, event: Event, outbox: &mut Outbox) -> Result<(), Reject> {
        match &mut self.state {
            State::Handshake(_) => Ok(()),
            State::SignedIn(session) => session.tell(&event, outbox),
        }
    }

    fn on_shutdown(&mut self, outbox: &mut Outbox) {
        if let State::SignedIn(_) = self.state {
            outbox.send(&crate::protocol::Event::OutShutdown);
        }
    }

    fn on_end(self, reason: &Reason) {
        let session = self.session;
        let handshake = match &self.state {
            State::SignedIn(signed_in) => {
                let (user, address) = (&signed_in.address, signed_in.facts.peer);
                tracing::info!(session.id = %session, %user, %address, %reason, "signed out");
                return;
            }
            State::Handshake(handshake) => handshake,
        };
        let address = handshake.peer;
        match &handshake.address {
            Some(user) => {
                tracing::info!(session.id = %session, %user, %address, %reason, "not signed in");
            }
            None if handshake.is_named => {
                // What it sent instead of an address may be anything, so it is not shown.
                tracing::info!(session.id = %session, user = "-", %address, %reason, "not signed in");
            }
            None => {
                tracing::debug!(session.id = %session, %address, %reason, "connection ended");
            }
        }
    }
}
