//! Every number this server counts about itself: names, help texts, and the handles by which the
//! other modules count. Knows none of them; what a label may say comes from their tables.
//!
//! A server makes one [`Metrics`] and hands it on, so two servers in one process count apart.
//! Handles for what happens often (commands, deliveries) are looked up once, when a role or the hub
//! is made: counting then is one relaxed atomic addition.

mod conversations;
mod handles;
mod news;

use conversations::Conversations;
pub use handles::{
    ConversationMeters, Held, HubMeters, PasswordMeters, RoleMeters, StoreMeters, TimedRead,
};
pub use news::NewsMeters;
use parking_lot::RwLock;
use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};
use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

/// The form in which [`Metrics::render`] writes.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What a histogram of reads can be asked to time; the label `operation`.
pub const READS: [&str; 11] = [
    "account",
    "accounts",
    "callee",
    "export",
    "roster",
    "schema",
    "sign_in",
    "standing",
    "standings",
    "takes_pages",
    "waiting_alerts",
];
/// The kinds of list edits that are counted; the label `kind`.
pub const EDITS: [&str; 11] = [
    "add",
    "add_group",
    "remove",
    "remove_group",
    "rename",
    "rename_contact",
    "rename_group",
    "set_privacy",
    "set_prompt",
    "set_property",
    "touch",
];

/// Label names and values; values come from tables, never from a peer.
type Labels<const N: usize> = [(&'static str, &'static str); N];
type Counters<const N: usize> = Family<Labels<N>, Counter>;
type Gauges<const N: usize> = Family<Labels<N>, Gauge>;
type Histograms = Family<Labels<1>, Histogram, fn() -> Histogram>;

/// All metrics of one server.
pub struct Metrics {
    registry: RwLock<Registry>,
    connections: Gauges<1>,
    connection_refusals: Counters<1>,
    sessions: Gauges<2>,
    session_ends: Counters<2>,
    sign_ins: Counters<2>,
    sign_in_refusals: Counters<2>,
    commands: Counters<2>,
    errors: Counters<2>,
    write_stalls: Counter,
    online: Gauge,
    watches: Gauge,
    certificate_ends: Gauges<1>,
    conversations: Conversations,
    news: NewsMeters,
    admin_refusals: Counter,
    hub: HubMeters,
    store: StoreMeters,
    passwords: PasswordMeters,
}

/// What is looked up at the moment of a scrape.
#[derive(Debug, Clone, Copy, Default)]
pub struct Standing {
    /// Accounts with a session.
    pub online: usize,
    /// Pairs of an online person and somebody it watches.
    pub watches: usize,
    /// Conversations.
    pub rooms: usize,
    /// When the certificates end, Unix seconds: for clients that send a server name, for others.
    pub certificate_ends: [Option<i64>; 2],
}

impl Metrics {
    /// A guard that counts a connection of `role` as long as it lives.
    #[must_use]
    pub fn connection(&self, role: &'static str) -> Held {
        Held::new(self.connections.get_or_create_owned(&[("role", role)]))
    }

    /// A connection was not served; `reason` names the limit or the failure.
    pub fn connection_refused(&self, reason: &'static str) {
        self.connection_refusals.get_or_create(&[("reason", reason)]).inc();
    }

    /// A guard that counts a signed-in session as long as it lives.
    #[must_use]
    pub fn session(&self, role: &'static str, dialect: &'static str) -> Held {
        Held::new(self.sessions.get_or_create_owned(&[("role", role), ("dialect", dialect)]))
    }

    /// A role let somebody in.
    pub fn signed_in(&self, role: &'static str) {
        self.sign_ins.get_or_create(&[("role", role), ("result", "accepted")]).inc();
    }

    /// A role did not.
    pub fn sign_in_refused(&self, role: &'static str, reason: &'static str) {
        self.sign_ins.get_or_create(&[("role", role), ("result", "refused")]).inc();
        self.sign_in_refusals.get_or_create(&[("role", role), ("reason", reason)]).inc();
    }

