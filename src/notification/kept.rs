//! The roster that was read at sign-in, kept for the `SYN` that clients send right behind it.
//! Whether it still holds is for the hub to say. Knows no session.

use crate::model::Roster;
use std::time::Duration;
use tokio::time::Instant;

/// For so long what was read may be shown. Of edits by other processes the hub hears nothing: to
/// the client one that falls into this time comes right behind its `SYN`.
const KEPT_FOR: Duration = Duration::from_secs(5);
/// Longer rosters are read again, or many sessions that send no `SYN` would hold much.
const KEPT_CONTACTS_MAX: usize = 1000;

/// The roster of a session that has sent nothing yet.
#[derive(Debug, Default)]
pub(super) struct Kept(Option<Box<(Roster, Instant)>>);

impl Kept {
    /// Keeps what was asked for at `read_at`, if it is not too long and nobody in it shows
    /// properties: whoever does may block the owner meanwhile, which changes no list of the owner's,
    /// so the hub would not say that it holds no more.
    pub(super) fn new(roster: Roster, read_at: Instant) -> Self {
        if roster.contacts.iter().any(|contact| !contact.properties.is_empty()) {
            return Self(None);
        }
        let is_short = roster.contacts.len() <= KEPT_CONTACTS_MAX;
        Self(is_short.then(|| Box::new((roster, read_at + KEPT_FOR))))
    }

    /// The roster, once, if it is not too old.
    pub(super) fn take(&mut self) -> Option<Roster> {
        let (roster, until) = *self.0.take()?;
        (Instant::now() < until).then_some(roster)
    }

    /// Gives back its memory.
    pub(super) fn forget(&mut self) {
        self.0 = None;
    }

    /// When it is to be forgotten.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.as_ref().map(|kept| kept.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        AccountId, Address, Contact, GroupSet, ListBits, Name, Privacy, Prompt, Properties,
        PropertyKey,
    };

    fn roster(contacts: usize) -> Roster {
        let contact = Contact {
            id: AccountId(1),
            address: Address::parse("bob@example.test").unwrap(),
            name: Name::new("Bob").unwrap(),
            lists: ListBits::FORWARD,
            groups: GroupSet::ZERO,
            properties: Properties::new(),
        };
        Roster {
            version: 7,
            prompt: Prompt::default(),
            privacy: Privacy::default(),
            properties: Properties::new(),
            groups: Vec::new(),
            contacts: vec![contact; contacts],
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_good_once_and_for_five_seconds() {
        let start = Instant::now();
        let mut kept = Kept::new(roster(1), start);
        assert_eq!(kept.deadline(), Some(start + KEPT_FOR));
        assert_eq!(kept.take().map(|roster| roster.version), Some(7));
        assert_eq!((kept.take(), kept.deadline()), (None, None));
        // It may have been long on its way.
        let mut kept = Kept::new(roster(1), start);
        tokio::time::advance(KEPT_FOR).await;
        assert_eq!(kept.take(), None);
    }

    #[tokio::test]
    async fn one_in_which_somebody_shows_properties_is_not_kept() {
        let mut roster = roster(2);
        roster.contacts[1].properties.insert(PropertyKey::HomePhone, "1".to_owned());
        assert!(Kept::new(roster, Instant::now()).take().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_very_long_one_is_not_kept() {
        let mut kept = Kept::new(roster(KEPT_CONTACTS_MAX), Instant::now());
        assert!(kept.take().is_some());
        let mut kept = Kept::new(roster(KEPT_CONTACTS_MAX + 1), Instant::now());
        assert!(kept.take().is_none());
    }
}
