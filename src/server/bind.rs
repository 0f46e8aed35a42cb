//! Taking addresses: what happens if the system or another program will not have it.

use super::{Role, StartError};
use crate::{
    config::{Bind, Config},
    net::listener::listen,
};
use std::{io, net::SocketAddr, time::Duration};
use tokio::net::TcpListener;

/// Where the login service listens if nobody chose and port 443 is reserved for root.
const UNPRIVILEGED_HTTPS_PORT: u16 = 8443;
/// The same for the web pages and port 80.
const UNPRIVILEGED_HTTP_PORT: u16 = 8080;

/// A listener for `role` with the options of its connections. A default that nobody chose is given
/// up for another port where the system reserves it for root, if `may_move`; and the web pages,
/// which nobody needs in order to chat, for none at all (`None`) rather than not to start.
///
/// # Errors
/// [`StartError`] names role and address.
pub(super) fn bind(
    role: Role,
    address: SocketAddr,
    may_move: bool,
    config: &Config,
) -> Result<Option<TcpListener>, StartError> {
    let is_default = may_move && role.bind(&Config::default()) == Bind::At(address);
    let keepalive = Duration::from_secs(config.timers.tcp_keepalive_secs);
    bind_with(role, address, is_default, |address| listen(address, keepalive))
}

fn bind_with<L>(
    role: Role,
    address: SocketAddr,
    is_default: bool,
    listen: impl Fn(SocketAddr) -> io::Result<L>,
) -> Result<Option<L>, StartError> {
    let refused = match listen(address) {
        Ok(listener) => return Ok(Some(listener)),
        Err(error) => error,
    };
    let (address, refused) = match (refused.kind(), other_port(role)) {
        (io::ErrorKind::PermissionDenied, Some((port, consequence))) if is_default => {
            let other = SocketAddr::new(address.ip(), port);
            match listen(other) {
                Ok(listener) => {
                    tracing::warn!(
                        "{role}: port {} is reserved for root here, listening on {other} instead; \
                         {consequence}: run with the capability CAP_NET_BIND_SERVICE (setcap \
                         cap_net_bind_service=+ep, or the systemd unit), or choose an address with \
                         {}",
                        address.port(),
                        role.key()
                    );
                    return Ok(Some(listener));
                }
                Err(error) => (other, error),
            }
        }
        _ => (address, refused),
    };
    let error = match refused.kind() {
        io::ErrorKind::AddrInUse => StartError::AddressTaken { role, address },
        _ => StartError::Bind { role, address, error: refused },
    };
    if is_default && role == Role::Http {
        tracing::warn!(
            "{error}; going on without web pages, so clients lack tabs and links; choose an \
             address with {}, or `off`",
            role.key()
        );
        return Ok(None);
    }
    Err(error)
}

/// The port in place of the default one, and what clients lose by it.
fn other_port(role: Role) -> Option<(u16, &'static str)> {
    match role {
        Role::PassportHttps => Some((UNPRIVILEGED_HTTPS_PORT, "old clients only try port 443")),
        Role::Http => Some((UNPRIVILEGED_HTTP_PORT, "tabs and links of clients lead to port 80")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use io::ErrorKind::{AddrInUse, PermissionDenied};

    /// Where `role` ends up if the system answers so for the default port and the one behind it.
    fn outcome(role: Role, is_default: bool, answers: [Option<io::ErrorKind>; 2]) -> String {
        let first = SocketAddr::from(([0, 0, 0, 0], 80));
        let listen = |address: SocketAddr| {
            let answer = answers[usize::from(address != first)];
            answer.map_or(Ok(address.port()), |kind| Err(kind.into()))
        };
        match bind_with(role, first, is_default, listen) {
            Ok(Some(port)) => port.to_string(),
            Ok(None) => "none".into(),
            Err(StartError::AddressTaken { address, .. }) => format!("{address} taken"),
            Err(StartError::Bind { address, .. }) => format!("{address} refused"),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn a_default_gives_way_and_a_choice_does_not() {
        let (root, taken) = (Some(PermissionDenied), Some(AddrInUse));
        for (role, is_default, answers, expected) in [
            (Role::Http, true, [None, None], "80"),
            (Role::Http, true, [root, None], "8080"),
            (Role::Http, true, [root, taken], "none"),
            (Role::Http, true, [taken, None], "none"),
            (Role::Http, false, [root, None], "0.0.0.0:80 refused"),
            (Role::Http, false, [taken, None], "0.0.0.0:80 taken"),
            (Role::PassportHttps, true, [root, None], "8443"),
            (Role::PassportHttps, true, [root, taken], "0.0.0.0:8443 taken"),
            (Role::PassportHttps, true, [taken, None], "0.0.0.0:80 taken"),
            (Role::Notification, true, [root, None], "0.0.0.0:80 refused"),
        ] {
            assert_eq!(outcome(role, is_default, answers), expected, "{role} {answers:?}");
        }
    }
}
