//! A Passport service with two accounts, and ways to talk to it.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use async_trait::async_trait;
use msnd::{
    account::{Accounts, Password},
    config,
    hub::ticket::Tickets,
    model::{AccountId, Address, AlertId, Applied, Edit, Mailbox, Name, Roster, mail::MailChange},
    net::tls::{KeyKind, TlsServer},
    passport::Passport,
    store::{
        Account, Audience, Callee, EditError, NewAccount, NewAlert, PasswordHash, Posted, Publish,
        PublishMail, SchemaStatus, SignIn, Store, StoreError, Waiting,
        password::{Cost, PasswordHasher},
    },
};
use openssl::{
    ssl::{SslConnector, SslMethod},
    x509::X509,
};
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    collections::HashMap,
    net::SocketAddr,
    path::Path,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_openssl::SslStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Time for a request on real sockets; long enough for a machine that is busy otherwise.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Accounts without lists.
#[derive(Debug, Default)]
pub(super) struct MemoryStore {
    accounts: Mutex<BTreeMap<Address, Account>>,
    broken: AtomicBool,
}

impl MemoryStore {
    /// Makes every further call fail.
    pub(super) fn break_down(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    fn change(
        &self,
        address: &Address,
        change: impl FnOnce(&mut Account),
    ) -> Result<(), StoreError> {
        let mut accounts = self.accounts.lock();
        let account = accounts.get_mut(address).ok_or(StoreError::NotFound)?;
        account.credential_epoch += 1;
        change(account);
        Ok(())
    }
}

fn unavailable<T>() -> Result<T, StoreError> {
    Err(StoreError::Unavailable(anyhow::anyhow!("out of order")))
}

#[async_trait]
impl Store for MemoryStore {
    async fn close(&self) {}

    async fn standing_changes(&self) -> Result<i64, StoreError> {
        Ok(0)
    }

    async fn standings(&self) -> Result<HashMap<AccountId, bool>, StoreError> {
        Ok(HashMap::new())
    }

    async fn create_accounts(&self, new: Vec<NewAccount>) -> Result<(), StoreError> {
        let mut accounts = self.accounts.lock();
        for account in new {
            if accounts.contains_key(&account.address) {
                return Err(StoreError::Conflict(format!("{} is taken", account.address)));
            }
            let id = AccountId(accounts.len() as u64 + 1);
            let stored = Account {
                id,
                address: account.address.clone(),
                name: account.name,
                password: account.password,
                enabled: true,
                credential_epoch: 1,
                list_version: 1,
                created_at_secs: 0,
                mailbox: None,
            };
            accounts.insert(account.address, stored);
        }
        Ok(())
    }

    async fn replace_accounts(&self, _: Vec<NewAccount>) -> Result<(), StoreError> {
        unavailable()
    }

    async fn export(&self, _: Option<&[Address]>) -> Result<Vec<(Account, Roster)>, StoreError> {
        unavailable()
    }

    async fn account(&self, address: &Address) -> Result<Account, StoreError> {
        if self.broken.load(Ordering::Relaxed) {
            return unavailable();
        }
        self.accounts.lock().get(address).cloned().ok_or(StoreError::NotFound)
    }

    async fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        Ok(self.accounts.lock().values().cloned().collect())
    }

    async fn set_password(&self, address: &Address, hash: PasswordHash) -> Result<(), StoreError> {
        self.change(address, |account| account.password = hash)
    }

    async fn set_enabled(&self, address: &Address, enabled: bool) -> Result<(), StoreError> {
        self.change(address, |account| account.enabled = enabled)
    }

    async fn remove_account(&self, address: &Address) -> Result<(), StoreError> {
        self.accounts.lock().remove(address).map(drop).ok_or(StoreError::NotFound)
    }

    async fn sign_in(&self, _: AccountId) -> Result<SignIn, StoreError> {
        unavailable()
    }

    async fn roster(&self, _: AccountId) -> Result<Roster, StoreError> {
        unavailable()
    }

    async fn edit(&self, _: AccountId, _: Edit, _: Publish) -> Result<Applied, EditError> {
        Ok(unavailable()?)
    }

    async fn add_alert(&self, _: NewAlert, _: Arc<dyn Audience>) -> Result<Posted, StoreError> {
        unavailable()
    }

    async fn waiting_alerts(&self, _: AccountId, _: i64) -> Result<Waiting, StoreError> {
        unavailable()
    }

    async fn settle_alerts(&self, _: Vec<(AccountId, AlertId)>) -> Result<(), StoreError> {
        unavailable()
    }

    async fn set_mailbox(&self, _: &Address, _: bool) -> Result<(), StoreError> {
        unavailable()
    }

    async fn change_mail(
        &self,
        _: &Address,
        _: MailChange,
        _: PublishMail,
    ) -> Result<Mailbox, StoreError> {
        unavailable()
    }

    async fn callee(&self, _: &Address, _: AccountId) -> Result<Callee, StoreError> {
        unavailable()
    }

    async fn takes_pages(&self, _: &Address) -> Result<(AccountId, bool), StoreError> {
        unavailable()
    }

    async fn schema(&self) -> Result<SchemaStatus, StoreError> {
        unavailable()
    }

    async fn backup(&self, _: &Path) -> Result<(), StoreError> {
        unavailable()
    }
}

/// How to reach the service.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    Http,
    Https,
}

