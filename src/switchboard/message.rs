//! What a message may be, and what its sender hears of it (reference `sb-commands.md` §2). Pure;
//! knows no room, and looks no further into a message than its headers.

use crate::protocol::{Event, TrId, scan::find_up_to};

/// Longest message with its headers, bytes.
pub const MESSAGE_BYTES_MAX: usize = 1664;
/// What only a `D` message may contain.
const P2P: &[u8] = b"application/x-msnmsgrp2p";
/// What a `D` message may not contain, and what people write.
pub const TEXT: &[u8] = b"text/plain";

/// What the sender wants to hear of a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Kind {
    /// `U`: nothing.
    #[default]
    Unanswered,
    /// `N`: `NAK` if nobody gets it.
    Negative,
    /// `A`: `ACK`, or `NAK`.
    Answered,
    /// `D`: the same, for data between clients. MSNP9.
    Data,
    /// `S`: `ACK` if it is delivered.
    Success,
}

/// The one header that is looked at.
const CONTENT_TYPE: &[u8] = b"Content-Type";
/// How nearly all messages begin.
const USUAL: &[u8] = b"MIME-Version: 1.0\r\nContent-Type:";

/// Why a message is not relayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A `D` message that is none: error 282.
    Malformed,
    /// Data between clients that claims to be something else: the end of the connection.
    Disguised,
}

impl Kind {
    /// All kinds, in the order of [`Self::index`].
    pub const ALL: [Self; 5] =
        [Self::Unanswered, Self::Negative, Self::Answered, Self::Data, Self::Success];

    /// Reads the type letter.
    #[must_use]
    pub const fn from_code(code: &[u8]) -> Option<Self> {
        match code {
            b"U" => Some(Self::Unanswered),
            b"N" => Some(Self::Negative),
            b"A" => Some(Self::Answered),
            b"D" => Some(Self::Data),
            b"S" => Some(Self::Success),
            _ => None,
        }
    }

    /// The type letter.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unanswered => "U",
            Self::Negative => "N",
            Self::Answered => "A",
            Self::Data => "D",
            Self::Success => "S",
        }
    }

    /// A small number for tables with one slot for each kind.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The line that tells the sender whether the message was delivered, if this kind has one.
    #[must_use]
    pub const fn receipt(self, trid: TrId, is_delivered: bool) -> Option<Event<'static>> {
        match (self, is_delivered) {
            (Self::Answered | Self::Data | Self::Success, true) => Some(Event::Ack { trid }),
            (Self::Negative | Self::Answered | Self::Data, false) => Some(Event::Nak { trid }),
            (Self::Unanswered, _) | (Self::Negative, true) | (Self::Success, false) => None,
        }
    }

    /// Whether `payload` may be sent as this kind. `has_data` says whether the dialect has
    /// [`Kind::Data`]; without it clients send data between them as they can.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn check(self, payload: &[u8], has_data: bool) -> Result<(), Fault> {
        let value = find_content_type(payload);
        match (self, value) {
            (Self::Data, Some(value)) if has_end(value) && !names(value, TEXT) => Ok(()),
            (Self::Data, _) => Err(Fault::Malformed),
            (_, Some(value)) if has_data && names(value, P2P) => Err(Fault::Disguised),
            _ => Ok(()),
        }
    }
}

/// The media type that these headers name, without parameters.
#[must_use]
pub fn content_type(headers: &[u8]) -> Option<&[u8]> {
    let value = find_content_type(headers)?;
    value.split(|byte| matches!(byte, b';' | b'\n')).next().map(<[u8]>::trim_ascii)
}

/// What follows the colon behind the name of this header, up to the end of the message.
fn find_content_type(payload: &[u8]) -> Option<&[u8]> {
    if let Some(value) = payload.strip_prefix(USUAL) {
        return Some(value);
    }
    let mut rest = payload;
    for line in payload.split_inclusive(|byte| *byte == b'\n') {
        if let Some(value) = value_of_content_type(line) {
            return rest.get(line.len() - value.len()..);
        }
        rest = rest.get(line.len()..)?;
        if line.ends_with(b"\r\n") && rest.starts_with(b"\r\n") {
            return None;
        }
    }
    None
}

/// What stands behind the colon, if the line is this header.
fn value_of_content_type(line: &[u8]) -> Option<&[u8]> {
    let (name, rest) = line.trim_ascii_start().split_at_checked(CONTENT_TYPE.len())?;
    if !name.eq_ignore_ascii_case(CONTENT_TYPE) {
        return None;
    }
    rest.trim_ascii_start().strip_prefix(b":")
}

/// Whether an empty line ends the headers of which this is the rest.
fn has_end(rest: &[u8]) -> bool {
    let mut from = 0;
    while let Some(at) = find_up_to(b'\r', rest, from) {
        if rest.get(at..).is_some_and(|rest| rest.starts_with(b"\r\n\r\n")) {
            return true;
        }
        from = at + 1;
    }
    false
}

