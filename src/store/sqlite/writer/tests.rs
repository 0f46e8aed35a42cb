//! How many commits there are, and what becomes of the jobs of one when the database fails; the
//! rest of the store's tests are the conformance suite.

use super::*;
use crate::{
    config::Synchronous,
    model::{GroupId, List, Name, Privacy, Prompt, PropertyKey, Refusal},
    store::sqlite::{read, schema},
};
use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// A scribe over a file with all [`PEOPLE`], and a connection to make trouble with.
struct Bench {
    scribe: Scribe,
    saboteur: SqliteConnection,
    published: Arc<Mutex<Vec<Applied>>>,
    _folder: tempfile::TempDir,
}

/// The first is number 1.
const PEOPLE: [&str; 8] = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"];
const ALICE: AccountId = AccountId(1);
const BOB: AccountId = AccountId(2);
const CAROL: AccountId = AccountId(3);

impl Bench {
    async fn new(sabotage: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        let connect = schema::connect_options(&path, Synchronous::Off, Duration::from_millis(20))
            .create_if_missing(true);
        let conn = schema::open_migrated(&path, &connect).await.unwrap();
        let mut scribe = Scribe {
            conn: Some(conn),
            connect: connect.clone(),
            limits: RosterLimits::default(),
            meters: StoreMeters::default(),
        };
        let accounts = PEOPLE.map(|who| {
            let address = Address::parse(&format!("{who}@example.test")).unwrap();
            NewAccount::new(address, Name::new(who).unwrap(), PasswordHash("x".into()))
        });
        let (answer, answered) = oneshot::channel();
        scribe.run(vec![(Write::Create(accounts.into()), Reply::Accounts(answer))]).await;
        answered.await.unwrap().unwrap();
        let mut saboteur = connect.connect().await.unwrap();
        sqlx::raw_sql(sabotage).execute(&mut saboteur).await.unwrap();
        Self { scribe, saboteur, published: Arc::default(), _folder: folder }
    }

    /// Commits these edits together.
    async fn run<const N: usize>(
        &mut self,
        edits: [(AccountId, Edit); N],
    ) -> [Result<Applied, EditError>; N] {
        let (mut jobs, mut answers) = (Vec::new(), Vec::new());
        for (owner, edit) in edits {
            let (answer, answered) = oneshot::channel();
            let published = Arc::clone(&self.published);
            let publish = Box::new(move |applied: &Applied| published.lock().push(applied.clone()));
            jobs.push((Write::Edit(owner, edit), Reply::Edit(publish, answer)));
            answers.push(answered);
        }
        self.scribe.run(jobs).await;
        let mut outcomes = Vec::new();
        for answer in answers {
            outcomes.push(answer.await.unwrap());
        }
        outcomes.try_into().unwrap()
    }

    /// Counts the commits of the scribe's connection from now on.
    async fn commits(&mut self) -> Arc<AtomicUsize> {
        let commits = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&commits);
        let conn = self.scribe.conn.as_mut().unwrap();
        conn.lock_handle().await.unwrap().set_commit_hook(move || {
            counter.fetch_add(1, Ordering::SeqCst);
            true
        });
        commits
    }

    async fn version(&mut self, of: AccountId) -> u32 {
        read::roster(&mut self.saboteur, of).await.unwrap().version
    }

    fn publishers(&self) -> Vec<AccountId> {
        self.published.lock().iter().map(|applied| applied.owner).collect()
    }
}

fn rename(to: &str) -> Edit {
    Edit::Rename { name: Name::new(to).unwrap() }
}

fn unavailable(outcome: &Result<Applied, EditError>) -> bool {
    matches!(outcome, Err(EditError::Store(StoreError::Unavailable(_))))
}

