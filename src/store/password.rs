//! Argon2id password hashes: made and verified off the async threads, behind a bounded queue.

use secrecy::SecretString;

/// A stored password, in PHC string form. Never shown by `Debug`.
#[derive(Debug, Clone)]
pub struct PasswordHash(pub SecretString);
