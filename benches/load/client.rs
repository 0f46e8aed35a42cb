//! One client: a connection that holds no memory while nothing comes, and the sign-in over it.

pub(crate) mod passport;

use crate::{accounts::Account, target::Target};
use anyhow::{Context as _, anyhow, bail, ensure};
use msnd::protocol::challenge;
use std::{
    cell::RefCell,
    future::poll_fn,
    io::ErrorKind,
    net::SocketAddr,
    pin::Pin,
    task::{Poll, ready},
};
use tokio::{
    io::{AsyncRead as _, ReadBuf},
    net::TcpStream,
};

/// Bytes read at once, into a buffer that all connections share.
const READ_BYTES: usize = 64 * 1024;
/// What comes with a payload.
const WITH_PAYLOAD: [&[u8]; 3] = [b"MSG ", b"NOT ", b"IPG "];
/// The client that we claim to be when challenged.
const CLIENT: (&str, &str) = ("PROD0038W!61ZTF9", "VT6PX?UQTM4WM%YR");
/// What a client of that time says it can do.
pub(crate) const CLIENT_ID: u32 = 268_435_456;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
}

/// A line without its end, and its payload if it has one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'a> {
    pub(crate) line: &'a [u8],
    pub(crate) payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The words of the line.
    pub(crate) fn words(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.line.split(|byte| *byte == b' ')
    }

    /// Whether it is an error or a goodbye.
    pub(crate) fn is_trouble(&self) -> bool {
        self.line.first().is_some_and(u8::is_ascii_digit) || self.line.starts_with(b"OUT")
    }

    /// For messages about what went wrong.
    pub(crate) fn shown(&self) -> String {
        self.line.escape_ascii().to_string()
    }
}

/// A connection that speaks lines.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    /// What has been read and not been taken.
    rest: Vec<u8>,
}

impl Wire {
    /// Connects.
    pub(crate) async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, rest: Vec::new() })
    }

    /// Sends all of it.
    pub(crate) async fn send(&self, mut bytes: &[u8]) -> anyhow::Result<()> {
        while !bytes.is_empty() {
            match self.stream.try_write(bytes) {
                Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.stream.writable().await?;
                }
                Err(error) => return Err(error).context("cannot send"),
            }
        }
        Ok(())
    }

    /// Sends as much as is taken at once, and takes it off.
    pub(crate) fn send_some(&self, bytes: &mut Vec<u8>) -> anyhow::Result<()> {
        while !bytes.is_empty() {
            match self.stream.try_write(bytes) {
                Ok(sent) => drop(bytes.drain(..sent)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).context("cannot send"),
            }
        }
        Ok(())
    }

    /// Waits until something more might be sent.
    pub(crate) async fn writable(&self) -> anyhow::Result<()> {
        self.stream.writable().await.context("cannot send")
    }

    /// Waits until something is there and hands over every whole frame of it. An error at the end
    /// of the stream.
    pub(crate) async fn frames(
        &mut self,
        mut each: impl FnMut(Frame<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        if !self.rest.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            let taken = take_frames(&rest, &mut each)?;
            self.rest.extend_from_slice(rest.get(taken..).unwrap_or_default());
            if taken > 0 {
                return Ok(());
            }
        }
        loop {
            let is_done = self.read(|received, rest| {
                if rest.is_empty() {
                    let taken = take_frames(received, &mut each)?;
                    rest.extend_from_slice(received.get(taken..).unwrap_or_default());
                    return Ok(taken > 0);
                }
                rest.extend_from_slice(received);
                let taken = take_frames(rest, &mut each)?;
                if taken == rest.len() {
                    *rest = Vec::new();
                } else {
                    rest.drain(..taken);
                }
                Ok(taken > 0)
            });
            if is_done.await? {
                return Ok(());
            }
        }
    }

    /// The next frame: its line and its payload.
    pub(crate) async fn next(&mut self) -> anyhow::Result<(String, Vec<u8>)> {
        loop {
            if let Some((frame, taken)) = first_frame(&self.rest)? {
                let owned = (String::from_utf8_lossy(frame.line).into(), frame.payload.to_vec());
                self.rest.drain(..taken);
                if self.rest.is_empty() {
                    self.rest = Vec::new();
                }
                return Ok(owned);
            }
            let read = self.read(|received, rest| {
                rest.extend_from_slice(received);
                Ok(())
            });
            read.await?;
        }
    }

    /// The next line that begins like this; what comes before is passed over, but no error.
    pub(crate) async fn line(&mut self, start: &str) -> anyhow::Result<String> {
        loop {
            let (line, _) = self.next().await?;
            if line.starts_with(start) {
                return Ok(line);
            }
            if let Some(challenge) = line.strip_prefix("CHL 0 ") {
                self.answer(challenge).await?;
            }
            let frame = Frame { line: line.as_bytes(), payload: &[] };
            ensure!(!frame.is_trouble(), "{line:?} instead of {start:?}");
        }
    }

    /// Sends a line and waits for the answer that begins like this.
    pub(crate) async fn ask(&mut self, line: &str, start: &str) -> anyhow::Result<String> {
        self.send(format!("{line}\r\n").as_bytes()).await?;
        self.line(start).await
    }

    /// Answers a challenge, if this is one.
    pub(crate) async fn answer(&self, challenge: &str) -> anyhow::Result<()> {
        let (id, key) = CLIENT;
        let digest = challenge::answer(challenge, key);
        self.send(format!("QRY 9 {id} 32\r\n{digest}").as_bytes()).await
    }

    /// Waits until something is there and hands it over, with what was left before. Unlike
    /// `try_read`, `poll_read` knows after a short read that nothing is left, without asking.
    async fn read<R>(
        &mut self,
        mut take: impl FnMut(&[u8], &mut Vec<u8>) -> anyhow::Result<R>,
    ) -> anyhow::Result<R> {
        let Self { stream, rest } = self;
        poll_fn(|cx| {
            SCRATCH.with_borrow_mut(|scratch| {
                let mut buffer = ReadBuf::new(scratch);
                let read = ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer));
                read.context("the connection is broken")?;
                Poll::Ready(match buffer.filled() {
                    [] => Err(anyhow!("the server has closed the connection")),
                    received => take(received, rest),
                })
            })
        })
        .await
    }
}

