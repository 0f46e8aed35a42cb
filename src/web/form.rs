//! Fields of a form as browsers post it.

use zeroize::Zeroizing;

/// The decoded value of the first field with this name; `None` if there is none. Percent signs that
/// begin no escape stand for themselves.
pub(super) fn field(form: &[u8], name: &str) -> Option<Zeroizing<Vec<u8>>> {
    form.split(|byte| *byte == b'&').find_map(|field| {
        let mut parts = field.splitn(2, |byte| *byte == b'=');
        let is_it = parts.next()?.eq_ignore_ascii_case(name.as_bytes());
        is_it.then(|| decoded(parts.next().unwrap_or_default()))
    })
}

fn decoded(text: &[u8]) -> Zeroizing<Vec<u8>> {
    // Never longer than the text: it does not grow, which would leave a copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let digit = |at: usize| text.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let escaped = (*byte == b'%').then(|| digit(at + 1).zip(digit(at + 2))).flatten();
        match escaped.and_then(|(high, low)| u8::try_from(high << 4 | low).ok()) {
            Some(escaped) => {
                bytes.push(escaped);
                at += 3;
            }
            None => {
                bytes.push(if *byte == b'+' { b' ' } else { *byte });
                at += 1;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_are_found_and_decoded() {
        let form = b"mode=ttl&AUTH=a%21b%24c+d&empty=&bare&p=100%&q=%4&auth=second";
        let field = |name| field(form, name).map(|value| value.to_vec());
        for (name, value) in
            [("auth", "a!b$c d"), ("empty", ""), ("bare", ""), ("p", "100%"), ("q", "%4")]
        {
            assert_eq!(field(name), Some(value.into()), "{name}");
        }
        assert_eq!(field("none"), None);
    }

    proptest! {
        #[test]
        fn what_was_escaped_is_read(value in prop::collection::vec(any::<u8>(), 0..40)) {
            let escaped: String = value.iter().map(|byte| format!("%{byte:02X}")).collect();
            let form = format!("x=1&y={escaped}&z=2");
            prop_assert_eq!(field(form.as_bytes(), "y").unwrap().to_vec(), value);
        }

        #[test]
        fn no_form_panics(form in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = field(&form, "a");
        }
    }
}