/// Whether the value with which this begins is this media type, with parameters or without.
fn names(value: &[u8], media_type: &[u8]) -> bool {
    let Some((found, rest)) = skip_space(value).split_at_checked(media_type.len()) else {
        return false;
    };
    found.eq_ignore_ascii_case(media_type)
        && matches!(skip_space(rest).first(), None | Some(b';' | b'\n'))
}

/// What follows white space, which ends with the line at the latest.
fn skip_space(text: &[u8]) -> &[u8] {
    let at = text.iter().position(|byte| !byte.is_ascii_whitespace() || *byte == b'\n');
    text.get(at.unwrap_or(text.len())..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT_MESSAGE: &[u8] =
        b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\n\r\nHi";
    const P2P_MESSAGE: &[u8] =
        b"MIME-Version: 1.0\r\ncontent-type:application/X-msnmsgrp2p\r\n\r\n\0\x01\r\n\xff";

    #[test]
    fn letters_are_case_sensitive_and_few() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_code(kind.code().as_bytes()), Some(kind));
            assert_eq!(Kind::ALL[kind.index()], kind);
        }
        for code in [&b"u"[..], b"a", b"x", b"", b"AA", b"1"] {
            assert_eq!(Kind::from_code(code), None);
        }
    }

    #[test]
    fn each_kind_is_answered_in_its_own_way() {
        let told = |kind: Kind, is_delivered| match kind.receipt(TrId::ZERO, is_delivered) {
            Some(Event::Ack { .. }) => "ACK",
            Some(Event::Nak { .. }) => "NAK",
            Some(_) => "?",
            None => "-",
        };
        let all = |is_delivered| Kind::ALL.map(|kind| told(kind, is_delivered));
        assert_eq!(all(true), ["-", "-", "ACK", "ACK", "ACK"]);
        assert_eq!(all(false), ["-", "NAK", "NAK", "NAK", "-"]);
    }

    #[test]
    fn data_needs_headers_a_separator_and_a_type_that_is_not_text() {
        let check = |payload: &[u8]| Kind::Data.check(payload, true);
        assert_eq!(check(P2P_MESSAGE), Ok(()));
        assert_eq!(check(b"Content-Type: image/gif\r\n\r\n"), Ok(()));
        for malformed in [
            &b""[..],
            b"no header, no separator",
            b"\r\n\r\n",
            b"MIME-Version: 1.0\r\n\r\nContent-Type: image/gif\r\n\r\n",
            b"Content-Type: application/x-msnmsgrp2p\r\n",
            b"Content-Type: application/x-msnmsgrp2p\n\nbody",
            TEXT_MESSAGE,
        ] {
            assert_eq!(check(malformed), Err(Fault::Malformed), "{}", malformed.escape_ascii());
        }
    }

    #[test]
    fn the_type_is_found_in_whatever_way_it_is_written() {
        for (headers, expected) in [
            (&b"Content-Type: a/b"[..], Some(&b"a/b"[..])),
            (b"A: b\r\n \tcontent-TYPE \t: a/b ; c=d\r\nContent-Type: e/f", Some(b"a/b")),
            (b"Content-Type:", Some(b"")),
            (b"Content-Type\r\nContent-Type;: a\r\nContent-Types: a\r\nX: Content-Type: a", None),
            (b"Content-Typ", None),
            (b"", None),
        ] {
            assert_eq!(content_type(headers), expected, "{}", headers.escape_ascii());
        }
    }

    #[test]
    fn headers_end_at_the_first_empty_line() {
        for payload in [
            &b"a: b\r\n\r\nc\r\n\r\n"[..],
            b"a: b\r\n\r\nContent-Type: a/b\r\n\r\n",
            b"Content-Type: a/b\r\n\r\nc",
            b"\r\n\r\n",
            b"\n\r\n\r\n\r\n",
            b"a\r\n\n\r\n\r",
            b"a\r\r\n\r\n",
            b"a\r\n",
            b"",
        ] {
            let expected = payload.windows(4).position(|bytes| bytes == b"\r\n\r\n");
            let before = &payload[..expected.unwrap_or(payload.len())];
            assert_eq!(content_type(payload), content_type(before), "{}", payload.escape_ascii());
            assert_eq!(has_end(payload), expected.is_some(), "{}", payload.escape_ascii());
            let data = Kind::Data.check(payload, true);
            let is_data = content_type(before).is_some() && expected.is_some();
            assert_eq!(data.is_ok(), is_data, "{}", payload.escape_ascii());
        }
    }

    #[test]
    fn data_in_disguise_is_refused_where_there_is_a_type_for_it() {
        for kind in [Kind::Unanswered, Kind::Negative, Kind::Answered, Kind::Success] {
            assert_eq!(kind.check(P2P_MESSAGE, true), Err(Fault::Disguised));
            assert_eq!(kind.check(P2P_MESSAGE, false), Ok(()));
            for fine in [TEXT_MESSAGE, b"", b"anything at all", b"a\r\n\r\n", b":\r\n"] {
                assert_eq!(kind.check(fine, true), Ok(()));
            }
        }
    }
}
