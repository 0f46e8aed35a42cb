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
        let eight = match rest.first_chunk() {
            Some(eight) => u64::from_le_bytes(*eight),
            None => match last_few(text, rest.len()) {
                Some(few) => few,
                None => return rest.iter().position(|byte| *byte <= most).map(|found| at + found),
            },
        };
        let found = up_to(most, eight);
        if found != 0 {
            let found = found.trailing_zeros() as usize / 8;
            return (found < rest.len()).then_some(at + found);
        }
        at += 8;
    }
}

/// Where, counted from `from`, the first byte from there on is that is not above `most`, and which
/// of those before it are spaces or tabs, as [`find_spaces`] tells of these; if it is among the
/// first 64, and can be found by eights.
#[must_use]
#[inline(always)]
pub fn find_up_to_with_spaces(most: u8, text: &[u8], from: usize) -> Option<(usize, u64)> {
    debug_assert!(most.is_ascii(), "the highest bit tells bytes apart");
    let rest = text.get(from..)?;
    let (eights, few) = rest.as_chunks();
    let (mut at, mut spaces) = (0, 0);
    for eight in eights.iter().take(8) {
        let eight = u64::from_le_bytes(*eight);
        spaces |= spaces_of_eight(eight) << at;
        let found = up_to(most, eight);
        if found != 0 {
            at += found.trailing_zeros() as usize / 8;
            return Some((at, spaces | u64::MAX << at));
        }
        at += 8;
    }
    if at == 64 { None } else { find_up_to_in_few(most, text, few.len(), at, spaces) }
}

/// The same in the last few bytes; `spaces` are those among the `at` bytes before them.
fn find_up_to_in_few(
    most: u8,
    text: &[u8],
    count: usize,
    at: usize,
    spaces: u64,
) -> Option<(usize, u64)> {
    let few = last_few(text, count)?;
    let found = up_to(most, few).trailing_zeros() as usize / 8;
    let spaces = spaces | spaces_of_eight(few) << at | u64::MAX.unbounded_shl((at + found) as u32);
    (found < count).then_some((at + found, spaces))
}

/// Which of the first 64 bytes are spaces or tabs: a bit each, the first byte's is the lowest.
/// Behind the end of a shorter text all are.
#[must_use]
#[inline]
pub fn find_spaces(text: &[u8]) -> u64 {
    let text = text.get(..64).unwrap_or(text);
    let behind = u64::MAX.unbounded_shl(text.len() as u32);
    let Some(last) = text.last_chunk() else {
        let bit = |byte: &u8| u64::from(matches!(byte, b' ' | b'\t'));
        let found = text.iter().rev().fold(0, |found, byte| found << 1 | bit(byte));
        return behind | found;
    };
    let (eights, _) = text.as_chunks();
    // Some of the last eight may be among the others.
    let last = spaces_of_eight(u64::from_le_bytes(*last)) << (text.len() - 8);
    let eights = eights.iter().enumerate();
    eights.fold(behind | last, |found, (index, eight)| {
        found | spaces_of_eight(u64::from_le_bytes(*eight)) << (8 * index)
    })
}

/// The last `count` bytes, fewer than 8, with zeros behind them, if there are enough to load.
#[inline]
fn last_few(text: &[u8], count: usize) -> Option<u64> {
    if count == 0 {
        return None;
    }
    if let Some(eight) = text.last_chunk() {
        // What lies before is pushed out.
        return Some(u64::from_le_bytes(*eight) >> (8 * (8 - count)));
    }
    let few = text.get(text.len() - count..)?;
    let (first, last) = (few.first_chunk()?, few.last_chunk()?);
    // Some may be in both.
    let [first, last] = [first, last].map(|four| u64::from(u32::from_le_bytes(*four)));
    Some(first | last << (8 * (count - 4)))
}

/// The highest bit of each of eight bytes that is not above `most`. Right up to the first: a byte
/// that is too small borrows, and so may the one above it.
#[inline]
const fn up_to(most: u8, eight: u64) -> u64 {
    eight.wrapping_sub(ONES * (most as u64 + 1)) & !eight & HIGHEST
}

#[inline]
fn spaces_of_eight(eight: u64) -> u64 {
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
            from in 0..50usize,
        ) {
            let found = find_up_to_with_spaces(most, &text, from);
            let rest = text.get(from..).unwrap_or_default();
            let end = find_up_to(most, rest, 0).filter(|end| *end < 64);
            let expected = end.map(|end| (end, find_spaces(rest.get(..end).unwrap())));
            let is_loadable = text.len() >= 8 || rest.len() >= 4;
            prop_assert!(found == expected || found.is_none() && !is_loadable);
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
            let behind = u64::MAX.checked_shl(text.len() as u32).unwrap_or(0);
            let expected = spaces.map(|(at, _)| 1u64 << at).sum::<u64>() | behind;
            prop_assert_eq!(find_spaces(&text), expected);
        }
    }
}
