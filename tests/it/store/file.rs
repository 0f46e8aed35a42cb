//! What only a database file can show: it survives, is refused when too new, can be copied and
//! shared between processes.

use super::{LIMITS, add, add_as, address, group, name, new_account, sqlite_options};
use msnd::{
    config::Synchronous,
    model::{Edit, List, ListBits, Privacy, PropertyKey},
    store::{
        EditError, SchemaStatus, Store, StoreError,
        sqlite::{self, OpenError, SqliteOptions, SqliteStore},
    },
};
use std::{path::Path, sync::Arc};
use tokio::task::JoinSet;

async fn open(folder: &Path) -> SqliteStore {
    SqliteStore::open(sqlite_options(folder)).await.unwrap()
}

/// Plain SQL on the file, as a second process.
async fn meddle(folder: &Path, sql: &'static str) {
    use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};
    let path = folder.join("msnd.sqlite");
    let mut conn = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
}

fn quiet() -> msnd::store::Publish {
    Box::new(|_| ())
}

#[tokio::test]
async fn everything_is_found_again_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions { synchronous: Synchronous::Full, ..sqlite_options(folder.path()) };
    let store = SqliteStore::open(options.clone()).await.unwrap();
    store.create_accounts(["alice", "bob"].map(new_account).into()).await.unwrap();
    let alice = store.account(&address("alice")).await.unwrap().id;
    for edit in [
        Edit::AddGroup { name: name("Friends") },
        add_as(List::Forward, "bob", "Bobby", group(1)),
        add(List::Allow, "bob"),
        Edit::SetPrivacy(Privacy::BlockOthers),
        Edit::SetProperty { key: PropertyKey::HomePhone, value: Some("46 8".to_owned()) },
        Edit::Rename { name: name("Al") },
    ] {
        store.edit(alice, edit, quiet()).await.unwrap();
    }
    let roster = store.roster(alice).await.unwrap();
    // Not closed: as if the process had been killed now. The old one still has the file open.
    let copies = [tempfile::tempdir().unwrap(), folder];
    for side in ["", "-wal"] {
        let file = format!("msnd.sqlite{side}");
        std::fs::copy(copies[1].path().join(&file), copies[0].path().join(&file)).unwrap();
    }
    for copy in &copies {
        let again = open(copy.path()).await;
        assert_eq!(again.roster(alice).await.unwrap(), roster);
        assert_eq!(again.account(&address("alice")).await.unwrap().name, name("Al"));
        again.close().await;
    }
}

#[tokio::test]
async fn a_closed_store_is_one_file_and_answers_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    store.create_accounts(vec![new_account("alice")]).await.unwrap();
    let alice = store.account(&address("alice")).await.unwrap().id;
    store.close().await;
    let files: Vec<_> =
        folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["msnd.sqlite"]);

    assert!(matches!(store.roster(alice).await, Err(StoreError::Unavailable(_))));
    let edit = store.edit(alice, Edit::Rename { name: name("Al") }, quiet()).await;
    assert!(matches!(edit, Err(EditError::Store(StoreError::Unavailable(_)))));
    let made = store.create_accounts(vec![new_account("bob")]).await;
    assert!(matches!(made, Err(StoreError::Unavailable(_))));
    store.close().await;
    assert_eq!(open(folder.path()).await.accounts().await.unwrap().len(), 1);
}

