//! Makes a data folder with accounts in it, through the store and without msnd: the process that is
//! measured has then neither read a fixture nor hashed a password, and its heap holds nothing that
//! an import left free and that sessions could be put into.

use crate::accounts::{Account, Accounts};
use anyhow::Context as _;
use msnd::{
    config::Synchronous,
    model::{Address, GroupSet, ListBits, Name, roster::RosterLimits},
    store::{
        NewAccount, NewContact, PasswordHash, Store as _,
        password::{Cost, Password, PasswordHasher},
        sqlite::{SqliteOptions, SqliteStore},
    },
};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// How the store of msnd calls its file unless it is told otherwise.
const DATABASE: &str = "msnd.sqlite";

/// The database in a data folder.
pub(crate) fn database(folder: &Path) -> PathBuf {
    folder.join(DATABASE)
}

/// A data folder with these accounts, made in parts of so many; nobody may have a contact in a
/// later part. All have the first one's password.
pub(crate) async fn folder(accounts: &Accounts, part: usize) -> anyhow::Result<TempDir> {
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
    for part in accounts.0.chunks(part) {
        let made: anyhow::Result<_> =
            part.iter().map(|account| new(account, accounts, &hash)).collect();
        store.create_accounts(made?).await?;
    }
    store.close().await;
    Ok(folder)
}

fn new(account: &Account, all: &Accounts, hash: &PasswordHash) -> anyhow::Result<NewAccount> {
    let contact = |number: &usize| {
        let Account { address, name, .. } = all.0.get(*number).context("no such account")?;
        Ok(NewContact {
            address: Address::parse(address)?,
            name: Name::new(name)?,
            lists: ListBits::FORWARD.with(ListBits::ALLOW),
            groups: GroupSet::default(),
        })
    };
    let contacts = account.forward.iter().map(contact).collect::<anyhow::Result<_>>()?;
    let (address, name) = (Address::parse(&account.address)?, Name::new(&account.name)?);
    Ok(NewAccount { contacts, ..NewAccount::new(address, name, hash.clone()) })
}
