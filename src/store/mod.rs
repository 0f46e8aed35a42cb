//! Where accounts and lists are kept. One small trait; every implementation passes the same
//! conformance suite (`tests/it/store.rs`). Knows no protocol and no session.

pub mod password;
pub mod sqlite;

mod news;

use crate::model::{
    AccountId, Address, AlertId, Applied, Circle, Edit, Group, GroupSet, ListBits, Mailbox, Name,
    Privacy, Prompt, Properties, Refusal, Roster, mail::MailChange,
};
use async_trait::async_trait;
pub use news::{Audience, NewAlert, Posted, PublishMail, Recipients, Waiting};
pub use password::PasswordHash;
use std::{collections::HashMap, path::Path, sync::Arc};

/// An account as stored, without its lists.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its number; never used again after removal.
    pub id: AccountId,
    /// Its handle.
    pub address: Address,
    /// Its friendly name.
    pub name: Name,
    /// Its password.
    pub password: PasswordHash,
    /// Whether it may sign in.
    pub enabled: bool,
    /// Rises with every change of password and of `enabled`; a ticket issued under an older one
    /// is worthless.
    pub credential_epoch: u32,
    /// Its list version, never 0.
    pub list_version: u32,
    /// When it was made, Unix seconds.
    pub created_at_secs: i64,
    /// Its mailbox, if it has one.
    pub mailbox: Option<Mailbox>,
}

/// What a new session needs, read as of one moment.
#[derive(Debug, Clone)]
pub struct SignIn {
    /// The account.
    pub account: Account,
    /// Who it watches and who may see it.
    pub circle: Circle,
    /// Whether alerts wait for it; perhaps only such as have expired.
    pub has_alerts: bool,
    /// Its lists, for its first `SYN`.
    pub roster: Roster,
}

/// An account as somebody who calls it needs to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Callee {
    /// Its number.
    pub id: AccountId,
    /// Whether it may sign in.
    pub enabled: bool,
    /// Whether its lists let the caller reach it.
    pub allows: bool,
    /// Whether the caller still has an account and may sign in.
    pub caller_enabled: bool,
}

/// An account to be made, with everything it starts with.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// Its handle.
    pub address: Address,
    /// Its friendly name.
    pub name: Name,
    /// Its password.
    pub password: PasswordHash,
    /// Whether it may sign in.
    pub enabled: bool,
    /// When it was made, Unix seconds; `None` stands for the present.
    pub created_at_secs: Option<i64>,
    /// Its list version, at least 1.
    pub list_version: u32,
    /// `BLP`
    pub privacy: Privacy,
    /// `GTC`
    pub prompt: Prompt,
    /// Its own properties.
    pub properties: Properties,
    /// Its groups; must contain group 0.
    pub groups: Vec<Group>,
    /// Its lists.
    pub contacts: Vec<NewContact>,
    /// Its mailbox, if it has one.
    pub mailbox: Option<Mailbox>,
}

impl NewAccount {
    /// An account with default settings, one group and nobody on its lists.
    #[must_use]
    pub fn new(address: Address, name: Name, password: PasswordHash) -> Self {
        Self {
            address,
            name,
            password,
            enabled: true,
            created_at_secs: None,
            list_version: 1,
            privacy: Privacy::default(),
            prompt: Prompt::default(),
            properties: Properties::new(),
            groups: crate::model::roster::first_groups(),
            contacts: Vec::new(),
            mailbox: None,
        }
    }
}

/// A list entry of a [`NewAccount`]. Reverse lists follow from the forward lists; an entry may
/// carry the reverse bit only to give that person a name of the owner's own.
#[derive(Debug, Clone)]
pub struct NewContact {
    /// Who; must exist or be made in the same call.
    pub address: Address,
    /// The owner's name for them.
    pub name: Name,
    /// The lists.
    pub lists: ListBits,
    /// The groups; group 0 if empty and on the forward list.
    pub groups: GroupSet,
}

/// Where the schema stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaStatus {
    /// What the database is, for people (a path or an address without secrets).
    pub database: String,
    /// The last applied migration.
    pub applied: i64,
    /// The last migration this program knows.
    pub known: i64,
}

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The thing asked for is not there.
    #[error("not found")]
    NotFound,
    /// It contradicts what is there; says what.
    #[error("{0}")]
    Conflict(String),
    /// The database did not do its part.
    #[error("the database failed: {0:#}")]
    Unavailable(anyhow::Error),
}

/// Why an edit was not made.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// A rule forbids it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store failed, or the owner's account is gone ([`StoreError::NotFound`]).
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Called once for a committed edit, before any later edit of the same accounts is published.
/// Must be quick and must not block: the writer waits for it.
pub type Publish = Box<dyn FnOnce(&Applied) + Send>;

