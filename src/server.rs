//! Binds every listener, wires the roles together, runs and drains. The only place that knows all
//! of them.

mod door;
mod listen;
mod standing;

use crate::{
    account::Accounts,
    config::{Bind, Config},
    dispatch::{self, Dispatch, referral},
    hub::{Hub, SessionId, ticket::Tickets},
    model::Address,
    net::{
        listener::{Accepted, Admission, Proxies, accept},
        tls::TlsServer,
    },
    notification::{self, Notification, Switchboards},
    passport::Passport,
    session::{SessionLimits, run},
    store::{Store, password::PasswordHasher},
    switchboard::{self, Switchboard, message::MESSAGE_BYTES_MAX},
};
use std::{collections::HashSet, fmt, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    select,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument as _;

/// What a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Refers clients to a notification server.
    Dispatch,
    /// Sign-in, lists, presence.
    Notification,
    /// Conversations.
    Switchboard,
    /// Passport sign-in without TLS.
    PassportHttp,
    /// Passport sign-in with TLS.
    PassportHttps,
}

impl Role {
    /// The option that names the listener's address.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Dispatch => "dispatch.bind",
            Self::Notification => "notification.bind",
            Self::Switchboard => "switchboard.bind",
            Self::PassportHttp => "passport.http_bind",
            Self::PassportHttps => "passport.https_bind",
        }
    }

    fn bind(self, config: &Config) -> Bind {
        match self {
            Self::Dispatch => config.dispatch.bind,
            Self::Notification => config.notification.bind,
            // It lives on the cookies of the other.
            Self::Switchboard if config.notification.bind == Bind::Off => Bind::Off,
            Self::Switchboard => config.switchboard.bind,
            Self::PassportHttp => config.passport.http_bind,
            Self::PassportHttps => config.passport.https_bind,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not `write_str`: columns are made with it.
        f.pad(match self {
            Self::Dispatch => "dispatch",
            Self::Notification => "notification",
            Self::Switchboard => "switchboard",
            Self::PassportHttp => "passport-http",
            Self::PassportHttps => "passport-https",
        })
    }
}

/// A listener that accepts connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    /// What it is for.
    pub role: Role,
    /// Where it listens; never port 0.
    pub address: SocketAddr,
}

/// What a server is made of.
#[derive(Debug)]
pub struct Options {
    /// The options.
    pub config: Config,
    /// Accounts and lists.
    pub store: Arc<dyn Store>,
    /// Password verification.
    pub hasher: Arc<PasswordHasher>,
    /// Certificate of the login service; without one its TLS listener does not run.
    pub tls: Option<TlsServer>,
    /// Where this process runs, for the warning about advertised addresses.
    pub surroundings: Surroundings,
}

