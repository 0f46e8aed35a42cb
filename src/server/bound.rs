//! Binds listeners before anybody is served. Knows the roles by name and address only.

use super::{Listener, Role, StartError};
use crate::config::{Bind, Config};
use std::{io, net::SocketAddr};
use tokio::net::{TcpListener, TcpSocket};

/// Where the login service listens if nobody chose and port 443 is reserved for root.
const UNPRIVILEGED_HTTPS_PORT: u16 = 8443;

/// Connections the kernel may complete before we accept them; it allows at most its own
/// `net.core.somaxconn`. After a restart everybody comes back at once, and whoever finds the queue
/// full waits for a second or more.
const BACKLOG: u32 = 4096;

/// Listeners that are bound and not yet served.
pub(super) struct Bound {
    pub(super) listeners: Vec<(Role, TcpListener)>,
    pub(super) addresses: Vec<Listener>,
}

impl Bound {
    pub(super) fn bind(config: &Config, has_certificate: bool) -> Result<Self, StartError> {
        let mut bound = Self { listeners: Vec::new(), addresses: Vec::new() };
        for role in [
            Role::Notification,
            Role::Switchboard,
            Role::Dispatch,
            Role::PassportHttp,
            Role::PassportHttps,
            Role::Admin,
        ] {
            let address = match role.bind(config) {
                Bind::Off => continue,
                Bind::Notification => {
                    // That role, bound already, answers on its port without a referral.
                    let shared = bound.address(Role::Notification);
                    bound.addresses.extend(shared.map(|address| Listener { role, address }));
                    continue;
                }
                Bind::At(address) => address,
            };
            if role == Role::PassportHttps && !has_certificate {
                continue;
            }
            let listener = bind(role, address)?;
            let address = listener.local_addr().map_err(|source| StartError::Bind {
                role,
                address,
                source,
            })?;
            bound.addresses.push(Listener { role, address });
            bound.listeners.push((role, listener));
        }
        Ok(bound)
    }

    pub(super) fn address(&self, role: Role) -> Option<SocketAddr> {
        self.addresses.iter().find(|listener| listener.role == role).map(|found| found.address)
    }
}

fn bind(role: Role, address: SocketAddr) -> Result<TcpListener, StartError> {
    let error = match listen(address) {
        Ok(listener) => return Ok(listener),
        Err(error) => error,
    };
    let is_default = role.bind(&Config::default()) == Bind::At(address);
    match error.kind() {
        io::ErrorKind::AddrInUse => Err(StartError::AddressTaken { role, address }),
        io::ErrorKind::PermissionDenied if is_default => {
            let other = SocketAddr::new(address.ip(), UNPRIVILEGED_HTTPS_PORT);
            tracing::warn!(
                "{role}: port {} is reserved for root here, listening on {other} instead; old \
                 clients only try port 443: run with the capability CAP_NET_BIND_SERVICE (setcap \
                 cap_net_bind_service=+ep, or the systemd unit), or choose an address with {}",
                address.port(),
                role.key()
            );
            listen(other).map_err(|source| match source.kind() {
                io::ErrorKind::AddrInUse => StartError::AddressTaken { role, address: other },
                _ => StartError::Bind { role, address: other, source },
            })
        }
        _ => Err(StartError::Bind { role, address, source: error }),
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart need not wait until the last connections are forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
