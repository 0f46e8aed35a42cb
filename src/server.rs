//! Binds every listener, wires the roles together, runs and drains. The only place that knows all
//! of them.

mod bind;
mod bound;
mod door;
mod handout;
mod operators;
mod parts;
mod robot;
mod standing;
mod streams;

use crate::{
    admin::{Socket, SocketError, Token, TokenError},
    alert::Alerts,
    config::{Bind, Config},
    dispatch::referral,
    gateway,
    hub::Hub,
    metrics::Metrics,
    net::{
        listener::{Admission, Proxies, accept},
        tls::TlsServer,
    },
    store::{Store, password::PasswordHasher},
    welcome::WelcomeError,
};
use bound::Bound;
pub use handout::authority;
use operators::Operators;
use parts::Parts;
use std::{
    fmt, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::TcpListener,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

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
    /// Web pages, without TLS.
    Http,
    /// The operators' interface over TCP.
    Admin,
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
            Self::Http => "web.bind",
            Self::Admin => "admin.bind",
        }
    }

    /// The name, as in the ready line and in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dispatch => "dispatch",
            Self::Notification => "notification",
            Self::Switchboard => "switchboard",
            Self::PassportHttp => "passport-http",
            Self::PassportHttps => "passport-https",
            Self::Http => "http",
            Self::Admin => "admin",
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
            Self::Http => config.web.bind,
            Self::Admin => config.admin.bind,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not `write_str`: columns are made with it.
        f.pad(self.name())
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
    /// Where everything is counted; store and hasher may count there already.
    pub metrics: Arc<Metrics>,
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
    #[error("{role}: cannot listen on {address}: {error}")]
    Bind {
        /// The listener.
        role: Role,
        /// Its address.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// The admin socket is not to be had.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The admin token is not to be had.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The welcome robot cannot sign in.
    #[error("welcome.address: the robot cannot sign in: {0}")]
    Welcome(WelcomeError),
}

// Not `#[from]`, which would make it the source too, and people would read it twice.
impl From<WelcomeError> for StartError {
    fn from(error: WelcomeError) -> Self {
        Self::Welcome(error)
    }
}

/// A running server. Dropping it stops nothing: call [`Running::shut_down`].
#[derive(Debug)]
pub struct Running {
    listeners: Vec<Listener>,
    admin_socket: Option<PathBuf>,
    hub: Hub,
    alerts: Alerts,
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
/// [`StartError`] names the listener or the option; nothing runs then.
pub async fn start(options: Options) -> Result<Running, StartError> {
    let Options { config, store, hasher, metrics, tls, surroundings } = options;
    let config = Arc::new(config);
    let in_container = surroundings == Surroundings::Container;
    let bound = Bound::bind(&config, tls.is_some(), in_container)?;
    let socket = config.admin_socket().map(|path| Socket::bind(&path)).transpose()?;
    let token = match config.admin.bind {
        Bind::At(_) => Some(Token::read(&config.admin.token_file)?),
        Bind::Off | Bind::Notification => None,
    };
    let tasks = TaskTracker::new();
    let parts = Parts::new(&config, store, &hasher, metrics, tls, &bound, &tasks);
    if surroundings != Surroundings::Test {
        let roles = referral::Bound {
            dispatch: bound.address(Role::Dispatch),
            notification: bound.address(Role::Notification),
        };
        for warning in referral::warnings(&config, roles, in_container) {
            tracing::warn!("{warning}");
        }
        if bound.address(Role::Http).is_some()
            && let Some(warning) = gateway::warning(&config, in_container)
        {
            tracing::warn!("{warning}");
        }
    }
    let mut running = parts.running(&bound, tasks);
    robot::start(&parts, &running, &hasher).await?;
    let operators = Operators::new(&parts, &running, &config, token);
    for (role, listener) in bound.listeners {
        match role {
            Role::Admin => operators.serve_tcp(listener),
            _ => running.serve(&parts, role, listener),
        }
    }
    if let Some(socket) = socket {
        running.admin_socket = Some(socket.path().to_path_buf());
        operators.serve_unix(socket);
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

    /// The admin API's Unix socket, if there is one.
    #[must_use]
    pub fn admin_socket(&self) -> Option<&Path> {
        self.admin_socket.as_deref()
    }

    /// Who is online.
    #[must_use]
    pub const fn hub(&self) -> &Hub {
        &self.hub
    }

    /// What operators and programs can tell people.
    #[must_use]
    pub const fn alerts(&self) -> &Alerts {
        &self.alerts
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