/// Where a server runs, as far as it matters to whoever wants to reach it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surroundings {
    /// A test on this machine: loopback is all that is wanted.
    Test,
    /// A machine with addresses of its own.
    Host,
    /// A container, whose own address nobody outside can reach.
    Container,
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Somebody else listens there.
    #[error("{role}: another program listens on {address} already")]
    AddressTaken {
        /// The listener.
        role: Role,
        /// Its address.
        address: SocketAddr,
    },
    /// The system does not let us listen there.
    #[error("{role}: cannot listen on {address}: {source}")]
    Bind {
        /// The listener.
        role: Role,
        /// Its address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

/// A running server. Dropping it stops nothing: call [`Running::shut_down`].
#[derive(Debug)]
pub struct Running {
    listeners: Vec<Listener>,
    hub: Hub,
    store: Arc<dyn Store>,
    admission: Arc<Admission>,
    tasks: TaskTracker,
    closing: CancellationToken,
    draining: CancellationToken,
    notice: Duration,
    grace: Duration,
}

/// Binds all listeners, then starts to serve. When this returns, every listener accepts.
///
/// # Errors
/// [`StartError`] names the listener; nothing runs then.
pub async fn start(options: Options) -> Result<Running, StartError> {
    let Options { config, store, hasher, tls, surroundings } = options;
    let config = Arc::new(config);
    let bound = Bound::bind(&config, tls.is_some())?;
    let parts = Parts::new(&config, store, &hasher, tls, &bound);
    if surroundings != Surroundings::Test {
        let roles = referral::Bound {
            dispatch: bound.address(Role::Dispatch),
            notification: bound.address(Role::Notification),
        };
        for warning in referral::warnings(&config, roles, surroundings == Surroundings::Container) {
            tracing::warn!("{warning}");
        }
    }
    let mut running = parts.running(&bound);
    for (role, listener) in bound.listeners {
        running.serve(&parts, role, listener);
    }
    let interval = Duration::from_secs(config.timers.account_check_secs);
    let (store, hub) = (running.store.clone(), running.hub.clone());
    let stop = running.draining.clone();
    running.tasks.spawn(standing::watch(store, hub, interval, stop));
    running.listeners.sort_by_key(|listener| listener.role as usize);
    Ok(running)
}

impl Running {
    /// Every role with its address. Roles that share a port are listed with the same address.
    #[must_use]
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// Where `role` listens, if it runs.
    #[must_use]
    pub fn address(&self, role: Role) -> Option<SocketAddr> {
        self.listeners.iter().find(|listener| listener.role == role).map(|found| found.address)
    }

    /// Who is online.
    #[must_use]
    pub const fn hub(&self) -> &Hub {
        &self.hub
    }

    /// The store it serves from.
    #[must_use]
    pub const fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Connections held now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.admission.connections()
    }

    /// Stops accepting, tells everybody, waits for the announced minutes, says `OUT SSD`, and
    /// closes within the grace time. Returns whether every connection ended by itself.
    pub async fn shut_down(self) -> bool {
        self.closing.cancel();
        let minutes = u32::try_from(self.notice.as_secs() / 60).unwrap_or(u32::MAX);
        self.hub.notify_shutdown(minutes);
        sleep(self.notice).await;
        self.draining.cancel();
        self.tasks.close();
        timeout(self.grace, self.tasks.wait()).await.is_ok()
    }

    fn serve(&mut self, parts: &Parts, role: Role, listener: TcpListener) {
        let closing = self.closing.clone();
        let admission = self.admission.clone();
        let (tasks, draining) = (self.tasks.clone(), self.draining.clone());
        let parts = parts.clone();
        let from = parts.config.net.proxy_protocol_from.as_slice().into();
        let proxies = Proxies { from, tasks: self.tasks.clone() };
        let serve = move |accepted| parts.serve(role, accepted, &tasks, &draining);
        self.tasks.spawn(accept(listener, admission, proxies, closing, serve));
    }
}

/// Listeners that are bound and not yet served.
struct Bound {
    listeners: Vec<(Role, TcpListener)>,
    addresses: Vec<Listener>,
}

impl Bound {
    fn bind(config: &Config, has_certificate: bool) -> Result<Self, StartError> {
        let mut bound = Self { listeners: Vec::new(), addresses: Vec::new() };
        let passport = [Role::PassportHttp, Role::PassportHttps];
        for role in
            [Role::Notification, Role::Switchboard, Role::Dispatch].into_iter().chain(passport)
        {
            let address = match role.bind(config) {
                Bind::Off => continue,
                Bind::Notification => {
                    // That role, bound already, answers on its port without a referral.
                    let shared = bound.address(Role::Notification);
                    bound.addresses.extend(shared.map(|address| Listener { role, address }));
                    continue;
                }
                Bind::At(address) => address,
            };
            if role == Role::PassportHttps && !has_certificate {
                continue;
            }
            let listener = listen::bind(role, address)?;
            let address = listener.local_addr().map_err(|source| StartError::Bind {
                role,
                address,
                source,
            })?;
            bound.addresses.push(Listener { role, address });
            bound.listeners.push((role, listener));
        }
        Ok(bound)
    }

    fn address(&self, role: Role) -> Option<SocketAddr> {
        self.addresses.iter().find(|listener| listener.role == role).map(|found| found.address)
    }
}

/// What connections are made of; clones share everything.
#[derive(Clone)]
struct Parts {
    config: Arc<Config>,
    dispatch: Option<Arc<dispatch::Context>>,
    notification: Arc<notification::Context>,
    switchboard: Option<Arc<switchboard::Context>>,
    passport: Arc<Passport>,
    tls: Option<Arc<TlsServer>>,
    /// Cancelled when the server no longer lets anybody in.
    closing: CancellationToken,
    limits: SessionLimits,
}

