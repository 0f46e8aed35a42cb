//! To which notification server a client is sent, and under which address this server is known.

use crate::config;
use sha2::{Digest as _, Sha256};
use std::net::{IpAddr, SocketAddr};

/// Where clients are sent.
#[derive(Debug, Clone)]
pub struct Referral {
    /// Notification servers elsewhere; empty: the one of this process.
    servers: Vec<String>,
    notification: Advertised,
    dispatch: Advertised,
}

/// An address as written into lines for clients.
#[derive(Debug, Clone)]
struct Advertised {
    /// As configured; empty: the address at which the client reached us.
    configured: String,
    /// Where the role really listens.
    bound: SocketAddr,
}

impl Referral {
    /// `notification` is where this process's notification role listens, if it runs.
    #[must_use]
    pub fn new(
        config: &config::Config,
        dispatch: SocketAddr,
        notification: Option<SocketAddr>,
    ) -> Self {
        let advertised =
            |configured: &str, bound| Advertised { configured: configured.into(), bound };
        Self {
            servers: config.dispatch.notification_servers.clone(),
            notification: advertised(
                &config.notification.advertised,
                notification.unwrap_or(dispatch),
            ),
            dispatch: advertised(&config.dispatch.advertised, dispatch),
        }
    }

    /// The notification server for `user` as `host:port`. The same user gets the same server as
    /// long as it is in the list; a server that joins or leaves moves only its own share.
    /// `None` if the only address we could name is an IPv6 one, which the protocol cannot write.
    #[must_use]
    pub fn notification_server(&self, user: &[u8], reached_at: SocketAddr) -> Option<String> {
        if self.servers.is_empty() {
            return self.notification.as_seen_from(reached_at);
        }
        self.servers.iter().max_by_key(|server| weight(user, server)).cloned()
    }

    /// This server's own address as `host:port`.
    #[must_use]
    pub fn this_server(&self, reached_at: SocketAddr) -> Option<String> {
        self.dispatch.as_seen_from(reached_at)
    }
}

impl Advertised {
    fn as_seen_from(&self, reached_at: SocketAddr) -> Option<String> {
        let port = self.bound.port();
        if self.configured.contains(':') {
            return Some(self.configured.clone());
        }
        if !self.configured.is_empty() {
            return Some(format!("{}:{port}", self.configured));
        }
        let bound = self.bound.ip().to_canonical();
        match if bound.is_unspecified() { reached_at.ip().to_canonical() } else { bound } {
            IpAddr::V4(ip) => Some(format!("{ip}:{port}")),
            IpAddr::V6(_) => None,
        }
    }
}

/// Rendezvous hashing: the server with the highest weight serves the user.
fn weight(user: &[u8], server: &str) -> [u8; 32] {
    let user = user.to_ascii_lowercase();
    Sha256::new_with_prefix(user).chain_update([0]).chain_update(server).finalize().into()
}

/// What a client that is not on this machine will not be able to do, for the operator.
#[must_use]
pub fn warning(config: &config::Config, bound: SocketAddr, in_container: bool) -> Option<String> {
    let is_advertised = !config.notification.advertised.is_empty();
    if is_advertised || !config.dispatch.notification_servers.is_empty() {
        None
    } else if bound.ip().is_loopback() {
        Some(format!(
            "the notification role listens only on {bound}: clients on other machines cannot sign \
             in; set notification.bind (and dispatch.bind) to 0.0.0.0 or to this machine's address"
        ))
    } else if in_container {
        Some(
            "running in a container without notification.advertised: clients will be referred to \
             the container's own address; set MSND_NOTIFICATION_ADVERTISED to the host's name or \
             address"
                .into(),
        )
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_lan_needs_no_configuration() {
        let referral =
            Referral::new(&Config::default(), at("0.0.0.0:1863"), Some(at("0.0.0.0:1864")));
        let reached_at = at("192.168.7.2:1863");
        assert_eq!(referral.notification_server(b"a@b.c", reached_at).unwrap(), "192.168.7.2:1864");
        assert_eq!(referral.this_server(reached_at).unwrap(), "192.168.7.2:1863");
        let reached_at = at("[::ffff:192.168.7.2]:1863");
        assert_eq!(referral.this_server(reached_at).unwrap(), "192.168.7.2:1863");
        assert_eq!(referral.this_server(at("[2001:db8::1]:1863")), None);
    }

    #[test]
    fn configured_addresses_win() {
        let mut config = Config::default();
        config.notification.advertised = "chat.example.org".into();
        config.dispatch.advertised = "ds.example.org:11863".into();
        let referral = Referral::new(&config, at("0.0.0.0:1863"), Some(at("0.0.0.0:1864")));
        let reached_at = at("10.0.0.1:1863");
        assert_eq!(
            referral.notification_server(b"a@b.c", reached_at).unwrap(),
            "chat.example.org:1864"
        );
        assert_eq!(referral.this_server(reached_at).unwrap(), "ds.example.org:11863");
    }

    #[test]
    fn a_specific_bind_address_is_what_clients_are_told() {
        let referral =
            Referral::new(&Config::default(), at("0.0.0.0:1863"), Some(at("10.0.0.9:1864")));
        assert_eq!(
            referral.notification_server(b"a@b.c", at("10.0.0.1:1863")).unwrap(),
            "10.0.0.9:1864"
        );
    }

    #[test]
    fn accounts_are_spread_in_a_stable_way() {
        let mut config = Config::default();
        let servers = ["10.0.0.1:1864", "10.0.0.2:1864", "10.0.0.3:1864"];
        config.dispatch.notification_servers = servers.map(String::from).into();
        let all = Referral::new(&config, at("0.0.0.0:1863"), None);
        config.dispatch.notification_servers.pop();
        let fewer = Referral::new(&config, at("0.0.0.0:1863"), None);
        let reached_at = at("10.0.0.1:1863");
        let mut counts = [0; 3];
        for user in (0..300).map(|n| format!("user{n}@example.test")) {
            let server = all.notification_server(user.as_bytes(), reached_at).unwrap();
            let upper = user.to_uppercase();
            assert_eq!(all.notification_server(upper.as_bytes(), reached_at).unwrap(), server);
            counts[servers.iter().position(|known| *known == server).unwrap()] += 1;
            if server != servers[2] {
                assert_eq!(fewer.notification_server(user.as_bytes(), reached_at).unwrap(), server);
            }
        }
        assert!(counts.iter().all(|count| *count > 50), "{counts:?}");
    }

    #[test]
    fn warns_when_clients_cannot_come() {
        let config = Config::default();
        assert!(warning(&config, at("127.0.0.1:1864"), false).unwrap().contains("127.0.0.1"));
        assert!(warning(&config, at("0.0.0.0:1864"), true).unwrap().contains("ADVERTISED"));
        assert_eq!(warning(&config, at("0.0.0.0:1864"), false), None);
    }
}
