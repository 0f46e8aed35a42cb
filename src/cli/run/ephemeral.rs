//! The CI mode: a server that starts from a fixture and leaves nothing behind.

use super::{Failure, certificate_names};
use crate::{
    cli::{backend, fixture_file},
    config::{Bind, Config, Synchronous},
    fixture,
    net::tls::{KeyKind, TlsServer},
    server,
    store::{
        NewAccount, Store,
        password::{Cost, PasswordHasher},
    },
};
use anyhow::Context as _;
use std::{collections::HashMap, net::SocketAddr, path::Path, sync::Arc};
use tempfile::TempDir;

/// The defaults of the CI mode: every listener on a free loopback port.
pub(super) fn defaults() -> Config {
    let bind = Bind::At(SocketAddr::from(([127, 0, 0, 1], 0)));
    let mut config = Config::default();
    config.dispatch.bind = bind;
    config.notification.bind = bind;
    config.passport.http_bind = bind;
    config.passport.https_bind = bind;
    config
}

/// Moves all data into a temporary folder, which goes when the returned guard is closed.
pub(super) fn prepare(mut config: Config) -> Result<(Config, TempDir), Failure> {
    let folder = tempfile::Builder::new()
        .prefix("msnd-")
        .tempdir()
        .context("cannot make a temporary folder")?;
    config.data.dir = folder.path().into();
    config.store.file = Config::default().store.file;
    config.store.synchronous = Synchronous::Off;
    Ok((config, folder))
}

/// A server whose passwords are cheap to verify and whose certificate is quick to make.
pub(super) async fn build(
    config: &Config,
    fixture: Option<&Path>,
) -> Result<server::Options, Failure> {
    let passport = &config.passport;
    let hasher =
        PasswordHasher::new(Cost::Cheap, passport.password_workers, passport.password_queue_max);
    let accounts = match fixture {
        Some(path) => read(path, config, &hasher)?,
        None => Vec::new(),
    };
    let store = backend::open_for_server(config).await?;
    store.create_accounts(accounts).await.context("cannot store the fixture")?;
    let tls = match (passport.https_bind, passport.certificate_file.as_os_str().is_empty()) {
        (Bind::Off, _) => None,
        (Bind::At(_), true) => {
            let tls = TlsServer::in_memory(&certificate_names(config), KeyKind::P256);
            Some(tls.map_err(anyhow::Error::new)?)
        }
        (Bind::At(_), false) => Some(super::certificate(config)?),
    };
    let (config, hasher) = (config.clone(), Arc::new(hasher));
    Ok(server::Options { config, store, hasher, tls, surroundings: server::Surroundings::Test })
}

fn read(path: &Path, config: &Config, hasher: &PasswordHasher) -> Result<Vec<NewAccount>, Failure> {
    let users = fixture_file::read(path, backend::roster_limits(config), &HashMap::new())?;
    fixture::into_new_accounts(users, |password| {
        Ok(hasher.hash_now(password).map_err(anyhow::Error::new)?)
    })
}
