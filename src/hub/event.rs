//! What the hub tells a session: domain events, each made once and shared by all who hear it.
//! Knows nothing of wire forms; a role may park its encoding in the [`Memo`] of a shared part.

use super::Ring;
use crate::model::{
    AccountId, Address, Alert, AlertId, Mailbox, Name, Page, Presence, PropertyKey,
    mail::{MailMoved, NewMail},
};
use bytes::Bytes;
use std::sync::{Arc, OnceLock};

/// An online person as others know it. Replaced, never changed, when the name changes.
#[derive(Debug)]
pub struct Person {
    /// The account.
    pub id: AccountId,
    /// The handle.
    pub address: Address,
    /// The current friendly name.
    pub name: Name,
    /// The encoding of "this person went offline".
    pub memo: Memo<1>,
}

impl Person {
    /// A person without encodings.
    #[must_use]
    pub fn new(id: AccountId, address: Address, name: Name) -> Arc<Self> {
        Arc::new(Self { id, address, name, memo: Memo::default() })
    }
}

/// A person with a visible presence, as of one moment.
#[derive(Debug)]
pub struct Card {
    /// Who.
    pub person: Arc<Person>,
    /// Status, capabilities, object.
    pub presence: Presence,
    /// Encodings of "this person is online like this".
    pub memo: Memo<2>,
}

/// Room for one encoding of a shared event for each of its wire forms: the first receiver that
/// needs it makes it, all others share the bytes.
#[derive(Debug)]
pub struct Memo<const FORMS: usize>([OnceLock<Bytes>; FORMS]);

impl<const FORMS: usize> Default for Memo<FORMS> {
    fn default() -> Self {
        Self([const { OnceLock::new() }; FORMS])
    }
}

impl<const FORMS: usize> Memo<FORMS> {
    /// The encoding in slot `form`, made by `encode` at the first call. A form beyond `FORMS` is
    /// encoded at every call.
    pub fn get_or_encode(&self, form: usize, encode: impl FnOnce() -> Bytes) -> Bytes {
        match self.0.get(form) {
            Some(slot) => slot.get_or_init(encode).clone(),
            None => encode(),
        }
    }
}

/// One thing a session is told. Small, since every session's inbox keeps room for some.
#[derive(Debug, Clone)]
pub enum Event {
    /// Somebody on the forward list is visible like this from now on.
    Online(Arc<Card>),
    /// Somebody on the forward list is no longer visible.
    Offline(Arc<Person>),
    /// Something happened to the receiver's own lists.
    List(Arc<ListEvent>),
    /// Somebody wants the receiver in a conversation.
    Ring(Arc<Ring>),
    /// An alert was stored for the receiver.
    Alert(Arc<PostedAlert>),
    /// Something happened in the receiver's mailbox.
    Mail(Arc<MailNews>),
    /// Somebody pages the receiver.
    Page(Arc<Page>),
    /// The account signed in elsewhere: this session is over.
    Replaced,
    /// The account was disabled or removed: this session is over.
    Expelled,
    /// An operator ended this session.
    Kicked,
    /// The server goes down in so many minutes.
    ShutdownNotice {
        /// Minutes until then.
        minutes: u32,
    },
    /// What is left of lines written in the session's place: goes out before anything else.
    Rest(Arc<Rest>),
}

/// Lines that the system has taken only in part, or not at all.
#[derive(Debug, PartialEq, Eq)]
pub struct Rest {
    /// The end of a line that was begun; empty if none was.
    pub begun: Bytes,
    /// Whole lines.
    pub behind: Bytes,
}

impl Rest {
    /// What is left of `lines` when so many bytes of them are written. Holds no more than that.
    #[must_use]
    pub fn of(lines: &[u8], written: usize) -> Self {
        let (before, left) = lines.split_at_checked(written).unwrap_or((lines, &[]));
        let is_begun = before.last().is_some_and(|byte| *byte != b'\n');
        let line_end = left.iter().position(|byte| *byte == b'\n').map_or(left.len(), |at| at + 1);
        let (begun, behind) = left.split_at(if is_begun { line_end } else { 0 });
        Self { begun: Bytes::copy_from_slice(begun), behind: Bytes::copy_from_slice(behind) }
    }
}

/// An alert as stored.
#[derive(Debug)]
pub struct PostedAlert {
    /// Its number; later alerts have higher ones.
    pub id: AlertId,
    /// What it says.
    pub alert: Alert,
    /// The encoding of what is the same for all recipients.
    pub memo: Memo<1>,
}

/// Something that happened in a mailbox.
#[derive(Debug)]
pub struct MailNews {
    /// What.
    pub what: MailEvent,
    /// What is unread after it.
    pub mailbox: Mailbox,
}

/// What can happen in a mailbox.
#[derive(Debug, Clone)]
pub enum MailEvent {
    /// A message has arrived.
    New(NewMail),
    /// Messages were moved or read.
    Moved(MailMoved),
}

/// A change of the receiver's own lists that somebody else made.
#[derive(Debug)]
pub enum ListEvent {
    /// Somebody put the receiver on their forward list.
    ReverseAdded {
        /// The receiver's list version after it.
        version: u32,
        /// Who did.
        by: Arc<Person>,
    },
    /// Somebody took the receiver off their forward list.
    ReverseRemoved {
        /// The receiver's list version after it.
        version: u32,
        /// Who did.
        by: Arc<Person>,
    },
    /// A person on the forward list changed a property.
    Property {
        /// The receiver's list version after it.
        version: u32,
        /// Who did.
        by: Arc<Person>,
        /// Which.
        key: PropertyKey,
        /// The new value; `None` if cleared.
        value: Option<String>,
    },
}

impl ListEvent {
    /// The receiver's list version after the change.
    #[must_use]
    pub const fn version(&self) -> u32 {
        match self {
            Self::ReverseAdded { version, .. }
            | Self::ReverseRemoved { version, .. }
            | Self::Property { version, .. } => *version,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_stays_small() {
        assert!(size_of::<Event>() <= 16);
    }

    /// Everybody online has one of each.
    #[test]
    fn a_person_stays_small() {
        let bytes = (size_of::<Person>(), size_of::<Card>());
        assert!(bytes.0 <= 80 && bytes.1 <= 128, "{bytes:?}");
    }

    #[test]
    fn a_form_is_encoded_once() {
        let memo = Memo::<2>::default();
        assert_eq!(memo.get_or_encode(1, || Bytes::from_static(b"a")), "a");
        assert_eq!(memo.get_or_encode(1, || unreachable!()), "a");
        assert_eq!(memo.get_or_encode(0, || Bytes::from_static(b"b")), "b");
    }
}
