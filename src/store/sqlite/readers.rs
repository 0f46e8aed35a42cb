//! A few connections for reading, each lent to one read at a time. Knows nothing of what is read.

use super::sql;
use crate::store::StoreError;
use parking_lot::Mutex;
use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::sync::{Semaphore, SemaphorePermit};

/// The pool. Without timers, and without tasks of its own: who waits is served in turn.
#[derive(Debug)]
pub(super) struct Readers {
    connect: SqliteConnectOptions,
    size: u32,
    seats: Semaphore,
    idle: Mutex<Vec<SqliteConnection>>,
}

/// A connection on loan. Dropped without [`Reader::settle`], because the read failed or nobody
/// waits for it any more, it is closed: half a read may still be going on in it.
#[derive(Debug)]
pub(super) struct Reader<'r> {
    readers: &'r Readers,
    conn: SqliteConnection,
    _seat: SemaphorePermit<'r>,
}

impl Readers {
    /// Opens `size` connections (at least one), each with all the files it will ever need: later
    /// the process may have no more to give.
    pub(super) async fn open(
        connect: SqliteConnectOptions,
        size: u32,
    ) -> Result<Self, sqlx::Error> {
        let size = size.max(1);
        let seats = Semaphore::new(usize::try_from(size).unwrap_or(Semaphore::MAX_PERMITS));
        let mut idle = Vec::new();
        for _ in 0..size {
            idle.push(open_one(&connect).await?);
        }
        Ok(Self { connect, size, seats, idle: Mutex::new(idle) })
    }

    /// Waits for a free connection.
    pub(super) async fn take(&self) -> Result<Reader<'_>, StoreError> {
        let seat = self.seats.acquire().await.map_err(|_| super::closed())?;
        let idle = self.idle.lock().pop();
        let conn = match idle {
            Some(conn) => conn,
            // One was closed after a failed or abandoned read.
            None => open_one(&self.connect).await?,
        };
        Ok(Reader { readers: self, conn, _seat: seat })
    }

    /// Waits for reads that go on, then closes everything; later reads are refused.
    pub(super) async fn close(&self) {
        let all = self.seats.acquire_many(self.size).await;
        self.seats.close();
        drop(all);
        let idle = std::mem::take(&mut *self.idle.lock());
        for conn in idle {
            if let Err(error) = conn.close().await {
                tracing::warn!(%error, "a database reader did not close cleanly");
            }
        }
    }
}

/// Only its first read makes a connection open the write-ahead log.
async fn open_one(connect: &SqliteConnectOptions) -> Result<SqliteConnection, sqlx::Error> {
    let mut conn = connect.connect().await?;
    sqlx::query(sql::MIGRATIONS_TABLE).execute(&mut conn).await?;
    Ok(conn)
}

impl Reader<'_> {
    /// The connection.
    pub(super) fn conn(&mut self) -> &mut SqliteConnection {
        &mut self.conn
    }

    /// Ends the loan with the outcome of the read.
    pub(super) fn settle<T>(self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        if !matches!(outcome, Err(StoreError::Unavailable(_))) {
            self.readers.idle.lock().push(self.conn);
        }
        outcome
    }
}
