//! What cannot work about the switchboard role.

use super::{Complaints, Port};
use crate::config::{Bind, Config};

pub(super) fn check(config: &Config, found: &mut Complaints) {
    let switchboard = &config.switchboard;
    for server in &switchboard.servers {
        found.host("switchboard.servers", server, Port::Required);
    }
    if switchboard.bind == Bind::Off && !switchboard.servers.is_empty() {
        let remedy = "these are addresses of this process's own role, which switchboard.bind turns \
                      off; leave them empty, or give switchboard.bind an address";
        found.add("switchboard.servers", switchboard.servers.join(", "), remedy);
    }
    if !switchboard.advertised.is_empty() {
        found.host("switchboard.advertised", &switchboard.advertised, Port::Optional);
    }
    let is_named = !switchboard.advertised.is_empty()
        || !switchboard.servers.is_empty()
        || !config.notification.advertised.is_empty();
    if let Some(address) = switchboard.bind.only_ipv6()
        && !is_named
        && config.notification.bind != Bind::Off
    {
        let remedy = format!(
            "switchboard.bind is {address}, and clients of that time know no IPv6 addresses; set \
             this to a host name, or switchboard.bind to an IPv4 address or [::]"
        );
        found.add("switchboard.advertised", "", remedy);
    }
}
