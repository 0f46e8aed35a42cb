//! URL-style `%XX` escapes of names and property values (reference README §3.3).

use std::borrow::Cow;

/// Why a word cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EscapeError {
    /// A `%` without two hex digits behind it.
    #[error("invalid % sequence")]
    Percent,
    /// The decoded bytes are no UTF-8.
    #[error("not UTF-8")]
    Utf8,
}

/// Decodes a word. `+` is not a space.
///
/// # Errors
/// [`EscapeError`].
pub fn decode(word: &[u8]) -> Result<String, EscapeError> {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word.iter();
    while let Some(byte) = rest.next() {
        if *byte == b'%' {
            let mut digit = || rest.next().and_then(|b| char::from(*b).to_digit(16));
            let (Some(high), Some(low)) = (digit(), digit()) else {
                return Err(EscapeError::Percent);
            };
            bytes.push((high * 16 + low) as u8);
        } else {
            bytes.push(*byte);
        }
    }
    String::from_utf8(bytes).map_err(|_| EscapeError::Utf8)
}

/// Encodes a text of at most `wire_bytes_max` bytes: everything but letters, digits and `-._~@`
/// is escaped. Should that grow too long, only what would break the line is escaped, which is
/// never longer than any form in which a client can have sent the text.
///
/// ```
/// use msnd::protocol::escape::{decode, encode};
///
/// assert_eq!(encode("Greta (new)", 387), "Greta%20%28new%29");
/// assert_eq!(decode(b"%4b%69%6d%20%C3%A9").as_deref(), Ok("Kim é"));
/// ```
#[must_use]
pub fn encode(text: &str, wire_bytes_max: usize) -> Cow<'_, str> {
    let escaped = text.bytes().filter(|byte| !is_plain(*byte)).count();
    if escaped == 0 {
        Cow::Borrowed(text)
    } else if text.len() + 2 * escaped <= wire_bytes_max {
        Cow::Owned(escape(text, |byte| !is_plain(byte)))
    } else {
        Cow::Owned(escape(text, |byte| byte <= b' ' || byte == b'%' || byte == 0x7f))
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte)
}

fn escape(text: &str, must: impl Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len() * 3);
    for character in text.chars() {
        let mut buffer = [0; 4];
        let bytes = character.encode_utf8(&mut buffer).as_bytes();
        if bytes.iter().any(|byte| must(*byte)) {
            for byte in bytes {
                out.extend(['%', hex_digit(byte >> 4), hex_digit(byte & 0xf)]);
            }
        } else {
            out.push(character);
        }
    }
    out
}

fn hex_digit(value: u8) -> char {
    char::from(if value < 10 { b'0' + value } else { b'A' + value - 10 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_clients_send() {
        assert_eq!(decode(b"%62%6F%62").unwrap(), "bob");
        assert_eq!(decode("%4b%69%6d%20é".as_bytes()).unwrap(), "Kim é");
        assert_eq!(decode(b"a+b").unwrap(), "a+b");
        assert_eq!(decode(b"100%"), Err(EscapeError::Percent));
        assert_eq!(decode(b"%4"), Err(EscapeError::Percent));
        assert_eq!(decode(b"%+1"), Err(EscapeError::Percent));
        assert_eq!(decode(b"%C3"), Err(EscapeError::Utf8));
        assert_eq!(decode(b"\xff"), Err(EscapeError::Utf8));
    }

    #[test]
    fn writes_the_usual_form() {
        assert_eq!(encode("Greta (new)", 387), "Greta%20%28new%29");
        assert_eq!(encode("Tomas 🎄", 387), "Tomas%20%F0%9F%8E%84");
        assert_eq!(encode("noor@example.com", 387), "noor@example.com");
        assert_eq!(encode("~", 387), "~");
        assert_eq!(encode("a%b", 387), "a%25b");
    }

    #[test]
    fn long_names_are_escaped_less() {
        let name = "é ".repeat(64);
        assert_eq!(encode(&name, 387), "é%20".repeat(64));
    }

    proptest! {
        #[test]
        fn any_name_comes_back_and_makes_one_word(name in "\\PC{1,129}") {
            prop_assume!(!name.chars().any(char::is_control));
            let wire = encode(&name, 387);
            prop_assert!(!wire.bytes().any(|b| b <= b' ' || b == 0x7f));
            prop_assert_eq!(decode(wire.as_bytes()).unwrap(), name.clone());
            let shortest = crate::model::Name::shortest_wire_bytes(&name);
            prop_assert!(wire.len() <= 387.max(shortest));
        }

        #[test]
        fn no_input_panics(word in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode(&word);
        }
    }
}
