//! Under which address clients are told to reach a role, and which of several servers serves a
//! user.

use sha2::{Digest as _, Sha256};
use std::net::{IpAddr, SocketAddr};

/// An address as written into lines for clients.
#[derive(Debug, Clone)]
pub struct Advertised {
    /// As configured; empty: the address at which the client reached us.
    configured: String,
    /// Where the role really listens.
    bound: SocketAddr,
}

impl Advertised {
    /// `configured` is `host`, `host:port` or empty.
    #[must_use]
    pub fn new(configured: &str, bound: SocketAddr) -> Self {
        Self { configured: configured.into(), bound }
    }

    /// The role's address as `host:port` for a client that reached us at `reached_at`. `None` if
    /// the only address we could name is an IPv6 one, which the protocol cannot write.
    #[must_use]
    pub fn as_seen_from(&self, reached_at: SocketAddr) -> Option<String> {
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

/// The server for `user`, `None` if there are none. The same user gets the same server as long as
/// it is in the list; a server that joins or leaves moves only its own share.
pub fn choose<'a, S: AsRef<str>>(servers: &'a [S], user: &[u8]) -> Option<&'a S> {
    servers.iter().max_by_key(|server| weight(user, server.as_ref()))
}

/// Rendezvous hashing: the server with the highest weight serves the user.
fn weight(user: &[u8], server: &str) -> [u8; 32] {
    let user = user.to_ascii_lowercase();
    Sha256::new_with_prefix(user).chain_update([0]).chain_update(server).finalize().into()
}