#[tokio::test]
async fn every_edit_is_one_commit_whatever_it_concerns() {
    let mut bench = Bench::new("").await;
    let commits = bench.commits().await;
    let (name, bob) = (Name::new("N").unwrap(), Address::parse("bob@example.test").unwrap());
    let (group, list) = (GroupId::new(1).unwrap(), List::Forward);
    let add =
        |name: &Name, group| Edit::Add { list, contact: bob.clone(), name: name.clone(), group };
    let edits = [
        Edit::AddGroup { name: name.clone() },
        add(&name, None),
        add(&name, Some(group)),
        Edit::RenameContact { contact: bob.clone(), name: Name::new("B").unwrap() },
        Edit::RenameGroup { group, name: Name::new("G").unwrap() },
        Edit::Remove { list, contact: bob.clone(), group: Some(GroupId::ZERO) },
        // Takes Bob along, and Alice off his reverse list.
        Edit::RemoveGroup { group },
        add(&name, None),
        Edit::Remove { list, contact: bob.clone(), group: None },
        Edit::Rename { name },
        Edit::SetPrivacy(Privacy::BlockOthers),
        Edit::SetPrompt(Prompt::Never),
        Edit::SetProperty { key: PropertyKey::HomePhone, value: Some("1".to_owned()) },
    ];
    for (done, edit) in edits.into_iter().enumerate() {
        let text = format!("{edit:?}");
        let [outcome] = bench.run([(ALICE, edit)]).await;
        assert_eq!(outcome.unwrap().version as usize, done + 2, "{text}");
        assert_eq!(commits.load(Ordering::SeqCst), done + 1, "{text}");
    }
}

/// Dozens of edits share a commit, and lists are so short that they are full at times.
#[tokio::test]
async fn edits_that_share_a_commit_come_to_what_they_would_alone() {
    compare::<32>(2, 3, 40).await;
}

/// Lists are longer than a commit could make them, so that they are not counted while they are
/// short, and become full after that.
#[tokio::test]
async fn edits_that_share_a_commit_come_to_what_they_would_alone_near_a_limit_and_far_from_it() {
    compare::<3>(6, PEOPLE.len(), 500).await;
}

/// Two files, the same edits of three people who know each other and some more: in one each edit
/// has a commit of its own, in the other `SHARED` share one. Lists become longer for some rounds,
/// then shorter.
async fn compare<const SHARED: usize>(limit: u32, people: usize, rounds: usize) {
    let (mut apart, mut together) = (Bench::new("").await, Bench::new("").await);
    let limits = RosterLimits { forward_max: limit, allow_block_max: limit };
    (apart.scribe.limits, together.scribe.limits) = (limits, limits);
    let mut state = 6_u64;
    // The upper bits of a linear congruential generator.
    let mut below = move |end: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (state >> 33) as usize % end
    };
    // Made, refused because a list was full, refused.
    let mut outcomes_of_kinds = [0, 0, 0];
    for round in 0..rounds {
        let removals = if (round * SHARED / 256).is_multiple_of(2) { 8..20 } else { 8..57 };
        let edits: [_; SHARED] = std::array::from_fn(|_| {
            let owner = [ALICE, BOB, CAROL][below(3)];
            let who = PEOPLE[..people].get(below(people + 1)).unwrap_or(&"nobody");
            let contact = Address::parse(&format!("{who}@example.test")).unwrap();
            let list = [List::Forward, List::Forward, List::Allow, List::Block][below(4)];
            let group = [None, GroupId::new(0), GroupId::new(1)][below(3)];
            let group = group.filter(|_| list == List::Forward);
            let name = Name::new(&format!("N{}", below(3))).unwrap();
            let edit = match below(60) {
                0 => Edit::AddGroup { name },
                1 => Edit::RemoveGroup { group: GroupId::new(1).unwrap() },
                2 => Edit::Rename { name },
                3..8 => Edit::RenameContact { contact, name },
                kind if removals.contains(&kind) => Edit::Remove { list, contact, group },
                _ => Edit::Add { list, contact, name, group },
            };
            (owner, edit)
        });
        let mut expected = Vec::new();
        for edit in edits.clone() {
            let [outcome] = apart.run([edit]).await;
            let kind = match &outcome {
                Ok(_) => 0,
                Err(EditError::Refused(Refusal::ListFull)) => 1,
                Err(_) => 2,
            };
            outcomes_of_kinds[kind] += 1;
            expected.push(format!("{outcome:?}"));
        }
        let outcomes = together.run(edits.clone()).await.map(|outcome| format!("{outcome:?}"));
        for ((edit, outcome), expected) in edits.iter().zip(&outcomes).zip(&expected) {
            assert_eq!(outcome, expected, "{round}: {edit:?} of {edits:?}");
        }
        for who in (1..=PEOPLE.len() as u64).map(AccountId) {
            let a = read::roster(&mut apart.saboteur, who).await.unwrap();
            let b = read::roster(&mut together.saboteur, who).await.unwrap();
            assert_eq!(a, b, "{round}: {who:?} after {edits:?}");
        }
    }
    assert!(outcomes_of_kinds.iter().all(|count| *count > 40), "{outcomes_of_kinds:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edits_that_come_while_the_writer_is_busy_share_one_commit() {
    const WAITING: usize = 200;
    let mut bench = Bench::new("").await;
    let commits = bench.commits().await;
    let (tasks, conn) = (TaskTracker::new(), bench.scribe.conn.take().unwrap());
    let connect = bench.scribe.connect.clone();
    let writer =
        Writer::start(&tasks, conn, connect, RosterLimits::default(), StoreMeters::default());
    let (begin, begun) = oneshot::channel();
    let (release, held) = std::sync::mpsc::channel::<()>();
    let mut answers = Vec::new();
    let mut queue = |owner, edit, publish| {
        let (answer, answered) = oneshot::channel();
        writer.jobs.try_send((Write::Edit(owner, edit), Reply::Edit(publish, answer))).unwrap();
        answers.push(answered);
    };
    // The writer is kept in the publication of this one, until all others wait.
    let publish = Box::new(move |_: &Applied| {
        begin.send(()).unwrap();
        held.recv().unwrap();
    });
    queue(ALICE, rename("First"), publish);
    begun.await.unwrap();
    let published = Arc::clone(&bench.published);
    for number in 0..WAITING {
        let published = Arc::clone(&published);
        let publish = Box::new(move |applied: &Applied| published.lock().push(applied.clone()));
        queue([ALICE, BOB, CAROL][number % 3], rename(&number.to_string()), publish);
    }
    release.send(()).unwrap();
    for answer in answers {
        answer.await.unwrap().unwrap();
    }
    assert_eq!(commits.load(Ordering::SeqCst), 2);
    let expected: Vec<_> = (0..WAITING).map(|number| [ALICE, BOB, CAROL][number % 3]).collect();
    assert_eq!(bench.publishers(), expected, "in the order in which they came");
}

