//! A whole server in this process: real sockets, a real SQLite file in a temporary folder. Dropping
//! it shuts it down and fails the test if a connection outlives the shutdown.

use super::store::Observed;
use msnd::{
    alert::Alerts,
    config::{Bind, Config, Synchronous},
    metrics::Metrics,
    model::{Address, Name},
    net::tls::TlsServer,
    server::{self, Role, Running},
    store::{
        NewAccount, PasswordHash, Store,
        password::{Cost, Password, PasswordHasher},
        sqlite::{SqliteOptions, SqliteStore},
    },
};
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    sync::{Arc, LazyLock},
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The password of every test account.
pub(crate) const PASSWORD: &str = "secret";

const DATABASE: &str = "test.sqlite";

/// One hash for all test accounts.
static HASH: LazyLock<PasswordHash> =
    LazyLock::new(|| hasher().hash_now(&Password::new(PASSWORD).unwrap()).unwrap());

/// A running server.
pub(crate) struct TestServer {
    runtime: Runtime,
    running: Option<Running>,
    folder: TempDir,
}

impl TestServer {
    /// A server with default options, but for ports, without TLS.
    pub(crate) fn start() -> Self {
        Self::start_with(|_| {})
    }

    /// A server whose options `change` may change.
    pub(crate) fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_all(None, change, |store| store)
    }

    /// The same with certificates, if `change` gives the login service an address for TLS.
    pub(crate) fn start_with_tls(tls: Option<TlsServer>, change: impl FnOnce(&mut Config)) -> Self {
        Self::start_all(tls, change, |store| store)
    }

    /// The same, with something between server and store.
    pub(crate) fn start_between(
        change: impl FnOnce(&mut Config),
        between: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>,
    ) -> Self {
        Self::start_all(None, change, between)
    }

    /// Starts a server whose store is watched, and can be made to fail.
    pub(crate) fn start_observed(change: impl FnOnce(&mut Config)) -> (Self, Arc<Observed>) {
        let mut observed = None;
        let server = Self::start_between(change, |store| {
            observed.insert(Arc::new(Observed::new(store))).clone()
        });
        (server, observed.unwrap())
    }

    fn start_all(
        tls: Option<TlsServer>,
        change: impl FnOnce(&mut Config),
        between: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let mut config = loopback();
        config.data.dir = folder.path().into();
        change(&mut config);
        let running = runtime.block_on(async {
            let metrics = Arc::new(Metrics::default());
            let database = SqliteOptions {
                path: folder.path().join(DATABASE),
                synchronous: Synchronous::Off,
                readers: 2,
                limits: msnd::model::roster::RosterLimits {
                    forward_max: config.limits.forward_list_max,
                    allow_block_max: config.limits.allow_block_list_max,
                },
                create: true,
            };
            let store = SqliteStore::open_measured(database, metrics.store());
            let options = server::Options {
                config,
                store: between(Arc::new(store.await.unwrap())),
                hasher: Arc::new(hasher().measured(metrics.passwords())),
                metrics,
                tls,
                surroundings: server::Surroundings::Test,
            };
            server::start(options).await.unwrap()
        });
        Self { runtime, running: Some(running), folder }
    }

    /// A server with these people, each named like the local part of its address.
    pub(crate) fn with_users(users: &[&str]) -> Self {
        let server = Self::start();
        server.add(users.iter().map(|user| new_account(user)).collect());
        server
    }

    /// Makes an account that gets this number, which must be higher than any before.
    pub(crate) fn add_as(&self, id: u64, account: NewAccount) {
        use sqlx::{ConnectOptions as _, sqlite::SqliteConnectOptions};
        let path = self.folder.path().join("test.sqlite");
        self.runtime.block_on(async {
            let mut conn = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
            let last = "INSERT INTO sqlite_sequence (name, seq) VALUES ('accounts', $1)";
            let last = sqlx::query(last).bind(i64::try_from(id - 1).unwrap());
            last.execute(&mut conn).await.unwrap();
        });
        self.add(vec![account]);
    }

    /// Makes accounts.
    pub(crate) fn add(&self, accounts: Vec<NewAccount>) {
        self.runtime.block_on(self.store().create_accounts(accounts)).unwrap();
    }

    /// The running server.
    pub(crate) fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    /// What operators can tell people.
    pub(crate) fn alerts(&self) -> &Alerts {
        self.running().alerts()
    }

    /// Its store.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        self.running().store().clone()
    }

    /// The file of its store.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join(DATABASE)
    }

    /// Runs a future on the server's runtime.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Where `role` listens.
    pub(crate) fn address(&self, role: Role) -> SocketAddr {
        self.running().address(role).unwrap()
    }

    /// A ticket from the login service, over HTTP as a client gets it.
    pub(crate) fn ticket(&self, user: &str) -> String {
        ticket(self.address(Role::PassportHttp), user)
    }

    /// Begins a shutdown with an announced time, lets `meanwhile` look, and drops the rest of it.
    pub(crate) fn announce_shutdown(&mut self, meanwhile: impl FnOnce()) {
        let shutdown = self.begin_shutdown();
        meanwhile();
        assert!(!shutdown.is_finished(), "the announced time is not over");
        shutdown.abort();
    }

    /// Begins a shutdown, which goes on by itself.
    pub(crate) fn begin_shutdown(&mut self) -> tokio::task::JoinHandle<bool> {
        let running = self.running.take().unwrap();
        self.runtime.spawn(running.shut_down())
    }

    /// Shuts down as on SIGTERM; whether every connection ended within the grace time.
    pub(crate) fn shut_down(&mut self) -> bool {
        self.running.take().is_none_or(|running| self.runtime.block_on(running.shut_down()))
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let all_ended = self.shut_down();
        if !std::thread::panicking() {
            assert!(all_ended, "a connection outlived the shutdown");
        }
    }
}

/// A ticket from the login service at `address`, over HTTP as a client gets it.
pub(crate) fn ticket(address: SocketAddr, user: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let user = user.replace('@', "%40");
    let request = format!(
        "GET /login2.srf HTTP/1.1\r\nAuthorization: Passport1.4 OrgVerb=GET,\
         OrgURL=http%3A%2F%2Fmessenger%2Emsn%2Ecom,sign-in={user},pwd={PASSWORD},lc=1033,\
         id=507,tw=40,fs=1,ct=1,kpp=1,kv=11,ver=2.1.6000.1,tpf=0\r\nHost: login\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let (_, rest) = response.split_once("from-PP='").unwrap_or_else(|| panic!("{response}"));
    rest.split_once('\'').unwrap().0.to_owned()
}

/// Options for loopback and kernel-chosen ports, Passport without TLS.
pub(crate) fn loopback() -> Config {
    let bind = Bind::At(SocketAddr::from(([127, 0, 0, 1], 0)));
    let mut config = Config::default();
    config.dispatch.bind = bind;
    config.notification.bind = bind;
    config.switchboard.bind = bind;
    config.passport.http_bind = bind;
    config.passport.https_bind = Bind::Off;
    config.web.bind = bind;
    config
}

/// An account named like the local part of its address, with nothing on its lists.
pub(crate) fn new_account(address: &str) -> NewAccount {
    let address = Address::parse(address).unwrap();
    let local = address.as_str().split('@').next().unwrap();
    let name = format!("{}{}", local[..1].to_uppercase(), &local[1..]);
    NewAccount::new(address, Name::new(&name).unwrap(), HASH.clone())
}

fn hasher() -> PasswordHasher {
    PasswordHasher::new(Cost::Cheap, 2, 64)
}