    /// The handles of one role: a counter for each of its `verbs`, in their order, and for
    /// each error code.
    #[must_use]
    pub fn role(
        &self,
        role: &'static str,
        verbs: impl Iterator<Item = &'static str>,
        codes: impl Iterator<Item = (u16, &'static str)>,
    ) -> RoleMeters {
        let label = ("role", role);
        let command = |verb| self.commands.get_or_create_owned(&[label, ("verb", verb)]);
        let error =
            |(number, code)| (number, self.errors.get_or_create_owned(&[label, ("code", code)]));
        RoleMeters {
            role,
            commands: verbs.map(command).collect(),
            errors: codes.map(error).collect(),
            ends: self.session_ends.clone(),
            write_stalls: self.write_stalls.clone(),
        }
    }

    /// The hub's handles.
    #[must_use]
    pub const fn hub(&self) -> &HubMeters {
        &self.hub
    }

    /// The handles of alerts, mail and pages.
    #[must_use]
    pub const fn news(&self) -> &NewsMeters {
        &self.news
    }

    /// Somebody asked the admin API without its token, or with a wrong one.
    pub fn admin_refused(&self) {
        self.admin_refusals.inc();
    }

    /// The store's handles.
    #[must_use]
    pub const fn store(&self) -> &StoreMeters {
        &self.store
    }

    /// The handles of password verification.
    #[must_use]
    pub const fn passwords(&self) -> &PasswordMeters {
        &self.passwords
    }

    /// Everything as text ([`CONTENT_TYPE`]).
    ///
    /// # Errors
    /// None that a correct registry could cause.
    pub fn render(&self, standing: Standing) -> Result<String, fmt::Error> {
        self.online.set(i64::try_from(standing.online).unwrap_or(i64::MAX));
        self.watches.set(i64::try_from(standing.watches).unwrap_or(i64::MAX));
        self.conversations.rooms.set(i64::try_from(standing.rooms).unwrap_or(i64::MAX));
        for (clients, end) in ["modern", "legacy"].into_iter().zip(standing.certificate_ends) {
            if let Some(end) = end {
                self.certificate_ends.get_or_create(&[("clients", clients)]).set(end);
            }
        }
        let mut text = String::new();
        text::encode(&mut text, &self.registry.read())?;
        Ok(text)
    }
}

impl Default for Metrics {
    /// Everything at zero, started now.
    fn default() -> Self {
        let metrics = Self {
            registry: RwLock::default(),
            connections: Family::default(),
            connection_refusals: Family::default(),
            sessions: Family::default(),
            session_ends: Family::default(),
            sign_ins: Family::default(),
            sign_in_refusals: Family::default(),
            commands: Family::default(),
            errors: Family::default(),
            write_stalls: Counter::default(),
            online: Gauge::default(),
            watches: Gauge::default(),
            certificate_ends: Family::default(),
            conversations: Conversations::default(),
            news: NewsMeters::default(),
            admin_refusals: Counter::default(),
            hub: HubMeters::default(),
            store: StoreMeters::default(),
            passwords: PasswordMeters::default(),
        };
        metrics.name_all(&mut metrics.registry.write());
        metrics
    }
}

impl Metrics {
    /// Names and help of all metrics. Counters get `_total` at their end by themselves.
    fn name_all(&self, r: &mut Registry) {
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        r.register("msnd_build", "The program", build);
        let started: Gauge = Gauge::default();
        started.set(unix_secs());
        r.register_with_unit(
            "process_start_time",
            "When the server started, Unix time",
            Unit::Seconds,
            started,
        );
        r.register("msnd_connections", "Connections held, by role", self.connections.clone());
        r.register(
            "msnd_connection_refusals",
            "Connections not served, by reason",
            self.connection_refusals.clone(),
        );
        r.register(
            "msnd_sessions",
            "Signed-in sessions, by role and dialect",
            self.sessions.clone(),
        );
        r.register(
            "msnd_session_ends",
            "Connections that spoke MSNP and ended, by role and reason",
            self.session_ends.clone(),
        );
        r.register("msnd_accounts_online", "Accounts with a session", self.online.clone());
        r.register(
            "msnd_watches",
            "Pairs of an online person and somebody on its forward list",
            self.watches.clone(),
        );
        r.register_with_unit(
            "msnd_certificate_end",
            "When a certificate ends, Unix time, by the clients it is for",
            Unit::Seconds,
            self.certificate_ends.clone(),
        );
        r.register(
            "msnd_sign_ins",
            "Sign-ins, by role (passport: password, notification: ticket) and result",
            self.sign_ins.clone(),
        );
        r.register(
            "msnd_sign_in_refusals",
            "Sign-ins refused, by role and reason",
            self.sign_in_refusals.clone(),
        );
        r.register("msnd_commands", "Commands let in, by role and verb", self.commands.clone());
        r.register("msnd_errors", "Error replies, by role and code", self.errors.clone());
        r.register(
            "msnd_write_stalls",
            "Connections ended because nothing could be sent for too long",
            self.write_stalls.clone(),
        );
        r.register(
            "msnd_presence_deliveries",
            "Presence changes put into inboxes of watchers",
            self.hub.deliveries.clone(),
        );
        r.register(
            "msnd_inbox_overflows",
            "Sessions dropped because their inbox was full",
            self.hub.overflows.clone(),
        );
        r.register(
            "msnd_admin_refusals",
            "Admin requests without the token or with a wrong one",
            self.admin_refusals.clone(),
        );
        self.conversations.name_all(r);
        self.news.name_all(r);
        self.name_store(r);
    }

