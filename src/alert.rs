//! Operations by which operators and programs reach people: alerts, news of mail, mailboxes. Stored
//! first, told then. Knows no wire and no way in.

use crate::{
    config::{self, ALERT_EXPIRY_SECS_MAX},
    hub::{Hub, MailEvent, MailNews, Memo, PostedAlert},
    metrics::NewsMeters,
    model::{
        AccountId, Address, Alert, AlertId, Mailbox,
        mail::{MailChange, MailMoved, NewMail},
    },
    store::{Audience, NewAlert, Posted, Store, StoreError},
};
use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

pub use crate::store::Recipients;

/// Alerts that may wait until the client of somebody who is online confirms them, unless
/// `alerts.waiting_per_account_max` is higher. Clients say something at least every minute or so,
/// so this bounds a burst.
pub const UNCONFIRMED_MAX: u32 = 1000;

/// What operators and programs can tell people.
#[derive(Debug, Clone)]
pub struct Alerts {
    store: Arc<dyn Store>,
    hub: Hub,
    expiry: Duration,
    waiting_max: u32,
    meters: NewsMeters,
}

/// An alert that will be delivered to everybody it is for, unless it expires first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// Its number; that of the first part if it was stored in several.
    pub id: AlertId,
    /// How many accounts it is for.
    pub recipients: usize,
}

impl Alerts {
    /// Takes expiry and bounds from `limits`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, hub: Hub, limits: &config::Alerts) -> Self {
        let expiry = Duration::from_secs(limits.expiry_secs);
        let meters = NewsMeters::default();
        Self { store, hub, expiry, waiting_max: limits.waiting_per_account_max, meters }
    }

    /// Counts in `meters` from now on.
    #[must_use]
    pub fn measured(self, meters: &NewsMeters) -> Self {
        Self { meters: meters.clone(), ..self }
    }

    /// Keeps an alert until it is received, and tells who is online. When this returns, it is on
    /// disk: it is told at each recipient's MSNP9 sessions, now and at later sign-ins, until the
    /// client has sent something after it or it has expired. `expiry` counts from now and replaces
    /// the configured one; it is at most [`ALERT_EXPIRY_SECS_MAX`].
    ///
    /// So it is told once to a client that goes on speaking. It is told again at the next sign-in
    /// if the session ends before that, for whatever reason; if the server ends before the removal
    /// is on disk; or if the removal fails or finds no room in its queue, both of which are logged.
    /// It is lost only if the connection breaks while it and bytes of the client, sent before it
    /// arrived, cross on the way: these are taken for a sign that it did. (Through the HTTP
    /// gateway they cross whenever an alert travels in the answer to a command.)
    ///
    /// To all accounts means: all that may sign in, but for those for which as many alerts wait as
    /// may; one account that nobody uses must not keep the rest from hearing. They are stored part
    /// by part: if this fails with [`StoreError::Unavailable`], or the server ends meanwhile, some
    /// may have the alert.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for an unknown account; [`StoreError::Conflict`] if as many alerts
    /// wait for it as may (more for somebody online, see [`UNCONFIRMED_MAX`]), or if nobody would
    /// be left of all.
    pub async fn send_alert(
        &self,
        to: Recipients,
        alert: Alert,
        expiry: Option<Duration>,
    ) -> Result<Accepted, StoreError> {
        let expiry_secs = expiry.unwrap_or(self.expiry).as_secs().min(ALERT_EXPIRY_SECS_MAX);
        let created_at_secs = unix_secs();
        let new = NewAlert {
            to,
            alert: alert.clone(),
            created_at_secs,
            expires_at_secs: created_at_secs.saturating_add_unsigned(expiry_secs),
            waiting_max: self.waiting_max,
            unconfirmed_max: self.waiting_max.max(UNCONFIRMED_MAX),
        };
        let audience = Arc::new(Online { hub: self.hub.clone(), alert });
        let posted = self.store.add_alert(new, audience).await?;
        self.meters.alerts_accepted.inc();
        self.meters.alert_recipients.inc_by(counted(posted.recipients.len()));
        self.meters.alerts_expired.inc_by(counted(posted.expired));
        Ok(Accepted { id: posted.id, recipients: posted.recipients.len() })
    }

    /// A message has arrived for `address`: counted, and told if its owner is online and had the
    /// mailbox when it signed in. Returns what is unread now.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] if the account has no mailbox.
    pub async fn new_mail(&self, address: &Address, mail: NewMail) -> Result<Mailbox, StoreError> {
        let change = MailChange::Arrived(mail.folder().clone());
        self.change(address, change, MailEvent::New(mail)).await
    }

    /// Unread messages of `address` were moved, read or thrown away: counted, and told as a new
    /// message is. Returns what is unread now.
    ///
    /// # Errors
    /// As [`Self::new_mail`].
    pub async fn mail_moved(
        &self,
        address: &Address,
        moved: MailMoved,
    ) -> Result<Mailbox, StoreError> {
        let change = MailChange::Moved(moved.clone());
        self.change(address, change, MailEvent::Moved(moved)).await
    }

    /// Gives an account an empty mailbox or takes it away; its client hears of it at the next
    /// sign-in. A mailbox that is there stays as it is.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn set_mailbox(&self, address: &Address, has_one: bool) -> Result<(), StoreError> {
        self.store.set_mailbox(address, has_one).await
    }

    async fn change(
        &self,
        address: &Address,
        change: MailChange,
        what: MailEvent,
    ) -> Result<Mailbox, StoreError> {
        let hub = self.hub.clone();
        let publish = Box::new(move |account, mailbox| {
            hub.tell_mail(account, Arc::new(MailNews { what, mailbox }));
        });
        let is_new = matches!(change, MailChange::Arrived(_));
        let mailbox = self.store.change_mail(address, change, publish).await?;
        self.meters.mail(is_new);
        Ok(mailbox)
    }
}

fn counted(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Who is online, for one alert.
#[derive(Debug)]
struct Online {
    hub: Hub,
    alert: Alert,
}

impl Audience for Online {
    fn hears(&self, account: AccountId) -> bool {
        self.hub.hears_alerts(account)
    }

    fn publish(&self, posted: &Posted) {
        let (id, alert) = (posted.id, self.alert.clone());
        let event = PostedAlert { id, alert, memo: Memo::default() };
        self.hub.post_alert(&posted.recipients, Arc::new(event));
    }
}

/// Seconds since 1970.
fn unix_secs() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed.map_or(0, |elapsed| i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX))
}
