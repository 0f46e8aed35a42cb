//! The store in one SQLite file: one writer that commits in groups, readers beside it, safe to
//! open from a second process. Knows no rule of the lists; `model::roster` does.

mod accounts;
mod affairs;
mod alerts;
mod desk;
mod edit;
mod mailboxes;
mod read;
mod readers;
mod replace;
mod schema;
mod sign_ins;
mod sql;
mod writer;

use super::{
    Account, Audience, Callee, EditError, NewAccount, NewAlert, PasswordHash, Posted, Publish,
    PublishMail, SchemaStatus, SignIn, Store, StoreError, Waiting,
};
use crate::{
    config::Synchronous,
    metrics::StoreMeters,
    model::{
        AccountId, Address, AlertId, Applied, Edit, Mailbox, Roster, mail::MailChange,
        roster::RosterLimits,
    },
};
use anyhow::{Context, anyhow};
use async_trait::async_trait;
use readers::Readers;
use sign_ins::SignIns;
use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{
    collections::HashMap,
    fmt,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio_util::task::TaskTracker;
use writer::{Write, Writer};

/// Where the database is and how it is used.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// The file.
    pub path: PathBuf,
    /// How much a commit waits for the disk.
    pub synchronous: Synchronous,
    /// Connections for reading, at least 1.
    pub readers: u32,
    /// How long lists may grow.
    pub limits: RosterLimits,
    /// Whether to make the file, and its folder, if it is not there.
    pub create: bool,
}

/// Why a database cannot be opened. Says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No such file, and it was not to be made.
    #[error(
        "there is no database {database}: name the server's data folder with --data-dir or \
         MSND_DATA_DIR, or make a new database with `msnd db migrate`"
    )]
    Missing {
        /// The file.
        database: String,
    },
    /// A newer msnd has been here.
    #[error(
        "the database {database} has schema version {applied}, but this msnd knows versions up to \
         {known} only: run the newer msnd that wrote it, or restore a backup made before the \
         upgrade"
    )]
    Newer {
        /// The file.
        database: String,
        /// Its last migration.
        applied: i64,
        /// Our last migration.
        known: i64,
    },
    /// It cannot be read or migrated.
    #[error("the database {database} cannot be opened: {error:#}")]
    Unavailable {
        /// The file.
        database: String,
        /// What happened.
        error: anyhow::Error,
    },
}

/// Applies missing migrations to the file, making it first if `options.create`.
///
/// # Errors
/// [`OpenError`].
pub async fn migrate(options: &SqliteOptions) -> Result<SchemaStatus, OpenError> {
    schema::ensure_file(options, schema::BUSY_TIMEOUT).await?;
    let connect = schema::connect_options(&options.path, options.synchronous, schema::BUSY_TIMEOUT);
    let conn = schema::open_migrated(&options.path, &connect).await?;
    last_status(&options.path, conn).await
}

/// Where the schema of a file stands, without changing anything; a newer schema is no error here.
///
/// # Errors
/// [`OpenError::Missing`] and [`OpenError::Unavailable`].
pub async fn schema_status(path: &Path) -> Result<SchemaStatus, OpenError> {
    let database = schema::name(path);
    if !path.exists() {
        return Err(OpenError::Missing { database });
    }
    let connect = schema::connect_options(path, Synchronous::Full, schema::BUSY_TIMEOUT);
    let conn = schema::reading(&connect)
        .connect()
        .await
        .map_err(|error| OpenError::Unavailable { database, error: error.into() })?;
    last_status(path, conn).await
}

/// Writes a consistent copy of the file to `target`, which must not exist, without changing the
/// file, not even an older schema.
///
/// # Errors
/// [`StoreError::Conflict`] if `target` exists.
pub async fn backup(path: &Path, target: &Path) -> Result<(), StoreError> {
    let connect = schema::connect_options(path, Synchronous::Full, schema::BUSY_TIMEOUT);
    copy_to(connect, target.to_owned()).await
}

/// The store. Dropping it ends its writer once the queue is empty; [`SqliteStore::close`] also
/// waits for that.
pub struct SqliteStore {
    path: PathBuf,
    connect: SqliteConnectOptions,
    readers: Arc<Readers>,
    sign_ins: SignIns,
    writer: Writer,
    meters: StoreMeters,
    tasks: TaskTracker,
}

