//! Where conversations take place: the switchboard role of this process, under one or several
//! addresses.

use crate::{
    config::Config,
    session::advertised::{Advertised, choose},
};
use std::{net::SocketAddr, sync::Arc};

/// The switchboards that clients are sent to.
#[derive(Debug)]
pub struct Switchboards {
    /// As configured; empty: the role of this process at its own address.
    servers: Vec<Arc<str>>,
    own: Advertised,
}

impl Switchboards {
    /// `bound` is where this process's switchboard role listens, on a port of its own or on that of
    /// the notification role.
    #[must_use]
    pub fn new(config: &Config, bound: SocketAddr) -> Self {
        let own = Advertised::new(&configured(config), bound);
        let servers = config.switchboard.servers.iter().map(|server| server.as_str().into());
        Self { servers: servers.collect(), own }
    }

    /// The switchboard on which a conversation of `user` is opened; `None` if there is only one.
    #[must_use]
    pub fn choose(&self, user: &str) -> Option<Arc<str>> {
        choose(&self.servers, user.as_bytes()).cloned()
    }

    /// The address of a chosen switchboard as `host:port`, for a client that reached us at
    /// `reached_at`. `None` if the protocol cannot write it.
    #[must_use]
    pub fn address(&self, chosen: Option<&str>, reached_at: SocketAddr) -> Option<String> {
        chosen.map_or_else(|| self.own.as_seen_from(reached_at), |server| Some(server.to_owned()))
    }
}

/// Whoever says under which name the notification role is reached means the machine; another port
/// of the same machine need not be said.
fn configured(config: &Config) -> String {
    let (switchboard, notification) = (&config.switchboard, &config.notification.advertised);
    if !switchboard.advertised.is_empty() {
        return switchboard.advertised.clone();
    }
    if switchboard.bind == crate::config::Bind::Notification {
        return notification.clone();
    }
    notification.split(':').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Bind;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn address(config: &Config, bound: &str) -> Option<String> {
        Switchboards::new(config, at(bound)).address(None, at("192.168.7.2:1864"))
    }

    #[test]
    fn a_lan_needs_no_configuration() {
        assert_eq!(address(&Config::default(), "0.0.0.0:1865").unwrap(), "192.168.7.2:1865");
    }

    #[test]
    fn the_machine_is_named_once() {
        let mut config = Config::default();
        config.notification.advertised = "chat.example.org".into();
        assert_eq!(address(&config, "0.0.0.0:1865").unwrap(), "chat.example.org:1865");
        config.notification.advertised = "chat.example.org:11864".into();
        assert_eq!(address(&config, "0.0.0.0:1865").unwrap(), "chat.example.org:1865");
        config.switchboard.bind = Bind::Notification;
        assert_eq!(address(&config, "0.0.0.0:1864").unwrap(), "chat.example.org:11864");
        config.switchboard.advertised = "sb.example.org".into();
        assert_eq!(address(&config, "0.0.0.0:1864").unwrap(), "sb.example.org:1864");
    }

    #[test]
    fn conversations_are_spread_over_several_addresses() {
        let mut config = Config::default();
        assert_eq!(Switchboards::new(&config, at("0.0.0.0:1865")).choose("a@example.test"), None);
        config.switchboard.servers = vec!["10.0.0.1:1865".into(), "10.0.0.2:1865".into()];
        let switchboards = Switchboards::new(&config, at("0.0.0.0:1865"));
        let chosen = |user: &str| {
            let server = switchboards.choose(user);
            switchboards.address(server.as_deref(), at("192.168.7.2:1864")).unwrap()
        };
        let users: Vec<_> = (0..50).map(|n| format!("user{n}@example.test")).collect();
        for server in &config.switchboard.servers {
            assert!(users.iter().any(|user| chosen(user) == *server), "{server} is never chosen");
        }
        assert!(users.iter().all(|user| chosen(user) == chosen(&user.to_uppercase())));
    }
}
