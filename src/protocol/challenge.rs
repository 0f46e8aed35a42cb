//! The client challenge: MD5 of the challenge followed by the client's key. The one place where
//! the protocol demands MD5.

use md5::{Digest, Md5};

/// Hex digits of an answer.
pub const ANSWER_BYTES: usize = 32;
/// Decimal digits of a challenge.
pub const CHALLENGE_DIGITS: usize = 20;

/// The right answer: 32 lower-case hex digits.
#[must_use]
pub fn answer(challenge: &str, key: &str) -> String {
    let digest = Md5::new_with_prefix(challenge).chain_update(key).finalize();
    format!("{:0ANSWER_BYTES$x}", u128::from_be_bytes(digest.into()))
}

/// A challenge made of 20 random bytes: one decimal digit each.
#[must_use]
pub fn digits(random: &[u8; CHALLENGE_DIGITS]) -> String {
    random.iter().map(|byte| char::from(b'0' + byte % 10)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Challenge;

    #[test]
    fn every_known_key_gives_the_documented_answers() {
        let expected = [
            ("8ba1bb9d6dbf624fee31a2053af5fdd0", "8f2f5a91b72102cd28355e9fc9000d6e"),
            ("c64fe621f55832479b97b7f50829d5c1", "ca90e6a7c94a14aae7b3ae0f6018433e"),
            ("be395734ad0360b41b77e1aa962d4e0d", "f8a1cd8d90b73fd4a3d3f8fd3341da87"),
            ("30bba2cf70fb75e1869eb8dc111b51fb", "769dfe2c4292159189b71837ce37b74e"),
            ("c1a22a4e46d861e680603aba787ee983", "49d31aad3b56caeb4bb18a9772c0e8af"),
            ("8f2cbbd5996a9f3564f6dc0d9fb8471e", "2d703fdc530d7a958e6ae6ce1c0347c0"),
        ];
        for (client, (first, second)) in Challenge::default().clients.iter().zip(expected) {
            assert_eq!(answer("12345678901234567890", &client.key), first, "{}", client.id);
            assert_eq!(answer("15570131571988941333", &client.key), second, "{}", client.id);
        }
    }

    #[test]
    fn challenges_are_decimal() {
        let text = digits(&[255; CHALLENGE_DIGITS]);
        assert!(text.len() == CHALLENGE_DIGITS && text.bytes().all(|b| b.is_ascii_digit()));
    }
}
