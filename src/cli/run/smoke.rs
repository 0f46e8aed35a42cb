//! `msnd run --smoke`: the whole server on loopback, and one sign-in through all of it, made by a
//! client of our own over real sockets and real TLS.

use super::{Failure, ephemeral};
use crate::{
    cli::output,
    config::{Bind, Config},
    model::{Address, Name},
    net::tls,
    server::{self, Role, Running},
    store::{NewAccount, password::Password},
};
use anyhow::{Context as _, bail, ensure};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{
        AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _,
        BufReader,
    },
    net::TcpStream,
    time::timeout,
};

/// Who signs in.
const USER: &str = "smoke@example.test";
const PASSWORD: &str = "smoke test";
/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts, signs in, signs out, shuts down. Of the options only those hold that do not decide
/// where to listen.
pub(super) async fn run(mut config: Config) -> Result<(), Failure> {
    let defaults = ephemeral::defaults();
    config.dispatch = defaults.dispatch;
    config.notification.bind = defaults.notification.bind;
    config.notification.advertised.clear();
    config.switchboard = defaults.switchboard;
    config.passport.http_bind = Bind::Off;
    config.web.bind = defaults.web.bind;
    config.passport.https_bind = defaults.passport.https_bind;
    config.passport.login_host.clear();
    config.admin = defaults.admin;
    config.net = defaults.net;
    let options = ephemeral::build(&config, None).await?;
    let trusted = match &options.tls {
        Some(tls) => tls.certificate_pem().map_err(anyhow::Error::new)?,
        None => Vec::new(),
    };
    let password = Password::new(PASSWORD).map_err(anyhow::Error::new)?;
    let hash = options.hasher.hash_now(&password).map_err(anyhow::Error::new)?;
    let address = Address::parse(USER).map_err(anyhow::Error::new)?;
    let name = Name::from(&address);
    let store = options.store.clone();
    let account = NewAccount::new(address, name, hash);
    store.create_accounts(vec![account]).await.context("cannot store the account")?;
    let running = server::start(options).await?;
    let signed_in = timeout(PATIENCE, sign_in(&running, &trusted)).await;
    let all_ended = running.shut_down().await;
    store.close().await;
    signed_in.context("the sign-in took too long")??;
    if !all_ended {
        return Err(anyhow::anyhow!("a connection outlived the shutdown").into());
    }
    output::print("smoke test passed: signed in through dispatch, nexus, login and notification\n")
}

async fn sign_in(running: &Running, trusted: &[u8]) -> anyhow::Result<()> {
    let address = |role| running.address(role).with_context(|| format!("{role} does not run"));
    let mut ds = Client::connect(address(Role::Dispatch)?).await?;
    ds.ask("VER 1 MSNP9 MSNP8 CVR0", "VER 1 MSNP9").await?;
    ds.ask(&format!("CVR 2 0x0409 winnt 5.1 i386 MSNMSGR 6.0.0602 MSMSGS {USER}"), "CVR 2").await?;
    let referral = ds.ask(&format!("USR 3 TWN I {USER}"), "XFR 3 NS ").await?;
    let ns = referral.split(' ').nth(3).context("no address in the referral")?;
    let mut ns = Client::connect(ns.parse().context("no address in the referral")?).await?;
    ns.ask("VER 4 MSNP9 MSNP8 CVR0", "VER 4 MSNP9").await?;
    let policy = ns.ask(&format!("USR 5 TWN I {USER}"), "USR 5 TWN S ").await?;
    let policy = policy.split(' ').nth(4).context("no policy")?;
    let ticket = ticket(address(Role::PassportHttps)?, trusted, policy).await?;
    ns.ask(&format!("USR 6 TWN S {ticket}"), &format!("USR 6 OK {USER} ")).await?;
    ns.skip_message().await?;
    ns.ask("SYN 7 0", "SYN 7 1 0 1").await?;
    for line in ["GTC A", "BLP AL", "LSG 0 ~ 0"] {
        ns.expect(line).await?;
    }
    ns.ask("CHG 8 NLN 268435500", "CHG 8 NLN 268435500").await?;
    ns.expect("CHL 0 ").await?;
    ns.ask("PNG", "QNG ").await?;
    ns.ask("OUT", "OUT").await?;
    Ok(())
}

/// Nexus and login, over TLS.
async fn ticket(address: SocketAddr, trusted: &[u8], policy: &str) -> anyhow::Result<String> {
    let nexus = request(address, trusted, "GET /rdr/pprdr.asp HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let nexus = nexus.await?;
    let path = between(&nexus, "\r\nPassportURLs: DARealm=Passport.Net,DALogin=localhost", ",")?;
    let (user, password) = (USER.replace('@', "%40"), PASSWORD.replace(' ', "%20"));
    let login = format!(
        "GET {path} HTTP/1.1\r\nAuthorization: Passport1.4 OrgVerb=GET,\
         OrgURL=http%3A%2F%2Fmessenger%2Emsn%2Ecom,sign-in={user},pwd={password},{policy}\r\n\
         Host: localhost\r\n\r\n"
    );
    let login = request(address, trusted, &login).await?;
    ensure!(login.starts_with("HTTP/1.1 200 OK\r\n"), "login refused: {}", first_line(&login));
    Ok(between(&login, "from-PP='", "'")?.to_owned())
}

async fn request(address: SocketAddr, trusted: &[u8], request: &str) -> anyhow::Result<String> {
    let tcp = TcpStream::connect(address).await?;
    let stream = tls::connect(tcp, "localhost", trusted).await.context("TLS handshake")?;
    exchange(stream, request).await
}

async fn exchange<T: AsyncRead + AsyncWrite + Unpin>(
    mut stream: T,
    request: &str,
) -> anyhow::Result<String> {
    stream.write_all(request.as_bytes()).await?;
    let mut response = String::new();
    stream.read_to_string(&mut response).await?;
    Ok(response)
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> anyhow::Result<&'a str> {
    let found = text.split_once(before).and_then(|(_, rest)| rest.split_once(after));
    found.map(|(found, _)| found).with_context(|| format!("no {before:?} in the answer"))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

struct Client(BufReader<TcpStream>);

impl Client {
    async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await;
        Ok(Self(BufReader::new(stream.with_context(|| format!("cannot connect to {address}"))?)))
    }

    async fn ask(&mut self, line: &str, answer: &str) -> anyhow::Result<String> {
        self.0.get_mut().write_all(format!("{line}\r\n").as_bytes()).await?;
        self.expect(answer).await
    }

    async fn expect(&mut self, start: &str) -> anyhow::Result<String> {
        let mut line = String::new();
        if self.0.read_line(&mut line).await? == 0 {
            bail!("the server closed the connection where `{start}…` was due");
        }
        ensure!(line.starts_with(start), "`{}` came where `{start}…` was due", line.trim_end());
        Ok(line.trim_end().to_owned())
    }

    async fn skip_message(&mut self) -> anyhow::Result<()> {
        let line = self.expect("MSG Hotmail Hotmail ").await?;
        let bytes = line.rsplit(' ').next().and_then(|word| word.parse().ok());
        let mut payload = vec![0; bytes.context("no length in MSG")?];
        self.0.read_exact(&mut payload).await?;
        Ok(())
    }
}
