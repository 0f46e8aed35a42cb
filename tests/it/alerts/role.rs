//! The notification role over lines in memory, which hold so many bytes and are cut at will.

use super::{ALICE, address, alert};
use crate::{
    store::{LIMITS, sqlite_options},
    support::{
        server::{loopback, new_account},
        store::Observed,
    },
};
use msnd::{
    alert::{Alerts, Recipients},
    hub::{Hub, Memo, PostedAlert, SessionId, ticket::Tickets},
    metrics::Metrics,
    model::{AccountId, AlertId},
    notification::{Context, Deliveries, KeptRoom, Notification, Pages, Pong},
    session::{SessionLimits, run},
    store::{
        Store as _,
        sqlite::{SqliteOptions, SqliteStore},
    },
};
use std::{
    collections::HashSet,
    future::{Future as _, poll_fn},
    net::SocketAddr,
    path::PathBuf,
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

/// A line on which less than any alert has room.
pub(super) const NARROW: usize = 64;
/// A line that takes all that is told, whether it is read or not.
pub(crate) const WIDE: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(20);

/// The notification role with Alice's account and no sockets.
pub(crate) struct Role {
    pub(super) context: Arc<Context>,
    pub(super) alerts: Alerts,
    pub(super) store: Arc<Observed>,
    pub(super) account: AccountId,
    tasks: TaskTracker,
    sessions: AtomicU64,
    folder: TempDir,
}

impl Role {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteOptions { limits: LIMITS, ..sqlite_options(folder.path()) };
        let store = Arc::new(SqliteStore::open(options).await.unwrap());
        let store = Arc::new(Observed::new(store));
        store.create_accounts(vec![new_account(ALICE)]).await.unwrap();
        let account = store.account(&address(ALICE)).await.unwrap().id;
        let (tasks, config, hub) = (TaskTracker::new(), Arc::new(loopback()), Hub::new(1024));
        let alerts = Alerts::new(store.clone(), hub.clone(), &config.alerts);
        let metrics = Arc::new(Metrics::default());
        let context = Context {
            pong: Pong::new(config.timers.ping_secs),
            config,
            meters: Notification::meters(&metrics),
            deliveries: Deliveries::start(store.clone(), metrics.news(), &tasks),
            metrics,
            switchboards: None,
            web_port: 80,
            pages: Pages::new(1),
            kept: KeptRoom::default(),
            store: store.clone(),
            hub,
            tickets: Arc::new(Tickets::new(Duration::from_secs(60), 8)),
            closing: CancellationToken::new(),
            traced: HashSet::new(),
        };
        let (context, sessions) = (Arc::new(context), AtomicU64::new(1));
        Self { context, alerts, store, account, tasks, sessions, folder }
    }

    /// Signs Alice in, and reads everything up to the answer to her `CHG` and the challenge.
    pub(super) async fn present(&self) -> Alice {
        self.present_over(NARROW).await
    }

    /// The same over a line that holds so many bytes.
    pub(super) async fn present_over(&self, line_holds: usize) -> Alice {
        let mut alice = self.signed_in(line_holds).await;
        alice.ask("CHG 4 NLN 0", "CHG 4 NLN").await;
        assert!(alice.line().await.starts_with("CHL 0 "));
        alice
    }

    /// Signs Alice in.
    pub(crate) async fn signed_in(&self, line_holds: usize) -> Alice {
        let mut alice = self.greet(line_holds).await;
        let ticket = self.ticket();
        alice.ask(&format!("USR 3 TWN S {ticket}"), "USR 3 OK").await;
        let profile = alice.line().await;
        alice.payload(&profile).await;
        alice
    }

    /// Says who Alice is, and proves nothing yet.
    pub(super) async fn greet(&self, line_holds: usize) -> Alice {
        let (ours, theirs) = tokio::io::duplex(line_holds);
        let session = SessionId(self.sessions.fetch_add(1, Ordering::Relaxed));
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 1864));
        let role = Notification::new(self.context.clone(), session, anywhere, anywhere);
        let limits = SessionLimits::from(&*self.context.config);
        let session = run(role, theirs, &[], limits, CancellationToken::new(), ());
        let (mut session, polls) = (Box::pin(session), Arc::new(AtomicU64::new(0)));
        let counter = polls.clone();
        let served = self.tasks.spawn(poll_fn(move |cx| {
            counter.fetch_add(1, Ordering::Relaxed);
            session.as_mut().poll(cx)
        }));
        let mut alice = Alice { line: BufReader::new(ours), polls, served };
        alice.ask("VER 1 MSNP9 CVR0", "VER 1").await;
        alice.ask("USR 2 TWN I alice@example.test", "USR 2 TWN S").await;
        alice
    }

    pub(super) fn ticket(&self) -> String {
        self.context.tickets.issue(self.account, &address(ALICE), 1).to_string()
    }

    /// The file of the database.
    pub(super) fn database(&self) -> PathBuf {
        sqlite_options(self.folder.path()).path
    }

    pub(super) async fn post(&self, text: &str) {
        let to = Recipients::One(address(ALICE));
        self.alerts.send_alert(to, alert(text), None).await.unwrap();
    }

    /// Tells the hub of an alert that need not be in the store.
    pub(super) fn announce(&self, id: AlertId) {
        let posted = PostedAlert { id, alert: alert("announced"), memo: Memo::default() };
        self.context.hub.post_alert(&[self.account], Arc::new(posted));
    }

    /// What the store still has once every delivery has been taken out of it.
    pub(super) async fn kept(self) -> usize {
        let Self { context, store, account, tasks, folder: _folder, .. } = self;
        drop(context);
        tasks.close();
        timeout(PATIENCE, tasks.wait()).await.expect("all sessions end");
        store.waiting_alerts(account, 0).await.unwrap().alerts.len()
    }
}

/// Her end of the line.
pub(crate) struct Alice {
    pub(super) line: BufReader<DuplexStream>,
    /// How often her session has been polled.
    pub(crate) polls: Arc<AtomicU64>,
    served: JoinHandle<()>,
}

impl Alice {
    pub(super) async fn ask(&mut self, sent: &str, answer: &str) {
        self.line.write_all(format!("{sent}\r\n").as_bytes()).await.unwrap();
        let line = self.line().await;
        assert!(line.starts_with(answer), "{line}");
    }

    pub(super) async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = self.line.read_line(&mut line);
        timeout(PATIENCE, read).await.expect("a line").unwrap();
        line.trim_end().to_owned()
    }

    pub(super) async fn payload(&mut self, line: &str) -> String {
        let mut payload = vec![0; line.rsplit(' ').next().unwrap().parse().unwrap()];
        self.line.read_exact(&mut payload).await.unwrap();
        String::from_utf8(payload).unwrap()
    }

    /// Reads an alert.
    pub(super) async fn expect_alert(&mut self, text: &str) {
        let line = self.line().await;
        assert!(line.starts_with("NOT "), "{line}");
        let document = self.payload(&line).await;
        assert!(document.contains(&format!("<TEXT>{text}</TEXT>")), "{document}");
    }

    /// Cuts the line, and waits until the other end has noticed.
    pub(super) async fn hang_up(self) {
        drop(self.line);
        timeout(PATIENCE, self.served).await.expect("the session ends").unwrap();
    }
}
