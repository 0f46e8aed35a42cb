//! Reading for many at once: everybody gets its own, whatever becomes of the others.

use super::*;
use crate::{
    config::Synchronous,
    model::{Address, Name, roster::RosterLimits},
    store::{
        NewAccount, PasswordHash, Store as _,
        sqlite::{SqliteOptions, SqliteStore},
    },
};
use sqlx::{ConnectOptions as _, SqliteConnection};
use tokio::task::JoinSet;

const NAMES: [&str; 3] = ["alice", "bob", "carol"];
const NOBODY: u64 = 99;

/// A store with one reader and three accounts, 1 to 3, and a connection to make trouble with.
async fn store() -> (SqliteStore, SqliteConnection, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(SqliteOptions {
        path: folder.path().join("db"),
        synchronous: Synchronous::Off,
        readers: 1,
        limits: RosterLimits::default(),
        create: true,
    });
    let store = store.await.unwrap();
    let accounts = NAMES.map(|who| {
        let address = Address::parse(&format!("{who}@example.test")).unwrap();
        NewAccount::new(address, Name::new(who).unwrap(), PasswordHash("x".into()))
    });
    store.create_accounts(accounts.into()).await.unwrap();
    let saboteur = store.connect.connect().await.unwrap();
    (store, saboteur, folder)
}

/// Who was read for each of these, all asked for at once; the reason if nobody.
async fn read(store: &SqliteStore, ids: &[u64]) -> Vec<String> {
    let mut reads = JoinSet::new();
    for (at, id) in ids.iter().copied().enumerate() {
        let sign_ins = store.sign_ins.clone();
        reads.spawn(async move { (at, sign_ins.read(AccountId(id)).await) });
    }
    let mut all = reads.join_all().await;
    all.sort_unstable_by_key(|(at, _)| *at);
    let described = all.into_iter().map(|(_, read)| match read {
        Ok(read) => read.account.name.as_str().to_owned(),
        Err(StoreError::NotFound) => "nobody".to_owned(),
        Err(error) => error.to_string(),
    });
    described.collect()
}

async fn run(saboteur: &mut SqliteConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(saboteur).await.unwrap();
}

#[tokio::test]
async fn everybody_gets_its_own() {
    let (store, _, _folder) = store().await;
    let asked = [3, NOBODY, 1, 1, 2, NOBODY];
    let expected = ["carol", "nobody", "alice", "alice", "bob", "nobody"];
    assert_eq!(read(&store, &asked).await, expected);
    // More than one statement reads.
    let many: Vec<_> = (0..3 * BATCH_MAX).map(|n| n as u64 % 3 + 1).collect();
    let expected: Vec<_> = (0..3 * BATCH_MAX).map(|n| NAMES[n % 3]).collect();
    assert_eq!(read(&store, &many).await, expected);
    let queue = store.sign_ins.queue.lock();
    assert_eq!((queue.waiting.capacity(), queue.is_read), (0, false));
}

#[tokio::test]
async fn those_who_wait_are_read_together_and_the_first_come_first() {
    let (store, _, _folder) = store().await;
    let queue = store.sign_ins.queue.clone();
    let mut shift = Shift { queue: queue.clone(), is_over: false };
    let ids = || 0..BATCH_MAX as u64 + 2;
    queue.lock().waiting.extend(ids().map(|id| {
        let (answer, _) = oneshot::channel();
        Waiting { id: AccountId(id), answer }
    }));
    let batches: Vec<Vec<_>> = std::iter::repeat_with(|| shift.next())
        .take_while(|batch| !batch.is_empty())
        .map(|batch| batch.iter().map(|waiting| waiting.id.0).collect())
        .collect();
    assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [BATCH_MAX, 2]);
    assert_eq!(batches.concat(), ids().collect::<Vec<_>>());
}

#[tokio::test]
async fn one_that_cannot_be_read_is_nobody_elses_trouble() {
    let (store, mut saboteur, _folder) = store().await;
    run(&mut saboteur, "UPDATE accounts SET name = char(7) WHERE id = 2").await;
    let told = read(&store, &[1, 2, 3]).await;
    assert_eq!((&told[0][..], &told[2][..]), ("alice", "carol"));
    assert!(told[1].contains("a stored name is not legal"), "{}", told[1]);
}

#[tokio::test]
async fn a_statement_that_fails_is_told_to_everybody_and_the_next_one_is_read() {
    let (store, mut saboteur, _folder) = store().await;
    run(&mut saboteur, "ALTER TABLE alert_recipients RENAME TO away").await;
    for told in read(&store, &[1, 2, 3]).await {
        assert!(told.contains("no such table"), "{told}");
    }
    run(&mut saboteur, "ALTER TABLE away RENAME TO alert_recipients").await;
    assert_eq!(read(&store, &[1, 2, 3]).await, NAMES);
}

#[tokio::test]
async fn nobody_waits_for_a_reader_that_is_gone() {
    let (store, _, _folder) = store().await;
    let queue = store.sign_ins.queue.clone();
    queue.lock().is_read = true;
    let shift = Shift { queue: queue.clone(), is_over: false };
    let leave = async {
        while queue.lock().waiting.is_empty() {
            tokio::task::yield_now().await;
        }
        drop(shift);
    };
    let (told, ()) = tokio::join!(read(&store, &[1]), leave);
    assert!(told[0].contains("closed"), "{}", told[0]);
    assert_eq!(read(&store, &[1]).await, ["alice"]);
    store.close().await;
    assert!(read(&store, &[1]).await[0].contains("closed"));
}
