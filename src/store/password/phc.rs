//! Password hashes that come from elsewhere: whether we can verify them, and at what cost. A hash
//! says itself how much work verifying takes, so whoever hands one in decides what each attempt to
//! sign in costs us.

use super::PasswordHash;
use argon2::{Algorithm, Params, Version, password_hash::phc};

/// Memory that verifying a foreign hash may take, KiB.
pub const HASH_MEMORY_KIB_MAX: u32 = 64 * 1024;
/// Memory times passes that verifying a foreign hash may take, KiB: about seven times our own cost.
pub const HASH_WORK_KIB_MAX: u64 = 256 * 1024;
/// Lanes of a foreign hash; they are computed one after the other.
pub const HASH_LANES_MAX: u32 = 4;
/// Longest foreign hash, in bytes.
const HASH_BYTES_MAX: usize = 256;
/// Shortest salt, in bytes; what Argon2 demands.
const SALT_BYTES_MIN: usize = 8;
/// Shortest output, in bytes; less could be guessed.
const OUTPUT_BYTES_MIN: usize = 16;

/// Why a text cannot be a stored password. Says nothing about its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashFormError {
    /// No PHC string, or one that is not written the shortest way.
    #[error("not an Argon2id hash in PHC form, $argon2id$v=19$m=…,t=…,p=…$salt$hash")]
    Form,
    /// Another kind of hash.
    #[error("only Argon2id hashes of version 19 can be verified here")]
    Kind,
    /// Salt or output shorter than is safe.
    #[error("the salt or the hash is too short")]
    Short,
    /// Verifying it would take too much memory or time.
    #[error(
        "too costly to verify: at most m={HASH_MEMORY_KIB_MAX}, p={HASH_LANES_MAX}, and \
         m times t at most {HASH_WORK_KIB_MAX}"
    )]
    Costly,
}

impl PasswordHash {
    /// Takes over a hash that was made elsewhere, without knowing its password.
    ///
    /// # Errors
    /// [`HashFormError`].
    pub fn from_phc(text: &str) -> Result<Self, HashFormError> {
        if text.len() > HASH_BYTES_MAX {
            return Err(HashFormError::Form);
        }
        let hash = phc::PasswordHash::new(text).map_err(|_| HashFormError::Form)?;
        if hash.algorithm != Algorithm::Argon2id.ident()
            || hash.version != Some(Version::V0x13.into())
        {
            return Err(HashFormError::Kind);
        }
        let names_known =
            hash.params.iter().all(|(name, _)| matches!(name.as_str(), "m" | "t" | "p"));
        let params = Params::try_from(&hash).map_err(|_| HashFormError::Form)?;
        let (Some(salt), Some(output)) = (hash.salt, hash.hash) else {
            return Err(HashFormError::Form);
        };
        if !names_known || hash.to_string() != text {
            return Err(HashFormError::Form);
        }
        if salt.len() < SALT_BYTES_MIN || output.len() < OUTPUT_BYTES_MIN {
            return Err(HashFormError::Short);
        }
        let work_kib = u64::from(params.m_cost()) * u64::from(params.t_cost());
        if params.m_cost() > HASH_MEMORY_KIB_MAX
            || params.p_cost() > HASH_LANES_MAX
            || work_kib > HASH_WORK_KIB_MAX
        {
            return Err(HashFormError::Costly);
        }
        Ok(Self(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::password::{Candidate, Cost, Password, PasswordHasher};
    use secrecy::ExposeSecret as _;

    const SALT: &str = "AAAAAAAAAAAAAAAAAAAAAA";
    const OUTPUT: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    #[tokio::test]
    async fn our_own_hashes_are_taken_over_and_still_verify() {
        for cost in [Cost::Cheap, Cost::Standard] {
            let hasher = PasswordHasher::new(cost, 1, 1);
            let made = hasher.hash_now(&Password::new("right").unwrap()).unwrap();
            let taken = PasswordHash::from_phc(made.0.expose_secret()).unwrap();
            let verdict = hasher.verify_any(Some(&taken), vec![Candidate::new(b"right")]).await;
            assert_eq!(verdict, Ok(true));
        }
    }

    #[test]
    fn what_cannot_be_verified_is_refused_without_being_shown() {
        let long = format!("$argon2id$v=19$m=8,t=1,p=1${SALT}${}", "A".repeat(250));
        for (text, error) in [
            ("", HashFormError::Form),
            ("secret", HashFormError::Form),
            (&*long, HashFormError::Form),
            ("$argon2id$v=19$m=8,t=1,p=1", HashFormError::Form),
            ("$argon2id$v=19$m=8,t=1,p=1$!!$!!", HashFormError::Form),
            (&format!("$argon2id$v=19$m=8,t=1,p=1${SALT}"), HashFormError::Form),
            (&format!("$argon2id$v=19$m=x,t=1,p=1${SALT}${OUTPUT}"), HashFormError::Form),
            (&format!("$argon2id$v=19$m=8,t=0,p=1${SALT}${OUTPUT}"), HashFormError::Form),
            (
                &format!("$argon2id$v=19$m=8,t=1,p=1,keyid=AAAA${SALT}${OUTPUT}"),
                HashFormError::Form,
            ),
            (&format!("$argon2id$v=19$m=8,t=1,p=1${SALT}${OUTPUT}$x"), HashFormError::Form),
            (&format!("$argon2i$v=19$m=8,t=1,p=1${SALT}${OUTPUT}"), HashFormError::Kind),
            (&format!("$argon2id$v=16$m=8,t=1,p=1${SALT}${OUTPUT}"), HashFormError::Kind),
            (&format!("$argon2id$m=8,t=1,p=1${SALT}${OUTPUT}"), HashFormError::Kind),
            (&format!("$argon2id$v=19$m=8,t=1,p=1${SALT}$AAAAAAAAAAAAAAAA"), HashFormError::Short),
            (&format!("$argon2id$v=19$m=65537,t=1,p=1${SALT}${OUTPUT}"), HashFormError::Costly),
            (&format!("$argon2id$v=19$m=65536,t=5,p=1${SALT}${OUTPUT}"), HashFormError::Costly),
            (
                &format!("$argon2id$v=19$m=8,t=4294967295,p=1${SALT}${OUTPUT}"),
                HashFormError::Costly,
            ),
            (&format!("$argon2id$v=19$m=64,t=1,p=5${SALT}${OUTPUT}"), HashFormError::Costly),
            (
                &format!("$argon2id$v=19$m=4294967295,t=1,p=1${SALT}${OUTPUT}"),
                HashFormError::Costly,
            ),
        ] {
            assert_eq!(PasswordHash::from_phc(text).unwrap_err(), error, "{text}");
        }
        for cost in ["m=65536,t=4,p=4", "m=19456,t=2,p=1", "m=8,t=1,p=1"] {
            let text = format!("$argon2id$v=19${cost}${SALT}${OUTPUT}");
            assert!(PasswordHash::from_phc(&text).is_ok(), "{text}");
        }
    }
}
