//! The PROXY protocol, versions 1 and 2: what a proxy in front of us says before the client's first
//! byte. Knows neither limits nor whom to believe.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Longest header of version 1 in bytes, with its line end, as the protocol says.
const TEXT_BYTES_MAX: usize = 107;
/// Longest rest of a header of version 2 in bytes: addresses and what proxies tell besides.
const BINARY_BYTES_MAX: usize = 4096;
/// How version 2 begins. No header of version 1 is shorter.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// What whoever counts as a proxy says on a connection of its own.
pub const OWN_CONNECTION: &[u8] = b"PROXY UNKNOWN\r\n";

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Somebody's connection.
    Client {
        /// Where it comes from.
        source: SocketAddr,
        /// Where it reached the proxy.
        destination: SocketAddr,
    },
    /// The proxy itself, to see whether we are there; or it does not know.
    Proxy,
}

/// Reads a header and not a byte more. `InvalidData` if it is none; a peer may take as long as the
/// caller lets it.
///
/// # Errors
/// The transport's, or `InvalidData`.
pub async fn read<T: AsyncRead + Unpin>(io: &mut T) -> io::Result<Told> {
    let mut start = [0; SIGNATURE.len()];
    io.read_exact(&mut start).await?;
    if start != SIGNATURE {
        let mut line = Vec::with_capacity(TEXT_BYTES_MAX);
        line.extend_from_slice(&start);
        while line.last() != Some(&b'\n') {
            if line.len() == TEXT_BYTES_MAX || !line.starts_with(b"PROXY ") {
                return Err(malformed());
            }
            line.push(io.read_u8().await?);
        }
        return text(&line).ok_or_else(malformed);
    }
    let [version, family, high, low] = {
        let mut fixed = [0; 4];
        io.read_exact(&mut fixed).await?;
        fixed
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > BINARY_BYTES_MAX {
        return Err(malformed());
    }
    let mut rest = vec![0; length];
    io.read_exact(&mut rest).await?;
    binary(version, family, &rest).ok_or_else(malformed)
}

/// `PROXY TCP4 source destination port port`.
fn text(line: &[u8]) -> Option<Told> {
    let line = std::str::from_utf8(line.strip_suffix(b"\r\n")?).ok()?;
    let mut words = line.strip_prefix("PROXY ")?.split(' ');
    let is_ipv4 = match words.next()? {
        "TCP4" => true,
        "TCP6" => false,
        "UNKNOWN" => return Some(Told::Proxy),
        _ => return None,
    };
    let mut address = || {
        let address: IpAddr = words.next()?.parse().ok()?;
        (address.is_ipv4() == is_ipv4).then_some(address)
    };
    let (source, destination) = (address()?, address()?);
    let mut port = || {
        let word = words.next()?;
        word.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse().ok()).flatten()
    };
    let told = Told::Client {
        source: SocketAddr::new(source, port()?),
        destination: SocketAddr::new(destination, port()?),
    };
    words.next().is_none().then_some(told)
}

