//! Options of the HTTP gateway and of what stands between us and the clients.

use crate::model::subnet::Subnet;
use serde::{Deserialize, Serialize};

/// `[net]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Net {
    /// Proxies that begin each connection, on whatever listener, with a PROXY header
    /// (version 1 or 2). The client's address is then the one they name.
    pub proxy_protocol_from: Vec<Subnet>,
    /// HTTP proxies whose `X-Forwarded-For` the gateway believes.
    pub forwarded_for_from: Vec<Subnet>,
}

/// `[gateway]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gateway {
    /// Whether clients may reach the notification and the switchboard role through HTTP.
    pub enabled: bool,
    /// The host clients send their further requests to, at port 80. Empty: the host of
    /// `notification.advertised`; without that, the address at which the client reached us.
    pub advertised: String,
    /// Seconds without a request after which a client is gone.
    pub idle_secs: u64,
}

impl Default for Gateway {
    fn default() -> Self {
        Self { enabled: true, advertised: String::new(), idle_secs: 90 }
    }
}
