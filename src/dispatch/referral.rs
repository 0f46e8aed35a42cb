//! To which notification server a client is sent, and under which address this server is known.

use crate::{
    config,
    session::advertised::{Advertised, choose},
};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Where clients are sent.
#[derive(Debug, Clone)]
pub struct Referral {
    /// Notification servers elsewhere; empty: the one of this process.
    servers: Vec<String>,
    notification: Advertised,
    dispatch: Advertised,
}

impl Referral {
    /// `notification` is where this process's notification role listens, if it runs.
    #[must_use]
    pub fn new(
        config: &config::Config,
        dispatch: SocketAddr,
        notification: Option<SocketAddr>,
    ) -> Self {
        Self {
            servers: config.dispatch.notification_servers.clone(),
            notification: Advertised::new(
                &config.notification.advertised,
                notification.unwrap_or(dispatch),
            ),
            dispatch: Advertised::new(&config.dispatch.advertised, dispatch),
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
        choose(&self.servers, user).cloned()
    }

    /// This server's own address as `host:port`.
    #[must_use]
    pub fn this_server(&self, reached_at: SocketAddr) -> Option<String> {
        self.dispatch.as_seen_from(reached_at)
    }
}

/// Where the two roles of this process listen, if they run. The same address twice: one port, and
/// nobody is referred to it.
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    /// The dispatch role.
    pub dispatch: Option<SocketAddr>,
    /// The notification role.
    pub notification: Option<SocketAddr>,
}

/// What clients on other machines will not be able to do, for the operator. A loopback address
/// with a configured one to advertise is taken for the inner side of a proxy.
#[must_use]
pub fn warnings(config: &config::Config, bound: Bound, in_container: bool) -> Vec<String> {
    let shared = bound.dispatch == bound.notification;
    let (key, targets) = referred_to(config);
    let roles = [
        ("dispatch", bound.dispatch, !config.dispatch.advertised.is_empty()),
        ("notification", bound.notification, !targets.is_empty()),
    ];
    let mut found: Vec<String> = roles
        .into_iter()
        .filter(|(role, ..)| !(shared && *role == "dispatch"))
        .filter_map(|(role, bound, is_advertised)| Some((role, bound?, is_advertised)))
        .filter(|(_, bound, is_advertised)| bound.ip().is_loopback() && !is_advertised)
        .map(|(role, bound, _)| {
            format!(
                "the {role} role listens only on {bound}: clients on other machines cannot sign \
                 in; set {role}.bind to 0.0.0.0 or to this machine's address"
            )
        })
        .collect();
    let Some(dispatch) = bound.dispatch.filter(|dispatch| !shared && !dispatch.ip().is_loopback())
    else {
        return found;
    };
    found.extend(targets.iter().filter(|target| is_loopback(target)).map(|target| {
        format!(
            "{key} names {target}, where clients on other machines will look for a server of \
             their own; set it to the name or address at which they reach it"
        )
    }));
    if targets.is_empty() && in_container {
        found.push(
            "running in a container without notification.advertised: clients will be referred to \
             the container's own address; set MSND_NOTIFICATION_ADVERTISED to the host's name or \
             address"
                .into(),
        );
    }
    if dispatch.ip() == Ipv6Addr::UNSPECIFIED
        && (targets.is_empty() || config.dispatch.advertised.is_empty())
    {
        found.push(format!(
            "dispatch.bind is {dispatch}, but the protocol cannot name IPv6 addresses: clients \
             that come over IPv6 will be refused; set dispatch.advertised and \
             notification.advertised to a host name"
        ));
    }
    found
}

/// The addresses that are configured to be written into referrals, and the option they are in.
fn referred_to(config: &config::Config) -> (&'static str, &[String]) {
    if !config.dispatch.notification_servers.is_empty() {
        return ("dispatch.notification_servers", &config.dispatch.notification_servers);
    }
    let advertised = std::slice::from_ref(&config.notification.advertised);
    let is_set = !config.notification.advertised.is_empty();
    ("notification.advertised", if is_set { advertised } else { &[] })
}

