//! A client behind the HTTP gateway: one connection, one request at a time, commands in bodies.

use super::{CLIENT_ID, Frame, first_frame, take_frames};
use crate::{accounts::Account, target::Target};
use anyhow::{Context as _, bail, ensure};
use msnd::protocol::challenge;
use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::sleep,
};

/// Clients from one address; servers allow only so many.
const CLIENTS_PER_ADDRESS: usize = 50;
/// How long to wait before asking again for an answer that was not there yet, while signing in.
const SIGN_IN_POLL: Duration = Duration::from_millis(50);

/// A session behind the gateway.
#[derive(Debug)]
pub(crate) struct Gated {
    stream: TcpStream,
    /// As the session header has it.
    id: String,
    /// Whole frames that came and were not taken.
    rest: Vec<u8>,
}

impl Gated {
    /// Signs in over the gateway, as client number so-and-so: on loopback each fifty have an address
    /// of their own. Everything after the echo of `CHG` is still to be taken.
    pub(crate) async fn sign_in(
        target: &Target,
        number: usize,
        account: &Account,
        ticket: &str,
    ) -> anyhow::Result<Self> {
        let signed_in = greet(target, number, account, ticket).await;
        signed_in.with_context(|| format!("{} cannot sign in by HTTP", account.address))
    }

    /// Asks what there is, and hands over every frame of it. Challenges are answered.
    pub(crate) async fn poll(
        &mut self,
        mut each: impl FnMut(Frame<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let query = format!("Action=poll&SessionID={}", self.id);
        self.ask(&query, "").await?;
        let (mut challenge, rest) = (None, std::mem::take(&mut self.rest));
        let taken = take_frames(&rest, &mut |frame| match frame.line.strip_prefix(b"CHL 0 ") {
            Some(digits) => {
                challenge = Some(String::from_utf8_lossy(digits).into_owned());
                Ok(())
            }
            None if frame.is_trouble() => bail!("the server says {:?}", frame.shown()),
            None => each(frame),
        })?;
        ensure!(taken == rest.len(), "an answer of the gateway ends within a command");
        if let Some(challenge) = challenge {
            let (id, key) = super::CLIENT;
            let answer = format!("QRY 9 {id} 32\r\n{}", challenge::answer(&challenge, key));
            self.data(&answer).await?;
        }
        Ok(())
    }

    /// Signs out. The gateway must say that the session is over, at the latest when asked again.
    pub(crate) async fn sign_out(mut self) -> anyhow::Result<()> {
        let query = format!("SessionID={}", self.id);
        let goes_on = self.request(&query, "OUT\r\n").await?
            && self.request(&format!("Action=poll&{query}"), "").await?;
        ensure!(!goes_on, "the gateway goes on after OUT");
        Ok(())
    }

    async fn data(&mut self, commands: &str) -> anyhow::Result<()> {
        let query = format!("SessionID={}", self.id);
        self.ask(&query, commands).await
    }

    /// Sends a command and waits for the line that begins like this.
    async fn command(&mut self, command: &str, start: &str) -> anyhow::Result<String> {
        self.data(&format!("{command}\r\n")).await?;
        self.line(start).await
    }

    async fn line(&mut self, start: &str) -> anyhow::Result<String> {
        loop {
            while let Some((frame, taken)) = first_frame(&self.rest)? {
                let line = String::from_utf8_lossy(frame.line).into_owned();
                let is_trouble = frame.is_trouble();
                self.rest.drain(..taken);
                if line.starts_with(start) {
                    return Ok(line);
                }
                ensure!(!is_trouble, "{line:?} instead of {start:?}");
            }
            sleep(SIGN_IN_POLL).await;
            let query = format!("Action=poll&SessionID={}", self.id);
            self.ask(&query, "").await?;
        }
    }

    /// A request in a session that goes on.
    async fn ask(&mut self, query: &str, body: &str) -> anyhow::Result<()> {
        ensure!(self.request(query, body).await?, "the gateway has ended the session");
        Ok(())
    }

    /// One request and its answer, of which the body goes to what is to be taken. Whether the
    /// session goes on.
    async fn request(&mut self, query: &str, body: &str) -> anyhow::Result<bool> {
        let request = format!(
            "POST http://gateway.messenger.hotmail.com/gateway/gateway.dll?{query} HTTP/1.1\r\n\
             Accept: */*\r\nUser-Agent: MSMSGS\r\nHost: gateway.messenger.hotmail.com\r\n\
             Proxy-Connection: Keep-Alive\r\nConnection: Keep-Alive\r\nPragma: no-cache\r\n\
             Content-Type: application/x-msn-messenger\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::with_capacity(1024);
        loop {
            ensure!(self.stream.read_buf(&mut answer).await? > 0, "the gateway has hung up");
            let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
                continue;
            };
            let head = std::str::from_utf8(&answer[..end])?;
            ensure!(head.starts_with("HTTP/1.1 200 OK\r\n"), "the gateway says {head:?}");
            let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
            let length = header("Content-Length: ").and_then(|length| length.parse().ok());
            let length: usize = length.with_context(|| format!("no length in {head:?}"))?;
            let body = answer.get(end + 4..).unwrap_or_default();
            if body.len() < length {
                continue;
            }
            ensure!(body.len() == length, "more than one answer to one request: {head:?}");
            let session = header("X-MSN-Messenger: SessionID=");
            let session = session.and_then(|rest| rest.split_once("; GW-IP="));
            let (id, rest) = session.with_context(|| format!("no session in {head:?}"))?;
            let goes_on = !rest.ends_with("; Session=close");
            ensure!(self.id.is_empty() || self.id == id, "another session: {head:?}");
            id.clone_into(&mut self.id);
            self.rest.extend_from_slice(body);
            return Ok(goes_on);
        }
    }
}

async fn greet(
    target: &Target,
    number: usize,
    account: &Account,
    ticket: &str,
) -> anyhow::Result<Gated> {
    let at = target.http.context("where is the gateway? (--gateway)")?;
    let stream = connect(at, number).await?;
    let mut gated = Gated { stream, id: String::new(), rest: Vec::new() };
    let (address, dialect) = (&account.address, &target.dialect);
    let version = format!("VER 1 {dialect} CVR0\r\n");
    gated.ask("Action=open&Server=NS&IP=messenger.hotmail.com", &version).await?;
    gated.line(&format!("VER 1 {dialect}")).await?;
    gated
        .command(&format!("CVR 2 0x0409 winnt 5.1 i386 MSNMSGR 6.0.0602 MSMSGS {address}"), "CVR 2")
        .await?;
    gated.command(&format!("USR 3 TWN I {address}"), "USR 3 TWN S").await?;
    gated.command(&format!("USR 4 TWN S {ticket}"), "USR 4 OK").await?;
    gated.command("SYN 5 0", "SYN 5").await?;
    for _ in &account.forward {
        gated.line("LST ").await?;
    }
    gated.command(&format!("CHG 6 NLN {CLIENT_ID}"), "CHG 6 NLN").await?;
    Ok(gated)
}

/// Connects, on loopback from one of many addresses.
async fn connect(at: SocketAddr, number: usize) -> anyhow::Result<TcpStream> {
    if !at.ip().is_loopback() || !at.is_ipv4() {
        return Ok(TcpStream::connect(at).await?);
    }
    let socket = TcpSocket::new_v4()?;
    let last = u8::try_from(2 + number / CLIENTS_PER_ADDRESS).context("too many clients")?;
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0)))?;
    let stream = socket.connect(at).await.context("cannot connect to the gateway")?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
