//! Opening the file: connection options, migrations, and the refusal of a schema that is newer
//! than this program. Knows nothing of accounts.

use super::{OpenError, SqliteOptions, sql};
use crate::{config::Synchronous, store::SchemaStatus};
use anyhow::Context;
use sqlx::{
    ConnectOptions, Connection, SqliteConnection,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteSynchronous},
};
use std::{io, path::Path, time::Duration};

/// How long a write waits for another process to finish its own.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The migrations, as compiled in.
pub(super) static MIGRATOR: Migrator = sqlx::migrate!("migrations/sqlite");

/// The last migration that this program knows.
pub(super) fn known() -> i64 {
    MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// Makes it a WAL database, applies what is missing and hands out the connection that did it.
pub(super) async fn open_migrated(
    path: &Path,
    connect: &SqliteConnectOptions,
) -> Result<SqliteConnection, OpenError> {
    let failed = |error: anyhow::Error| OpenError::Unavailable { database: name(path), error };
    let mut conn = connect.connect().await.map_err(|error| failed(error.into()))?;
    // Not an option of the connection: sqlx would set it before `synchronous`, and so wait for the
    // disk in either case.
    let wal = sqlx::query(sql::WRITE_AHEAD).execute(&mut conn).await;
    wal.map_err(|error| failed(error.into()))?;
    let applied = applied(&mut conn).await.map_err(|error| failed(error.into()))?;
    let known = known();
    if applied > known {
        return Err(OpenError::Newer { database: name(path), applied, known });
    }
    // Two processes may get here at the same time: the second one waits and finds it done.
    let mut tx = if applied < known {
        conn.begin_with(sql::BEGIN_IMMEDIATE).await
    } else {
        conn.begin().await
    }
    .map_err(|error| failed(error.into()))?;
    MIGRATOR.run_direct(None, &mut *tx, false).await.map_err(|error| failed(error.into()))?;
    tx.commit().await.map_err(|error| failed(error.into()))?;
    Ok(conn)
}

/// Where the schema of an open database stands.
pub(super) async fn status(
    path: &Path,
    conn: &mut SqliteConnection,
) -> Result<SchemaStatus, sqlx::Error> {
    Ok(SchemaStatus { database: name(path), applied: applied(conn).await?, known: known() })
}

/// Kilobytes (with a minus) that a reading connection keeps of the file; SQLite would take 2000.
const READER_CACHE: &str = "-512";

/// The options of every connection to this file.
pub(super) fn connect_options(
    path: &Path,
    synchronous: Synchronous,
    busy_timeout: Duration,
) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .foreign_keys(true)
        .busy_timeout(busy_timeout)
        .synchronous(match synchronous {
            Synchronous::Full => SqliteSynchronous::Full,
            Synchronous::Normal => SqliteSynchronous::Normal,
            Synchronous::Off => SqliteSynchronous::Off,
        })
        .disable_statement_logging()
}

/// The same for a connection that must not write. There are some, and what each keeps of the file
/// the system has in memory too.
pub(super) fn reading(connect: &SqliteConnectOptions) -> SqliteConnectOptions {
    connect.clone().pragma("query_only", "ON").pragma("cache_size", READER_CACHE)
}

/// Makes the file (and its folder) if it may and must. It appears with its schema and in WAL mode
/// or not at all: turning a file into a WAL database is the one step of which SQLite does not wait
/// for another process.
pub(super) async fn ensure_file(
    options: &SqliteOptions,
    busy_timeout: Duration,
) -> Result<(), OpenError> {
    let path = &options.path;
    if path.exists() {
        return Ok(());
    }
    if !options.create {
        return Err(OpenError::Missing { database: name(path) });
    }
    let failed = |error: anyhow::Error| OpenError::Unavailable { database: name(path), error };
    let folder = folder_of(path);
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make {}", folder.display()))
        .map_err(failed)?;
    // A folder of its own for the side files. The file is its owner's only: it holds password
    // hashes, and later side files inherit its mode.
    let (draft, _room) = tempfile::Builder::new()
        .prefix(".msnd-new-")
        .tempdir_in(folder)
        .and_then(|room| Ok((tempfile::NamedTempFile::new_in(room.path())?, room)))
        .with_context(|| format!("cannot write in {}", folder.display()))
        .map_err(failed)?;
    let connect = connect_options(draft.path(), options.synchronous, busy_timeout);
    let conn = open_migrated(draft.path(), &connect).await?;
    conn.close().await.map_err(|error| failed(error.into()))?;
    match draft.persist_noclobber(path) {
        // Another process was quicker, which is as good.
        Err(kept) if kept.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        kept => kept.map(drop).map_err(|kept| failed(kept.error.into())),
    }
}

/// The folder of a file.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// The database as people know it.
pub(super) fn name(path: &Path) -> String {
    path.display().to_string()
}

async fn applied(conn: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    if !sqlx::query_scalar::<_, bool>(sql::MIGRATIONS_TABLE).fetch_one(&mut *conn).await? {
        return Ok(0);
    }
    Ok(sqlx::query_scalar(sql::LAST_MIGRATION).fetch_optional(conn).await?.unwrap_or(0))
}
