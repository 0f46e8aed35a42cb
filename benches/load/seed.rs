//! Makes a data folder with accounts in it, through the store and without msnd: the process that is
//! measured has then neither read a fixture nor hashed a password, and its heap holds nothing that
//! an import left free and that sessions could be put into.

use crate::accounts::{Account, Accounts};
use msnd::{
    config::Synchronous,
    model::{Address, Name, roster::RosterLimits},
    store::{
        NewAccount, Store as _,
        password::{Cost, Password, PasswordHasher},
        sqlite::{SqliteOptions, SqliteStore},
    },
};
use sqlx::{
    ConnectOptions as _, Connection as _,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// How the store of msnd calls its file unless it is told otherwise.
const DATABASE: &str = "msnd.sqlite";

/// The database in a data folder.
pub(crate) fn database(folder: &Path) -> PathBuf {
    folder.join(DATABASE)
}

/// Everybody's contacts, on the three lists on which people have who have each other. Owner by
/// owner, in the order of the keys: every index but the last one only grows at its end.
const CONTACTS: &str = "
    INSERT INTO contacts (owner_id, contact_id, name, list_bits, group_bits)
    SELECT $1, a.id, a.name, 11, 1
    FROM json_each($2) AS j CROSS JOIN accounts AS a ON a.id = j.value ORDER BY a.id";
/// The last one is made anew when all is there.
const DROP_INDEX: &str = "DROP INDEX contacts_by_contact";
const MAKE_INDEX: &str = "CREATE INDEX contacts_by_contact ON contacts (contact_id)";

/// A data folder with these accounts, all with the first one's password. Their contacts must have
/// each other.
pub(crate) async fn folder(accounts: &Accounts) -> anyhow::Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("msnd-load-").tempdir()?;
    let options = SqliteOptions {
        path: database(folder.path()),
        synchronous: Synchronous::Off,
        readers: 1,
        limits: RosterLimits::default(),
        create: true,
    };
    let store = SqliteStore::open(options).await?;
    let password = accounts.0.first().map_or("secret", |account| &account.password);
    let hasher = PasswordHasher::new(Cost::Cheap, 1, 1);
    let hash = hasher.hash_now(&Password::new(password)?)?;
    let new = |account: &Account| {
        let (address, name) = (Address::parse(&account.address)?, Name::new(&account.name)?);
        Ok(NewAccount::new(address, name, hash.clone()))
    };
    store.create_accounts(accounts.0.iter().map(new).collect::<anyhow::Result<_>>()?).await?;
    store.close().await;
    add_contacts(folder.path(), accounts).await?;
    Ok(folder)
}

/// Not through the store, which would take minutes for nine million.
async fn add_contacts(folder: &Path, accounts: &Accounts) -> anyhow::Result<()> {
    let options = SqliteConnectOptions::new()
        .filename(database(folder))
        .journal_mode(SqliteJournalMode::Off)
        .synchronous(SqliteSynchronous::Off)
        .disable_statement_logging();
    let mut conn = options.connect().await?;
    sqlx::query(DROP_INDEX).execute(&mut conn).await?;
    let mut transaction = conn.begin().await?;
    for (number, account) in accounts.0.iter().enumerate() {
        // Accounts have got their keys in their order, from 1 on.
        let key = |number: usize| i64::try_from(number + 1);
        let contacts = account.forward.iter().map(|contact| key(*contact));
        let contacts = serde_json::to_string(&contacts.collect::<Result<Vec<_>, _>>()?)?;
        let query = sqlx::query(CONTACTS).bind(key(number)?).bind(contacts);
        query.execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    sqlx::query(MAKE_INDEX).execute(&mut conn).await?;
    conn.close().await?;
    Ok(())
}