/// Everything a sign-in needs, with alice (`secret`) and bob (`geheim, 100%`).
pub(super) struct Service {
    pub(super) store: Arc<MemoryStore>,
    pub(super) hasher: Arc<PasswordHasher>,
    pub(super) accounts: Arc<Accounts>,
    pub(super) tickets: Arc<Tickets>,
    pub(super) passport: Arc<Passport>,
    tls: Arc<TlsServer>,
    tasks: TaskTracker,
}

pub(super) fn address(name: &str) -> Address {
    Address::parse(&format!("{name}@example.test")).unwrap()
}

pub(super) fn password(text: &str) -> Password {
    Password::new(text).unwrap()
}

impl Service {
    pub(super) async fn new() -> Self {
        Self::with(config::Passport::default()).await
    }

    pub(super) async fn with(config: config::Passport) -> Self {
        let store = Arc::new(MemoryStore::default());
        let hasher = Arc::new(PasswordHasher::new(Cost::Cheap, 1, config.password_queue_max));
        let as_store: Arc<dyn Store> = store.clone();
        let accounts = Arc::new(Accounts::new(as_store, Arc::clone(&hasher), &config));
        for (name, secret) in [("alice", "secret"), ("bob", "geheim, 100%")] {
            let friendly = Some(Name::new(name).unwrap());
            accounts.create(address(name), friendly, &password(secret)).await.unwrap();
        }
        let ttl = Duration::from_secs(config.ticket_ttl_secs);
        let tickets = Arc::new(Tickets::new(ttl, config.tickets_per_account_max));
        let passport = Passport::new(&config, Arc::clone(&accounts), Arc::clone(&tickets));
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let tls = TlsServer::in_memory(&names, KeyKind::P256).unwrap();
        Self {
            store,
            hasher,
            accounts,
            tickets,
            passport: Arc::new(passport),
            tls: Arc::new(tls),
            tasks: TaskTracker::new(),
        }
    }

    /// A listener for one connection on a port of the kernel's choice, and a connection to it.
    pub(super) async fn connect(&self, way: Way) -> Box<dyn Io> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (passport, tls) = (Arc::clone(&self.passport), Arc::clone(&self.tls));
        self.tasks.spawn(async move {
            let (tcp, peer) = listener.accept().await.unwrap();
            match way {
                Way::Http => {
                    passport.serve(tcp, peer, at, PATIENCE, &CancellationToken::new()).await
                }
                Way::Https => {
                    let stream = tls.accept(tcp).await.unwrap();
                    passport.serve(stream, peer, at, PATIENCE, &CancellationToken::new()).await;
                }
            }
        });
        let tcp = TcpStream::connect(at).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        match way {
            Way::Http => Box::new(tcp),
            Way::Https => Box::new(self.encrypt(tcp).await),
        }
    }

    /// Trusts the server's certificate and nothing else, and insists on its address.
    async fn encrypt(&self, tcp: TcpStream) -> SslStream<TcpStream> {
        let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
        let certificate = X509::from_pem(&self.tls.certificate_pem().unwrap()).unwrap();
        connector.cert_store_mut().add_cert(certificate).unwrap();
        let ssl = connector.build().configure().unwrap().into_ssl("127.0.0.1").unwrap();
        let mut stream = SslStream::new(ssl, tcp).unwrap();
        Pin::new(&mut stream).connect().await.unwrap();
        stream
    }

    /// One request over a real socket; the answer up to a clean end of the stream.
    pub(super) async fn ask(&self, way: Way, request: impl AsRef<[u8]>) -> String {
        let mut connection = self.connect(way).await;
        connection.write_all(request.as_ref()).await.unwrap();
        read_all(&mut connection).await
    }

    /// One request over a pipe in memory, which leaves a paused clock alone.
    pub(super) async fn ask_in_memory(&self, request: impl AsRef<[u8]>) -> String {
        let (mut client, server) = tokio::io::duplex(16 * 1024);
        let there = SocketAddr::from(([192, 0, 2, 1], 1024));
        let here = SocketAddr::from(([192, 0, 2, 7], 443));
        let talk = async {
            client.write_all(request.as_ref()).await.unwrap();
            let answer = read_all(&mut client).await;
            drop(client);
            answer
        };
        let running = CancellationToken::new();
        tokio::join!(self.passport.serve(server, there, here, PATIENCE, &running), talk).1
    }

    /// Until every connection has been served to its end.
    pub(super) async fn settle(&self) {
        self.tasks.close();
        self.tasks.wait().await;
        self.tasks.reopen();
    }
}

pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

pub(super) async fn read_all(connection: &mut (impl AsyncRead + Unpin)) -> String {
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

/// A login request as an official client writes it; `fields` stand between the challenge's ends.
pub(super) fn login(fields: &str) -> String {
    format!(
        "GET /login2.srf HTTP/1.1\r\n\
         Authorization: Passport1.4 OrgVerb=GET,OrgURL=http%3A%2F%2Fmessenger%2Emsn%2Ecom,\
         {fields},lc=1033,id=507,tw=40,fs=1,ru=http%3A%2F%2Fmessenger%2Emsn%2Ecom,ct=1783012345,\
         kpp=1,kv=11,ver=2.1.0173.1,tpf=0a6c2be4d19f47358e7713d2c5b09f61\r\n\
         User-Agent: MSMSGS\r\n\
         Host: login.example.test\r\n\
         Connection: Keep-Alive\r\n\
         Cache-Control: no-cache\r\n\r\n"
    )
}

/// What a client finds between the quotes.
pub(super) fn ticket(answer: &str) -> &str {
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let (_, rest) = answer.split_once("from-PP='").expect("a ticket");
    rest.split_once("',").expect("an end of the ticket").0
}
