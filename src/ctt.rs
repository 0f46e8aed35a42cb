//! The contact list file of MSN Messenger (`.ctt`): the XML that its "Save contact list" writes and
//! its "Import contacts from a saved file" reads. Knows texts only, not what an address is.

use quick_xml::{
    Reader,
    escape::{escape, resolve_predefined_entity},
    events::{BytesRef, Event},
};

/// Longest file that is read, in bytes. The longest list of the time has some tens of kilobytes.
pub const CTT_BYTES_MAX: usize = 1 << 20;
/// Deepest nesting of elements.
const DEPTH_MAX: usize = 32;

/// Why a file is no contact list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CttError {
    /// More than [`CTT_BYTES_MAX`].
    #[error("longer than {CTT_BYTES_MAX} bytes")]
    TooLong,
    /// Neither UTF-8 nor UTF-16 behind a byte order mark.
    #[error("neither UTF-8 nor UTF-16 with a byte order mark")]
    Encoding,
    /// XML, but of something else, or no XML at all.
    #[error("not a contact list of MSN Messenger: its root element is not `messenger`")]
    Foreign,
    /// It cannot be read on, or contains what such a file never does.
    #[error("line {line}: {reason}")]
    Xml {
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
}

/// The text of each `contact` in a `contactlist`, without space around it, in order. Other elements
/// and all attributes are passed over. Entities beyond XML's own five do not exist here: a document
/// type is refused.
///
/// # Errors
/// [`CttError`].
pub fn read(bytes: &[u8]) -> Result<Vec<String>, CttError> {
    if bytes.len() > CTT_BYTES_MAX {
        return Err(CttError::TooLong);
    }
    let text = decode(bytes).ok_or(CttError::Encoding)?;
    let mut reader = Reader::from_str(&text);
    let mut found = Found::default();
    loop {
        let outcome = match reader.read_event() {
            Ok(event) => found.take(&event),
            Err(error) => Err(error.to_string()),
        };
        match outcome {
            Ok(true) => {}
            Ok(false) => break,
            Err(reason) => {
                let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
                let line = 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
                return Err(CttError::Xml { line, reason });
            }
        }
    }
    if found.is_list { Ok(found.contacts) } else { Err(CttError::Foreign) }
}

/// A file with these contacts, as the official client lays it out.
#[must_use]
pub fn write<'a>(contacts: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = String::from(
        "<?xml version=\"1.0\"?>\r\n<messenger>\r\n  <service name=\".NET Messenger Service\">\r\n    \
         <contactlist>\r\n",
    );
    for contact in contacts {
        text.extend(["      <contact>", &escape(contact), "</contact>\r\n"]);
    }
    text.push_str("    </contactlist>\r\n  </service>\r\n</messenger>\r\n");
    text
}

/// UTF-16 only behind its mark; without one it is UTF-8 whatever the XML declaration says, which
/// suits plain ASCII in any code page of the time.
fn decode(bytes: &[u8]) -> Option<String> {
    let utf16 = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        let (pairs, odd) = rest.as_chunks::<2>();
        let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
        odd.is_empty().then(|| String::from_utf16(&units).ok()).flatten()
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] | rest => str::from_utf8(rest).ok().map(str::to_owned),
    }
}

/// What has been read so far.
#[derive(Default)]
struct Found {
    /// Names of the elements that are open.
    open: Vec<String>,
    is_list: bool,
    /// The text of the contact that is open.
    contact: Option<String>,
    contacts: Vec<String>,
}

impl Found {
    /// Whether to read on.
    fn take(&mut self, event: &Event<'_>) -> Result<bool, String> {
        match event {
            Event::Start(start) => self.enter(start.name().as_ref())?,
            Event::Empty(start) => {
                self.enter(start.name().as_ref())?;
                self.leave();
            }
            Event::End(_) => self.leave(),
            Event::Text(text) => self.add(text),
            Event::CData(text) => self.add(text),
            Event::GeneralRef(entity) => {
                let resolved = resolve(entity)?;
                self.add(&resolved);
            }
            Event::DocType(_) => return Err("a document type has no place here".to_owned()),
            Event::Eof if self.open.is_empty() => return Ok(false),
            Event::Eof => return Err("the file ends in the middle".to_owned()),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
        }
        Ok(true)
    }

    fn enter(&mut self, name: &str) -> Result<(), String> {
        if self.open.len() >= DEPTH_MAX {
            return Err(format!("elements nested deeper than {DEPTH_MAX}"));
        }
        let in_list = self.open.iter().any(|open| open == "contactlist");
        match self.open.as_slice() {
            [] => self.is_list = name == "messenger",
            _ if self.is_list && in_list && name == "contact" => {
                self.contact = Some(String::new());
            }
            _ => {}
        }
        self.open.push(name.to_owned());
        Ok(())
    }

