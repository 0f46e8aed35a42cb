//! Puts the admin API before its listeners. Knows no endpoint.

use super::{Parts, Running};
use crate::{
    admin::{Admin, Socket, Token, serve_tcp, serve_unix},
    config::{Bind, Config},
};
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpListener, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// What the admin listeners have in common.
pub(super) struct Operators {
    admin: Arc<Admin>,
    token: Option<Token>,
    tasks: TaskTracker,
    draining: CancellationToken,
}

impl Operators {
    /// Warns of an address at which others could read the token on its way.
    pub(super) fn new(
        parts: &Parts,
        running: &Running,
        config: &Config,
        token: Option<Token>,
    ) -> Self {
        if let Bind::At(address) = config.admin.bind
            && !address.ip().to_canonical().is_loopback()
        {
            tracing::warn!(
                "admin.bind is {address}: token and answers cross the network in clear; use a \
                 loopback address, or a tunnel"
            );
        }
        let admin = Admin {
            hub: running.hub.clone(),
            store: running.store.clone(),
            alerts: running.alerts.clone(),
            // A checked configuration names no other.
            lang: u16::try_from(config.notification.lcid).unwrap_or(u16::MAX),
            rooms: parts.switchboard.as_ref().map(|context| context.rooms().clone()),
            tls: parts.tls.clone(),
            metrics: parts.notification.metrics.clone(),
            admission: running.admission.clone(),
            proxies: config.net.proxy_protocol_from.as_slice().into(),
            closing: running.closing.clone(),
            started: Instant::now(),
            patience: Duration::from_secs(config.timers.http_request_secs),
        };
        Self {
            admin: Arc::new(admin),
            token,
            tasks: running.tasks.clone(),
            draining: running.draining.clone(),
        }
    }

    /// Nobody is served there without a token.
    pub(super) fn serve_tcp(&self, listener: TcpListener) {
        let Some(token) = self.token.clone() else { return };
        let (tasks, draining) = (self.tasks.clone(), self.draining.clone());
        self.tasks.spawn(serve_tcp(self.admin.clone(), listener, token, tasks, draining));
    }

    pub(super) fn serve_unix(&self, socket: Socket) {
        let (tasks, draining) = (self.tasks.clone(), self.draining.clone());
        self.tasks.spawn(serve_unix(self.admin.clone(), socket, tasks, draining));
    }
}
