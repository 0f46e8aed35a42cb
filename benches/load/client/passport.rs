//! A ticket for a password: nexus and login, as a client asks for it.

use crate::{accounts::Account, target::Target};
use anyhow::{Context as _, bail, ensure};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

/// How many are fetched at once.
const AT_ONCE: usize = 16;
/// Where the nexus has been since 2002.
const NEXUS_PATH: &str = "/rdr/pprdr.asp";
/// Where the login service is if nobody says otherwise.
const LOGIN_PATH: &str = "/login2.srf";

/// Tickets for all these accounts, in their order.
pub(crate) async fn tickets(
    target: &Arc<Target>,
    accounts: &Arc<Vec<Account>>,
) -> anyhow::Result<Vec<String>> {
    let Some(passport) = target.passport else { return target.tickets_at_hand(accounts) };
    let next = Arc::new(AtomicUsize::new(0));
    let mut fetching = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (accounts, next) = (accounts.clone(), next.clone());
        fetching.spawn(async move {
            let mut fetched = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(account) = accounts.get(number) else { return anyhow::Ok(fetched) };
                fetched.push((number, login(passport, LOGIN_PATH, account).await?));
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
pub(crate) async fn nexus(passport: SocketAddr) -> anyhow::Result<String> {
    let request = format!("GET {NEXUS_PATH} HTTP/1.1\r\nHost: nexus.passport.com\r\n\r\n");
    let response = ask(passport, &request).await?;
    let urls = header(&response, "PassportURLs:").context("the nexus names no login service")?;
    let login = urls.split(',').find_map(|url| url.trim().strip_prefix("DALogin="));
    let login = login.with_context(|| format!("no DALogin in {urls:?}"))?;
    Ok(format!("/{}", login.split_once('/').map_or("", |(_, path)| path)))
}

/// Logs in.
pub(crate) async fn login(
    passport: SocketAddr,
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
async fn ask(at: SocketAddr, request: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(at).await.context("cannot connect to the login service")?;
    stream.set_nodelay(true)?;
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
