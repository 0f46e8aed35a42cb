//! The robot's account: made if it is missing, and as the options want it. Knows no hub and no
//! room.

use super::WelcomeError;
use crate::{
    config,
    model::{Address, Applied, Edit, Name, Privacy, Prompt},
    store::{
        Account, NewAccount, Publish, SignIn, Store, StoreError,
        password::{PASSWORD_CHARS_SIGNIFICANT, Password, PasswordHasher},
    },
};
use zeroize::Zeroizing;

/// Makes the account unless there is one. Returns whether it was missing.
pub(super) async fn make(
    store: &dyn Store,
    hasher: &PasswordHasher,
    address: &Address,
    options: &config::Welcome,
) -> Result<bool, WelcomeError> {
    match store.account(address).await {
        Err(StoreError::NotFound) => {}
        Err(error) => return Err(error.into()),
        Ok(_) => return Ok(false),
    }
    let hash = hasher.hash(&unknown_password()?).await?;
    let name = wanted_name(options).unwrap_or_else(|| Name::from(address));
    let mut account = NewAccount::new(address.clone(), name, hash);
    account.prompt = Prompt::Never;
    store.create_accounts(vec![account]).await?;
    Ok(true)
}

/// Gives the account the name of the options, and opens it to everybody it does not block.
/// `publish` is called for each change, after its commit. Returns whether there was one.
pub(super) async fn adapt(
    store: &dyn Store,
    found: &SignIn,
    options: &config::Welcome,
    publish: impl Fn(&Applied) + Clone + Send + 'static,
) -> Result<bool, WelcomeError> {
    let Account { id, name, .. } = &found.account;
    let renamed = wanted_name(options).filter(|wanted| wanted != name);
    let renamed = renamed.map(|name| Edit::Rename { name });
    let opened = (found.circle.privacy != Privacy::AllowOthers)
        .then_some(Edit::SetPrivacy(Privacy::AllowOthers));
    let edits: Vec<_> = renamed.into_iter().chain(opened).collect();
    let is_changed = !edits.is_empty();
    for edit in edits {
        let publish: Publish = Box::new(publish.clone());
        store.edit(*id, edit, publish).await?;
    }
    Ok(is_changed)
}

/// The name of the options, if they have one; they have been checked.
fn wanted_name(options: &config::Welcome) -> Option<Name> {
    Name::new(&options.name).ok()
}

/// A password of 96 random bits.
fn unknown_password() -> Result<Password, WelcomeError> {
    let mut bytes = Zeroizing::new([0_u8; PASSWORD_CHARS_SIGNIFICANT]);
    getrandom::fill(&mut *bytes)?;
    let printable = |byte: &u8| char::from(b'0' + (byte & 0x3f));
    let text: Zeroizing<String> = Zeroizing::new(bytes.iter().map(printable).collect());
    Ok(Password::new(&text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_password_is_legal_and_another_one() {
        let passwords: Vec<_> = (0..100).map(|_| unknown_password().unwrap()).collect();
        for (nth, password) in passwords.iter().enumerate() {
            let is_same = |other: &Password| other.candidate() == password.candidate();
            assert!(!passwords[..nth].iter().any(is_same));
        }
    }
}
