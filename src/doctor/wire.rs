//! The little of MSNP and HTTP that looking needs: lines, and one request with its answer. Reads no
//! more than it was told to.

use super::{Fault, Options, wrong};
use crate::net::proxy::OWN_CONNECTION;
use std::{
    io,
    net::{IpAddr, SocketAddr},
};
use tokio::{
    io::{
        AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _,
        BufReader,
    },
    net::TcpStream,
};

/// Longest line of the protocol we read, bytes.
const LINE_BYTES_MAX: u64 = 8192;
/// Longest HTTP answer we read, bytes.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// Connects.
pub(super) async fn connect(
    options: &Options,
    host: &str,
    port: u16,
    remedy: &str,
) -> Result<TcpStream, Fault> {
    let attempt = async {
        let mut stream = TcpStream::connect((host, port)).await?;
        let own = stream.local_addr()?.ip();
        if options.proxies.iter().any(|range| range.contains(own)) {
            stream.write_all(OWN_CONNECTION).await?;
        }
        Ok(stream)
    };
    attempt.await.map_err(|error: io::Error| {
        wrong(format!("cannot connect to {host}, port {port}: {error}"), remedy)
    })
}

/// A connection that speaks in lines.
pub(super) struct Lines {
    io: BufReader<TcpStream>,
    peer: SocketAddr,
}

impl Lines {
    /// Connects to a dispatch or notification server and agrees on a dialect.
    pub(super) async fn open(
        options: &Options,
        host: &str,
        port: u16,
        remedy: &str,
    ) -> Result<Self, Fault> {
        let stream = connect(options, host, port, remedy).await?;
        let lost = |error: io::Error| wrong(format!("{host}:{port}: {error}"), remedy);
        let peer = stream.peer_addr().map_err(lost)?;
        let mut lines = Self { io: BufReader::new(stream), peer };
        let answer = lines.ask("VER 1 MSNP9 MSNP8 CVR0").await.map_err(lost)?;
        if !answer.starts_with("VER 1 MSNP9") {
            let what = format!("{host}:{port} does not speak MSNP9: it says `{}`", shown(&answer));
            return Err(wrong(what, remedy));
        }
        Ok(lines)
    }

    /// Whom we talk to.
    pub(super) const fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Sends a line and reads one.
    pub(super) async fn ask(&mut self, line: &str) -> io::Result<String> {
        self.io.write_all(format!("{line}\r\n").as_bytes()).await?;
        let mut answer = Vec::new();
        (&mut self.io).take(LINE_BYTES_MAX).read_until(b'\n', &mut answer).await?;
        if answer.is_empty() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was closed"));
        }
        Ok(String::from_utf8_lossy(&answer).trim_end().to_owned())
    }

    /// Says good-bye; whether that is heard changes nothing.
    pub(super) async fn close(mut self) {
        let _ = self.io.write_all(b"OUT\r\n").await;
    }
}

/// An HTTP answer.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// Status line and headers as they came, each line with its end.
    pub(super) head: String,
    /// The body.
    pub(super) body: Vec<u8>,
    /// Whether the server closed the connection behind it.
    pub(super) closed: bool,
    /// Who gave it, where that was asked for.
    pub(super) peer: Option<IpAddr>,
}

impl Answer {
    /// Status line.
    pub(super) fn status(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// Value of the header with exactly this name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// Body as text.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn length(&self) -> Option<usize> {
        let (_, value) = self
            .head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
        value.trim().parse().ok()
    }
}

/// Sends a request and reads the answer: as long as it says it is, or to the end of the connection
/// if `to_end` or if it says nothing.
pub(super) async fn request<T>(io: &mut T, request: &str, to_end: bool) -> io::Result<Answer>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    io.write_all(request.as_bytes()).await?;
    io.flush().await?;
    let (mut bytes, mut answer) = (Vec::new(), Answer::default());
    loop {
        if answer.head.is_empty()
            && let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n")
        {
            let body = bytes.split_off(end + 4);
            answer.head = String::from_utf8_lossy(&bytes).into_owned();
            bytes = body;
        }
        let complete = answer.length().is_some_and(|length| bytes.len() >= length);
        if !answer.head.is_empty() && complete && !to_end {
            break;
        }
        if bytes.len() > ANSWER_BYTES_MAX {
            return Err(io::Error::other("the answer does not end"));
        }
        match io.read_buf(&mut bytes).await {
            Ok(0) => {
                answer.closed = true;
                break;
            }
            Ok(_) => {}
            // A peer that cuts TLS off has closed it too; what was said stands.
            Err(_) if !answer.head.is_empty() => {
                answer.closed = true;
                break;
            }
            Err(error) => return Err(error),
        }
    }
    if answer.head.is_empty() {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed without an answer"));
    }
    answer.body = bytes;
    Ok(answer)
}

/// The beginning of something foreign, fit for a screen.
pub(super) fn shown(text: &str) -> String {
    const SHOWN_MAX: usize = 80;
    let plain = |character: char| if character.is_control() { '?' } else { character };
    text.chars().take(SHOWN_MAX).map(plain).collect()
}
