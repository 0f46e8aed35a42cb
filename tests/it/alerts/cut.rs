//! Sessions over a line that holds no whole alert: it is known exactly what was handed over when
//! the line is cut.

use super::{ALICE, address, alert};
use crate::{
    store::{LIMITS, sqlite_options},
    support::server::{loopback, new_account},
};
use msnd::{
    alert::{Alerts, Recipients},
    hub::{Facts, Hub, Memo, Person, PostedAlert, SessionId, SignIn, ticket::Tickets},
    metrics::Metrics,
    model::{AccountId, AlertId, Circle, Dialect, Name},
    notification::{Context, Deliveries, Notification},
    session::{SessionLimits, run},
    store::{
        Store,
        sqlite::{SqliteOptions, SqliteStore},
    },
};
use sqlx::{ConnectOptions as _, sqlite::SqliteConnectOptions};
use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Bytes on the way: less than any alert has.
const LINE_HOLDS: usize = 64;
const PATIENCE: Duration = Duration::from_secs(20);

/// The notification role with Alice's account and no sockets.
struct Role {
    context: Arc<Context>,
    alerts: Alerts,
    account: AccountId,
    tasks: TaskTracker,
    sessions: AtomicU64,
    folder: TempDir,
}

impl Role {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteOptions { limits: LIMITS, ..sqlite_options(folder.path()) };
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(options).await.unwrap());
        store.create_accounts(vec![new_account(ALICE)]).await.unwrap();
        let account = store.account(&address(ALICE)).await.unwrap().id;
        let (tasks, config, hub) = (TaskTracker::new(), Arc::new(loopback()), Hub::new(64));
        let alerts = Alerts::new(store.clone(), hub.clone(), &config.alerts);
        let metrics = Arc::new(Metrics::default());
        let context = Context {
            config,
            meters: Notification::meters(&metrics),
            deliveries: Deliveries::start(store.clone(), metrics.news(), &tasks),
            metrics,
            switchboards: None,
            web_port: 80,
            store,
            hub,
            tickets: Arc::new(Tickets::new(Duration::from_secs(60), 8)),
            closing: CancellationToken::new(),
            traced: HashSet::new(),
        };
        let (context, sessions) = (Arc::new(context), AtomicU64::new(1));
        Self { context, alerts, account, tasks, sessions, folder }
    }

    /// Signs Alice in, and reads everything up to the answer to her `CHG` and the challenge.
    async fn present(&self) -> Alice {
        let (ours, theirs) = tokio::io::duplex(LINE_HOLDS);
        let session = SessionId(self.sessions.fetch_add(1, Ordering::Relaxed));
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 1864));
        let role = Notification::new(self.context.clone(), session, anywhere, anywhere);
        let limits = SessionLimits::from(&*self.context.config);
        let served = self.tasks.spawn(run(role, theirs, &[], limits, CancellationToken::new(), ()));
        let mut alice = Alice { line: BufReader::new(ours), served };
        let ticket = self.context.tickets.issue(self.account, &address(ALICE), 1);
        for (sent, answer) in [
            ("VER 1 MSNP9 CVR0", "VER 1"),
            ("USR 2 TWN I alice@example.test", "USR 2 TWN S"),
            (&*format!("USR 3 TWN S {ticket}"), "USR 3 OK"),
        ] {
            alice.ask(sent, answer).await;
        }
        let profile = alice.line().await;
        alice.payload(&profile).await;
        alice.ask("CHG 4 NLN 0", "CHG 4 NLN").await;
        assert!(alice.line().await.starts_with("CHL 0 "));
        alice
    }

    async fn post(&self, text: &str) {
        let to = Recipients::One(address(ALICE));
        self.alerts.send_alert(to, alert(text), None).await.unwrap();
    }

    /// Tells the hub of an alert that need not be in the store.
    fn announce(&self, id: AlertId) {
        let posted = PostedAlert { id, alert: alert("announced"), memo: Memo::default() };
        self.context.hub.post_alert(&[self.account], Arc::new(posted));
    }

    /// What the store still has once every delivery has been taken out of it.
    async fn kept(self) -> usize {
        let Self { context, account, tasks, folder: _folder, .. } = self;
        let store = context.store.clone();
        drop(context);
        tasks.close();
        timeout(PATIENCE, tasks.wait()).await.expect("all sessions end");
        store.waiting_alerts(account, 0).await.unwrap().alerts.len()
    }
}

/// Her end of the line.
struct Alice {
    line: BufReader<DuplexStream>,
    served: JoinHandle<()>,
}

