//! Sessions of clients behind the HTTP gateway: the ordinary roles, on a transport in memory.

use super::{Admission, Role};
use crate::{
    gateway::{Open, SESSIONS_PER_ADDRESS_MAX, Server, Stream, Tunnel},
    http1::Ends,
    hub::SessionId,
    metrics::Metrics,
    net::refusals::Refusals,
    notification::{self, Notification},
    session::{SessionLimits, run},
    switchboard::{self, Switchboard},
};
use std::{net::SocketAddr, sync::Arc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What it takes to run one.
pub(super) struct Streams {
    /// `None` if the role does not run here.
    pub(super) notification: Option<Arc<notification::Context>>,
    pub(super) switchboard: Option<Arc<switchboard::Context>>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) limits: SessionLimits,
    pub(super) admission: Arc<Admission>,
    pub(super) draining: CancellationToken,
    pub(super) refusals: Refusals,
}

impl Open for Streams {
    fn open(&self, server: Server, tunnel: Tunnel, ends: Ends) -> Option<Stream> {
        // It counts like a connection, since it costs as much.
        let admit = |role: Role| {
            let (id, permit) = self.admission.admit_session(ends.peer)?;
            Some((SessionId(id), (permit, self.metrics.connection(role.name()))))
        };
        let draining = self.draining.clone();
        match server {
            Server::Notification => {
                let context = self.notification.clone()?;
                let (session, held) = admit(Role::Notification)?;
                let role = Notification::new(context, session, ends.peer, ends.local);
                Some(Box::pin(run(role, tunnel, &[], self.limits, draining, held)))
            }
            Server::Switchboard => {
                let context = self.switchboard.clone()?;
                let (session, held) = admit(Role::Switchboard)?;
                let role = Switchboard::new(context, session, ends.peer);
                let limits = Switchboard::limits(self.limits);
                Some(Box::pin(run(role, tunnel, &[], limits, draining, held)))
            }
        }
    }

    fn refused(&self, client: SocketAddr) {
        self.metrics.connection_refused("gateway_sessions");
        if let Some(left_out) = self.refusals.count(Instant::now()) {
            tracing::warn!(
                address = %client.ip(),
                left_out,
                "gateway session refused: {SESSIONS_PER_ADDRESS_MAX} from this address already; if \
                 it is an HTTP proxy that says for whom it asks, name it in net.forwarded_for_from"
            );
        }
    }
}