/// Accounts, lists, groups and properties.
///
/// All methods are cancellation safe: dropping the future leaves the store as if the call had
/// either been made wholly or not at all.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug + 'static {
    /// Makes accounts with their lists, all or none.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if an address is taken or a contact does not exist.
    async fn create_accounts(&self, accounts: Vec<NewAccount>) -> Result<(), StoreError>;

    /// Makes accounts with their lists, or gives those that exist already all that `accounts` say
    /// in place of what they had; all or none. Their numbers stay, and so do they on the lists of
    /// others; reverse lists follow. The list version of an account that was there rises beyond
    /// both its own and the given one.
    ///
    /// Sessions are not told: no server may be running on the database.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if a contact does not exist.
    async fn replace_accounts(&self, accounts: Vec<NewAccount>) -> Result<(), StoreError>;

    /// All accounts with their lists, by handle, as of one moment. Of the `only` ones if given;
    /// holds all of it in memory. Contacts come without their properties.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if one of `only` does not exist.
    async fn export(&self, only: Option<&[Address]>) -> Result<Vec<(Account, Roster)>, StoreError>;

    /// One account by its handle.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn account(&self, address: &Address) -> Result<Account, StoreError>;

    /// All accounts, by handle.
    ///
    /// # Errors
    /// Only [`StoreError::Unavailable`].
    async fn accounts(&self) -> Result<Vec<Account>, StoreError>;

    /// A number that rises whenever an account is removed, disabled or enabled, by whichever
    /// process.
    ///
    /// # Errors
    /// Only [`StoreError::Unavailable`].
    async fn standing_changes(&self) -> Result<i64, StoreError>;

    /// Every account, and whether it may sign in. Reads them all: to be called only when
    /// [`Self::standing_changes`] says something new.
    ///
    /// # Errors
    /// Only [`StoreError::Unavailable`].
    async fn standings(&self) -> Result<HashMap<AccountId, bool>, StoreError>;

    /// Replaces the password; the credential epoch rises.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn set_password(&self, address: &Address, hash: PasswordHash) -> Result<(), StoreError>;

    /// Lets an account sign in or not; the credential epoch rises.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn set_enabled(&self, address: &Address, enabled: bool) -> Result<(), StoreError>;

    /// Removes an account, its lists, and itself from everybody's lists (whose versions rise).
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn remove_account(&self, address: &Address) -> Result<(), StoreError>;

    /// What a new session needs, in one read.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn sign_in(&self, id: AccountId) -> Result<SignIn, StoreError>;

    /// Whether `callee` lets `caller` see and reach it, by its lists as of now.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such callee.
    async fn callee(&self, callee: &Address, caller: AccountId) -> Result<Callee, StoreError>;

    /// The whole roster as of one moment.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn roster(&self, id: AccountId) -> Result<Roster, StoreError>;

    /// Makes one change, durable before this returns. `publish` runs after the commit and in
    /// commit order; it does not run if the edit is refused. It also runs for
    /// [`crate::model::Change::None`].
    ///
    /// # Errors
    /// [`EditError`].
    async fn edit(
        &self,
        owner: AccountId,
        edit: Edit,
        publish: Publish,
    ) -> Result<Applied, EditError>;

    /// Keeps an alert for its recipients until each has received it or it has expired, durable
    /// before this returns. `audience` is told after the commit and in commit order, in which the
    /// numbers of alerts rise. Also forgets some alerts that expired a day ago or more; expired
    /// ones count for nothing.
    ///
    /// Of all accounts, those that may not sign in and those for which as many alerts wait as may
    /// are left out. An alert for all is stored in parts, each an alert of its own with a number of
    /// its own, so that edits pass in between. This goes on when the caller goes away; if the
    /// process or the database fails meanwhile, some have the alert and the rest never will.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the one recipient does not exist; [`StoreError::Conflict`] if as
    /// many alerts wait for it as may, or if nobody would be left of all.
    async fn add_alert(
        &self,
        alert: NewAlert,
        audience: Arc<dyn Audience>,
    ) -> Result<Posted, StoreError>;

    /// The alerts that wait for an account; none for one that does not exist.
    ///
    /// # Errors
    /// Only [`StoreError::Unavailable`].
    async fn waiting_alerts(&self, id: AccountId, now_secs: i64) -> Result<Waiting, StoreError>;

    /// These accounts need these alerts no more. What is not there is passed over.
    ///
    /// # Errors
    /// Only [`StoreError::Unavailable`].
    async fn settle_alerts(&self, settled: Vec<(AccountId, AlertId)>) -> Result<(), StoreError>;

    /// Gives an account an empty mailbox or takes it away. One that is there stays as it is.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn set_mailbox(&self, address: &Address, has_one: bool) -> Result<(), StoreError>;

    /// Counts what is unread anew, durable before this returns; `publish` runs after the commit
    /// and in commit order.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] if the account has no mailbox.
    async fn change_mail(
        &self,
        address: &Address,
        change: MailChange,
        publish: PublishMail,
    ) -> Result<Mailbox, StoreError>;

    /// An account, and whether it takes pages: a mobile device that is enabled (`MBE`), and others
    /// may page it (`MOB`).
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn takes_pages(&self, address: &Address) -> Result<(AccountId, bool), StoreError>;

    /// Where the schema stands.
    ///
    /// # Errors
    /// Only [`StoreError::Unavailable`].
    async fn schema(&self) -> Result<SchemaStatus, StoreError>;

    /// Writes a consistent copy to `target`, which must not exist; may run beside a server.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if `target` exists.
    async fn backup(&self, target: &Path) -> Result<(), StoreError>;

    /// Finishes what is under way and lets the database go. Calls after it fail.
    async fn close(&self);
}