#[tokio::test]
async fn a_failed_commit_fails_every_job_and_publishes_none() {
    let mut bench = Bench::new(
        "CREATE TABLE never (id INTEGER PRIMARY KEY);
         CREATE TABLE doom (id INTEGER REFERENCES never (id) DEFERRABLE INITIALLY DEFERRED);
         CREATE TRIGGER doomed AFTER UPDATE OF name ON accounts WHEN new.name = 'Doomed'
         BEGIN INSERT INTO doom VALUES (1); END",
    )
    .await;
    let [a, b, c] =
        bench.run([(ALICE, rename("A")), (BOB, rename("Doomed")), (CAROL, rename("C"))]).await;
    assert!(unavailable(&a) && unavailable(&b) && unavailable(&c), "{a:?} {b:?} {c:?}");
    assert_eq!(bench.publishers(), []);
    assert_eq!(bench.version(ALICE).await, 1);

    let [a] = bench.run([(ALICE, rename("A"))]).await;
    assert_eq!(a.unwrap().version, 2, "the writer recovers");
    assert_eq!(bench.publishers(), [ALICE]);
}

#[tokio::test]
async fn a_job_that_breaks_the_transaction_does_not_take_its_neighbours_with_it() {
    let mut bench = Bench::new(
        "CREATE TRIGGER bad AFTER UPDATE OF name ON accounts WHEN new.name = 'Bad'
         BEGIN SELECT RAISE(ROLLBACK, 'bad'); END",
    )
    .await;
    let [a, b, c] =
        bench.run([(ALICE, rename("A")), (BOB, rename("Bad")), (CAROL, rename("C"))]).await;
    assert_eq!(a.unwrap().version, 2);
    assert!(unavailable(&b), "{b:?}");
    assert_eq!(c.unwrap().version, 2);
    assert_eq!(bench.publishers(), [ALICE, CAROL]);
    assert_eq!((bench.version(ALICE).await, bench.version(BOB).await), (2, 1));
}

