//! The TOML fixture of the CI mode: accounts with their lists, read whole or refused with line and
//! reason. Knows the store's types, but neither a database nor how passwords are hashed.

mod check;
mod file;

use crate::{
    model::{Address, Group, Name, Privacy, Prompt, Properties, roster::RosterLimits},
    store::{NewAccount, NewContact, PasswordHash, password::Password},
};

/// One `[[user]]`, checked. Its entries carry no reverse bits: those follow from the forward
/// lists.
#[derive(Debug)]
pub struct FixtureUser {
    /// Its handle.
    pub address: Address,
    /// Its friendly name.
    pub name: Name,
    /// Its password.
    pub password: Password,
    /// `BLP`
    pub privacy: Privacy,
    /// `GTC`
    pub prompt: Prompt,
    /// Its properties.
    pub properties: Properties,
    /// Its groups, group 0 first.
    pub groups: Vec<Group>,
    /// Its lists: the forward list in order, then allowed, then blocked people that are not on it.
    pub contacts: Vec<NewContact>,
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

/// Reads and checks the text of a fixture. `file` is for messages only.
///
/// # Errors
/// [`FixtureError`] for the first thing that cannot be read, contradicts something else in the
/// file, or is beyond `limits`.
pub fn parse(
    text: &str,
    file: &str,
    limits: RosterLimits,
) -> Result<Vec<FixtureUser>, FixtureError> {
    let at = |complaint: Complaint| FixtureError {
        file: file.to_owned(),
        line: 1 + text.bytes().take(complaint.offset).filter(|byte| *byte == b'\n').count(),
        reason: complaint.reason,
    };
    check::users(file::read(text).map_err(at)?, limits).map_err(at)
}

/// Accounts to be made, with list version 1; `hash` makes the stored form of each password.
///
/// # Errors
/// The first of `hash`.
pub fn into_new_accounts<E>(
    users: Vec<FixtureUser>,
    mut hash: impl FnMut(&Password) -> Result<PasswordHash, E>,
) -> Result<Vec<NewAccount>, E> {
    let account = |user: FixtureUser| {
        Ok(NewAccount {
            privacy: user.privacy,
            prompt: user.prompt,
            properties: user.properties,
            groups: user.groups,
            contacts: user.contacts,
            ..NewAccount::new(user.address, user.name, hash(&user.password)?)
        })
    };
    users.into_iter().map(account).collect()
}

/// What is wrong, and at which byte.
struct Complaint {
    offset: usize,
    reason: String,
}

#[cfg(test)]
mod tests;
