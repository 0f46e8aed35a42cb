//! Databases of the first schema, before there were alerts and mailboxes: opened, they are brought
//! up; backed up, they stay as they are.

use super::{address, new_account, sqlite_options};
use msnd::store::{
    Store, StoreError,
    sqlite::{self, SqliteStore},
};
use sqlx::{ConnectOptions as _, Connection as _, migrate::Migrator, sqlite::SqliteConnectOptions};
use std::path::Path;

/// A database at schema 1 with Alice.
async fn make(path: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let first = "0001_accounts_and_lists.sql";
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    std::fs::copy(migrations.join(first), folder.path().join(first)).unwrap();
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut conn = options.connect().await.unwrap();
    Migrator::new(folder.path()).await.unwrap().run_direct(None, &mut conn, false).await.unwrap();
    let alice = "INSERT INTO accounts
                     (address, name, password, list_version, privacy, prompt, created_at)
                 VALUES ('alice@example.test', 'Alice', 'x', 7, 'AL', 'A', 1)";
    sqlx::query(alice).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}

async fn applied(path: &Path) -> i64 {
    sqlite::schema_status(path).await.unwrap().applied
}

#[tokio::test]
async fn an_old_database_is_brought_up_when_it_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let options = sqlite_options(folder.path());
    make(&options.path).await;
    assert_eq!(applied(&options.path).await, 1);
    let store = SqliteStore::open(options.clone()).await.unwrap();
    let status = store.schema().await.unwrap();
    assert!(status.applied >= 2 && status.applied == status.known, "{status:?}");
    let alice = store.account(&address("alice")).await.unwrap();
    assert_eq!((alice.list_version, alice.mailbox), (7, None));
    assert!(!store.sign_in(alice.id).await.unwrap().has_alerts);
    store.set_mailbox(&address("alice"), true).await.unwrap();
    store.create_accounts(vec![new_account("bob")]).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn a_backup_leaves_an_old_database_and_its_copy_at_their_schema() {
    let folder = tempfile::tempdir().unwrap();
    let (path, target) = (sqlite_options(folder.path()).path, folder.path().join("copy.sqlite"));
    make(&path).await;
    let before = std::fs::read(&path).unwrap();
    sqlite::backup(&path, &target).await.unwrap();
    assert_eq!((applied(&path).await, applied(&target).await), (1, 1));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let again = sqlite::backup(&path, &target).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
}

/// What a stale build would miss.
#[test]
fn every_migration_is_compiled_in() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    let last = folder.read_dir().unwrap().map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        name.split('_').next().unwrap().parse::<i64>().unwrap()
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let empty = tempfile::tempdir().unwrap();
    let path = empty.path().join("empty.sqlite");
    std::fs::write(&path, []).unwrap();
    let status = runtime.block_on(sqlite::schema_status(&path)).unwrap();
    assert_eq!(Some(status.known), last.max());
}