impl Alice {
    async fn ask(&mut self, sent: &str, answer: &str) {
        self.line.write_all(format!("{sent}\r\n").as_bytes()).await.unwrap();
        let line = self.line().await;
        assert!(line.starts_with(answer), "{line}");
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = self.line.read_line(&mut line);
        timeout(PATIENCE, read).await.expect("a line").unwrap();
        line.trim_end().to_owned()
    }

    async fn payload(&mut self, line: &str) -> String {
        let mut payload = vec![0; line.rsplit(' ').next().unwrap().parse().unwrap()];
        self.line.read_exact(&mut payload).await.unwrap();
        String::from_utf8(payload).unwrap()
    }

    /// Reads an alert.
    async fn expect_alert(&mut self, text: &str) {
        let line = self.line().await;
        assert!(line.starts_with("NOT "), "{line}");
        let document = self.payload(&line).await;
        assert!(document.contains(&format!("<TEXT>{text}</TEXT>")), "{document}");
    }

    /// Cuts the line, and waits until the other end has noticed.
    async fn hang_up(self) {
        drop(self.line);
        timeout(PATIENCE, self.served).await.expect("the session ends").unwrap();
    }
}

#[tokio::test]
async fn what_was_not_wholly_handed_over_comes_at_the_next_sign_in() {
    let role = Role::start().await;
    for lines_read in 0..3 {
        let mut alice = role.present().await;
        if lines_read == 0 {
            role.post("Are you there?").await;
        }
        for _ in 0..lines_read {
            alice.line().await;
        }
        alice.hang_up().await;
    }
    let mut alice = role.present().await;
    alice.expect_alert("Are you there?").await;
    alice.ask("PNG", "QNG").await;
    alice.hang_up().await;
    let mut again = role.present().await;
    again.ask("PNG", "QNG").await;
    again.hang_up().await;
    assert_eq!(role.kept().await, 0);
}

#[tokio::test]
async fn each_of_several_counts_for_itself() {
    let role = Role::start().await;
    for text in ["one", "two", "three"] {
        role.post(text).await;
    }
    let mut alice = role.present().await;
    alice.expect_alert("one").await;
    // The end of the first one is through, so is the beginning of the second.
    assert!(alice.line().await.starts_with("NOT "));
    alice.hang_up().await;
    let mut again = role.present().await;
    again.expect_alert("two").await;
    again.expect_alert("three").await;
    again.ask("PNG", "QNG").await;
    again.hang_up().await;
    assert_eq!(role.kept().await, 0);
}

#[tokio::test]
async fn a_new_session_gets_what_the_one_it_replaces_has_not_taken() {
    let role = Role::start().await;
    let stuck = role.present().await;
    role.post("one").await;
    role.post("two").await;
    let mut alice = role.present().await;
    alice.expect_alert("one").await;
    alice.expect_alert("two").await;
    role.post("three").await;
    alice.expect_alert("three").await;
    alice.ask("PNG", "QNG").await;
    alice.hang_up().await;
    stuck.hang_up().await;
    assert_eq!(role.kept().await, 0);
}

#[tokio::test]
async fn what_is_on_its_way_out_of_the_store_is_not_told_again() {
    let role = Role::start().await;
    role.post("once").await;
    // Nothing can be taken out of the store meanwhile.
    let path = sqlite_options(role.folder.path()).path;
    let mut somebody = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut somebody).await.unwrap();
    let mut alice = role.present().await;
    alice.expect_alert("once").await;
    alice.hang_up().await;
    let mut again = role.present().await;
    again.ask("PNG", "QNG").await;
    sqlx::raw_sql("ROLLBACK").execute(&mut somebody).await.unwrap();
    again.hang_up().await;
    assert_eq!(role.kept().await, 0);
}

#[tokio::test]
async fn an_alert_that_was_read_and_is_announced_too_is_told_once() {
    let role = Role::start().await;
    role.post("once").await;
    let mut alice = role.present().await;
    alice.expect_alert("once").await;
    role.announce(AlertId(1));
    alice.ask("PNG", "QNG").await;
    role.announce(AlertId(2));
    alice.expect_alert("announced").await;
    alice.ask("PNG", "QNG").await;
}

#[tokio::test]
async fn a_session_that_has_been_replaced_leaves_alerts_to_the_next_one() {
    let role = Role::start().await;
    let mut alice = role.present().await;
    // Nobody waits for anything in between, so Alice's session finds both at once.
    role.announce(AlertId(1));
    let person = Person::new(role.account, address(ALICE), Name::from(&address(ALICE)));
    let newer = SignIn {
        session: SessionId(99),
        person,
        circle: Circle::default(),
        version: 1,
        facts: Facts::unknown(Dialect::Msnp9),
    };
    let _newer = role.context.hub.expect(role.account).sign_in(newer).unwrap();
    assert_eq!(alice.line().await, "OUT OTH");
}
