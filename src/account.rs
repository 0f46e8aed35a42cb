//! Operations on accounts which the command line, web pages and roles share: telling who somebody
//! is, making and changing accounts. Knows no protocol and no command line.

mod familiar;
mod throttle;

use crate::{
    config,
    model::{Address, Name},
    store::{
        NewAccount, Store, StoreError,
        password::{HasherError, PasswordHasher},
    },
};
use std::{net::IpAddr, sync::Arc, time::Duration};
use throttle::Throttle;

pub use crate::store::{
    Account,
    password::{Candidate, Password, PasswordError},
};
pub use throttle::REMEMBERED_MAX;

/// All accounts, behind the rules for using them.
#[derive(Debug)]
pub struct Accounts {
    store: Arc<dyn Store>,
    hasher: Arc<PasswordHasher>,
    throttle: Throttle,
}

/// Why somebody was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// No such account, or another password. Nobody learns which.
    #[error("unknown account or wrong password")]
    Refused,
    /// Too many failures of this account or from this address; not even looked at.
    #[error("too many failed sign-ins")]
    Throttled,
    /// The right password of an account that may not sign in.
    #[error("the account is disabled")]
    Disabled,
    /// Too many sign-ins are waiting.
    #[error("too many sign-ins are waiting")]
    Busy,
    /// The database or the hasher failed; logged already.
    #[error("accounts are not available")]
    Unavailable,
}

impl AuthError {
    /// One word for metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Refused => "wrong_password",
            Self::Throttled => "throttled",
            Self::Disabled => "account_disabled",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
        }
    }
}

/// Why an account was not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The password could not be hashed.
    #[error(transparent)]
    Password(#[from] HasherError),
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Accounts {
    /// Takes the throttle's limits from `limits`.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        hasher: Arc<PasswordHasher>,
        limits: &config::Passport,
    ) -> Self {
        let throttle = Throttle::new(
            limits.failures_per_account_max,
            limits.failures_per_address_max,
            Duration::from_secs(limits.throttle_window_secs),
        );
        Self { store, hasher, throttle }
    }

    /// Whose password one of the `candidates` is; several candidates are one attempt.
    ///
    /// An unknown account (or no legal address at all: `None`), a wrong password and no password
    /// take the same time and give the same error. Counts failures of `address`, whether there is
    /// such an account or not, and from `peer`; a throttled attempt costs no hash. Failures of the
    /// account do not hold up a `peer` that lately signed in to it. Cancellation safe; a cancelled
    /// attempt counts as a failure.
    ///
    /// # Errors
    /// [`AuthError`].
    pub async fn authenticate(
        &self,
        address: Option<&Address>,
        candidates: Vec<Candidate>,
        peer: IpAddr,
    ) -> Result<Account, AuthError> {
        let attempt =
            self.throttle.begin(address, peer).map_err(|throttle::Wait| AuthError::Throttled)?;
        let account = match self.find(address).await {
            Ok(account) => account,
            Err(error) => {
                attempt.undecided();
                tracing::error!(%error, "accounts cannot be read");
                return Err(AuthError::Unavailable);
            }
        };
        let stored = account.as_ref().map(|account| &account.password);
        match (self.hasher.verify_any(stored, candidates).await, account) {
            (Ok(true), Some(account)) if account.enabled => {
                attempt.succeeded();
                Ok(account)
            }
            (Ok(true), Some(_)) => {
                attempt.succeeded();
                Err(AuthError::Disabled)
            }
            (Ok(_), _) => Err(AuthError::Refused),
            (Err(HasherError::Busy), _) => {
                attempt.undecided();
                Err(AuthError::Busy)
            }
            (Err(error), account) => {
                attempt.undecided();
                let user = account.map(|account| account.address);
                tracing::error!(user = ?user, %error, "a password cannot be verified");
                Err(AuthError::Unavailable)
            }
        }
    }

    /// Makes an account with default settings and nobody on its lists; without a name it is
    /// called by its address.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the address is taken.
    pub async fn create(
        &self,
        address: Address,
        name: Option<Name>,
        password: &Password,
    ) -> Result<(), AccountError> {
        let name = name.unwrap_or_else(|| Name::from(&address));
        let hash = self.hasher.hash(password).await?;
        Ok(self.store.create_accounts(vec![NewAccount::new(address, name, hash)]).await?)
    }

    /// Replaces the password. Tickets issued before are worthless, since the credential epoch
    /// rises.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn set_password(
        &self,
        address: &Address,
        password: &Password,
    ) -> Result<(), AccountError> {
        // Fails on an unknown account without hashing first.
        self.store.account(address).await?;
        let hash = self.hasher.hash(password).await?;
        Ok(self.store.set_password(address, hash).await?)
    }

    /// Lets an account sign in or not; outstanding tickets become worthless.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn set_enabled(&self, address: &Address, enabled: bool) -> Result<(), AccountError> {
        Ok(self.store.set_enabled(address, enabled).await?)
    }

    /// Removes an account, its lists, and itself from everybody's lists.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn remove(&self, address: &Address) -> Result<(), AccountError> {
        Ok(self.store.remove_account(address).await?)
    }

    async fn find(&self, address: Option<&Address>) -> Result<Option<Account>, StoreError> {
        let Some(address) = address else { return Ok(None) };
        match self.store.account(address).await {
            Ok(account) => Ok(Some(account)),
            Err(StoreError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
