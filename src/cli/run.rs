//! `msnd run`: serves until it is told to stop.

mod certificate;
mod ephemeral;
mod files;
mod next_steps;
mod signals;
mod smoke;

use super::{ConfigArgs, Failure, backend, output};
use crate::{
    admin::SocketError,
    config::{Bind, Config, Loaded},
    metrics::Metrics,
    net::tls::TlsServer,
    server::{self, Role, Running, StartError, Surroundings},
    store::{
        Store,
        password::{Cost, PasswordHasher},
    },
    telemetry,
};
use anyhow::{Context as _, anyhow};
use clap::Args;
use ephemeral::Folder;
use serde::Serialize;
use signals::{Asked, HangUp, Signals};
use std::{
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::{
    runtime::{Builder, Runtime},
    select,
};

const EXAMPLES: &str = "\
Works without any option: makes ./msnd-data with a database and a certificate, and serves dispatch
on port 1863, notification on 1864, switchboard on 1865, Passport on 443 and web pages on 80.
SIGTERM or Ctrl-C ends it gently, a second one at once. SIGHUP reads the certificates again; with
--ephemeral, and when the terminal is gone in which the server was started, it means the end too.

Examples:
  msnd run --config /etc/msnd.toml
  msnd run --data-dir /var/lib/msnd --set notification.advertised=chat.example.org
  msnd run --set passport.https_bind=0.0.0.0:8443                # without root
  msnd run --ephemeral --fixture accounts.toml --ready-json      # to test clients";

/// The names under which clients look for the login service.
const PASSPORT_NAMES: [&str; 5] =
    ["nexus.passport.com", "login.passport.com", "loginnet.passport.com", "localhost", "127.0.0.1"];

/// Run the server
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = EXAMPLES)]
pub struct RunArgs {
    /// Start everything, serve one sign-in made by ourselves over loopback, and exit
    #[arg(long, conflicts_with_all = ["ephemeral", "fixture", "ready_json"])]
    pub smoke: bool,
    /// Keep nothing: everything lives in a temporary folder that is gone afterwards. Listeners
    /// without an address in the options get a free port on 127.0.0.1, Passport without TLS too
    #[arg(long, conflicts_with = "data_dir")]
    pub ephemeral: bool,
    /// Start with the accounts, lists, groups and properties of this TOML file; `msnd user export`
    /// writes one
    #[arg(long, value_name = "FILE", requires = "ephemeral")]
    pub fixture: Option<PathBuf>,
    /// When every listener accepts, print one line of JSON with roles and addresses
    #[arg(long)]
    pub ready_json: bool,
    /// Where options come from.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Does it.
pub(super) fn run(args: &RunArgs) -> Result<(), Failure> {
    let keeps_nothing = args.ephemeral || args.smoke;
    let loaded = if keeps_nothing {
        args.config.load_over(ephemeral::defaults())?
    } else {
        args.config.load()?
    };
    telemetry::init(&loaded.config.log)?;
    files::raise_limit(&loaded.config);
    let runtime = runtime().context("cannot start the runtime")?;
    // Before anything is made that a signal could leave behind.
    let signals = {
        let _context = runtime.enter();
        Signals::new(if keeps_nothing { HangUp::Ends } else { HangUp::Reloads })?
    };
    let folder = keeps_nothing.then(Folder::new).transpose()?;
    let outcome = runtime.block_on(async {
        match &folder {
            Some(folder) if args.smoke => smoke(folder.hold(loaded.config), signals).await,
            Some(folder) => {
                let start = start_ephemeral(folder.hold(loaded.config), args);
                serve(start, signals, args).await
            }
            None => serve(start(loaded), signals, args).await,
        }
    });
    // Connections that outlived the grace time go with the runtime.
    runtime.shutdown_background();
    let removed = folder.map_or(Ok(()), Folder::remove);
    outcome.and(removed)
}

/// One thread for each processor that we may use. Where there is only one, nothing is handed from
/// thread to thread: a line of presence costs a fifth less.
fn runtime() -> io::Result<Runtime> {
    let is_alone = std::thread::available_parallelism().is_ok_and(|count| count.get() == 1);
    let mut builder =
        if is_alone { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    builder.enable_all().build()
}

async fn smoke(config: Config, mut signals: Signals) -> Result<(), Failure> {
    select! {
        biased;
        signal = signals.end() => Err(anyhow!("{signal} came before the test was over").into()),
        outcome = smoke::run(config) => outcome,
    }
}

/// A server that has started, and what it needs until its end.
struct Started {
    running: Running,
    store: Arc<dyn Store>,
    tls: Option<TlsServer>,
    next_steps: Option<String>,
    /// Names that the certificates must have.
    names: Vec<String>,
    _lock: Option<File>,
}

async fn start(loaded: Loaded) -> Result<Started, Failure> {
    let (options, lock) = build(loaded).await?;
    let (store, tls) = (options.store.clone(), options.tls.clone());
    let config = options.config.clone();
    let names = certificate::needed(&config);
    let running = server::start(options).await?;
    let next_steps = Some(next_steps::text(&config, running.listeners()));
    Ok(Started { running, store, tls, next_steps, names, _lock: lock })
}

async fn start_ephemeral(config: Config, args: &RunArgs) -> Result<Started, Failure> {
    let options = ephemeral::build(&config, args.fixture.as_deref()).await?;
    let (store, tls) = (options.store.clone(), options.tls.clone());
    let running = server::start(options).await?;
    Ok(Started { running, store, tls, next_steps: None, names: Vec::new(), _lock: None })
}

/// Starts and serves until the first signal, then drains; a second signal ends everything at once,
/// whatever is still to be written.
async fn serve(
    start: impl Future<Output = Result<Started, Failure>>,
    mut signals: Signals,
    args: &RunArgs,
) -> Result<(), Failure> {
    let started = select! {
        biased;
        signal = signals.end() => {
            tracing::info!(signal, "ended during the start");
            return Ok(());
        }
        started = start => started?,
    };
    announce(&started, args)?;
    let signal = loop {
        match signals.next().await {
            Asked::End(signal) => break signal,
            Asked::Reload => reload(started.tls.as_ref(), &started.names),
        }
    };
    tracing::info!(signal, "shutting down; a second signal ends at once");
    let Started { running, store, .. } = started;
    let gently = async {
        if !running.shut_down().await {
            tracing::warn!("some connections did not end within the grace time");
        }
        store.close().await;
    };
    select! {
        biased;
        signal = signals.end() => tracing::warn!(signal, "ended at once by a second signal"),
        () = gently => {}
    }
    Ok(())
}

/// What SIGHUP asks for.
fn reload(tls: Option<&TlsServer>, names: &[String]) {
    let Some(tls) = tls else {
        return tracing::info!("SIGHUP: there are no certificates to read again");
    };
    match tls.reload() {
        Ok(()) => {
            tracing::info!("SIGHUP: certificates read again");
            let warnings = [tls.warnings(), tls.name_warnings(names)].concat();
            warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        }
        Err(error) => tracing::error!("SIGHUP: the certificates from before stay: {error}"),
    }
}

/// A server on the database and certificate of the data folder, and the lock on that database.
async fn build(loaded: Loaded) -> Result<(server::Options, Option<File>), Failure> {
    let config = loaded.config;
    let metrics = Arc::new(Metrics::default());
    let backend = backend::open_for_server(&config, &metrics).await?;
    let lock = match config.notification.bind {
        Bind::Off => None,
        Bind::Notification | Bind::At(_) => lock(&config)?,
    };
    let tls = match config.passport.https_bind {
        Bind::Off | Bind::Notification => None,
        Bind::At(_) => Some(certificate::open(&config)?),
    };
    if let Some(tls) = &tls {
        let risks = certificate::risks(&config).into_iter().map(String::from);
        let names = tls.name_warnings(&certificate::needed(&config));
        for warning in tls.warnings().into_iter().chain(names).chain(risks) {
            tracing::warn!("{warning}");
        }
    }
    let workers = config.passport.password_workers;
    let hasher = PasswordHasher::new(Cost::Standard, workers, config.passport.password_queue_max);
    let options = server::Options {
        store: backend,
        hasher: Arc::new(hasher.measured(metrics.passwords())),
        metrics,
        tls,
        surroundings: surroundings(),
        config,
    };
    Ok((options, lock))
}

/// Keeps a second notification role away from the database as long as the file is open: the hub
/// knows only the sessions and edits of its own process. Other commands may work beside it.
pub(super) fn lock(config: &Config) -> Result<Option<File>, Failure> {
    let database = config.database_file();
    let mut path = database.clone().into_os_string();
    path.push(".lock");
    let opened = File::options().create(true).truncate(false).write(true).open(&path);
    let file = opened.with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(Failure::DatabaseInUse { path: database }),
        Err(TryLockError::Error(error)) => {
            tracing::warn!("this file system cannot lock {}: {error}", path.display());
            Ok(None)
        }
    }
}

/// The ready line of the CI mode: a public contract.
#[derive(Serialize)]
struct Ready {
    ready: bool,
    pid: u32,
    version: &'static str,
    listeners: Vec<ReadyListener>,
}

#[derive(Serialize)]
struct ReadyListener {
    role: String,
    addr: String,
}

fn announce(started: &Started, args: &RunArgs) -> Result<(), Failure> {
    let running = &started.running;
    let mut listeners: Vec<_> = running
        .listeners()
        .iter()
        .map(|listener| ReadyListener {
            role: listener.role.to_string(),
            addr: listener.address.to_string(),
        })
        .collect();
    listeners.extend(running.admin_socket().map(|path| ReadyListener {
        role: Role::Admin.to_string(),
        addr: format!("unix:{}", path.display()),
    }));
    if args.ready_json {
        let version = env!("CARGO_PKG_VERSION");
        let ready = Ready { ready: true, pid: std::process::id(), version, listeners };
        let line = serde_json::to_string(&ready).context("cannot write the ready line")?;
        return output::print(&format!("{line}\n"));
    }
    let mut text = String::new();
    for listener in &listeners {
        text += &format!("{:<16}{}\n", listener.role, listener.addr);
    }
    text += started.next_steps.as_deref().unwrap_or_default();
    output::print(&text)
}

/// Whether this process runs in a container, as far as one can tell.
fn surroundings() -> Surroundings {
    let marks = ["/.dockerenv", "/run/.containerenv"];
    let variables = ["container", "KUBERNETES_SERVICE_HOST"];
    let in_container = marks.iter().any(|path| Path::new(path).exists())
        || variables.iter().any(|variable| std::env::var_os(variable).is_some());
    if in_container { Surroundings::Container } else { Surroundings::Host }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::AddressTaken { role, address } => {
                Self::AddressTaken { role: role.to_string(), key: role.key(), address }
            }
            StartError::Socket(SocketError::Taken { .. }) => Self::Unavailable(error.to_string()),
            StartError::Token(error) => Self::AdminToken(error),
            StartError::Bind { .. } | StartError::Socket(_) | StartError::Welcome(_) => {
                Self::Other(error.into())
            }
        }
    }
}
