//! What the store is given and gives back about alerts and mail. Holds no behaviour.

use crate::model::{AccountId, Address, Alert, AlertId, Mailbox};

/// Who is to receive an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipients {
    /// This account.
    One(Address),
    /// Every account that may sign in.
    All,
}

/// An alert to be kept until it is delivered.
#[derive(Debug, Clone)]
pub struct NewAlert {
    /// For whom.
    pub to: Recipients,
    /// What it says.
    pub alert: Alert,
    /// When it was made, Unix seconds.
    pub created_at_secs: i64,
    /// When nobody needs it any more, Unix seconds.
    pub expires_at_secs: i64,
    /// How many alerts may wait for one account.
    pub waiting_max: u32,
}

/// An alert that has been committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// Its number.
    pub id: AlertId,
    /// Who is to receive it, by number.
    pub recipients: Vec<AccountId>,
    /// How many alerts, one for each recipient, were forgotten because they had expired.
    pub expired: usize,
}

/// The alerts that wait for an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Those that have not expired, oldest first.
    pub alerts: Vec<(AlertId, Alert)>,
    /// Those that have, to be settled.
    pub expired: Vec<AlertId>,
}

/// Called once for a committed alert, before any later one is published. Must be quick and must not
/// block: the writer waits for it.
pub type PublishAlert = Box<dyn FnOnce(&Posted) + Send>;

/// Called once for a committed change of a mailbox, with what is unread after it. Must be quick and
/// must not block: the writer waits for it.
pub type PublishMail = Box<dyn FnOnce(AccountId, Mailbox) + Send>;
