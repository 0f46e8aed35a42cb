//! What connections are made of, and how one is served. Knows all roles.

use super::{Admission, Bound, Role, Running, handout::Handout, streams::Streams};
use crate::{
    account::Accounts,
    alert::Alerts,
    config::Config,
    dispatch::{self, Dispatch, referral},
    gateway::Gateway,
    http1,
    hub::{Hub, SessionId, ticket::Tickets},
    metrics::Metrics,
    model::Address,
    net::{listener::Accepted, refusals::Refusals, tls::TlsServer, wire::split},
    notification::{self, Deliveries, KeptRoom, Notification, Pages, Pong, Switchboards},
    passport::Passport,
    session::{SessionLimits, run},
    store::{Store, password::PasswordHasher},
    switchboard::{self, Switchboard},
    web::Web,
};
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::{
    select,
    time::{Instant, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument as _;

/// What connections are made of; clones share everything.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) config: Arc<Config>,
    dispatch: Option<Arc<dispatch::Context>>,
    pub(super) notification: Arc<notification::Context>,
    pub(super) switchboard: Option<Arc<switchboard::Context>>,
    passport: Arc<Passport>,
    web: Arc<Web>,
    pub(super) tls: Option<Arc<TlsServer>>,
    /// Cancelled when the server no longer lets anybody in.
    closing: CancellationToken,
    limits: SessionLimits,
    admission: Arc<Admission>,
    draining: CancellationToken,
}

impl Parts {
    pub(super) fn new(
        config: &Arc<Config>,
        store: Arc<dyn Store>,
        hasher: &Arc<PasswordHasher>,
        metrics: Arc<Metrics>,
        tls: Option<TlsServer>,
        bound: &Bound,
        tasks: &TaskTracker,
    ) -> Self {
        let closing = CancellationToken::new();
        let ttl = Duration::from_secs(config.passport.ticket_ttl_secs);
        let tickets = Arc::new(Tickets::new(ttl, config.passport.tickets_per_account_max));
        let accounts = Arc::new(Accounts::new(store.clone(), hasher.clone(), &config.passport));
        let dispatch = bound.address(Role::Dispatch).map(|address| {
            let notification = bound.address(Role::Notification);
            let referral = referral::Referral::new(config, address, notification);
            let meters = Dispatch::meters(&metrics);
            Arc::new(dispatch::Context { config: config.clone(), referral, meters })
        });
        let passport = Passport::new(&config.passport, accounts, tickets.clone());
        let passport = Arc::new(passport.measured(metrics.clone()));
        let traced = config.log.wire_trace.iter().filter_map(|user| Address::parse(user).ok());
        let traced: HashSet<_> = traced.collect();
        let hub = Hub::measured(config.limits.inbox_events_max, metrics.hub())
            .writing(notification::presence);
        let switchboard_at = bound.address(Role::Switchboard);
        let switchboard = switchboard_at.map(|_| {
            let (config, store, hub) = (config.clone(), store.clone(), hub.clone());
            let (closing, traced) = (closing.clone(), traced.clone());
            Arc::new(switchboard::Context::new(config, store, hub, &metrics, closing, traced))
        });
        let draining = CancellationToken::new();
        let web_port = bound.address(Role::Http).map_or(80, |address| address.port());
        let notification = Arc::new(notification::Context {
            closing: closing.clone(),
            config: config.clone(),
            deliveries: Deliveries::start(store.clone(), metrics.news(), tasks),
            pages: Pages::new(config.limits.pages_per_minute_max),
            kept: KeptRoom::default(),
            pong: Pong::new(config.timers.ping_secs),
            store,
            hub,
            switchboards: switchboard_at.map(|bound| Switchboards::new(config, bound)),
            web_port,
            meters: Notification::meters(&metrics),
            metrics: metrics.clone(),
            tickets: tickets.clone(),
            traced,
        });
        let (max, timers) = (&config.limits, &config.timers);
        let admission = Admission::new(
            max.connections_max,
            max.connections_per_address_max,
            Duration::from_secs(timers.tcp_keepalive_secs),
            metrics.clone(),
        );
        let limits = SessionLimits::from(&**config);
        let web = Web::new(config, tickets);
        let mut web = web.with(Handout::is_for, Arc::new(Handout::new(config, bound.in_container)));
        if config.passport_is_on_web() {
            web = web.with(Passport::is_for, passport.clone());
        }
        if config.gateway.enabled {
            let streams = Streams {
                notification: bound.address(Role::Notification).map(|_| notification.clone()),
                switchboard: switchboard.clone(),
                metrics,
                limits,
                admission: admission.clone(),
                draining: draining.clone(),
                refusals: Refusals::default(),
            };
            let gateway = Gateway::new(config, streams, tasks.clone(), draining.clone());
            web = web.with(Gateway::is_for, Arc::new(gateway));
        }
        Self {
            dispatch,
            passport,
            web: Arc::new(web),
            notification,
            switchboard,
            tls: tls.map(Arc::new),
            closing,
            limits,
            admission,
            draining,
            config: config.clone(),
        }
    }

    pub(super) fn running(&self, bound: &Bound, tasks: TaskTracker) -> Running {
        let timers = &self.config.timers;
        let (hub, store) = (self.notification.hub.clone(), self.notification.store.clone());
        Running {
            listeners: bound.addresses.clone(),
            admin_socket: None,
            alerts: Alerts::new(store.clone(), hub.clone(), &self.config.alerts)
                .measured(self.notification.metrics.news()),
            hub,
            store,
            admission: self.admission.clone(),
            tasks,
            closing: self.closing.clone(),
            draining: self.draining.clone(),
            notice: Duration::from_secs(timers.shutdown_notice_minutes.saturating_mul(60)),
            grace: Duration::from_secs(timers.shutdown_grace_secs),
        }
    }

    pub(super) fn serve(
        &self,
        role: Role,
        accepted: Accepted,
        tasks: &TaskTracker,
        draining: &CancellationToken,
    ) {
        match role {
            Role::Notification if self.shares_port() => self.open_door(accepted, tasks, draining),
            Role::Dispatch | Role::Notification | Role::Switchboard => {
                self.speak(role, accepted, Instant::now(), &[], tasks, draining);
            }
            Role::Admin => tracing::error!("admin connections are not served here"),
            Role::Http => {
                let Accepted { id, stream, peer, local, permit } = accepted;
                let (web, draining) = (self.web.clone(), draining.clone());
                let held = (permit, self.notification.metrics.connection(role.name()));
                let deadline = Duration::from_secs(self.config.timers.http_request_secs);
                let ends = http1::Ends { peer, local };
                let serve = async move {
                    let _held = held;
                    http1::serve(stream, &*web, ends, deadline, &draining).await;
                };
                let session = SessionId(id);
                tasks.spawn(serve.instrument(tracing::info_span!("web", session.id = %session)));
            }
            Role::PassportHttp | Role::PassportHttps => {
                let Accepted { id, stream, peer, local, permit } = accepted;
                let (session, draining) = (SessionId(id), draining.clone());
                let metrics = &self.notification.metrics;
                let held = (permit, metrics.connection(role.name()));
                let (passport, tls) = (self.passport.clone(), self.tls.clone());
                let metrics = metrics.clone();
                let deadline = Duration::from_secs(self.config.timers.http_request_secs);
                let span = tracing::info_span!("passport", session.id = %session);
                let serve = async move {
                    // Given back when this ends, wherever that is.
                    let _held = held;
                    let Some(tls) = tls.filter(|_| role == Role::PassportHttps) else {
                        return passport.serve(stream, peer, local, deadline, &draining).await;
                    };
                    let accepted = select! {
                        biased;
                        accepted = timeout(deadline, tls.accept(stream)) => accepted,
                        () = draining.cancelled() => return,
                    };
                    match accepted {
                        Ok(Ok(stream)) => {
                            passport.serve(stream, peer, local, deadline, &draining).await;
                        }
                        Ok(Err(error)) => {
                            metrics.connection_refused("tls_failed");
                            tracing::debug!(address = %peer, "TLS handshake failed: {error}");
                        }
                        Err(_) => {
                            metrics.connection_refused("tls_too_slow");
                            tracing::debug!(address = %peer, "TLS handshake too slow");
                        }
                    }
                };
                tasks.spawn(serve.instrument(span));
            }
        }
    }

    /// Serves a connection that speaks the line protocol, has been there since `accepted_at`, and
    /// has said `received` already.
    pub(super) fn speak(
        &self,
        role: Role,
        accepted: Accepted,
        accepted_at: Instant,
        received: &[u8],
        tasks: &TaskTracker,
        draining: &CancellationToken,
    ) {
        let Accepted { id, stream, peer, local, permit } = accepted;
        let (session, limits, draining) = (SessionId(id), self.limits, draining.clone());
        let held = (permit, self.notification.metrics.connection(role.name()));
        match (role, &self.dispatch, &self.switchboard) {
            (Role::Dispatch, Some(context), _) => {
                let connection = Dispatch::new(context.clone(), session, peer, local);
                tasks.spawn(run(connection, stream, received, limits, draining, held));
            }
            (Role::Switchboard, _, Some(context)) => {
                let (line, wire) = split(stream);
                let connection = Switchboard::new(context.clone(), session, peer);
                let connection = connection.since(accepted_at).reached_by(wire);
                let limits = Switchboard::limits(limits);
                tasks.spawn(run(connection, line, received, limits, draining, held));
            }
            _ => {
                let connection = Notification::new(self.notification.clone(), session, peer, local);
                let (line, wire) = split(stream);
                let connection = connection.since(accepted_at).reached_by(wire);
                tasks.spawn(run(connection, line, received, limits, draining, held));
            }
        }
    }
}
