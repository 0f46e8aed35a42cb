//! What alerts, mail and pages count: names, help texts, handles. Knows none of them.

use super::Counters;
use prometheus_client::{metrics::counter::Counter, registry::Registry};

/// What reaches people from outside their lists.
#[derive(Debug, Clone, Default)]
pub struct NewsMeters {
    /// Alerts accepted.
    pub alerts_accepted: Counter,
    /// Accounts that accepted alerts are for.
    pub alert_recipients: Counter,
    /// Alerts handed to a recipient's client.
    pub alerts_delivered: Counter,
    /// Alerts that expired before a recipient was told.
    pub alerts_expired: Counter,
    /// Alerts that the store still has although a recipient needs them no more.
    pub removals_failed: Counter,
    mail: Counters<1>,
    pages: Counters<1>,
}

impl NewsMeters {
    /// News of mail was accepted: something `new`, or a change.
    pub fn mail(&self, is_new: bool) {
        let kind = if is_new { "new" } else { "moved" };
        self.mail.get_or_create(&[("kind", kind)]).inc();
    }

    /// Somebody paged somebody.
    pub fn paged(&self, is_delivered: bool) {
        let result = if is_delivered { "delivered" } else { "refused" };
        self.pages.get_or_create(&[("result", result)]).inc();
    }

    /// Names and help of them all.
    pub(super) fn name_all(&self, r: &mut Registry) {
        r.register("msnd_alerts_accepted", "Alerts accepted", self.alerts_accepted.clone());
        r.register(
            "msnd_alert_recipients",
            "Accounts that accepted alerts are for, one for each alert",
            self.alert_recipients.clone(),
        );
        r.register(
            "msnd_alerts_delivered",
            "Alerts handed to a client of a recipient",
            self.alerts_delivered.clone(),
        );
        r.register(
            "msnd_alerts_expired",
            "Alerts that expired before a recipient was told",
            self.alerts_expired.clone(),
        );
        r.register(
            "msnd_alert_removal_failures",
            "Delivered or expired alerts that the store could not forget yet",
            self.removals_failed.clone(),
        );
        r.register("msnd_mail_news", "News of mail accepted, by kind", self.mail.clone());
        r.register("msnd_pages", "Pages, by result", self.pages.clone());
    }
}