    fn name_store(&self, r: &mut Registry) {
        let (store, passwords) = (&self.store, &self.passwords);
        r.register("msnd_list_edits", "List edits committed, by kind", store.edits.clone());
        r.register_with_unit(
            "msnd_store_read",
            "Time of reads with the wait for a connection, by operation",
            Unit::Seconds,
            store.reads.clone(),
        );
        r.register_with_unit(
            "msnd_store_commit",
            "Time of a transaction of the writer, from begin to commit",
            Unit::Seconds,
            store.commits.clone(),
        );
        r.register(
            "msnd_store_commit_jobs",
            "Jobs in a transaction of the writer",
            store.batches.clone(),
        );
        r.register(
            "msnd_password_verifications",
            "Passwords hashed or verified",
            passwords.verifications.clone(),
        );
        r.register(
            "msnd_password_refusals",
            "Passwords not looked at because too many waited",
            passwords.refusals.clone(),
        );
        r.register(
            "msnd_password_queue_depth",
            "Passwords waiting for their turn",
            passwords.waiting.clone(),
        );
        r.register("msnd_password_working", "Passwords being hashed", passwords.working.clone());
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// Seconds since 1970.
fn unix_secs() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_servers_count_apart_and_start_at_zero() {
        let (one, other) = (Metrics::default(), Metrics::default());
        let meters = one.role("notification", ["CHG"].into_iter(), [].into_iter());
        meters.commands(0, 1);
        meters.commands(7, 1);
        let counted = "msnd_commands_total{role=\"notification\",verb=\"CHG\"} 1\n";
        assert!(one.render(Standing::default()).unwrap().contains(counted));
        let text = other.render(Standing { online: 3, watches: 9, ..Standing::default() }).unwrap();
        assert!(!text.contains("CHG") && text.contains("msnd_accounts_online 3\n"), "{text}");
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn what_is_held_is_given_back() {
        let metrics = Metrics::default();
        let held = metrics.connection("dispatch");
        let line = |n: u8| format!("msnd_connections{{role=\"dispatch\"}} {n}\n");
        assert!(metrics.render(Standing::default()).unwrap().contains(&line(1)));
        drop(held);
        assert!(metrics.render(Standing::default()).unwrap().contains(&line(0)));
    }

    #[test]
    fn store_operations_count_where_they_belong() {
        let metrics = Metrics::default();
        let store = metrics.store();
        for (count, operation) in READS.iter().enumerate() {
            (0..=count).for_each(|_| drop(store.read(operation)));
        }
        for (count, kind) in EDITS.iter().enumerate() {
            (0..=count).for_each(|_| store.edited(kind));
        }
        let text = metrics.render(Standing::default()).unwrap();
        for (count, operation) in READS.iter().enumerate() {
            let series = format!("msnd_store_read_seconds_count{{operation=\"{operation}\"}}");
            assert!(text.contains(&format!("{series} {}\n", count + 1)), "{operation}: {text}");
        }
        for (count, kind) in EDITS.iter().enumerate() {
            let series = format!("msnd_list_edits_total{{kind=\"{kind}\"}}");
            assert!(text.contains(&format!("{series} {}\n", count + 1)), "{kind}: {text}");
        }
    }

    #[test]
    fn every_read_has_its_histogram_from_the_start() {
        let text = Metrics::default().render(Standing::default()).unwrap();
        for operation in READS {
            let line = format!("msnd_store_read_seconds_count{{operation=\"{operation}\"}} 0\n");
            assert!(text.contains(&line), "{operation}: {text}");
        }
    }
}
