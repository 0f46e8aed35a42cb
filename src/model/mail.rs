//! Mailboxes as far as clients hear of them: how much is unread, what came, what was moved. Every
//! field is checked when it is made, so that none can break out of its line. Holds no mail.

use super::Address;
use std::fmt;

/// Longest name of a sender, characters.
pub const MAIL_NAME_CHARS_MAX: usize = 128;
/// Longest subject, characters.
pub const MAIL_SUBJECT_CHARS_MAX: usize = 256;
/// Longest name of a folder, bytes.
pub const MAIL_FOLDER_BYTES_MAX: usize = 64;
/// Longest name that the mail service gives a message, bytes.
pub const MAIL_REFERENCE_BYTES_MAX: usize = 256;
/// Highest count of unread messages; more are not counted.
pub const UNREAD_MAX: u32 = 1_000_000_000;

/// The mailbox of an account that has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mailbox {
    /// Unread messages in the inbox, at most [`UNREAD_MAX`].
    pub inbox_unread: u32,
    /// Unread messages in all other folders, at most [`UNREAD_MAX`].
    pub folders_unread: u32,
}

impl Mailbox {
    /// How it is after `change`. Never below zero: the mail service may have counted otherwise.
    #[must_use]
    pub fn after(mut self, change: &MailChange) -> Self {
        match change {
            MailChange::Arrived(folder) => self.count(folder, 1, true),
            MailChange::Moved(moved) => {
                self.count(&moved.from, moved.count, false);
                // Within a folder nothing moves: it was read. What is thrown away counts no more.
                if moved.from != moved.to && !moved.to.is_trash() {
                    self.count(&moved.to, moved.count, true);
                }
            }
        }
        self
    }

    fn count(&mut self, folder: &Folder, messages: u32, more: bool) {
        if folder.is_trash() {
            return;
        }
        let unread =
            if folder.is_inbox() { &mut self.inbox_unread } else { &mut self.folders_unread };
        *unread = if more {
            unread.saturating_add(messages).min(UNREAD_MAX)
        } else {
            unread.saturating_sub(messages)
        };
    }
}

/// What changes how much is unread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailChange {
    /// One new message in this folder.
    Arrived(Folder),
    /// Messages went elsewhere or were read.
    Moved(MailMoved),
}

