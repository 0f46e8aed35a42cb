//! A connection before sign-in.

use crate::{
    model::Address,
    net::wire::Wire,
    protocol::message::{KEY_VERSION, SITE_ID},
};
use std::{
    net::SocketAddr,
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::time::Instant;

/// What is known of a connection before sign-in. Boxed, so that those who have signed in do not
/// keep room for it.
#[derive(Debug)]
pub(super) struct Handshake {
    /// When sign-in must be complete.
    pub(super) deadline: Instant,
    /// Whether the client has named an account, well-formed or not.
    pub(super) is_named: bool,
    /// The account it named, if well-formed.
    pub(super) address: Option<Address>,
    /// Where the client connects from.
    pub(super) peer: SocketAddr,
    /// Where it reached us.
    pub(super) local: SocketAddr,
    /// The version that it told, if it is fit to be shown.
    pub(super) client_version: Option<Box<str>>,
    /// Where others may write for it once it has signed in.
    pub(super) wire: Option<Wire>,
}

impl Handshake {
    pub(super) const fn new(deadline: Instant, peer: SocketAddr, local: SocketAddr) -> Self {
        Self {
            deadline,
            is_named: false,
            address: None,
            peer,
            local,
            client_version: None,
            wire: None,
        }
    }
}

/// Seconds since 1970.
pub(super) fn unix_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}

/// The sign-in policy a client takes to the login service: all ten keys, in the order that old
/// clients' parsers need (reference `passport.md` §3). Nothing in it is checked later.
pub(super) fn policy(lcid: u32, random: &[u8; 16]) -> String {
    format!(
        "lc={lcid},id={SITE_ID},tw=40,fs=1,ru=http%3A%2F%2Fmessenger%2Emsn%2Ecom,ct={},kpp=1,\
         kv={KEY_VERSION},ver=2.1.6000.1,tpf={:032x}",
        unix_secs(),
        u128::from_be_bytes(*random)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_has_all_ten_keys_in_order() {
        let policy = policy(1033, &[0xab; 16]);
        let keys: Vec<_> =
            policy.split(',').map(|pair| pair.split_once('=').unwrap().0.to_owned()).collect();
        assert_eq!(keys, ["lc", "id", "tw", "fs", "ru", "ct", "kpp", "kv", "ver", "tpf"]);
        assert!(policy.ends_with(&"ab".repeat(16)));
        assert!(!policy.contains(' '));
    }
}
