//! Looks for the bytes at which lines and words end, eight at a time. Lines are so short that wider
//! registers do not pay.

/// One in each byte.
const ONES: u64 = u64::MAX / 0xFF;
/// The highest bit of each byte.
const HIGHEST: u64 = ONES << 7;

/// Where the first byte from `from` on is that is not above `most`, an ASCII character.
#[must_use]
#[inline]
pub fn find_up_to(most: u8, text: &[u8], from: usize) -> Option<usize> {
    debug_assert!(most.is_ascii(), "the highest bit tells bytes apart");
    let mut at = from;
    loop {
        let rest = text.get(at..)?;
        let eight = match (rest.first_chunk(), text.last_chunk()) {
            (Some(eight), _) => u64::from_le_bytes(*eight),
            // What lies before is pushed out, and zeros, which are not above anything, come in.
            (None, Some(eight)) if !rest.is_empty() => {
                u64::from_le_bytes(*eight) >> (8 * (8 - rest.len()))
            }
            _ => return rest.iter().position(|byte| *byte <= most).map(|found| at + found),
        };
        let found = up_to(most, eight);
        if found != 0 {
            let found = found.trailing_zeros() as usize / 8;
            return (found < rest.len()).then_some(at + found);
        }
        at += 8;
    }
}

/// Where the first byte that is not above `most` is, and which of those before it are spaces or
/// tabs, as [`find_spaces`] tells; if it is among the first 64, and among whole eights of them.
#[must_use]
#[inline]
pub fn find_up_to_with_spaces(most: u8, text: &[u8]) -> Option<(usize, u64)> {
    debug_assert!(most.is_ascii(), "the highest bit tells bytes apart");
    let (eights, _) = text.as_chunks();
    let mut spaces = 0;
    for (index, eight) in eights.iter().take(8).enumerate() {
        spaces |= spaces_of_eight(*eight) << (8 * index);
        let found = up_to(most, u64::from_le_bytes(*eight));
        if found != 0 {
            let at = 8 * index + found.trailing_zeros() as usize / 8;
            return Some((at, spaces & ((1 << at) - 1)));
        }
    }
    None
}

/// Which of the first 64 bytes are spaces or tabs: a bit each, the first byte's is the lowest.
#[must_use]
#[inline]
pub fn find_spaces(text: &[u8]) -> u64 {
    let text = text.get(..64).unwrap_or(text);
    let Some(last) = text.last_chunk() else {
        let bit = |byte: &u8| u64::from(matches!(byte, b' ' | b'\t'));
        return text.iter().rev().fold(0, |found, byte| found << 1 | bit(byte));
    };
    let (eights, _) = text.as_chunks();
    // Some of the last eight may be among the others.
    let last = spaces_of_eight(*last) << (text.len() - 8);
    let eights = eights.iter().enumerate();
    eights.fold(last, |found, (index, eight)| found | spaces_of_eight(*eight) << (8 * index))
}

/// The highest bit of each of eight bytes that is not above `most`. Right up to the first: a byte
/// that is too small borrows, and so may the one above it.
#[inline]
const fn up_to(most: u8, eight: u64) -> u64 {
    eight.wrapping_sub(ONES * (most as u64 + 1)) & !eight & HIGHEST
}

#[inline]
fn spaces_of_eight(eight: [u8; 8]) -> u64 {
    let eight = u64::from_le_bytes(eight);
    let is_not = |byte: u8| {
        let difference = eight ^ (ONES * u64::from(byte));
        ((difference & !HIGHEST) + !HIGHEST) | difference
    };
    let found = !(is_not(b' ') & is_not(b'\t')) & HIGHEST;
    // The highest bit of byte n comes to bit n of the highest byte; nothing else gets there.
    (found >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_the_first_in_any_text(
            text in prop::collection::vec(prop_oneof![any::<u8>(), 0x0C..0x22u8], 0..40),
            most in prop_oneof![Just(b'\r'), Just(b' '), 0..0x80u8],
            from in 0..50usize,
        ) {
            let first = text.iter().enumerate().skip(from).find(|(_, byte)| **byte <= most);
            prop_assert_eq!(find_up_to(most, &text, from), first.map(|(at, _)| at));
        }

        #[test]
        fn finds_both_at_once(
            text in prop::collection::vec(prop_oneof![Just(b' '), Just(b'\t'), 0x0C..0x22u8], 0..80),
            most in prop_oneof![Just(b'\r'), Just(b' ')],
        ) {
            let found = find_up_to_with_spaces(most, &text);
            let end = find_up_to(most, &text, 0).filter(|end| *end < text.len().min(64) / 8 * 8);
            let expected = end.map(|end| (end, find_spaces(text.get(..end).unwrap())));
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn finds_spaces_and_tabs_alone(
            text in prop::collection::vec(
                prop_oneof![Just(b' '), Just(b'\t'), Just(b'a'), any::<u8>()],
                0..80,
            ),
        ) {
            let spaces = text.iter().take(64).enumerate();
            let spaces = spaces.filter(|(_, byte)| matches!(byte, b' ' | b'\t'));
            prop_assert_eq!(find_spaces(&text), spaces.map(|(at, _)| 1u64 << at).sum::<u64>());
        }
    }
}