/// Signs somebody in: `VER CVR USR USR SYN CHG`, each answered before the next is sent, and the
/// answer to the challenge behind it. Follows a referral.
pub(crate) async fn sign_in(
    target: &Target,
    account: &Account,
    ticket: &str,
) -> anyhow::Result<Wire> {
    let wire = greet(target, account, ticket).await;
    wire.with_context(|| format!("{} cannot sign in", account.address))
}

async fn greet(target: &Target, account: &Account, ticket: &str) -> anyhow::Result<Wire> {
    let (address, dialect) = (&account.address, &target.dialect);
    let mut at = target.notification;
    let mut wire = loop {
        let mut wire = Wire::connect(at).await?;
        wire.ask(&format!("VER 1 {dialect} CVR0"), &format!("VER 1 {dialect}")).await?;
        let version = "0x0409 winnt 5.1 i386 MSNMSGR 6.0.0602 MSMSGS";
        wire.ask(&format!("CVR 2 {version} {address}"), "CVR 2").await?;
        wire.send(format!("USR 3 TWN I {address}\r\n").as_bytes()).await?;
        let (line, _) = wire.next().await?;
        if line.starts_with("USR 3 TWN S") {
            break wire;
        }
        let referred = line.strip_prefix("XFR 3 NS ").and_then(|rest| rest.split(' ').next());
        at = referred.and_then(|to| to.parse().ok()).ok_or_else(|| anyhow!("{line:?} to USR"))?;
    };
    wire.ask(&format!("USR 4 TWN S {ticket}"), "USR 4 OK").await?;
    let synchronised = wire.ask("SYN 5 0", "SYN 5").await?;
    let mut counts = synchronised.split(' ').skip(3).map_while(|word| word.parse::<usize>().ok());
    let (mut contacts, mut groups) =
        (counts.next().unwrap_or_default(), counts.next().unwrap_or_default());
    ensure!(contacts >= account.forward.len(), "{synchronised:?} instead of all contacts");
    while contacts + groups > 0 {
        let (line, _) = wire.next().await?;
        match line.get(..3) {
            Some("LST") => contacts = contacts.checked_sub(1).context("too many LST")?,
            Some("LSG") => groups = groups.checked_sub(1).context("too many LSG")?,
            _ => {}
        }
    }
    wire.ask(&format!("CHG 6 NLN {CLIENT_ID}"), "CHG 6 NLN").await?;
    Ok(wire)
}

fn take_frames(
    bytes: &[u8],
    each: &mut impl FnMut(Frame<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<usize> {
    let mut taken = 0;
    while let Some((frame, length)) = first_frame(bytes.get(taken..).unwrap_or_default())? {
        taken += length;
        each(frame)?;
    }
    Ok(taken)
}

/// The first frame, if it is all there, and its length with the payload.
fn first_frame(bytes: &[u8]) -> anyhow::Result<Option<(Frame<'_>, usize)>> {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
    let (line, rest) = bytes.split_at(end + 1);
    let Some(line) = line.strip_suffix(b"\r\n") else {
        bail!("{} has no CRLF", line.escape_ascii())
    };
    if !WITH_PAYLOAD.iter().any(|verb| line.starts_with(verb)) {
        return Ok(Some((Frame { line, payload: &[] }, end + 1)));
    }
    let length = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    let length = std::str::from_utf8(length).ok().and_then(|length| length.parse().ok());
    let length: usize = length.with_context(|| format!("{} has no length", line.escape_ascii()))?;
    let payload = rest.get(..length);
    Ok(payload.map(|payload| (Frame { line, payload }, end + 1 + length)))
}
