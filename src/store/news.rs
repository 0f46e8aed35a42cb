//! What the store is given and gives back about alerts and mail. Holds no behaviour.

use crate::model::{AccountId, Address, Alert, AlertId, Mailbox};
use std::fmt;

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
    /// How many alerts may wait for one account that does not hear of them at once
    /// ([`Audience::hears`]).
    pub waiting_max: u32,
    /// How many for one that does, whose client has them perhaps and has not confirmed them yet.
    pub unconfirmed_max: u32,
}

/// An alert that has been committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// Its number; that of the first part if it was stored in several.
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
    /// Those that break a rule made since they were stored, to be settled.
    pub illegal: Vec<AlertId>,
}

/// Those who hear of alerts at once. Must be quick and must not block: the writer waits for it.
pub trait Audience: Send + Sync + fmt::Debug {
    /// Whether the account is told at once.
    fn hears(&self, account: AccountId) -> bool;

    /// Called once for each committed alert or part of one, before any later one is published.
    fn publish(&self, posted: &Posted);
}

/// Called once for a committed change of a mailbox, with what is unread after it. Must be quick and
/// must not block: the writer waits for it.
pub type PublishMail = Box<dyn FnOnce(AccountId, Mailbox) + Send>;