/// What edits of contacts come to is written by three statements: entries go, entries come,
/// versions rise. Each fails in its turn at the last row that Bob's edit has in it, and `FAIL`
/// leaves what his and his neighbours' have before that row, until all is taken back.
#[tokio::test]
async fn a_save_that_fails_halfway_keeps_nothing_of_its_edit_and_all_of_its_neighbours() {
    let who = |who| Address::parse(&format!("{who}@example.test")).unwrap();
    let (list, group) = (List::Forward, None);
    let name = Name::new("N").unwrap();
    let add = |whom| Edit::Add { list, contact: who(whom), name: name.clone(), group };
    let remove = |whom| Edit::Remove { list, contact: who(whom), group };
    let goes = "AFTER DELETE ON contacts WHEN old.owner_id = 3 AND old.contact_id = 2";
    let comes = "AFTER INSERT ON contacts WHEN new.owner_id = 3 AND new.contact_id = 2";
    let rises = "AFTER UPDATE OF list_version ON accounts WHEN new.id = 3 AND NOT EXISTS
                     (SELECT 1 FROM contacts WHERE owner_id = 2 AND contact_id = 3)";
    for (before, bad, fails) in [
        (add("carol"), remove("carol"), goes),
        (Edit::Touch, add("carol"), comes),
        (add("carol"), remove("carol"), rises),
    ] {
        let (mut plain, mut bench) = (Bench::new("").await, Bench::new("").await);
        for bench in [&mut plain, &mut bench] {
            for made in bench.run([(ALICE, add("carol")), (BOB, before.clone())]).await {
                made.unwrap();
            }
        }
        let trigger =
            format!("CREATE TRIGGER bad {fails} BEGIN SELECT RAISE(FAIL, 'told to'); END");
        sqlx::raw_sql(sqlx::AssertSqlSafe(trigger)).execute(&mut bench.saboteur).await.unwrap();
        let (alices, carols) = ((ALICE, remove("carol")), (CAROL, add("alice")));
        let expected = plain.run([alices.clone(), carols.clone()]).await;
        let [a, b, c] = bench.run([alices, (BOB, bad.clone()), carols]).await;
        assert!(unavailable(&b), "{fails}: {b:?}");
        assert_eq!(format!("{:?}", [a, c]), format!("{expected:?}"), "{fails}");
        assert_eq!(bench.publishers(), [ALICE, BOB, ALICE, CAROL], "{fails}");
        for who in [ALICE, BOB, CAROL] {
            let expected = read::roster(&mut plain.saboteur, who).await.unwrap();
            let kept = read::roster(&mut bench.saboteur, who).await.unwrap();
            assert_eq!(kept, expected, "{fails}");
        }
        sqlx::raw_sql("DROP TRIGGER bad").execute(&mut bench.saboteur).await.unwrap();
        let [b] = bench.run([(BOB, bad)]).await;
        b.unwrap();
    }
}

#[tokio::test]
async fn a_database_held_by_somebody_else_is_unavailable_until_it_is_free() {
    let mut bench = Bench::new("BEGIN IMMEDIATE").await;
    let [a] = bench.run([(ALICE, rename("A"))]).await;
    assert!(unavailable(&a), "{a:?}");
    assert_eq!(bench.publishers(), []);

    sqlx::raw_sql("ROLLBACK").execute(&mut bench.saboteur).await.unwrap();
    let [a] = bench.run([(ALICE, rename("A"))]).await;
    assert_eq!(a.unwrap().version, 2);
}

#[tokio::test]
async fn a_refused_job_leaves_the_rest_of_its_commit_alone() {
    let mut bench = Bench::new("").await;
    let [a, b, c] = bench
        .run([
            (ALICE, rename("A")),
            (ALICE, Edit::SetPrivacy(Privacy::AllowOthers)),
            (ALICE, Edit::SetPrivacy(Privacy::BlockOthers)),
        ])
        .await;
    assert_eq!(a.unwrap().version, 2);
    assert!(matches!(b, Err(EditError::Refused(_))), "{b:?}");
    assert_eq!(c.unwrap().version, 3);
    assert_eq!(bench.publishers(), [ALICE, ALICE]);
}

#[tokio::test]
async fn a_panicking_publisher_does_not_end_the_writer() {
    let mut bench = Bench::new("").await;
    let (answer, answered) = oneshot::channel();
    let publish: Publish = Box::new(|_| panic!("told to"));
    bench.scribe.run(vec![(Write::Edit(ALICE, rename("A")), Reply::Edit(publish, answer))]).await;
    assert_eq!(answered.await.unwrap().unwrap().version, 2);
    let [a] = bench.run([(ALICE, rename("B"))]).await;
    assert_eq!(a.unwrap().version, 3);
}
