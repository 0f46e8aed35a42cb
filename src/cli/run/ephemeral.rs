//! The CI mode: a server that starts from a fixture and leaves nothing behind.

use super::{Failure, certificate};
use crate::{
    cli::{backend, fixture_file},
    config::{Bind, Config, SOCKET_PATH_BYTES_MAX, Synchronous},
    fixture,
    metrics::Metrics,
    model::roster::RosterLimits,
    net::tls::{KeyKind, Source, TlsServer},
    server,
    store::{
        NewAccount, Store,
        password::{Cost, PasswordHasher},
    },
};
use anyhow::Context as _;
use std::{
    collections::HashMap,
    io::ErrorKind,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;

/// How often removing the folder is tried, and how long to wait in between.
const REMOVALS_MAX: u32 = 50;
const REMOVAL_WAIT: Duration = Duration::from_millis(10);

/// The defaults of the CI mode: every listener on a free loopback port.
pub(super) fn defaults() -> Config {
    let bind = Bind::At(SocketAddr::from(([127, 0, 0, 1], 0)));
    let mut config = Config::default();
    config.dispatch.bind = bind;
    config.notification.bind = bind;
    config.switchboard.bind = bind;
    config.passport.http_bind = bind;
    config.passport.https_bind = bind;
    config.web.bind = bind;
    // A test may sign one account in from a thousand places at once.
    config.passport.failures_per_account_max = 1000;
    config.passport.failures_per_address_max = 10_000;
    config
}

/// A temporary folder. Must be removed when the server has ended.
pub(super) struct Folder(TempDir);

impl Folder {
    /// Makes it.
    pub(super) fn new() -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("msnd-").tempdir();
        Ok(Self(folder.context("cannot make a temporary folder")?))
    }

    /// Moves all data of a server into it.
    pub(super) fn hold(&self, mut config: Config) -> Config {
        config.data.dir = self.0.path().into();
        config.store.file = Config::default().store.file;
        config.store.synchronous = Synchronous::Off;
        let socket = config.admin_socket();
        if socket.is_some_and(|path| path.as_os_str().len() > SOCKET_PATH_BYTES_MAX) {
            tracing::warn!("no admin socket: the path of the temporary folder is too long for one");
            config.admin.socket = PathBuf::new();
        }
        config
    }

    /// Removes it with all that is in it. Threads of the database that are just ending may still
    /// make a file in there, so it is tried again a few times.
    pub(super) fn remove(self) -> Result<(), Failure> {
        let path = self.0.keep();
        let mut tries = 0;
        loop {
            tries += 1;
            match std::fs::remove_dir_all(&path) {
                Err(error)
                    if error.kind() == ErrorKind::DirectoryNotEmpty && tries < REMOVALS_MAX =>
                {
                    std::thread::sleep(REMOVAL_WAIT);
                }
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                removed => {
                    return Ok(
                        removed.with_context(|| format!("cannot remove {}", path.display()))?
                    );
                }
            }
        }
    }
}

/// A server whose passwords are cheap to verify and whose certificate is quick to make.
pub(super) async fn build(
    config: &Config,
    fixture: Option<&Path>,
) -> Result<server::Options, Failure> {
    let passport = &config.passport;
    let (workers, queue_max) = (passport.password_workers, passport.password_queue_max);
    let metrics = Arc::new(Metrics::default());
    let hasher = PasswordHasher::new(Cost::Cheap, workers, queue_max);
    let hasher = Arc::new(hasher.measured(metrics.passwords()));
    let accounts = match fixture {
        Some(path) => {
            // A large file takes its time, during which signals must be heard.
            let (path, limits) = (path.to_path_buf(), backend::roster_limits(config));
            let hasher = hasher.clone();
            let read = tokio::task::spawn_blocking(move || read(&path, limits, &hasher));
            read.await.context("reading the fixture was interrupted")??
        }
        None => Vec::new(),
    };
    let store = backend::open_for_server(config, &metrics).await?;
    store.create_accounts(accounts).await.context("cannot store the fixture")?;
    let tls = match (passport.https_bind, passport.certificate_file.as_os_str().is_empty()) {
        (Bind::Off | Bind::Notification, _) => None,
        (Bind::At(_), true) => {
            let source = Source::Memory { names: certificate::names(config), kind: KeyKind::P256 };
            let tls = TlsServer::open(source, certificate::policy(config));
            Some(tls.map_err(anyhow::Error::new)?)
        }
        (Bind::At(_), false) => Some(certificate::open(config)?),
    };
    let config = config.clone();
    let surroundings = server::Surroundings::Test;
    Ok(server::Options { config, store, hasher, metrics, tls, surroundings })
}

fn read(
    path: &Path,
    limits: RosterLimits,
    hasher: &PasswordHasher,
) -> Result<Vec<NewAccount>, Failure> {
    let users = fixture_file::read(path, limits, &HashMap::new())?;
    fixture::into_new_accounts(users, |password| {
        Ok(hasher.hash_now(password).map_err(anyhow::Error::new)?)
    })
}