impl SqliteStore {
    /// Opens the file and applies missing migrations.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(options: SqliteOptions) -> Result<Self, OpenError> {
        Self::open_measured(options, &StoreMeters::default()).await
    }

    /// [`Self::open`], counting in `meters`.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open_measured(
        options: SqliteOptions,
        meters: &StoreMeters,
    ) -> Result<Self, OpenError> {
        Self::open_patient(options, schema::BUSY_TIMEOUT, meters).await
    }

    async fn open_patient(
        options: SqliteOptions,
        busy_timeout: Duration,
        meters: &StoreMeters,
    ) -> Result<Self, OpenError> {
        schema::ensure_file(&options, busy_timeout).await?;
        let SqliteOptions { path, synchronous, readers, limits, create: _ } = options;
        let connect = schema::connect_options(&path, synchronous, busy_timeout);
        let conn = schema::open_migrated(&path, &connect).await?;
        let readers = Readers::open(schema::reading(&connect), readers).await.map_err(|error| {
            OpenError::Unavailable { database: schema::name(&path), error: error.into() }
        })?;
        let (readers, tasks) = (Arc::new(readers), TaskTracker::new());
        let sign_ins = SignIns::new(readers.clone(), tasks.clone());
        let writer = Writer::start(&tasks, conn, connect.clone(), limits, meters.clone());
        Ok(Self { path, connect, readers, sign_ins, writer, meters: meters.clone(), tasks })
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.path).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn create_accounts(&self, accounts: Vec<NewAccount>) -> Result<(), StoreError> {
        self.writer.accounts(Write::Create(accounts)).await
    }

    async fn replace_accounts(&self, accounts: Vec<NewAccount>) -> Result<(), StoreError> {
        self.writer.accounts(Write::Replace(accounts)).await
    }

    async fn export(&self, only: Option<&[Address]>) -> Result<Vec<(Account, Roster)>, StoreError> {
        let _timed = self.meters.read("export");
        let mut reader = self.readers.take().await?;
        let outcome = read::export(reader.conn(), only).await;
        reader.settle(outcome)
    }

    async fn account(&self, address: &Address) -> Result<Account, StoreError> {
        let _timed = self.meters.read("account");
        let mut reader = self.readers.take().await?;
        let outcome = read::account(reader.conn(), address).await;
        reader.settle(outcome)
    }

    async fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        let _timed = self.meters.read("accounts");
        let mut reader = self.readers.take().await?;
        let outcome = read::accounts(reader.conn()).await;
        reader.settle(outcome)
    }

    async fn standing_changes(&self) -> Result<i64, StoreError> {
        let _timed = self.meters.read("standing");
        let mut reader = self.readers.take().await?;
        let outcome = read::standing_changes(reader.conn()).await;
        reader.settle(outcome)
    }

    async fn standings(&self) -> Result<HashMap<AccountId, bool>, StoreError> {
        let _timed = self.meters.read("standings");
        let mut reader = self.readers.take().await?;
        let outcome = read::standings(reader.conn()).await;
        reader.settle(outcome)
    }

    async fn set_password(&self, address: &Address, hash: PasswordHash) -> Result<(), StoreError> {
        self.writer.accounts(Write::SetPassword(address.clone(), hash)).await
    }

    async fn set_enabled(&self, address: &Address, enabled: bool) -> Result<(), StoreError> {
        self.writer.accounts(Write::SetEnabled(address.clone(), enabled)).await
    }

    async fn remove_account(&self, address: &Address) -> Result<(), StoreError> {
        self.writer.accounts(Write::Remove(address.clone())).await
    }

    async fn sign_in(&self, id: AccountId) -> Result<SignIn, StoreError> {
        let _timed = self.meters.read("sign_in");
        self.sign_ins.read(id).await
    }

    async fn callee(&self, callee: &Address, caller: AccountId) -> Result<Callee, StoreError> {
        let _timed = self.meters.read("callee");
        let mut reader = self.readers.take().await?;
        let outcome = read::callee(reader.conn(), callee, caller).await;
        reader.settle(outcome)
    }

    async fn roster(&self, id: AccountId) -> Result<Roster, StoreError> {
        let _timed = self.meters.read("roster");
        let mut reader = self.readers.take().await?;
        let outcome = read::roster(reader.conn(), id).await;
        reader.settle(outcome)
    }

    async fn edit(
        &self,
        owner: AccountId,
        edit: Edit,
        publish: Publish,
    ) -> Result<Applied, EditError> {
        self.writer.edit(owner, edit, publish).await
    }

    async fn add_alert(
        &self,
        alert: NewAlert,
        audience: Arc<dyn Audience>,
    ) -> Result<Posted, StoreError> {
        // On a task of its own: a caller that goes away leaves no half of the accounts out.
        let post = self.writer.clone().post(alert, audience);
        self.tasks.spawn(post).await.context("storing the alert was interrupted")?
    }

    async fn waiting_alerts(&self, id: AccountId, now_secs: i64) -> Result<Waiting, StoreError> {
        let _timed = self.meters.read("waiting_alerts");
        let mut reader = self.readers.take().await?;
        let outcome = alerts::waiting(reader.conn(), id, now_secs).await;
        reader.settle(outcome)
    }

    async fn settle_alerts(&self, settled: Vec<(AccountId, AlertId)>) -> Result<(), StoreError> {
        self.writer.accounts(Write::SettleAlerts(settled)).await
    }

    async fn set_mailbox(&self, address: &Address, has_one: bool) -> Result<(), StoreError> {
        self.writer.accounts(Write::SetMailbox(address.clone(), has_one)).await
    }

    async fn change_mail(
        &self,
        address: &Address,
        change: MailChange,
        publish: PublishMail,
    ) -> Result<Mailbox, StoreError> {
        self.writer.mail(address.clone(), change, publish).await
    }

    async fn takes_pages(&self, address: &Address) -> Result<(AccountId, bool), StoreError> {
        let _timed = self.meters.read("takes_pages");
        let mut reader = self.readers.take().await?;
        let outcome = mailboxes::takes_pages(reader.conn(), address).await;
        reader.settle(outcome)
    }

    async fn schema(&self) -> Result<SchemaStatus, StoreError> {
        let _timed = self.meters.read("schema");
        let mut reader = self.readers.take().await?;
        let outcome = schema::status(&self.path, reader.conn()).await.map_err(StoreError::from);
        reader.settle(outcome)
    }

    async fn backup(&self, target: &Path) -> Result<(), StoreError> {
        // On a task of its own: a caller that goes away leaves no half-written file behind.
        let copy = copy_to(self.connect.clone(), target.to_owned());
        self.tasks.spawn(copy).await.context("the backup was interrupted")?
    }

    /// Answers what is queued, empties the write-ahead log into the file and closes it.
    async fn close(&self) {
        self.readers.close().await;
        self.writer.close();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<anyhow::Error> for StoreError {
    fn from(error: anyhow::Error) -> Self {
        Self::Unavailable(error)
    }
}

impl From<sqlx::Error> for EditError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<anyhow::Error> for EditError {
    fn from(error: anyhow::Error) -> Self {
        Self::Store(error.into())
    }
}

/// What every call after [`SqliteStore::close`] gets.
fn closed() -> StoreError {
    StoreError::Unavailable(anyhow!("the store is closed"))
}

/// Writes beside `target` first: a backup appears whole, and never over another file.
async fn copy_to(connect: SqliteConnectOptions, target: PathBuf) -> Result<(), StoreError> {
    let taken = || StoreError::Conflict(format!("{} exists already", target.display()));
    if target.symlink_metadata().is_ok() {
        return Err(taken());
    }
    let folder = schema::folder_of(&target);
    let copy = tempfile::Builder::new()
        .prefix(".msnd-backup-")
        .tempfile_in(folder)
        .with_context(|| format!("cannot write in {}", folder.display()))?;
    let path = copy.path().to_str().context("the target's name is not UTF-8")?.to_owned();
    let mut conn = connect.connect().await?;
    sqlx::query(sql::BACKUP).bind(path).execute(&mut conn).await?;
    conn.close().await?;
    let kept = tokio::task::spawn_blocking(move || {
        copy.as_file().sync_all()?;
        copy.persist_noclobber(&target).map_err(|failed| failed.error)?;
        sync_folder(schema::folder_of(&target))
    });
    match kept.await.context("the backup was interrupted")? {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(StoreError::Conflict("the target appeared meanwhile".to_owned()))
        }
        kept => Ok(kept.context("the backup could not be kept")?),
    }
}

/// Makes the names in a folder survive power loss, where the file system can.
fn sync_folder(folder: &Path) -> io::Result<()> {
    match std::fs::File::open(folder)?.sync_all() {
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => {
            Ok(())
        }
        synced => synced,
    }
}

/// Where the schema stands, as the last thing asked on this connection.
async fn last_status(path: &Path, mut conn: SqliteConnection) -> Result<SchemaStatus, OpenError> {
    let status = async {
        let status = schema::status(path, &mut conn).await?;
        conn.close().await?;
        Ok::<_, sqlx::Error>(status)
    };
    status.await.map_err(|error| OpenError::Unavailable {
        database: schema::name(path),
        error: error.into(),
    })
}
