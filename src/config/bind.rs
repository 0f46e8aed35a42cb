//! Where a role listens, and which two of them cannot listen at the same time. Knows no role.

use serde::{Deserialize, Serialize};
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

/// An address to listen on, or a word in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Bind {
    /// The role does not run.
    Off,
    /// On the port of the notification role, whichever that is: one port answers for both. Only
    /// the dispatch and the switchboard role can do that.
    Notification,
    /// Address and port; port 0 lets the kernel choose.
    At(SocketAddr),
}

impl Bind {
    /// All IPv4 addresses, this port.
    #[must_use]
    pub const fn any(port: u16) -> Self {
        Self::At(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port))
    }

    /// Whether the system would refuse the second of the two: one port, and an address that both
    /// of them mean. `[::]` means all IPv4 addresses too, as is the default of all systems.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        let (Self::At(one), Self::At(other)) = (self, other) else { return false };
        let (ip, other_ip) = (one.ip().to_canonical(), other.ip().to_canonical());
        one.port() == other.port()
            && one.port() != 0
            && (ip == other_ip || covers(ip, other_ip) || covers(other_ip, ip))
    }

    /// The address, if it is an IPv6 one and no other: one that the protocol cannot write.
    #[must_use]
    pub fn only_ipv6(self) -> Option<SocketAddr> {
        match self {
            Self::At(address) if !address.ip().is_unspecified() => {
                address.ip().to_canonical().is_ipv6().then_some(address)
            }
            _ => None,
        }
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Notification => f.write_str("notification"),
            Self::At(address) => address.fmt(f),
        }
    }
}

impl TryFrom<String> for Bind {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "off" => Ok(Self::Off),
            "notification" => Ok(Self::Notification),
            _ => text.parse().map(Self::At).map_err(|_| {
                format!("`{text}` is neither an address such as 0.0.0.0:1863 nor `off`")
            }),
        }
    }
}

impl From<Bind> for String {
    fn from(bind: Bind) -> Self {
        bind.to_string()
    }
}

/// Whether `all` means every address, `one` among them.
fn covers(all: IpAddr, one: IpAddr) -> bool {
    all.is_unspecified() && (all.is_ipv6() || one.is_ipv4())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind(text: &str) -> Bind {
        Bind::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn addresses_overlap_where_the_system_says_so() {
        for (one, other, overlap) in [
            ("127.0.0.1:1863", "127.0.0.1:1863", true),
            ("0.0.0.0:1863", "127.0.0.1:1863", true),
            ("0.0.0.0:1863", "0.0.0.0:1864", false),
            ("127.0.0.1:1863", "127.0.0.2:1863", false),
            ("[::]:1863", "127.0.0.1:1863", true),
            ("[::]:1863", "0.0.0.0:1863", true),
            ("[::]:1863", "[::1]:1863", true),
            ("0.0.0.0:1863", "[::1]:1863", false),
            ("[::ffff:127.0.0.1]:1863", "127.0.0.1:1863", true),
            ("127.0.0.1:0", "127.0.0.1:0", false),
            ("off", "off", false),
            ("notification", "127.0.0.1:1863", false),
        ] {
            assert_eq!(bind(one).overlaps(bind(other)), overlap, "{one} and {other}");
            assert_eq!(bind(other).overlaps(bind(one)), overlap, "{other} and {one}");
        }
    }

    /// What [`Bind::overlaps`] says, asked of the system itself.
    #[test]
    fn the_system_refuses_what_overlaps() {
        for (one, other) in [("127.0.0.1", "0.0.0.0"), ("0.0.0.0", "127.0.0.1")] {
            let first = std::net::TcpListener::bind((one, 0)).unwrap();
            let port = first.local_addr().unwrap().port();
            assert!(std::net::TcpListener::bind((other, port)).is_err(), "{one} and {other}");
        }
    }

    #[test]
    fn words_and_addresses_are_read_as_they_are_written() {
        for text in ["off", "notification", "0.0.0.0:1863", "[::1]:0"] {
            assert_eq!(bind(text).to_string(), text);
        }
        assert!(Bind::try_from("dispatch".to_owned()).is_err());
    }

    #[test]
    fn only_one_ipv6_address_is_only_ipv6() {
        assert!(bind("[2001:db8::1]:1864").only_ipv6().is_some());
        for text in ["[::]:1864", "[::ffff:10.0.0.1]:1864", "10.0.0.1:1864", "off"] {
            assert_eq!(bind(text).only_ipv6(), None, "{text}");
        }
    }
}
