//! Payloads of `MSG` that tell of mail (reference `ns-commands.md`, MSG): MIME headers, an empty
//! line, the fields as a second block, an empty line.

use crate::model::mail::{MailMoved, Mailbox, NewMail};
use std::{borrow::Cow, fmt::Write as _};

/// Longest encoded word (RFC 2047 §2), bytes.
const ENCODED_WORD_BYTES_MAX: usize = 75;

/// Web addresses that lead to a mailbox, as the answer to `URL` has them.
#[derive(Debug, Clone)]
pub struct MailPages {
    /// The page.
    pub page: String,
    /// Where the client posts its sign-in form first.
    pub post: String,
    /// Passport site number.
    pub site_id: u32,
}

/// What is unread, sent once after the first `CHG`.
#[must_use]
pub fn initial(mailbox: Mailbox, inbox: &MailPages, folders: &MailPages) -> String {
    message(
        "initialemail",
        &[
            ("Inbox-Unread", &mailbox.inbox_unread.to_string()),
            ("Folders-Unread", &mailbox.folders_unread.to_string()),
            ("Inbox-URL", &inbox.page),
            ("Folders-URL", &folders.page),
            ("Post-URL", &inbox.post),
        ],
    )
}

/// A message has arrived; `message_pages` leads to it.
#[must_use]
pub fn new_mail(mail: &NewMail, message_pages: &MailPages) -> String {
    message(
        "email",
        &[
            ("From", &encoded(mail.from_name())),
            ("Message-URL", &message_pages.page),
            ("Post-URL", &message_pages.post),
            ("Subject", &encoded(mail.subject())),
            ("Dest-Folder", mail.folder().as_str()),
            ("From-Addr", mail.from().as_str()),
            ("id", &message_pages.site_id.to_string()),
        ],
    )
}

/// Unread messages were moved, read or thrown away.
#[must_use]
pub fn moved(moved: &MailMoved) -> String {
    message(
        "activemail",
        &[
            ("Src-Folder", moved.from().as_str()),
            ("Dest-Folder", moved.to().as_str()),
            ("Message-Delta", &moved.count().to_string()),
        ],
    )
}

fn message(kind: &str, fields: &[(&str, &str)]) -> String {
    let mut text = format!(
        "MIME-Version: 1.0\r\n\
         Content-Type: text/x-msmsgs{kind}notification; charset=UTF-8\r\n\
         \r\n"
    );
    for (name, value) in fields {
        // Writing to a String cannot fail.
        let _ = write!(text, "{name}: {value}\r\n");
    }
    text + "\r\n"
}