    fn leave(&mut self) {
        if self.open.pop().is_some_and(|name| name == "contact") {
            let text = self.contact.take().unwrap_or_default();
            self.contacts.extend(Some(text.trim().to_owned()).filter(|text| !text.is_empty()));
        }
    }

    fn add(&mut self, text: &str) {
        // Not the text of an element within.
        let is_own = self.open.last().is_some_and(|name| name == "contact");
        if let (true, Some(contact)) = (is_own, &mut self.contact) {
            contact.push_str(text);
        }
    }
}

fn resolve(entity: &BytesRef<'_>) -> Result<String, String> {
    match entity.resolve_char_ref() {
        Ok(Some(character)) => return Ok(character.into()),
        Ok(None) => {}
        Err(error) => return Err(error.to_string()),
    }
    let known = resolve_predefined_entity(entity).map(str::to_owned);
    known.ok_or_else(|| format!("there is no entity &{};", entity.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSN_6: &str = "<?xml version=\"1.0\"?>\r\n<messenger>\r\n  <service name=\".NET Messenger \
                         Service\">\r\n    <contactlist>\r\n      <contact type=\"1\">bob@example.test\
                         </contact>\r\n      <contact type=\"1\"> carol@example.test\r\n</contact>\r\n\
                         </contactlist>\r\n  </service>\r\n</messenger>\r\n";

    fn contacts(text: &str) -> Vec<String> {
        read(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn what_is_written_is_read_again() {
        let people = ["bob@example.test", "r&d@example.test", "a<b>\"'@example.test"];
        assert_eq!(contacts(&write(people)), people);
        assert!(contacts(&write([])).is_empty());
    }

    #[test]
    fn the_layout_is_the_official_clients() {
        assert_eq!(
            write(["bob@example.test"]),
            "<?xml version=\"1.0\"?>\r\n<messenger>\r\n  \
             <service name=\".NET Messenger Service\">\r\n    <contactlist>\r\n      \
             <contact>bob@example.test</contact>\r\n    </contactlist>\r\n  </service>\r\n\
             </messenger>\r\n"
        );
    }

    #[test]
    fn every_encoding_that_windows_writes_is_read() {
        let people = ["bob@example.test", "carol@example.test"];
        let units: Vec<u16> = MSN_6.encode_utf16().collect();
        let little = units.iter().flat_map(|unit| unit.to_le_bytes());
        let big = units.iter().flat_map(|unit| unit.to_be_bytes());
        for bytes in [
            MSN_6.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", MSN_6.as_bytes()].concat(),
            [0xff, 0xfe].into_iter().chain(little).collect(),
            [0xfe, 0xff].into_iter().chain(big).collect(),
        ] {
            assert_eq!(read(&bytes).unwrap(), people);
        }
        for bytes in [&b"<messenger>\xfc</messenger>"[..], b"\xff\xfe<\0m", b"\xff\xfe\x00\xd8"] {
            assert!(read(bytes).is_err(), "{bytes:?}");
        }
        assert_eq!(read(b"\xff\xfe<"), Err(CttError::Encoding));
    }

    #[test]
    fn unknown_elements_and_attributes_are_passed_over() {
        let text = "<!-- saved --><messenger v='2'><contact>not@in.a.list</contact><x><y/></x>\
                    <service><contactlist owner=\"me\"><group name='A'>\
                    <contact a='1' b='2'>bob<nick>Bobby</nick>@example.test</contact></group>\
                    <contact/><contact>  </contact><contact><![CDATA[carol@example.test]]></contact>\
                    <contact>d&#97;ve&#x40;example.test</contact></contactlist></service></messenger>";
        assert_eq!(contacts(text), ["bob@example.test", "carol@example.test", "dave@example.test"]);
    }

    #[test]
    fn what_is_no_contact_list_is_refused_with_its_line() {
        for text in
            ["", "just text", "<html><contactlist><contact>a@b.c</contact></contactlist></html>"]
        {
            assert_eq!(read(text.as_bytes()), Err(CttError::Foreign), "{text}");
        }
        for (text, at, says) in [
            ("<messenger>\n<contactlist>", 2, "ends in the middle"),
            ("<messenger>\n</contactlist>", 2, "contactlist"),
            ("<messenger>\n<", 2, ""),
            ("<messenger>\n<contactlist><contact>&bob;</contact>", 2, "no entity &bob;"),
            ("<messenger>\n&#0;", 2, ""),
            (
                "<!DOCTYPE m [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]>\n<messenger>&b;</messenger>",
                1,
                "document type",
            ),
            (&"<messenger>".repeat(33), 1, "nested deeper than 32"),
        ] {
            match read(text.as_bytes()) {
                Err(CttError::Xml { line, reason }) => {
                    assert_eq!(line, at, "{text}: {reason}");
                    assert!(reason.contains(says), "{text}: {reason}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
        assert_eq!(read(&vec![b' '; CTT_BYTES_MAX + 1]), Err(CttError::TooLong));
    }
}
