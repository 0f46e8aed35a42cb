//! The roster that was read at sign-in, kept for the `SYN` that clients send right behind it.
//! Whether it still holds is for the hub to say. Knows no session.

use crate::model::Roster;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

/// For so long what was read may be shown. Of edits by other processes the hub hears nothing: to
/// the client one that falls into this time comes right behind its `SYN`.
const KEPT_FOR: Duration = Duration::from_secs(5);
/// Entries of one roster: the longest forward list that accounts may have by default (600), all 30
/// groups and the owner's properties. Whoever has more is read again.
const ENTRIES_MAX: u32 = 640;
/// Entries of all rosters together, or many sessions that send no `SYN` would hold much: about 30
/// MB with names of 120 bytes, 70 MB with the longest names and addresses there are.
const ALL_ENTRIES_MAX: usize = 100_000;

/// Room for the kept rosters of all sessions, 100 000 entries. While there is none nothing is kept.
#[derive(Debug)]
pub struct KeptRoom(Arc<Semaphore>);

impl Default for KeptRoom {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ALL_ENTRIES_MAX)))
    }
}

/// The roster of a session that has sent nothing yet.
#[derive(Debug, Default)]
pub(super) struct Kept(Option<Box<Waiting>>);

#[derive(Debug)]
struct Waiting {
    roster: Roster,
    until: Instant,
    _room: OwnedSemaphorePermit,
}

impl Kept {
    /// Keeps what was asked for at `read_at`, if it is not too long, there is room, and nobody in
    /// it shows properties: whoever does may block the owner meanwhile, which changes no list of
    /// the owner's, so the hub would not say that it holds no more.
    pub(super) fn new(roster: Roster, read_at: Instant, room: &KeptRoom) -> Self {
        if roster.contacts.iter().any(|contact| !contact.properties.is_empty()) {
            return Self(None);
        }
        let entries = roster.contacts.len() + roster.groups.len() + roster.properties.len();
        let entries = u32::try_from(entries).ok().filter(|entries| *entries <= ENTRIES_MAX);
        let room = entries.and_then(|entries| room.0.clone().try_acquire_many_owned(entries).ok());
        let until = read_at + KEPT_FOR;
        Self(room.map(|room| Box::new(Waiting { roster, until, _room: room })))
    }

    /// The roster, once, if it is not too old.
    pub(super) fn take(&mut self) -> Option<Roster> {
        let waiting = *self.0.take()?;
        (Instant::now() < waiting.until).then_some(waiting.roster)
    }

    /// Gives back its memory.
    pub(super) fn forget(&mut self) {
        self.0 = None;
    }

    /// When it is to be forgotten.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.as_ref().map(|waiting| waiting.until)
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

    fn kept(contacts: usize, room: &KeptRoom) -> Kept {
        Kept::new(roster(contacts), Instant::now(), room)
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_good_once_and_for_five_seconds() {
        let (start, room) = (Instant::now(), KeptRoom::default());
        let mut kept = Kept::new(roster(1), start, &room);
        assert_eq!(kept.deadline(), Some(start + KEPT_FOR));
        assert_eq!(kept.take().map(|roster| roster.version), Some(7));
        assert_eq!((kept.take(), kept.deadline()), (None, None));
        // It may have been long on its way.
        let mut kept = Kept::new(roster(1), start, &room);
        tokio::time::advance(KEPT_FOR).await;
        assert_eq!(kept.take(), None);
    }

    #[tokio::test]
    async fn a_very_long_one_is_not_kept() {
        let (max, room) = (ENTRIES_MAX as usize, KeptRoom::default());
        assert!(kept(max, &room).take().is_some());
        assert!(kept(max + 1, &room).take().is_none());
    }

    #[tokio::test]
    async fn one_in_which_somebody_shows_properties_is_not_kept() {
        let mut roster = roster(2);
        roster.contacts[1].properties.insert(PropertyKey::HomePhone, "1".to_owned());
        let mut kept = Kept::new(roster, Instant::now(), &KeptRoom::default());
        assert!(kept.take().is_none());
    }

    #[tokio::test]
    async fn together_they_have_room_that_they_give_back() {
        let room = KeptRoom(Arc::new(Semaphore::new(10)));
        let mut first = kept(6, &room);
        assert!(kept(6, &room).take().is_none());
        assert!(kept(4, &room).take().is_some());
        assert!(first.take().is_some());
        let mut second = kept(6, &room);
        second.forget();
        drop(kept(6, &room));
        assert!(kept(10, &room).take().is_some());
    }
}