impl Parts {
    fn new(
        config: &Arc<Config>,
        store: Arc<dyn Store>,
        hasher: &Arc<PasswordHasher>,
        tls: Option<TlsServer>,
        bound: &Bound,
    ) -> Self {
        let closing = CancellationToken::new();
        let ttl = Duration::from_secs(config.passport.ticket_ttl_secs);
        let tickets = Arc::new(Tickets::new(ttl, config.passport.tickets_per_account_max));
        let accounts = Arc::new(Accounts::new(store.clone(), hasher.clone(), &config.passport));
        let dispatch = bound.address(Role::Dispatch).map(|address| {
            let notification = bound.address(Role::Notification);
            let referral = referral::Referral::new(config, address, notification);
            Arc::new(dispatch::Context { config: config.clone(), referral })
        });
        let traced = config.log.wire_trace.iter().filter_map(|user| Address::parse(user).ok());
        let traced: HashSet<_> = traced.collect();
        let hub = Hub::new(config.limits.inbox_events_max);
        let switchboard_at = bound.address(Role::Switchboard);
        let switchboard = switchboard_at.map(|_| {
            let (config, store, hub) = (config.clone(), store.clone(), hub.clone());
            let (closing, traced) = (closing.clone(), traced.clone());
            Arc::new(switchboard::Context::new(config, store, hub, closing, traced))
        });
        Self {
            dispatch,
            passport: Arc::new(Passport::new(&config.passport, accounts, tickets.clone())),
            notification: Arc::new(notification::Context {
                closing: closing.clone(),
                config: config.clone(),
                store,
                hub,
                switchboards: switchboard_at.map(|bound| Switchboards::new(config, bound)),
                tickets,
                traced,
            }),
            switchboard,
            tls: tls.map(Arc::new),
            closing,
            limits: SessionLimits::from(&**config),
            config: config.clone(),
        }
    }

    fn running(&self, bound: &Bound) -> Running {
        let (limits, timers) = (&self.config.limits, &self.config.timers);
        Running {
            listeners: bound.addresses.clone(),
            hub: self.notification.hub.clone(),
            store: self.notification.store.clone(),
            admission: Admission::new(
                limits.connections_max,
                limits.connections_per_address_max,
                Duration::from_secs(timers.tcp_keepalive_secs),
            ),
            tasks: TaskTracker::new(),
            closing: self.closing.clone(),
            draining: CancellationToken::new(),
            notice: Duration::from_secs(timers.shutdown_notice_minutes.saturating_mul(60)),
            grace: Duration::from_secs(timers.shutdown_grace_secs),
        }
    }

    fn serve(
        &self,
        role: Role,
        accepted: Accepted,
        tasks: &TaskTracker,
        draining: &CancellationToken,
    ) {
        match role {
            Role::Notification if self.shares_port() => self.open_door(accepted, tasks, draining),
            Role::Dispatch | Role::Notification | Role::Switchboard => {
                self.speak(role, accepted, &[], tasks, draining);
            }
            Role::PassportHttp | Role::PassportHttps => {
                let Accepted { id, stream, peer, local, permit } = accepted;
                let (session, draining) = (SessionId(id), draining.clone());
                let (passport, tls) = (self.passport.clone(), self.tls.clone());
                let deadline = Duration::from_secs(self.config.timers.http_request_secs);
                let span = tracing::info_span!("passport", session.id = %session);
                let serve = async move {
                    // Given back when this ends, wherever that is.
                    let _permit = permit;
                    let Some(tls) = tls.filter(|_| role == Role::PassportHttps) else {
                        return passport.serve(stream, peer, local, deadline, &draining).await;
                    };
                    let accepted = select! {
                        biased;
                        accepted = timeout(deadline, tls.accept(stream)) => accepted,
                        () = draining.cancelled() => return,
                    };
                    match accepted {
                        Ok(Ok(stream)) => {
                            passport.serve(stream, peer, local, deadline, &draining).await;
                        }
                        Ok(Err(error)) => {
                            tracing::debug!(address = %peer, "TLS handshake failed: {error}");
                        }
                        Err(_) => tracing::debug!(address = %peer, "TLS handshake too slow"),
                    }
                };
                tasks.spawn(serve.instrument(span));
            }
        }
    }

    /// Serves a connection that speaks the line protocol and has said `received` already.
    fn speak(
        &self,
        role: Role,
        accepted: Accepted,
        received: &[u8],
        tasks: &TaskTracker,
        draining: &CancellationToken,
    ) {
        let Accepted { id, stream, peer, local, permit } = accepted;
        let (session, limits, draining) = (SessionId(id), self.limits, draining.clone());
        match (role, &self.dispatch, &self.switchboard) {
            (Role::Dispatch, Some(context), _) => {
                let connection = Dispatch::new(context.clone(), session, peer, local);
                tasks.spawn(run(connection, stream, received, limits, draining, permit));
            }
            (Role::Switchboard, _, Some(context)) => {
                let connection = Switchboard::new(context.clone(), session, peer);
                let limits = SessionLimits { payload_bytes_max: MESSAGE_BYTES_MAX, ..limits };
                tasks.spawn(run(connection, stream, received, limits, draining, permit));
            }
            _ => {
                let connection = Notification::new(self.notification.clone(), session, peer, local);
                tasks.spawn(run(connection, stream, received, limits, draining, permit));
            }
        }
    }
}
