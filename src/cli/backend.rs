//! The one place where commands open the database and what works on it.

use super::Failure;
use crate::{
    account::Accounts,
    config::Config,
    metrics::Metrics,
    model::roster::RosterLimits,
    store::{
        SchemaStatus,
        password::{Cost, PasswordHasher},
        sqlite::{self, SqliteOptions, SqliteStore},
    },
};
use anyhow::Context as _;
use std::{path::Path, sync::Arc};

/// An open database with the operations that check what they write.
pub(super) struct Backend {
    pub(super) store: Arc<SqliteStore>,
    pub(super) accounts: Accounts,
}

impl Backend {
    /// Opens the database, applying migrations; makes folder and file if `create`.
    pub(super) async fn open(config: &Config, create: bool) -> Result<Self, Failure> {
        let store = open(config, create, 1, &Metrics::default()).await?;
        let hasher = Arc::new(PasswordHasher::new(Cost::Standard, 1, 1));
        let accounts = Accounts::new(store.clone(), hasher, &config.passport);
        Ok(Self { store, accounts })
    }
}

/// Opens the database for a server: with all its readers, made if it is not there.
pub(super) async fn open_for_server(
    config: &Config,
    metrics: &Metrics,
) -> Result<Arc<SqliteStore>, Failure> {
    open(config, true, config.store.readers, metrics).await
}

async fn open(
    config: &Config,
    create: bool,
    readers: u32,
    metrics: &Metrics,
) -> Result<Arc<SqliteStore>, Failure> {
    let options = SqliteOptions { readers, ..options(config, create)? };
    Ok(Arc::new(
        SqliteStore::open_measured(options, metrics.store()).await.map_err(anyhow::Error::new)?,
    ))
}

/// How long lists may grow.
pub(super) const fn roster_limits(config: &Config) -> RosterLimits {
    RosterLimits {
        forward_max: config.limits.forward_list_max,
        allow_block_max: config.limits.allow_block_list_max,
    }
}

/// Applies what is missing; makes folder and file.
pub(super) async fn migrate(config: &Config) -> Result<SchemaStatus, Failure> {
    Ok(sqlite::migrate(&options(config, true)?).await.map_err(anyhow::Error::new)?)
}

/// Looks at the schema without changing it.
pub(super) async fn schema(config: &Config) -> Result<SchemaStatus, Failure> {
    Ok(sqlite::schema_status(&config.database_file()).await.map_err(anyhow::Error::new)?)
}

/// Runs a command that waits for the database.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(work)
}

fn options(config: &Config, create: bool) -> Result<SqliteOptions, Failure> {
    if create {
        make_folder(&config.data.dir)?;
    }
    Ok(SqliteOptions {
        path: config.database_file(),
        synchronous: config.store.synchronous,
        readers: 1,
        limits: roster_limits(config),
        create,
    })
}

/// Makes the data folder, readable by its owner only: it holds password hashes and a private key.
pub(super) fn make_folder(folder: &Path) -> Result<(), Failure> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    Ok(builder.create(folder).with_context(|| {
        format!(
            "cannot make the data folder {}; name another with --data-dir, or make it and give it \
             to this user",
            folder.display()
        )
    })?)
}
