//! Binds listeners before anybody is served. Knows the roles by name and address only.

use super::{Listener, Role, StartError, bind::bind};
use crate::config::{Bind, Config};
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// Listeners that are bound and not yet served.
pub(super) struct Bound {
    pub(super) listeners: Vec<(Role, TcpListener)>,
    pub(super) addresses: Vec<Listener>,
    /// The addresses are a container's, at which nobody outside can reach it.
    pub(super) in_container: bool,
}

impl Bound {
    pub(super) fn bind(
        config: &Config,
        has_certificate: bool,
        in_container: bool,
    ) -> Result<Self, StartError> {
        let mut bound = Self { listeners: Vec::new(), addresses: Vec::new(), in_container };
        for role in [
            Role::Notification,
            Role::Switchboard,
            Role::Dispatch,
            Role::Http,
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
                Bind::At(_) if role == Role::PassportHttp && config.passport_is_on_web() => {
                    let shared = bound.address(Role::Http);
                    bound.addresses.extend(shared.map(|address| Listener { role, address }));
                    continue;
                }
                Bind::At(address) => address,
            };
            if role == Role::PassportHttps && !has_certificate {
                continue;
            }
            let is_shared = role == Role::Http && config.passport_is_on_web();
            let Some(listener) = bind(role, address, !is_shared, config)? else { continue };
            let address =
                listener.local_addr().map_err(|error| StartError::Bind { role, address, error })?;
            bound.addresses.push(Listener { role, address });
            bound.listeners.push((role, listener));
        }
        Ok(bound)
    }

    pub(super) fn address(&self, role: Role) -> Option<SocketAddr> {
        self.addresses.iter().find(|listener| listener.role == role).map(|found| found.address)
    }
}
