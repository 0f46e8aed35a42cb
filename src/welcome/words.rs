//! What the robot understands of what it is told, and what it says. Pure; knows no room.

use crate::{
    config,
    model::Address,
    protocol::{escape, message},
    switchboard::message::{MESSAGE_BYTES_MAX, TEXT, content_type},
};

/// Longest body of a message that is written by us, bytes.
const BODY_BYTES_MAX: usize = MESSAGE_BYTES_MAX - message::TEXT_HEADERS.len();

/// Something that happened in a conversation.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Somebody came.
    Joined(Address),
    /// Somebody left.
    Left(Address),
    /// Somebody wrote something.
    Said(Said),
}

/// What somebody wants of the robot. Not what was written: that is nobody's business.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// The handle, as everybody in the conversation sees it.
    by: String,
    /// The name, likewise.
    name: String,
    wish: Wish,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Help,
    WhoAmI,
    /// Anything else.
    Unclear,
}

impl Heard {
    /// Reads a line with its payload. `None` for whatever the robot does not care about: typing,
    /// data between clients, invitations, nudges, messages without text.
    pub(super) fn read(lines: &[u8]) -> Option<Self> {
        let end = lines.windows(2).position(|bytes| bytes == b"\r\n")?;
        let (line, payload) = (lines.get(..end)?, lines.get(end + 2..)?);
        let mut words = line.split(|byte| *byte == b' ');
        let verb = words.next()?;
        let by = std::str::from_utf8(words.next()?).ok()?;
        match verb {
            b"JOI" => Some(Self::Joined(Address::parse(by).ok()?)),
            b"BYE" => Some(Self::Left(Address::parse(by).ok()?)),
            b"MSG" => {
                let wish = Wish::read(text(payload)?)?;
                let name = escape::decode(words.next()?).ok()?;
                Some(Self::Said(Said { by: by.to_owned(), name, wish }))
            }
            _ => None,
        }
    }
}

impl Wish {
    /// `None` if there is no word at all.
    fn read(text: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(text).to_lowercase();
        let words: Vec<_> = text.split_whitespace().collect();
        let text = words.join(" ");
        match text.trim_end_matches(['?', '!', '.']) {
            _ if text.is_empty() => None,
            "help" | "" => Some(Self::Help),
            "who am i" | "whoami" => Some(Self::WhoAmI),
            _ => Some(Self::Unclear),
        }
    }
}

/// The body, if it is what people write.
fn text(payload: &[u8]) -> Option<&[u8]> {
    let end = payload.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let found = content_type(payload.get(..end)?)?;
    found.eq_ignore_ascii_case(TEXT).then(|| payload.get(end + 4..)).flatten()
}

/// What the robot says, in messages.
#[derive(Debug)]
pub(super) struct Words {
    greeting: Vec<String>,
    help: Vec<String>,
}

impl Words {
    pub(super) fn new(options: &config::Welcome) -> Self {
        Self { greeting: messages(&options.greeting), help: messages(&options.help) }
    }

    /// The answer, if there is one. In private everything has one, which the greeting precedes for
    /// the first time; among several people only what is surely meant for the robot.
    pub(super) fn answer(&self, said: &Said, is_private: bool, is_first: bool) -> Vec<String> {
        let answer = match said.wish {
            Wish::Unclear if !is_private => return Vec::new(),
            Wish::Help | Wish::Unclear => self.help.clone(),
            Wish::WhoAmI => {
                let Said { by, name, .. } = said;
                messages(&format!("You are {name}. Others can add you as {by}."))
            }
        };
        let greeting = if is_private && is_first { &*self.greeting } else { &[] };
        [greeting, &answer].concat()
    }
}

/// Messages that say `text`, none longer than a message may be. Split between lines, or if a line
/// is too long between words, or within one.
fn messages(text: &str) -> Vec<String> {
    let mut bodies: Vec<String> = Vec::new();
    for line in text.trim_end().lines() {
        let mut rest = line;
        loop {
            let (piece, after) = rest.split_at(cut(rest));
            match bodies.last_mut() {
                Some(body) if body.len() + 2 + piece.len() <= BODY_BYTES_MAX => {
                    *body += "\r\n";
                    *body += piece;
                }
                _ => bodies.push(piece.to_owned()),
            }
            if after.is_empty() {
                break;
            }
            rest = after.trim_start();
        }
    }
    bodies.iter().map(|body| message::text(body)).collect()
}

