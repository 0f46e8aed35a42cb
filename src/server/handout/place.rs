//! The address that a client's hosts file needs: where it reaches us, as far as that can be known.
//! A wrong one locks its user out, so none is better than a guess.

use crate::config::Config;
use parking_lot::Mutex;
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};
use tokio::{
    net::lookup_host,
    time::{Instant, timeout},
};

/// How long a name service may take.
const LOOKUP_WAIT: Duration = Duration::from_secs(2);
/// For so long an answer of it holds, and so does having none.
const LOOKUP_HOLDS: Duration = Duration::from_secs(60);

/// Where clients reach us.
#[derive(Debug)]
pub(super) struct Place {
    advertised: Advertised,
    in_container: bool,
    looked_up: Mutex<Option<(Instant, Option<Ipv4Addr>)>>,
}

/// What the options say of it.
#[derive(Debug, PartialEq, Eq)]
enum Advertised {
    Nothing,
    Address(Ipv4Addr),
    Name(String),
}

impl Place {
    pub(super) fn new(config: &Config, in_container: bool) -> Self {
        let options = [&config.dispatch.advertised, &config.notification.advertised];
        let hosts = options.map(|text| text.split(':').next().unwrap_or_default());
        let address = hosts.iter().find_map(|host| host.parse().ok()).map(Advertised::Address);
        let name = || hosts.iter().find(|host| !host.is_empty()).map(|host| (*host).to_owned());
        let advertised =
            address.or_else(|| name().map(Advertised::Name)).unwrap_or(Advertised::Nothing);
        Self { advertised, in_container, looked_up: Mutex::default() }
    }

    /// The address for a client that called us `called` and reached us at `local`. `None`: nobody
    /// can know.
    pub(super) async fn seen_by(&self, called: Option<&str>, local: IpAddr) -> Option<Ipv4Addr> {
        let local = match local.to_canonical() {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        };
        let known = match &self.advertised {
            Advertised::Address(address) => return Some(*address),
            Advertised::Name(name) => self.look_up(name).await,
            Advertised::Nothing => None,
        };
        // Systems give their own name a loopback address, which tells other machines nothing.
        let is_of_use = |address: &Ipv4Addr| {
            !address.is_loopback() || local.is_some_and(|local| local.is_loopback())
        };
        known
            .filter(is_of_use)
            .or_else(|| called.and_then(|host| host.parse().ok()))
            .or_else(|| local.filter(|local| !self.is_inner(*local)))
    }

    /// Whether others may reach us at another address than that at which they seem to.
    fn is_inner(&self, local: Ipv4Addr) -> bool {
        let hides = self.in_container || self.advertised != Advertised::Nothing;
        hides && (local.is_private() || local.is_link_local())
    }

    async fn look_up(&self, name: &str) -> Option<Ipv4Addr> {
        let last = *self.looked_up.lock();
        if let Some((at, address)) = last
            && at.elapsed() < LOOKUP_HOLDS
        {
            return address;
        }
        let found = timeout(LOOKUP_WAIT, lookup_host((name, 0))).await;
        let address = found.ok().and_then(Result::ok).into_iter().flatten().find_map(|found| {
            let SocketAddr::V4(found) = found else { return None };
            Some(*found.ip())
        });
        if address.is_none() {
            tracing::warn!(
                "no IPv4 address is found for {name}, which the options advertise; the files below \
                 /setup need one"
            );
        }
        *self.looked_up.lock() = Some((Instant::now(), address));
        address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The address handed out, or `-`, by a server that advertises `advertised`.
    async fn told(advertised: &str, in_container: bool, called: &str, local: &str) -> String {
        let mut config = Config::default();
        config.notification.advertised = advertised.into();
        let place = Place::new(&config, in_container);
        let address = place.seen_by(Some(called), local.parse().unwrap()).await;
        address.map_or("-".into(), |address| address.to_string())
    }

    #[tokio::test]
    async fn an_inner_address_is_handed_out_where_it_is_all_there_is_to_know() {
        for (advertised, in_container, called, local, address) in [
            ("192.0.2.7:1864", true, "g.msn.com", "172.17.0.2", "192.0.2.7"),
            ("", false, "g.msn.com", "192.168.1.5", "192.168.1.5"),
            ("", false, "g.msn.com", "::ffff:192.168.1.5", "192.168.1.5"),
            ("", false, "g.msn.com", "2001:db8::1", "-"),
            ("", true, "g.msn.com", "172.17.0.2", "-"),
            ("", true, "192.168.1.5", "172.17.0.2", "192.168.1.5"),
            ("", true, "g.msn.com", "203.0.113.7", "203.0.113.7"),
            ("", true, "g.msn.com", "127.0.0.1", "127.0.0.1"),
            ("nowhere.invalid", false, "g.msn.com", "10.0.0.5", "-"),
            ("nowhere.invalid", false, "203.0.113.7", "10.0.0.5", "203.0.113.7"),
            ("nowhere.invalid", false, "g.msn.com", "203.0.113.7", "203.0.113.7"),
            // The name is that of this machine in its own hosts file.
            ("localhost:1864", false, "g.msn.com", "127.0.0.1", "127.0.0.1"),
            ("localhost", false, "g.msn.com", "10.0.0.5", "-"),
        ] {
            let found = told(advertised, in_container, called, local).await;
            assert_eq!(found, address, "{advertised:?} {in_container} {called} {local}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_is_looked_up_now_and_then() {
        let mut config = Config::default();
        config.dispatch.advertised = "chat.example.test".into();
        let place = Place::new(&config, false);
        let known = Some(Ipv4Addr::new(203, 0, 113, 7));
        *place.looked_up.lock() = Some((Instant::now(), known));
        let local = IpAddr::from([10, 0, 0, 5]);
        assert_eq!(place.seen_by(None, local).await, known);
        tokio::time::advance(LOOKUP_HOLDS).await;
        assert_ne!(place.seen_by(None, local).await, known);
    }
}