fn binary(version: u8, family: u8, rest: &[u8]) -> Option<Told> {
    match version {
        0x20 => return Some(Told::Proxy),
        0x21 => {}
        _ => return None,
    }
    let (source, destination, ports) = match family {
        0x11 => {
            let (source, rest) = rest.split_first_chunk::<4>()?;
            let (destination, rest) = rest.split_first_chunk::<4>()?;
            (Ipv4Addr::from(*source).into(), Ipv4Addr::from(*destination).into(), rest)
        }
        0x21 => {
            let (source, rest) = rest.split_first_chunk::<16>()?;
            let (destination, rest) = rest.split_first_chunk::<16>()?;
            (Ipv6Addr::from(*source).into(), Ipv6Addr::from(*destination).into(), rest)
        }
        // Neither TCP over IPv4 nor over IPv6: nothing that names a client of ours.
        0x00 | 0x12 | 0x22 | 0x31 | 0x32 => return Some(Told::Proxy),
        _ => return None,
    };
    let ([a, b, c, d], _) = ports.split_first_chunk::<4>()?;
    let port = |high: &u8, low: &u8| u16::from_be_bytes([*high, *low]);
    Some(Told::Client {
        source: SocketAddr::new(source, port(a, b)),
        destination: SocketAddr::new(destination, port(c, d)),
    })
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "no PROXY header")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What is read from `bytes`, and how many of them are left; `None` if it is no header.
    fn reading(mut bytes: &[u8]) -> Option<(Told, usize)> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let told = runtime.block_on(read(&mut bytes)).ok()?;
        Some((told, bytes.len()))
    }

    fn client(source: &str, destination: &str) -> Told {
        Told::Client { source: source.parse().unwrap(), destination: destination.parse().unwrap() }
    }

    fn version_2(version: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[version, family], &length, rest].concat()
    }

    #[test]
    fn version_1_is_read_to_its_line_end() {
        let told = client("203.0.113.7:4000", "198.51.100.1:1863");
        let header = b"PROXY TCP4 203.0.113.7 198.51.100.1 4000 1863\r\nVER 1";
        assert_eq!(reading(header), Some((told, 5)));
        let told = client("[2001:db8::1]:1", "[2001:db8::2]:65535");
        let header = b"PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n";
        assert_eq!(reading(header), Some((told, 0)));
        assert_eq!(reading(b"PROXY UNKNOWN\r\nVER"), Some((Told::Proxy, 3)));
        assert_eq!(reading(b"PROXY UNKNOWN ff::1 ff::2 1 2\r\n"), Some((Told::Proxy, 0)));
    }

    #[test]
    fn version_2_is_read_with_all_it_announces() {
        let four = [203, 0, 113, 7, 198, 51, 100, 1, 0x0f, 0xa0, 0x07, 0x47];
        let told = client("203.0.113.7:4000", "198.51.100.1:1863");
        assert_eq!(reading(&version_2(0x21, 0x11, &four)), Some((told, 0)));
        // What is told besides the addresses is passed over.
        let more = [&four[..], &[0x04, 0, 2, 9, 9]].concat();
        let header = [version_2(0x21, 0x11, &more), b"VER".to_vec()].concat();
        assert_eq!(reading(&header), Some((told, 3)));
        let mut six = [0; 36];
        (six[0], six[15], six[31], six[33], six[35]) = (0x20, 1, 2, 3, 4);
        let told = client("[2000::1]:3", "[::2]:4");
        assert_eq!(reading(&version_2(0x21, 0x21, &six)), Some((told, 0)));
        assert_eq!(reading(&version_2(0x20, 0x00, b"")), Some((Told::Proxy, 0)));
        assert_eq!(reading(&version_2(0x20, 0x11, &four)), Some((Told::Proxy, 0)));
        assert_eq!(reading(&version_2(0x21, 0x00, b"abc")), Some((Told::Proxy, 0)));
    }

    #[test]
    fn nothing_else_is_a_header() {
        for text in [
            "VER 1 MSNP9 CVR0\r\n",
            "PROXY TCP4 203.0.113.7 198.51.100.1 4000\r\n",
            "PROXY TCP4 203.0.113.7 198.51.100.1 4000 1863 1\r\n",
            "PROXY TCP4 203.0.113.7 198.51.100.1 4000 65536\r\n",
            "PROXY TCP4 203.0.113.7 198.51.100.1 +400 1863\r\n",
            "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
            "PROXY TCP6 203.0.113.7 198.51.100.1 1 2\r\n",
            "PROXY TCP4  203.0.113.7 198.51.100.1 1 2\r\n",
            "PROXY UDP4 203.0.113.7 198.51.100.1 1 2\r\n",
            "proxy TCP4 203.0.113.7 198.51.100.1 1 2\r\n",
            "PROXY UNKNOWN\n",
            "PROXY UNKNOWN",
        ] {
            assert_eq!(reading(text.as_bytes()), None, "{text}");
        }
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(TEXT_BYTES_MAX - 16));
        assert_eq!(long.len(), TEXT_BYTES_MAX);
        assert!(reading(long.as_bytes()).is_some());
        assert_eq!(reading(format!("PROXY UNKNOWN {}\r\n", "x".repeat(92)).as_bytes()), None);
        for (version, family, length) in [
            (0x11, 0x11, 12),
            (0x22, 0x11, 12),
            (0x21, 0x11, 11),
            (0x21, 0x21, 35),
            (0x21, 0x51, 99),
        ] {
            assert_eq!(reading(&version_2(version, family, &vec![1; length])), None);
        }
        assert!(reading(&version_2(0x21, 0x21, &[1; BINARY_BYTES_MAX])).is_some());
        assert_eq!(reading(&version_2(0x21, 0x21, &[1; BINARY_BYTES_MAX + 1])), None);
        let half = version_2(0x21, 0x11, &[1; 12]);
        assert_eq!(reading(&half[..half.len() - 1]), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Fuzz target: nothing panics, and no byte behind the header is taken.
        #[test]
        fn any_bytes_are_read_or_refused(
            kind in 0_usize..3,
            bytes in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let start: &[u8] = [&b""[..], b"PROXY TCP4 ", &SIGNATURE][kind];
            let input = [start, &bytes].concat();
            if let Some((_, left)) = reading(&input) {
                let header = &input[..input.len() - left];
                prop_assert_eq!(reading(header).map(|(_, left)| left), Some(0));
            }
        }

        #[test]
        fn what_proxies_write_is_read_back(
            source in any::<([u8; 4], u16)>(),
            destination in any::<([u8; 4], u16)>(),
            told_besides in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let (source, destination) = (SocketAddr::from(source), SocketAddr::from(destination));
            let told = Told::Client { source, destination };
            let line = format!(
                "PROXY TCP4 {} {} {} {}\r\n",
                source.ip(), destination.ip(), source.port(), destination.port()
            );
            prop_assert_eq!(reading(line.as_bytes()), Some((told, 0)));
            let (IpAddr::V4(from), IpAddr::V4(to)) = (source.ip(), destination.ip()) else {
                unreachable!()
            };
            let addresses = [from.octets(), to.octets()].concat();
            let ports = [source.port().to_be_bytes(), destination.port().to_be_bytes()].concat();
            let rest = [addresses, ports, told_besides].concat();
            prop_assert_eq!(reading(&version_2(0x21, 0x11, &rest)), Some((told, 0)));
        }
    }
}