/// How much of a line fits a message.
fn cut(line: &str) -> usize {
    if line.len() <= BODY_BYTES_MAX {
        return line.len();
    }
    let end = line.floor_char_boundary(BODY_BYTES_MAX);
    line.get(..end).and_then(|fits| fits.rfind(' ')).filter(|space| *space > 0).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn heard(content_type: &str, body: &str) -> Option<Heard> {
        let payload = format!("MIME-Version: 1.0\r\nContent-Type: {content_type}\r\n\r\n{body}");
        let line = format!("MSG alice@example.test Alice%20A {}\r\n", payload.len());
        Heard::read([line, payload].concat().as_bytes())
    }

    fn said(body: &str) -> Said {
        match heard("text/plain; charset=UTF-8", body) {
            Some(Heard::Said(said)) => said,
            other => panic!("{other:?}"),
        }
    }

    fn words(greeting: &str, help: &str) -> Words {
        let (greeting, help) = (greeting.to_owned(), help.to_owned());
        Words::new(&config::Welcome { greeting, help, ..config::Welcome::default() })
    }

    fn bodies(messages: &[String]) -> Vec<&str> {
        messages
            .iter()
            .map(|message| message.strip_prefix(message::TEXT_HEADERS).unwrap())
            .collect()
    }

    #[test]
    fn only_text_is_heard() {
        for other in [
            "text/x-msmsgscontrol",
            "application/x-msnmsgrp2p",
            "text/x-msmsgsinvite; charset=UTF-8",
            "text/x-msnmsgr-datacast",
            "text/x-clientcaps",
            "text/plainer",
        ] {
            assert_eq!(heard(other, "help"), None, "{other}");
        }
        assert_eq!(heard("text/plain", " \r\n"), None);
        for broken in [
            &b""[..],
            b"MSG",
            b"MSG \r\n",
            b"MSG alice@example.test Alice 0\r\n",
            b"MSG alice@example.test Alice 28\r\nContent-Type: text/plain\r\n\r\n",
            b"MSG alice@example.test %zz 30\r\nContent-Type: text/plain\r\n\r\nhi",
            b"JOI nobody Nobody\r\n",
            b"BYE \xff\r\n",
            b"NAK 1\r\n",
        ] {
            assert_eq!(Heard::read(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn coming_and_going_is_heard() {
        let bob = || Address::parse("bob@example.test").unwrap();
        assert_eq!(Heard::read(b"JOI bob@example.test Bob\r\n"), Some(Heard::Joined(bob())));
        assert_eq!(Heard::read(b"BYE bob@example.test\r\n"), Some(Heard::Left(bob())));
        assert_eq!(Heard::read(b"BYE bob@example.test 1\r\n"), Some(Heard::Left(bob())));
    }

    #[test]
    fn wishes_are_understood_in_any_case_and_spacing() {
        for (body, wish) in [
            ("help", Wish::Help),
            ("  HELP!!\r\n", Wish::Help),
            ("?", Wish::Help),
            ("Who  am\r\nI?", Wish::WhoAmI),
            ("whoami", Wish::WhoAmI),
            ("helping hands", Wish::Unclear),
            ("who am i to say", Wish::Unclear),
        ] {
            assert_eq!(said(body).wish, wish, "{body:?}");
        }
    }

    #[test]
    fn in_private_all_is_answered_and_among_people_only_what_is_meant_for_it() {
        let words = words("Hello!", "One\nTwo\n");
        let answer = |body: &str, is_private, is_first| {
            let messages = words.answer(&said(body), is_private, is_first);
            bodies(&messages).join("|")
        };
        let who = "You are Alice A. Others can add you as alice@example.test.";
        assert_eq!(answer("hi", true, true), "Hello!|One\r\nTwo");
        assert_eq!(answer("hi", true, false), "One\r\nTwo");
        assert_eq!(answer("who am i", true, true), format!("Hello!|{who}"));
        assert_eq!(answer("hi", false, true), "");
        assert_eq!(answer("help", false, true), "One\r\nTwo");
        assert_eq!(answer("who am i?", false, false), who);
    }

    #[test]
    fn an_empty_greeting_is_none() {
        let messages = words("", "Help").answer(&said("hi"), true, true);
        assert_eq!(bodies(&messages), ["Help"]);
    }

    #[test]
    fn long_texts_are_split_between_lines() {
        let lines: Vec<_> = (0..60).map(|n| format!("{n} {}", "x".repeat(90))).collect();
        let messages = messages(&lines.join("\n"));
        assert!(messages.len() > 3 && messages.iter().all(|m| m.len() <= MESSAGE_BYTES_MAX));
        assert_eq!(bodies(&messages).join("\r\n"), lines.join("\r\n"));
    }

    #[test]
    fn a_long_line_is_split_between_words_and_a_long_word_within() {
        let text = "word ".repeat(1000);
        let all = messages(&text);
        let found = bodies(&all);
        assert!(found.iter().all(|body| body.starts_with("word") && body.ends_with("word")));
        assert_eq!(found.join(" "), text.trim_end());
        let text = "é".repeat(2000);
        assert_eq!(bodies(&messages(&text)).concat(), text);
    }

    proptest! {
        #[test]
        fn no_text_is_too_long_for_a_message_and_no_word_is_lost(text in "([é \n]|x{1,900}){0,24}") {
            let messages = messages(&text);
            prop_assert!(messages.iter().all(|message| message.len() <= MESSAGE_BYTES_MAX));
            let bare = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(bare(&bodies(&messages).concat()), bare(&text));
        }

        #[test]
        fn no_line_makes_it_panic(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Heard::read(&[b"MSG a@b.c d 1\r\n", &line[..]].concat());
            let _ = Heard::read(&line);
        }
    }
}
