//! What SQLite itself gives: the rows that edits of lists write, a hundred edits in each
//! transaction, each transaction on disk before the next. Asks nothing, checks nothing, and hands
//! over each edit as one text. A `PNG` is a transaction and `QNG` its commit, so that the load
//! generator counts as it does elsewhere.

use super::Person;
use crate::{
    accounts::{Account, Accounts},
    scenarios::lists::{self, EDITS_AT_ONCE},
    seed,
};
use sqlx::{
    ConnectOptions as _, Connection as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use std::io::ErrorKind;
use tokio::net::{TcpListener, TcpStream};

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

/// A database with these people in it, opened as msnd opens its own.
pub(super) struct Book {
    conn: SqliteConnection,
    /// Everybody's name.
    names: Vec<String>,
    /// How many edits each user has made.
    made: u64,
    _folder: tempfile::TempDir,
}

impl Book {
    pub(super) async fn open(people: &[Person]) -> Self {
        let account = |person: &Person| Account {
            address: person.address.clone(),
            name: person.name.clone(),
            password: "secret".to_owned(),
            forward: person.contacts.clone(),
        };
        let accounts = Accounts(people.iter().map(account).collect());
        let folder = seed::folder(&accounts, accounts.0.len()).await.unwrap();
        let options = SqliteConnectOptions::new()
            .filename(seed::database(folder.path()))
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .disable_statement_logging();
        let names = people.iter().map(|person| person.name.clone()).collect();
        Self { conn: options.connect().await.unwrap(), names, made: 0, _folder: folder }
    }

    /// Serves one client after the other.
    pub(super) async fn serve(mut self, listener: TcpListener) {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            while let Some(transactions) = asked(&stream).await {
                for _ in 0..transactions {
                    self.commit().await;
                    stream.try_write(b"QNG 50\r\n").unwrap();
                }
            }
        }
    }

    /// The next edit of each user.
    async fn commit(&mut self) {
        let mut transaction = self.conn.begin_with("BEGIN IMMEDIATE").await.unwrap();
        for user in 0..EDITS_AT_ONCE {
            let (contact, is_new) = lists::edit(user, self.made);
            let (owner_key, contact_key) = (user as i64 + 1, contact as i64 + 1);
            let query = sqlx::query(if is_new { ADD } else { REMOVE });
            let mut query = query.bind(owner_key).bind(contact_key);
            if is_new {
                query = query.bind(&self.names[contact]).bind(&self.names[user]);
            }
            query.execute(&mut *transaction).await.unwrap();
        }
        transaction.commit().await.unwrap();
        self.made += 1;
    }
}

/// How many transactions a client wants next; `None` at its end.
async fn asked(stream: &TcpStream) -> Option<usize> {
    loop {
        stream.readable().await.ok()?;
        let mut buffer = [0; 64];
        match stream.try_read(&mut buffer) {
            Ok(0) => return None,
            Ok(read) => return Some(read / b"PNG\r\n".len()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return None,
        }
    }
}
