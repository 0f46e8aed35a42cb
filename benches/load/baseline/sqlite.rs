//! What SQLite itself gives: the rows that edits of lists write, a hundred edits in each
//! transaction, each transaction on disk before the next. Asks nothing, checks nothing, and hands
//! over each edit as one text. A `PNG` is a transaction and `QNG` its commit, so that the load
//! generator counts as it does elsewhere.

use super::Person;
use crate::{
    scenarios::lists::{self, EDITS_AT_ONCE},
    seed,
};
use sqlx::{
    ConnectOptions as _, Connection as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use std::{io::ErrorKind, path::Path};
use tokio::net::{TcpListener, TcpStream};

const DONE: &[u8] = b"QNG 50\r\n";
/// Both entries and both versions. The numbers are the owner's and the contact's.
const ADD: &str = "
    INSERT INTO contacts (owner_id, contact_id, list_bits, group_bits, name)
    VALUES ($1, $2, 1, 1, $3);
    INSERT INTO contacts (owner_id, contact_id, list_bits, group_bits, name)
    VALUES ($2, $1, 8, 0, $4);
    UPDATE accounts SET list_version = list_version + 1 WHERE id = $2;
    UPDATE accounts SET list_version = list_version + 1 WHERE id = $1";
const REMOVE: &str = "
    DELETE FROM contacts WHERE owner_id = $1 AND contact_id = $2;
    DELETE FROM contacts WHERE owner_id = $2 AND contact_id = $1;
    UPDATE accounts SET list_version = list_version + 1 WHERE id = $2;
    UPDATE accounts SET list_version = list_version + 1 WHERE id = $1";

/// A database opened as msnd opens its own.
struct Book {
    conn: SqliteConnection,
    /// How many edits each user has made.
    made: u64,
}

/// Serves one client after the other. The first thing each says is where the database is.
pub(super) async fn serve(listener: TcpListener, people: &[Person]) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let Some(folder) = heard(&stream).await else { continue };
        let mut book = Book::open(Path::new(folder.trim_end())).await;
        stream.try_write(DONE).unwrap();
        while let Some(asked) = heard(&stream).await {
            for _ in asked.lines() {
                book.commit(people).await;
                // The client may be gone: the last transactions are not waited for.
                let _ = stream.try_write(DONE);
            }
        }
    }
}

impl Book {
    async fn open(folder: &Path) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(seed::database(folder))
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .disable_statement_logging();
        Self { conn: options.connect().await.unwrap(), made: 0 }
    }

    /// The next edit of each user.
    async fn commit(&mut self, people: &[Person]) {
        let mut transaction = self.conn.begin_with("BEGIN IMMEDIATE").await.unwrap();
        for user in 0..EDITS_AT_ONCE {
            let (contact, is_new) = lists::edit(user, self.made);
            let (owner_key, contact_key) = (user as i64 + 1, contact as i64 + 1);
            let query = sqlx::query(if is_new { ADD } else { REMOVE });
            let mut query = query.bind(owner_key).bind(contact_key);
            if is_new {
                query = query.bind(&people[contact].name).bind(&people[user].name);
            }
            query.execute(&mut *transaction).await.unwrap();
        }
        transaction.commit().await.unwrap();
        self.made += 1;
    }
}

/// What a client says next; `None` at its end.
async fn heard(stream: &TcpStream) -> Option<String> {
    loop {
        stream.readable().await.ok()?;
        let mut buffer = [0; 512];
        match stream.try_read(&mut buffer) {
            Ok(0) => return None,
            Ok(read) => return String::from_utf8(buffer[..read].to_vec()).ok(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return None,
        }
    }
}