/// A header text as encoded words (RFC 2047, UTF-8, `Q`) if it is not plain ASCII: what mail has
/// in its headers anyway, and what no parser of the time takes for anything else.
fn encoded(text: &str) -> Cow<'_, str> {
    if text.is_ascii() && !text.contains("=?") {
        return Cow::Borrowed(text);
    }
    const START: &str = "=?utf-8?Q?";
    const END: &str = "?=";
    let mut words = vec![START.to_owned()];
    for character in text.chars() {
        let mut buffer = [0; 4];
        let mut coded = String::new();
        for byte in character.encode_utf8(&mut buffer).bytes() {
            match byte {
                b' ' => coded.push('_'),
                byte if byte.is_ascii_alphanumeric() => coded.push(byte.into()),
                byte => {
                    let _ = write!(coded, "={byte:02X}");
                }
            }
        }
        // A character is never split between two words.
        let is_full = words
            .last()
            .is_some_and(|word| word.len() + coded.len() + END.len() > ENCODED_WORD_BYTES_MAX);
        if is_full {
            words.push(START.to_owned());
        }
        if let Some(word) = words.last_mut() {
            word.push_str(&coded);
        }
    }
    // Space between encoded words is not part of the text.
    Cow::Owned(words.join(&format!("{END} ")) + END)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Address, mail::Folder};
    use proptest::prelude::*;

    fn pages(name: &str) -> MailPages {
        MailPages { page: format!("/{name}"), post: "http://www.example.org/".into(), site_id: 2 }
    }

    #[test]
    fn the_mailbox_is_told_byte_for_byte() {
        let mailbox = Mailbox { inbox_unread: 3, folders_unread: 1 };
        assert_eq!(
            initial(mailbox, &pages("inbox"), &pages("folders")),
            "MIME-Version: 1.0\r\n\
             Content-Type: text/x-msmsgsinitialemailnotification; charset=UTF-8\r\n\
             \r\n\
             Inbox-Unread: 3\r\n\
             Folders-Unread: 1\r\n\
             Inbox-URL: /inbox\r\n\
             Folders-URL: /folders\r\n\
             Post-URL: http://www.example.org/\r\n\
             \r\n"
        );
    }

    #[test]
    fn a_new_message_is_told_byte_for_byte() {
        let from = Address::parse("bob@example.test").unwrap();
        let mail = NewMail::new("Bob é", from, "Lunch?", "m1", Folder::inbox()).unwrap();
        assert_eq!(
            new_mail(&mail, &pages("message?id=m1")),
            "MIME-Version: 1.0\r\n\
             Content-Type: text/x-msmsgsemailnotification; charset=UTF-8\r\n\
             \r\n\
             From: =?utf-8?Q?Bob_=C3=A9?=\r\n\
             Message-URL: /message?id=m1\r\n\
             Post-URL: http://www.example.org/\r\n\
             Subject: Lunch?\r\n\
             Dest-Folder: ACTIVE\r\n\
             From-Addr: bob@example.test\r\n\
             id: 2\r\n\
             \r\n"
        );
    }

    #[test]
    fn a_move_is_told_byte_for_byte() {
        let trash = Folder::new("trAsH").unwrap();
        assert_eq!(
            moved(&MailMoved::new(Folder::inbox(), trash, 2).unwrap()),
            "MIME-Version: 1.0\r\n\
             Content-Type: text/x-msmsgsactivemailnotification; charset=UTF-8\r\n\
             \r\n\
             Src-Folder: ACTIVE\r\n\
             Dest-Folder: trAsH\r\n\
             Message-Delta: 2\r\n\
             \r\n"
        );
    }

    /// What a mail program reads.
    fn decoded(text: &str) -> String {
        if !text.starts_with("=?utf-8?Q?") {
            return text.to_owned();
        }
        let mut bytes = Vec::new();
        for word in text.split(' ') {
            assert!(word.len() <= ENCODED_WORD_BYTES_MAX, "{word}");
            let coded = word.strip_prefix("=?utf-8?Q?").unwrap().strip_suffix("?=").unwrap();
            let mut rest = coded.bytes();
            let from = bytes.len();
            while let Some(byte) = rest.next() {
                bytes.push(match byte {
                    b'_' => b' ',
                    b'=' => {
                        let digits = [rest.next().unwrap(), rest.next().unwrap()];
                        u8::from_str_radix(str::from_utf8(&digits).unwrap(), 16).unwrap()
                    }
                    byte => byte,
                });
            }
            assert!(str::from_utf8(&bytes[from..]).is_ok(), "{word} splits a character");
        }
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn plain_text_stays_and_what_looks_encoded_does_not() {
        assert_eq!(encoded("Re: lunch (at 1)"), "Re: lunch (at 1)");
        assert_eq!(encoded("=?x?Q?a?="), "=?utf-8?Q?=3D=3Fx=3FQ=3Fa=3F=3D?=");
    }

    proptest! {
        #[test]
        fn any_text_comes_back_and_stays_one_line(text in "\\PC{0,256}") {
            let coded = encoded(&text);
            prop_assert!(coded.bytes().all(|b| b == b' ' || b.is_ascii_graphic()));
            prop_assert_eq!(decoded(&coded), text);
        }
    }
}
