//! A process that stores alerts, killed in the middle of its work: every alert that was
//! acknowledged before is delivered afterwards, by the real binary. What is killed is a child of
//! this test binary, which sends through the library as a server does.

use super::{ALICE, BOB, alert};
use crate::{process::child::Home, support::server::new_account};
use msnd::{
    alert::{Alerts, Recipients},
    config,
    hub::Hub,
    model::{Address, roster::RosterLimits},
    store::{
        Store,
        sqlite::{SqliteOptions, SqliteStore},
    },
};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

/// Names the database to the process that is killed.
const DATABASE: &str = "ALERTS_KILLED_DATABASE";
const ROUNDS: usize = 5;
/// As many as may wait, for each of two people.
const WAITING_MAX: u32 = 1000;

fn options(path: PathBuf) -> SqliteOptions {
    SqliteOptions {
        path,
        synchronous: config::Synchronous::Full,
        readers: 1,
        limits: RosterLimits::default(),
        create: false,
    }
}

/// The process that is killed. Sends alerts for ever and says which were acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a child of the test below"]
async fn sends_alerts_until_it_is_killed() {
    let Some(database) = std::env::var_os(DATABASE) else { return };
    let store = Arc::new(SqliteStore::open(options(database.into())).await.unwrap());
    let limits =
        config::Alerts { waiting_per_account_max: WAITING_MAX, ..config::Alerts::default() };
    let alerts = Alerts::new(store, Hub::new(16), &limits);
    let senders = [ALICE, BOB].map(|user| {
        let alerts = alerts.clone();
        async move {
            for number in 0.. {
                let to = Recipients::One(Address::parse(user).unwrap());
                let accepted = alerts.send_alert(to, alert(&format!("{number}")), None).await;
                let Ok(accepted) = accepted else { return };
                // In one piece, or the last line might be half a one.
                let line = format!("acknowledged {user} {}\n", accepted.id);
                std::io::stderr().write_all(line.as_bytes()).unwrap();
            }
        }
    });
    let [alice, bob] = senders;
    tokio::join!(alice, bob);
    std::future::pending::<()>().await;
}

#[test]
fn what_was_acknowledged_before_the_process_was_killed_is_delivered() {
    for round in 0..ROUNDS {
        let home = Home::new();
        home.manage("db migrate", "");
        let database = home.data_dir().join("msnd.sqlite");
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let store = SqliteStore::open(options(database.clone())).await.unwrap();
            store.create_accounts([ALICE, BOB].map(new_account).into()).await.unwrap();
            store.close().await;
        });
        let acknowledged = kill_after(&database, 10 + 37 * round);
        let waiting = "alerts.waiting_per_account_max=1000";
        let server = home.keeping(&[waiting]);
        for user in [ALICE, BOB] {
            let mut client = server.sign_in(user, crate::support::server::PASSWORD);
            client.send("CHG 5 NLN 0");
            let ids = ids(&mut client);
            let of_user = acknowledged.iter().filter(|(name, _)| name == user);
            for (_, id) in of_user {
                assert!(ids.contains(id), "alert {id} of {user} was acknowledged and is lost");
            }
            assert!(ids.is_sorted(), "{ids:?}");
        }
    }
}

/// Runs the sender until it has acknowledged so many, then kills it; all that it acknowledged.
fn kill_after(database: &Path, count: usize) -> Vec<(String, u64)> {
    let mut sender = Command::new(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "--nocapture",
            "alerts::killed::sends_alerts_until_it_is_killed",
        ])
        .env(DATABASE, database)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(sender.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut acknowledged = Vec::new();
    for line in lines {
        if let Some(rest) = line.strip_prefix("acknowledged ") {
            let (user, id) = rest.split_once(' ').unwrap();
            acknowledged.push((user.to_owned(), id.parse().unwrap()));
        }
        if acknowledged.len() == count {
            // SIGKILL; what it still said before comes through the pipe.
            sender.kill().unwrap();
        }
    }
    sender.wait().unwrap();
    assert!(acknowledged.len() >= count, "it ended by itself");
    acknowledged
}

/// The numbers of all alerts up to the answer to a ping.
fn ids(client: &mut crate::support::Client) -> Vec<u64> {
    client.send("PNG");
    let mut ids = Vec::new();
    loop {
        let line = client.line_but_challenge();
        if line.starts_with("QNG") {
            return ids;
        }
        let Some(bytes) = line.strip_prefix("NOT ") else { continue };
        let document = String::from_utf8(client.payload(bytes.parse().unwrap())).unwrap();
        let (_, rest) = document.split_once(" id=\"").unwrap();
        ids.push(rest.split_once('"').unwrap().0.parse().unwrap());
    }
}
