//! The TOML fixture: accounts with their lists, as the CI mode starts from them and as networks are
//! moved with them. Read whole or refused with line and reason; written so that reading it again
//! makes the same accounts. Knows the store's types, but neither a database nor how passwords are
//! hashed.

mod check;
mod file;
mod write;

use crate::{
    model::{Address, Group, Mailbox, Name, Privacy, Prompt, Properties, roster::RosterLimits},
    store::{NewAccount, NewContact, PasswordHash, password::Password},
};
use std::collections::HashMap;
pub use write::write;

/// Longest fixture that is read, in bytes. All of it, and what is made of it, is in memory at once.
pub const FIXTURE_BYTES_MAX: u64 = 1 << 30;

/// One `[[user]]`, checked. A reverse bit stands only on entries that the file itself put on the
/// reverse list; all others follow from the forward lists.
#[derive(Debug)]
pub struct FixtureUser {
    /// Its handle.
    pub address: Address,
    /// Its friendly name.
    pub name: Name,
    /// Its password.
    pub credential: Credential,
    /// Whether it may sign in.
    pub enabled: bool,
    /// When it was made, Unix seconds; now if the file does not say.
    pub created_at_secs: Option<i64>,
    /// Its list version, never 0.
    pub list_version: u32,
    /// `BLP`
    pub privacy: Privacy,
    /// `GTC`
    pub prompt: Prompt,
    /// Its properties.
    pub properties: Properties,
    /// Its groups, lowest number first.
    pub groups: Vec<Group>,
    /// Everybody on its lists, in the order in which they are to come.
    pub contacts: Vec<NewContact>,
    /// Its mailbox, if it has one.
    pub mailbox: Option<Mailbox>,
}

/// What an account signs in with. `Debug` shows neither.
#[derive(Debug)]
pub enum Credential {
    /// Still to be hashed.
    Password(Password),
    /// Hashed by whoever wrote the file; its cost is within the store's limits.
    Hash(PasswordHash),
}

/// Why a fixture is refused. Never shows a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {reason}")]
pub struct FixtureError {
    /// The name of the file as it was given.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub reason: String,
}

/// Reads and checks the text of a fixture. `file` is for messages only. People on lists must be in
/// the file, or among the `others` that are there already, each with its own name.
///
/// # Errors
/// [`FixtureError`] for the first thing that cannot be read, contradicts something else in the
/// file, or is beyond `limits`.
pub fn parse(
    text: &str,
    file: &str,
    limits: RosterLimits,
    others: &HashMap<Address, Name>,
) -> Result<Vec<FixtureUser>, FixtureError> {
    let at = |complaint: Complaint| FixtureError {
        file: file.to_owned(),
        line: 1 + text.bytes().take(complaint.offset).filter(|byte| *byte == b'\n').count(),
        reason: complaint.reason,
    };
    check::users(file::read(text).map_err(at)?, limits, others).map_err(at)
}

/// Accounts to be made; `hash` makes the stored form of each password that is not hashed yet.
///
/// # Errors
/// The first of `hash`.
pub fn into_new_accounts<E>(
    users: Vec<FixtureUser>,
    mut hash: impl FnMut(&Password) -> Result<PasswordHash, E>,
) -> Result<Vec<NewAccount>, E> {
    let account = |user: FixtureUser| {
        let password = match user.credential {
            Credential::Password(password) => hash(&password)?,
            Credential::Hash(hash) => hash,
        };
        Ok(NewAccount {
            enabled: user.enabled,
            created_at_secs: user.created_at_secs,
            list_version: user.list_version,
            privacy: user.privacy,
            prompt: user.prompt,
            properties: user.properties,
            groups: user.groups,
            contacts: user.contacts,
            mailbox: user.mailbox,
            ..NewAccount::new(user.address, user.name, password)
        })
    };
    users.into_iter().map(account).collect()
}

/// What is wrong, and at which byte.
struct Complaint {
    offset: usize,
    reason: String,
}

fn complain<T, V>(
    place: &toml::Spanned<V>,
    reason: impl std::fmt::Display,
) -> Result<T, Complaint> {
    complain_at(place.span().start, reason)
}

fn complain_at<T>(offset: usize, reason: impl std::fmt::Display) -> Result<T, Complaint> {
    Err(Complaint { offset, reason: reason.to_string() })
}

#[cfg(test)]
mod tests;
