//! What cannot work about the switchboard role.

use super::{Complaints, Port, SECS_MAX};
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
    for (key, value, range) in [
        (
            "switchboard.requests_per_minute_max",
            switchboard.requests_per_minute_max.into(),
            1..=10_000,
        ),
        ("switchboard.blocked_reply", switchboard.blocked_reply.into(), 216..=217),
        ("switchboard.refused_calls_max", switchboard.refused_calls_max.into(), 1..=10_000),
        ("switchboard.call_window_secs", switchboard.call_window_secs, 1..=SECS_MAX),
    ] {
        found.range(key, value, range);
    }
    let limits = &config.limits;
    if limits.room_queue_bytes_max > limits.room_queues_bytes_max {
        let remedy = format!(
            "one queue alone may take limits.room_queue_bytes_max ({}); choose at least that",
            limits.room_queue_bytes_max
        );
        found.add("limits.room_queues_bytes_max", limits.room_queues_bytes_max, remedy);
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