#[tokio::test]
async fn closing_does_what_was_asked_before() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(folder.path()).await);
    let made = store.create_accounts(vec![new_account("alice")]);
    let (made, ()) = tokio::join!(made, store.close());
    made.unwrap();
    assert_eq!(open(folder.path()).await.accounts().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let SchemaStatus { applied, known, .. } = store.schema().await.unwrap();
    assert_eq!(applied, known);
    store.close().await;
    meddle(
        folder.path(),
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9000, 'from the future', TRUE, x'00', 0)",
    )
    .await;
    let options = sqlite_options(folder.path());
    for refused in [
        SqliteStore::open(options.clone()).await.map(drop),
        sqlite::migrate(&options).await.map(drop),
    ] {
        let error = refused.unwrap_err();
        assert!(matches!(error, OpenError::Newer { applied: 9000, .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("version 9000") && text.contains("run the newer msnd"), "{text}");
        assert!(text.contains(&format!("up to {known} only")), "{text}");
        assert!(text.contains("msnd.sqlite"), "{text}");
    }
    let status = sqlite::schema_status(&options.path).await.unwrap();
    assert_eq!((status.applied, status.known), (9000, known), "looking is no harm");
}

#[tokio::test]
async fn a_database_is_made_only_if_that_was_asked() {
    let folder = tempfile::tempdir().unwrap();
    let options =
        SqliteOptions { create: false, ..sqlite_options(&folder.path().join("data/deep")) };
    let opened = SqliteStore::open(options.clone()).await.map(drop);
    assert!(matches!(opened, Err(OpenError::Missing { .. })), "{opened:?}");
    let looked = sqlite::schema_status(&options.path).await;
    assert!(matches!(looked, Err(OpenError::Missing { .. })), "{looked:?}");
    assert!(!options.path.exists());

    let status = sqlite::migrate(&SqliteOptions { create: true, ..options.clone() }).await.unwrap();
    assert!(status.applied > 0 && status.applied == status.known);
    assert_eq!(status.database, options.path.display().to_string());
    SqliteStore::open(options).await.unwrap();
}

#[tokio::test]
async fn looking_at_the_schema_applies_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let options = sqlite_options(folder.path());
    // An empty file is an empty database.
    std::fs::write(&options.path, []).unwrap();
    for _ in 0..2 {
        let status = sqlite::schema_status(&options.path).await.unwrap();
        assert!(status.applied == 0 && status.known > 0, "{status:?}");
    }
    let status = sqlite::migrate(&options).await.unwrap();
    assert_eq!(status.applied, status.known);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let options = sqlite_options(folder.path());
    std::fs::write(&options.path, "[[user]] this is some other file altogether\n").unwrap();
    let error = SqliteStore::open(options).await.map(drop).unwrap_err();
    assert!(matches!(error, OpenError::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().contains("msnd.sqlite"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_can_read_the_file_or_a_backup() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    store.create_accounts(vec![new_account("alice")]).await.unwrap();
    store.backup(&folder.path().join("copy")).await.unwrap();
    for entry in folder.path().read_dir().unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{entry:?} has mode {mode:o}");
    }
}

#[tokio::test]
async fn a_second_process_may_write_too() {
    let folder = tempfile::tempdir().unwrap();
    let (server, tool) = (open(folder.path()).await, open(folder.path()).await);
    server.create_accounts(["alice", "bob"].map(new_account).into()).await.unwrap();
    let alice = server.account(&address("alice")).await.unwrap().id;
    for round in 0..10 {
        let who = format!("tool{round}");
        let made = tool.create_accounts(vec![new_account(&who)]);
        let edit = Edit::Rename { name: name(&who) };
        let (made, renamed) = tokio::join!(made, server.edit(alice, edit, quiet()));
        made.unwrap();
        renamed.unwrap();
        server.account(&address(&who)).await.unwrap();
    }
    tool.remove_account(&address("alice")).await.unwrap();
    let late = server.edit(alice, Edit::Rename { name: name("Al") }, quiet()).await;
    assert!(matches!(late, Err(EditError::Store(StoreError::NotFound))), "{late:?}");
}

#[tokio::test]
async fn two_processes_may_start_on_nothing_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut opening = JoinSet::new();
    for _ in 0..4 {
        opening.spawn(SqliteStore::open(sqlite_options(folder.path())));
    }
    for store in opening.join_all().await {
        let status = store.unwrap().schema().await.unwrap();
        assert_eq!(status.applied, status.known);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_beside_writes_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(folder.path()).await);
    store.create_accounts(["alice", "bob"].map(new_account).into()).await.unwrap();
    let alice = store.account(&address("alice")).await.unwrap().id;
    let bob = store.account(&address("bob")).await.unwrap().id;
    let copies = tempfile::tempdir().unwrap();
    let writer = Arc::clone(&store);
    let writing = async move {
        for _ in 0..30 {
            writer.edit(alice, add(List::Forward, "bob"), quiet()).await.unwrap();
            writer.edit(alice, super::remove(List::Forward, "bob"), quiet()).await.unwrap();
        }
    };
    let saving = async {
        for number in 0..3 {
            let target = copies.path().join(number.to_string()).join("msnd.sqlite");
            std::fs::create_dir(target.parent().unwrap()).unwrap();
            store.backup(&target).await.unwrap();
        }
    };
    tokio::join!(writing, saving);
    for number in 0..3 {
        let copy = open(&copies.path().join(number.to_string())).await;
        let version = copy.roster(alice).await.unwrap().version;
        assert_eq!(version, copy.roster(bob).await.unwrap().version);
        let forward = copy.sign_in(alice).await.unwrap().circle.forward;
        assert_eq!(forward.len(), usize::from(version % 2 == 0));
    }
}

#[tokio::test]
async fn a_backup_never_overwrites() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let target = folder.path().join("backup");
    std::fs::write(&target, "").unwrap();
    for target in [&target, &folder.path().join("msnd.sqlite")] {
        let refused = store.backup(target).await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    }
    assert_eq!(std::fs::read(&target).unwrap(), b"");
    let nowhere = store.backup(&folder.path().join("no/such/folder")).await;
    assert!(matches!(nowhere, Err(StoreError::Unavailable(_))), "{nowhere:?}");
    let left = folder.path().read_dir().unwrap().filter_map(Result::ok);
    let left: Vec<_> =
        left.filter(|entry| entry.file_name().to_string_lossy().starts_with('.')).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn limits_come_from_the_options() {
    let folder = tempfile::tempdir().unwrap();
    let limits = msnd::model::roster::RosterLimits { forward_max: 0, ..LIMITS };
    let options = SqliteOptions { limits, ..sqlite_options(folder.path()) };
    let store = SqliteStore::open(options).await.unwrap();
    store.create_accounts(["alice", "bob"].map(new_account).into()).await.unwrap();
    let alice = store.account(&address("alice")).await.unwrap().id;
    let full = store.edit(alice, add(List::Forward, "bob"), quiet()).await;
    let Err(EditError::Refused(refusal)) = full else { panic!("{full:?}") };
    assert_eq!(refusal, msnd::model::Refusal::ListFull);
    store.edit(alice, add(List::Allow, "bob"), quiet()).await.unwrap();
    let roster = store.roster(alice).await.unwrap();
    assert_eq!(roster.contacts[0].lists, ListBits::ALLOW);
}
