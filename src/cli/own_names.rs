//! The names and addresses under which the operator's options present this server.

use crate::{config::Config, net::tls::authority::Names};
use std::net::IpAddr;

/// What the options tell clients to use: the sign-in host first, then every advertised address.
pub(super) fn of(config: &Config) -> Names {
    let advertised = [
        &config.passport.login_host,
        &config.dispatch.advertised,
        &config.notification.advertised,
        &config.switchboard.advertised,
    ];
    let mut names = Names::default();
    let more = config.dispatch.notification_servers.iter().chain(&config.switchboard.servers);
    for text in advertised.into_iter().chain(more) {
        let host = text.split_once(':').map_or(text.as_str(), |(host, _port)| host);
        if !host.is_empty() {
            names.add(&named(host));
        }
    }
    names
}

/// One name or address.
pub(super) fn named(host: &str) -> Names {
    match host.parse::<IpAddr>() {
        Ok(address) => Names { addresses: vec![address], ..Names::default() },
        Err(_) => Names { hosts: vec![host.to_owned()], ..Names::default() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_addresses_are_told_apart_and_ports_left_out() {
        let mut config = Config::default();
        assert_eq!(of(&config), Names::default());
        config.notification.advertised = "Chat.example.org:1864".into();
        config.dispatch.advertised = "192.0.2.7".into();
        config.switchboard.advertised = "chat.example.org".into();
        config.passport.login_host = "login.example.org".into();
        config.switchboard.servers = vec!["192.0.2.8:1865".into()];
        let names = of(&config);
        assert_eq!(names.hosts, ["login.example.org", "chat.example.org"]);
        let addresses: Vec<String> = names.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["192.0.2.7", "192.0.2.8"]);
    }
}