/// Why something about mail cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// Longer than the limit.
    #[error("{0}: longer than {1}")]
    TooLong(&'static str, usize),
    /// A control character, which would end the line.
    #[error("{0}: contains a control character")]
    Control(&'static str),
    /// Not 1 or more printable ASCII characters without spaces.
    #[error("{0}: must be one word of printable ASCII")]
    Word(&'static str),
    /// Not from 1 to [`UNREAD_MAX`].
    #[error("{0}: must be from 1 to {UNREAD_MAX}")]
    Range(&'static str),
}

impl MailError {
    /// The field that breaks a rule.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        match self {
            Self::TooLong(field, _)
            | Self::Control(field)
            | Self::Word(field)
            | Self::Range(field) => field,
        }
    }

    /// The same about a field by another name, where there are two of a kind.
    #[must_use]
    pub const fn named(self, field: &'static str) -> Self {
        match self {
            Self::TooLong(_, limit) => Self::TooLong(field, limit),
            Self::Control(_) => Self::Control(field),
            Self::Word(_) => Self::Word(field),
            Self::Range(_) => Self::Range(field),
        }
    }
}

/// A folder by the name that clients know: `ACTIVE` is the inbox, `trAsH` or `.!!trAsH` the waste
/// basket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder(String);

impl Folder {
    /// Checks a name.
    ///
    /// # Errors
    /// [`MailError`] about `folder`.
    pub fn new(name: &str) -> Result<Self, MailError> {
        word(name, "folder", MAIL_FOLDER_BYTES_MAX).map(Self)
    }

    /// The inbox.
    #[must_use]
    pub fn inbox() -> Self {
        Self("ACTIVE".into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn is_inbox(&self) -> bool {
        self.0 == "ACTIVE"
    }

    fn is_trash(&self) -> bool {
        self.0.strip_prefix(".!!").unwrap_or(&self.0).eq_ignore_ascii_case("trash")
    }
}

/// A message that has arrived.
#[derive(Clone, PartialEq, Eq)]
pub struct NewMail {
    from_name: String,
    from: Address,
    subject: String,
    reference: String,
    folder: Folder,
}

impl NewMail {
    /// Checks all fields. `from_name` and `subject` may be empty; `reference` is the name by which
    /// the web page of the message is found, and may be empty too.
    ///
    /// # Errors
    /// [`MailError`] names the first field that breaks a rule.
    pub fn new(
        from_name: &str,
        from: Address,
        subject: &str,
        reference: &str,
        folder: Folder,
    ) -> Result<Self, MailError> {
        let reference = match reference {
            "" => String::new(),
            reference => word(reference, "reference", MAIL_REFERENCE_BYTES_MAX)?,
        };
        Ok(Self {
            from_name: one_line(from_name, "from", MAIL_NAME_CHARS_MAX)?,
            from,
            subject: one_line(subject, "subject", MAIL_SUBJECT_CHARS_MAX)?,
            reference,
            folder,
        })
    }

    /// The sender's name; their address if they have none.
    #[must_use]
    pub fn from_name(&self) -> &str {
        if self.from_name.is_empty() { self.from.as_str() } else { &self.from_name }
    }

    /// The sender's address.
    #[must_use]
    pub const fn from(&self) -> &Address {
        &self.from
    }

    /// The subject.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The name by which its web page is found.
    #[must_use]
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// Where it lies.
    #[must_use]
    pub const fn folder(&self) -> &Folder {
        &self.folder
    }
}

/// Shows neither names nor the subject.
impl fmt::Debug for NewMail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewMail").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// Unread messages that were moved, or read if both folders are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailMoved {
    from: Folder,
    to: Folder,
    count: u32,
}

impl MailMoved {
    /// `count` is from 1 to [`UNREAD_MAX`].
    ///
    /// # Errors
    /// [`MailError::Range`].
    pub fn new(from: Folder, to: Folder, count: u32) -> Result<Self, MailError> {
        if count == 0 || count > UNREAD_MAX {
            return Err(MailError::Range("count"));
        }
        Ok(Self { from, to, count })
    }

    /// Where they were.
    #[must_use]
    pub const fn from(&self) -> &Folder {
        &self.from
    }

    /// Where they are.
    #[must_use]
    pub const fn to(&self) -> &Folder {
        &self.to
    }

    /// How many.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }
}

fn one_line(text: &str, field: &'static str, chars_max: usize) -> Result<String, MailError> {
    if text.chars().count() > chars_max {
        return Err(MailError::TooLong(field, chars_max));
    }
    if text.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
        return Err(MailError::Control(field));
    }
    Ok(text.trim().to_owned())
}

fn word(text: &str, field: &'static str, bytes_max: usize) -> Result<String, MailError> {
    if text.len() > bytes_max {
        return Err(MailError::TooLong(field, bytes_max));
    }
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(MailError::Word(field));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> Folder {
        Folder::new(name).unwrap()
    }

    fn moved(from: &str, to: &str, count: u32) -> MailChange {
        MailChange::Moved(MailMoved::new(folder(from), folder(to), count).unwrap())
    }

    #[test]
    fn unread_messages_are_counted_where_they_lie() {
        let mut mailbox = Mailbox { inbox_unread: 3, folders_unread: 1 };
        for (change, unread) in [
            (MailChange::Arrived(Folder::inbox()), (4, 1)),
            (MailChange::Arrived(folder("Junk")), (4, 2)),
            (moved("ACTIVE", "Friends", 2), (2, 4)),
            (moved("ACTIVE", ".!!trAsH", 1), (1, 4)),
            (moved("trAsH", "ACTIVE", 1), (2, 4)),
            (moved("ACTIVE", "ACTIVE", 1), (1, 4)),
            (moved("Friends", "ACTIVE", 9), (10, 0)),
            (moved("ACTIVE", "trAsH", 99), (0, 0)),
            (moved("trAsH", "ACTIVE", UNREAD_MAX), (UNREAD_MAX, 0)),
            (MailChange::Arrived(Folder::inbox()), (UNREAD_MAX, 0)),
        ] {
            mailbox = mailbox.after(&change);
            assert_eq!((mailbox.inbox_unread, mailbox.folders_unread), unread, "{change:?}");
        }
    }

    #[test]
    fn nothing_breaks_out_of_its_line() {
        let from = Address::parse("bob@example.test").unwrap();
        let mail = |name: &str, subject: &str, reference: &str| {
            NewMail::new(name, from.clone(), subject, reference, Folder::inbox())
        };
        assert_eq!(mail("", "", "").unwrap().from_name(), "bob@example.test");
        assert_eq!(mail("Bob\r\nid: 9", "", ""), Err(MailError::Control("from")));
        assert_eq!(mail("", "a\u{85}b", ""), Err(MailError::Control("subject")));
        assert_eq!(mail("", &"é".repeat(257), ""), Err(MailError::TooLong("subject", 256)));
        assert_eq!(mail("", "", "a b"), Err(MailError::Word("reference")));
        assert_eq!(mail("", "", &"x".repeat(257)), Err(MailError::TooLong("reference", 256)));
        assert_eq!(Folder::new(""), Err(MailError::Word("folder")));
        assert_eq!(Folder::new("a\r\n"), Err(MailError::Word("folder")));
        for count in [0, UNREAD_MAX + 1] {
            let error = MailMoved::new(Folder::inbox(), Folder::inbox(), count);
            assert_eq!(error, Err(MailError::Range("count")));
        }
        assert!(!format!("{:?}", mail("Bob", "hidden", "").unwrap()).contains("hidden"));
    }
}