fn is_loopback(target: &str) -> bool {
    let host = target.split(':').next().unwrap_or_default();
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
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

    /// How many warnings there are for two listeners, `-` for a role that does not run, and all
    /// of them together.
    fn warned(config: &Config, dispatch: &str, notification: &str) -> (usize, String) {
        let bound = |text: &str| (text != "-").then(|| at(text));
        let bound = Bound { dispatch: bound(dispatch), notification: bound(notification) };
        let found = warnings(config, bound, false);
        (found.len(), found.concat())
    }

    #[test]
    fn warns_of_roles_that_only_this_machine_reaches() {
        let config = Config::default();
        assert_eq!(warned(&config, "0.0.0.0:1863", "0.0.0.0:1864").0, 0);
        for (dispatch, notification, role) in [
            ("0.0.0.0:1863", "127.0.0.1:1864", "notification role"),
            ("127.0.0.1:1863", "0.0.0.0:1864", "dispatch role"),
            ("127.0.0.1:1863", "-", "dispatch role"),
            ("-", "[::1]:1864", "notification role"),
            ("127.0.0.1:1864", "127.0.0.1:1864", "notification role"),
        ] {
            let (count, text) = warned(&config, dispatch, notification);
            assert!(count == 1 && text.contains(role), "{dispatch} {notification}: {text}");
        }
        assert_eq!(warned(&config, "127.0.0.1:1863", "127.0.0.1:1864").0, 2);
    }

    #[test]
    fn a_loopback_address_behind_a_proxy_is_fine() {
        let mut config = Config::default();
        config.notification.advertised = "chat.example.org".into();
        config.dispatch.advertised = "chat.example.org".into();
        assert_eq!(warned(&config, "127.0.0.1:1863", "127.0.0.1:1864").0, 0);
    }

    #[test]
    fn warns_of_referrals_that_lead_clients_to_themselves() {
        for target in ["127.0.0.1:1864", "localhost:1864"] {
            let mut config = Config::default();
            config.dispatch.notification_servers = vec!["10.0.0.1:1864".into(), target.into()];
            let (count, text) = warned(&config, "0.0.0.0:1863", "-");
            assert!(count == 1 && text.contains(target), "{text}");
        }
        let mut config = Config::default();
        config.notification.advertised = "localhost".into();
        let (count, text) = warned(&config, "0.0.0.0:1863", "0.0.0.0:1864");
        assert!(count == 1 && text.contains("notification.advertised"), "{text}");
    }

    #[test]
    fn warns_in_a_container_that_refers_to_itself() {
        let (dispatch, notification) = (Some(at("0.0.0.0:1863")), Some(at("0.0.0.0:1864")));
        let mut config = Config::default();
        let count = |config: &Config, bound| warnings(config, bound, true).len();
        let text = warnings(&config, Bound { dispatch, notification }, true).concat();
        assert!(text.contains("MSND_NOTIFICATION_ADVERTISED"), "{text}");
        // Nobody is referred.
        assert_eq!(count(&config, Bound { dispatch: None, notification }), 0);
        assert_eq!(count(&config, Bound { dispatch: notification, notification }), 0);
        config.dispatch.notification_servers = vec!["10.0.0.1:1864".into()];
        assert_eq!(count(&config, Bound { dispatch, notification: None }), 0);
    }

    #[test]
    fn warns_that_ipv6_clients_cannot_be_referred() {
        let mut config = Config::default();
        let (count, text) = warned(&config, "[::]:1863", "[::]:1864");
        assert!(count == 1 && text.contains("IPv6"), "{text}");
        assert_eq!(warned(&config, "[::]:1863", "[::]:1863").0, 0);
        config.notification.advertised = "chat.example.org".into();
        assert_eq!(warned(&config, "[::]:1863", "[::]:1864").0, 1);
        config.dispatch.advertised = "chat.example.org".into();
        assert_eq!(warned(&config, "[::]:1863", "[::]:1864").0, 0);
    }
}
