//! A ticket for a password: nexus and login, as a client asks for it. Whoever answers over TLS is
//! believed: what is measured here is a server of our own.

use crate::{accounts::Account, target::Target};
use anyhow::{Context as _, bail, ensure};
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use std::{
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};
use tokio_openssl::SslStream;

/// How many are fetched at once.
const AT_ONCE: usize = 16;
/// Where the nexus has been since 2002.
const NEXUS_PATH: &str = "/rdr/pprdr.asp";
/// Where the login service is if nobody says otherwise.
const LOGIN_PATH: &str = "/login2.srf";

/// Where nexus and login are.
#[derive(Debug, Clone)]
pub(crate) struct Passport {
    at: SocketAddr,
    /// If they are asked over TLS.
    tls: Option<SslConnector>,
}

impl Passport {
    /// Over plain HTTP.
    pub(crate) const fn plain(at: SocketAddr) -> Self {
        Self { at, tls: None }
    }

    /// From `http://address:port` or `https://address:port`.
    pub(crate) fn parse(url: &str) -> anyhow::Result<Self> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let at = rest.trim_end_matches('/').parse();
        let at = at.with_context(|| format!("{url} is not http://address:port or https://…"))?;
        let tls = match scheme {
            "http" => None,
            "https" => {
                let mut tls = SslConnector::builder(SslMethod::tls_client())?;
                tls.set_verify(SslVerifyMode::NONE);
                eprintln!("{url}: its certificate is not checked");
                Some(tls.build())
            }
            _ => bail!("{url} begins with neither http:// nor https://"),
        };
        Ok(Self { at, tls })
    }
}

/// A ticket for one account, as long as there are any.
pub(crate) async fn ticket(target: &Target, account: &Account) -> anyhow::Result<String> {
    match &target.passport {
        Some(passport) => login(passport, LOGIN_PATH, account).await,
        None => target.ticket_at_hand(account),
    }
}

/// Tickets for all these accounts, in their order.
pub(crate) async fn tickets(
    target: &Arc<Target>,
    accounts: &Arc<Vec<Account>>,
) -> anyhow::Result<Vec<String>> {
    if target.passport.is_none() {
        return accounts.iter().map(|account| target.ticket_at_hand(account)).collect();
    }
    let next = Arc::new(AtomicUsize::new(0));
    let mut fetching = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (target, accounts, next) = (target.clone(), accounts.clone(), next.clone());
        fetching.spawn(async move {
            let mut fetched = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(account) = accounts.get(number) else { return anyhow::Ok(fetched) };
                fetched.push((number, ticket(&target, account).await?));
            }
        });
    }
    let mut all = Vec::with_capacity(accounts.len());
    while let Some(fetched) = fetching.join_next().await {
        all.extend(fetched??);
    }
    all.sort_unstable_by_key(|(number, _)| *number);
    Ok(all.into_iter().map(|(_, ticket)| ticket).collect())
}

/// Asks the nexus where to log in. Returns the path there; the host is where we ask anyway.
pub(crate) async fn nexus(passport: &Passport) -> anyhow::Result<String> {
    let request = format!("GET {NEXUS_PATH} HTTP/1.1\r\nHost: nexus.passport.com\r\n\r\n");
    let response = ask(passport, &request).await?;
    let urls = header(&response, "PassportURLs:").context("the nexus names no login service")?;
    let login = urls.split(',').find_map(|url| url.trim().strip_prefix("DALogin="));
    let login = login.with_context(|| format!("no DALogin in {urls:?}"))?;
    Ok(format!("/{}", login.split_once('/').map_or("", |(_, path)| path)))
}

/// Logs in.
pub(crate) async fn login(
    passport: &Passport,
    path: &str,
    account: &Account,
) -> anyhow::Result<String> {
    let Account { address, password, .. } = account;
    let user = address.replace('@', "%40");
    let request = format!(
        "GET {path} HTTP/1.1\r\nAuthorization: Passport1.4 OrgVerb=GET,\
         OrgURL=http%3A%2F%2Fmessenger%2Emsn%2Ecom,sign-in={user},pwd={password},lc=1033,\
         id=507,tw=40,fs=1,ct=1,kpp=1,kv=11,ver=2.1.6000.1,tpf=0\r\nHost: login.passport.com\r\n\
         \r\n"
    );
    let response = ask(passport, &request).await?;
    ensure!(response.starts_with("HTTP/1.1 200 "), "{address} gets no ticket: {response}");
    let (_, rest) = response.split_once("from-PP='").context("no ticket in the answer")?;
    Ok(rest.split('\'').next().unwrap_or_default().to_owned())
}

/// One request on a connection of its own.
async fn ask(passport: &Passport, request: &str) -> anyhow::Result<String> {
    let stream = TcpStream::connect(passport.at).await;
    let stream = stream.context("cannot connect to the login service")?;
    stream.set_nodelay(true)?;
    let Some(tls) = &passport.tls else { return exchange(stream, request).await };
    // Named by its address, which no certificate of the time has.
    let tls = tls.configure()?.verify_hostname(false).use_server_name_indication(false);
    let mut stream = SslStream::new(tls.into_ssl("")?, stream)?;
    Pin::new(&mut stream).connect().await.context("no TLS with the login service")?;
    exchange(stream, request).await
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &str,
) -> anyhow::Result<String> {
    stream.write_all(request.as_bytes()).await?;
    let mut response = Vec::new();
    loop {
        if stream.read_buf(&mut response).await? == 0 {
            bail!("the login service has closed the connection");
        }
        let text = String::from_utf8_lossy(&response);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = header(head, "Content-Length:").and_then(|length| length.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            return Ok(text.into_owned());
        }
    }
}

/// The value of a header.
fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let line = head
        .lines()
        .find(|line| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)));
    line.and_then(|line| line.get(name.len()..)).map(str::trim)
}
