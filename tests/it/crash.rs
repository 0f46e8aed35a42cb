//! The real binary, killed with SIGKILL while many clients edit lists that mirror each other: what
//! was acknowledged is there afterwards, nothing is there by half, and reverse lists are true.
//!
//! A killed process loses nothing that the system has taken; that the disk has it too is what
//! `synchronous = "full"` and SQLite are for, and only power loss would show it.

mod player;

use crate::{
    process::child::{Home, Server},
    support::{book::Book, random::Random, server::new_account},
};
use msnd::{
    config::Synchronous,
    model::{ListBits, Roster, roster::RosterLimits},
    store::{
        Store,
        sqlite::{SqliteOptions, SqliteStore},
    },
};
use parking_lot::Mutex;
use player::Player;
use std::{
    collections::BTreeMap,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

/// Everybody.
const PEOPLE: [&str; 6] = [
    "alice@example.test",
    "bob@example.test",
    "carol@example.test",
    "dave@example.test",
    "erin@example.test",
    "frank@example.test",
];
/// Rounds on one database, each with what the one before left.
const ROUNDS_PER_DATABASE: u64 = 6;
/// Acknowledged edits of a round, at most.
const EDITS_MAX: u64 = 250;

#[test]
fn a_killed_server_forgets_nothing_it_acknowledged() {
    one_database(1, ROUNDS_PER_DATABASE);
}

/// Hundreds of rounds: as many as `MSND_CRASH_ROUNDS` says, from the seed `MSND_CRASH_SEED` on.
#[test]
#[ignore = "takes minutes; `just crash`"]
fn a_server_killed_hundreds_of_times_forgets_nothing_it_acknowledged() {
    let number = |name, otherwise| {
        std::env::var(name).map_or(otherwise, |value| value.parse::<u64>().expect(name))
    };
    let (rounds, first_seed) = (number("MSND_CRASH_ROUNDS", 300), number("MSND_CRASH_SEED", 100));
    for done in (0..rounds).step_by(usize::try_from(ROUNDS_PER_DATABASE).unwrap()) {
        one_database(first_seed + done, ROUNDS_PER_DATABASE.min(rounds - done));
    }
}

/// Some rounds on a fresh database. What is done follows from the seed; in which order the server
/// does it does not.
fn one_database(seed: u64, rounds: u64) {
    eprintln!("seed {seed}, {rounds} rounds");
    let home = Home::new();
    let file = home.data_dir().join("msnd.sqlite");
    block_on(async {
        let store = open(&file, true).await;
        store.create_accounts(PEOPLE.map(new_account).into()).await.unwrap();
        store.close().await;
    });
    let mut stored = read(&file);
    let mut random = Random::new(seed, 0);
    for round in 0..rounds {
        let fate = Fate::new(start(&home), 1 + random.below(EDITS_MAX));
        let shares = random.below(2) == 0;
        let mut players: Vec<_> = (1..)
            .zip(PEOPLE)
            .map(|(number, user)| {
                let random = Random::new(seed, round << 8 | number);
                Player::new(user, stored[user].clone(), random, shares)
            })
            .collect();
        // Everybody is told of everything from the first edit on.
        players.iter_mut().for_each(|player| player.enter(&fate));
        std::thread::scope(|scope| {
            for player in &mut players {
                scope.spawn(|| player.play(&fate));
            }
        });
        let context = format!("seed {seed}, round {round}");
        if random.below(2) == 0 {
            // The server may find its way back before anybody else looks, and be killed once more.
            drop(start(&home));
        }
        stored = read(&file);
        judge(&players, &stored, &context);
    }
    // And the server, started once more, says the same.
    let fate = Fate::new(start(&home), u64::MAX);
    for user in PEOPLE {
        Player::new(user, stored[user].clone(), Random::new(0, 0), false).enter(&fate);
    }
}

fn start(home: &Home) -> Server {
    home.keeping(&[
        "passport.https_bind=off",
        "store.synchronous=full",
        "limits.renames_per_minute_max=1000",
    ])
}

/// The server and when it is to be killed.
struct Fate {
    server: Mutex<Server>,
    acknowledged: AtomicUsize,
    last: u64,
}

impl Fate {
    fn new(server: Server, last: u64) -> Self {
        Self { server: Mutex::new(server), acknowledged: AtomicUsize::new(0), last }
    }

    /// Somebody has read an acknowledgement.
    fn count(&self) {
        if self.acknowledged.fetch_add(1, Ordering::SeqCst) as u64 + 1 == self.last {
            self.server.lock().kill();
        }
    }
}

/// An account as the file has it.
#[derive(Debug, Clone)]
struct Stored {
    version: u32,
    book: Book,
    roster: Roster,
}

/// Everything that holds of the file, whoever was in the middle of what.
fn judge(players: &[Player], stored: &BTreeMap<&'static str, Stored>, context: &str) {
    let made: Vec<_> = players
        .iter()
        .map(|player| {
            let now = &stored[player.user];
            player.committed(&now.book).unwrap_or_else(|| {
                panic!("{context}: {} has {:#?}\nafter {player:#?}", player.user, now.book)
            })
        })
        .collect();
    for player in players {
        let now = &stored[player.user];
        let (mut watch_changes, mut tellings) = (0, 0);
        for (other, made) in
            players.iter().zip(&made).filter(|(other, _)| other.user != player.user)
        {
            let done = made.iter().filter(|outcome| outcome.turns_to(player.user)).count();
            let heard = player.heard_from(other.user);
            assert!(heard <= done, "{context}: {} heard of what is not there", player.user);
            watch_changes += done;
            tellings += made.iter().filter(|outcome| outcome.told.is_some()).count();
        }
        let own = made[index(player.user)].iter().filter(|outcome| outcome.changes).count();
        let least = player.base.version as usize + own + watch_changes + player.properties_heard;
        let most = least - player.properties_heard + tellings;
        let version = now.version as usize;
        assert!(
            (least..=most).contains(&version) && now.version >= player.version,
            "{context}: {} has version {version}, not {least} to {most}; heard {}\n{players:#?}",
            player.user,
            player.version,
        );
        for (other, theirs) in stored {
            let reverse = is_on(&now.roster, ListBits::REVERSE, other);
            let forward = is_on(&theirs.roster, ListBits::FORWARD, player.user);
            assert_eq!(
                reverse, forward,
                "{context}: {other} on the reverse list of {}",
                player.user
            );
        }
    }
}

fn index(user: &str) -> usize {
    PEOPLE.iter().position(|one| *one == user).unwrap()
}

fn is_on(roster: &Roster, list: ListBits, user: &str) -> bool {
    roster.contacts.iter().any(|known| known.address.as_str() == user && known.lists.has(list))
}

/// What the file holds after SQLite has found its way back.
fn read(file: &Path) -> BTreeMap<&'static str, Stored> {
    block_on(async {
        let store = open(file, false).await;
        let exported = store.export(None).await.unwrap();
        store.close().await;
        let check: String = {
            use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};
            let mut conn = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
            sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut conn).await.unwrap()
        };
        assert_eq!(check, "ok");
        exported
            .into_iter()
            .map(|(account, roster)| {
                let user = PEOPLE[index(account.address.as_str())];
                let book = Book::stored(user, account.name.as_str(), &roster);
                (user, Stored { version: roster.version, book, roster })
            })
            .collect()
    })
}

async fn open(file: &Path, create: bool) -> SqliteStore {
    let options = SqliteOptions {
        path: file.to_owned(),
        synchronous: Synchronous::Full,
        readers: 1,
        limits: RosterLimits::default(),
        create,
    };
    SqliteStore::open(options).await.unwrap()
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}
