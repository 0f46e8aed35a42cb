//! `msnd probe`: asks a running server whether it speaks. The container's health check.

use super::{ConfigArgs, Failure, backend::block_on, output};
use crate::{
    config::{Bind, Config},
    model::subnet::Subnet,
    net::proxy::OWN_CONNECTION,
};
use anyhow::{Context as _, anyhow};
use clap::Args;
use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    time::timeout,
};

/// How long the whole conversation may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest answer we read, bytes.
const REPLY_BYTES_MAX: u64 = 512;
const QUESTION: &[u8] = b"VER 1 MSNP9 MSNP8 CVR0\r\n";
const REPLY_START: &[u8] = b"VER 1 MSNP";

/// Ask a running server whether it answers, within three seconds
#[derive(Debug, Args)]
pub(super) struct ProbeArgs {
    /// Where it listens; without it, where the options say, on this machine
    address: Option<SocketAddr>,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Does it.
pub(super) fn run(args: &ProbeArgs) -> Result<(), Failure> {
    let config = args.config.load()?.config;
    let address = match args.address {
        Some(address) => address,
        None => configured(&config)?,
    };
    block_on(async {
        match timeout(PROBE_TIMEOUT, ask(address, &config.net.proxy_protocol_from)).await {
            Ok(answer) => Ok(answer.with_context(|| format!("{address} is not well"))?),
            Err(_) => Err(anyhow!("{address} did not answer within {PROBE_TIMEOUT:?}").into()),
        }
    })?;
    output::print(&format!("{address} answers\n"))
}

/// Where the notification role listens, or else dispatch, seen from this machine.
fn configured(config: &Config) -> Result<SocketAddr, Failure> {
    for bind in [config.notification.bind, config.dispatch.bind] {
        match bind {
            Bind::At(address) if address.port() != 0 => return Ok(reachable(address)),
            _ => {}
        }
    }
    Err(anyhow!("no notification or dispatch role has a fixed port; name an ADDRESS:PORT").into())
}

/// An address that means all interfaces is reached through the loopback one.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

/// Asks the server at `address`, which takes connections from `proxies` only with a header.
async fn ask(address: SocketAddr, proxies: &[Subnet]) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address).await.context("cannot connect")?;
    let own = stream.local_addr().context("cannot connect")?.ip();
    if proxies.iter().any(|range| range.contains(own)) {
        stream.write_all(OWN_CONNECTION).await.context("cannot send")?;
    }
    stream.write_all(QUESTION).await.context("cannot send")?;
    let (reader, mut writer) = stream.split();
    let mut line = Vec::new();
    BufReader::new(reader.take(REPLY_BYTES_MAX))
        .read_until(b'\n', &mut line)
        .await
        .context("cannot read")?;
    if !line.starts_with(REPLY_START) || !line.ends_with(b"\r\n") {
        anyhow::bail!("it does not answer VER as an MSNP server does");
    }
    // It has answered; whether it hears our good-bye changes nothing.
    let _ = writer.write_all(b"OUT\r\n").await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// Probes a listener that answers `reply`, or never if that is `None`.
    async fn probe(reply: Option<&'static [u8]>) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut question = [0; QUESTION.len()];
            stream.read_exact(&mut question).await.unwrap();
            assert_eq!(question, QUESTION);
            if let Some(reply) = reply {
                stream.write_all(reply).await.unwrap();
            }
            drop(stream);
        };
        let (answer, ()) = tokio::join!(ask(address, &[]), serve);
        answer.map_err(|error| format!("{error:#}"))
    }

    #[tokio::test]
    async fn only_a_reply_to_ver_is_an_answer() {
        assert_eq!(probe(Some(b"VER 1 MSNP9 MSNP8 CVR0\r\n")).await, Ok(()));
        assert!(probe(Some(b"VER 1 0\r\n")).await.is_err());
        assert!(probe(Some(b"HTTP/1.1 400 Bad Request\r\n\r\n")).await.is_err());
        assert!(probe(Some(b"VER 1 MSNP9")).await.is_err());
        assert!(probe(Some(&[b'x'; 600])).await.is_err());
        assert!(probe(None).await.is_err());
    }

    #[test]
    fn the_options_say_where() {
        let mut config = Config::default();
        assert_eq!(configured(&config).unwrap().to_string(), "127.0.0.1:1864");
        config.notification.bind = Bind::Off;
        config.dispatch.bind = Bind::At("[::]:1863".parse().unwrap());
        assert_eq!(configured(&config).unwrap().to_string(), "[::1]:1863");
        config.dispatch.bind = Bind::any(0);
        assert!(configured(&config).is_err());
    }
}
