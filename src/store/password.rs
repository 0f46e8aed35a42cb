//! Argon2id password hashes: made and verified off the async threads, behind a bounded queue.
//! Knows no account and no protocol.

mod phc;

use crate::metrics::PasswordMeters;
use argon2::{
    Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version,
    password_hash::Error as HashError,
};
pub use phc::{HASH_LANES_MAX, HASH_MEMORY_KIB_MAX, HASH_WORK_KIB_MAX, HashFormError};
use secrecy::{ExposeSecret, SecretString};
use std::{
    fmt,
    num::NonZero,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task,
};
use zeroize::Zeroizing;

/// Longest password at registration, in characters.
pub const PASSWORD_CHARS_MAX: usize = 64;
/// Characters of a password that count.
///
/// The original service looked at the first 16 only, and its clients know: some send no more than
/// that whatever the user typed. A hash over more would lock those users out, so nothing behind
/// the sixteenth character is ever hashed.
pub const PASSWORD_CHARS_SIGNIFICANT: usize = 16;
/// Readings of one sign-in request that are tried; each costs a hash.
pub const CANDIDATES_MAX: usize = 4;

/// A stored password, in PHC string form. Never shown by `Debug`.
#[derive(Debug, Clone)]
pub struct PasswordHash(pub SecretString);

/// What an Argon2id hash costs. The cost is part of every stored hash, so hashes of both kinds
/// verify whatever the hasher makes today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// 19 MiB, two passes, one lane: what OWASP recommends.
    Standard,
    /// Next to nothing. Only for accounts that vanish with the process (CI mode, tests).
    Cheap,
}

/// A password fit for registration: 1 to [`PASSWORD_CHARS_MAX`] printable ASCII characters, of
/// which the first [`PASSWORD_CHARS_SIGNIFICANT`] are kept.
///
/// Clients of the time send other characters in whatever code page they happen to use, so an
/// account whose password has an umlaut could sign in from some computers and not from others.
#[derive(Clone)]
pub struct Password(Candidate);

/// Why a text cannot be a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// No text at all.
    #[error("a password must not be empty")]
    Empty,
    /// More than [`PASSWORD_CHARS_MAX`] characters.
    #[error("a password has at most {PASSWORD_CHARS_MAX} characters")]
    TooLong,
    /// Something else than printable ASCII.
    #[error(
        "a password may contain only letters without accents, digits, spaces and punctuation: \
         old clients garble all else"
    )]
    Character,
}

impl Password {
    /// Checks `text`, the way it is done once, when a password is set.
    ///
    /// # Errors
    /// [`PasswordError`] names the rule that `text` breaks, never the text.
    pub fn new(text: &str) -> Result<Self, PasswordError> {
        if text.is_empty() {
            return Err(PasswordError::Empty);
        }
        if !text.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) {
            return Err(PasswordError::Character);
        }
        if text.len() > PASSWORD_CHARS_MAX {
            return Err(PasswordError::TooLong);
        }
        Ok(Self(Candidate::new(text.as_bytes())))
    }

    /// This password as somebody signing in with it sends it.
    #[must_use]
    pub fn candidate(&self) -> Candidate {
        self.0.clone()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(hidden)")
    }
}

/// One reading of the password in a sign-in request, cut to its significant part and wiped when
/// dropped. May be any bytes: whatever [`Password`] would refuse just matches no account.
///
/// The cut is at bytes. That equals a cut at characters for every text that can match, since
/// stored passwords are ASCII.
#[derive(Clone, PartialEq, Eq)]
pub struct Candidate {
    bytes: Zeroizing<[u8; PASSWORD_CHARS_SIGNIFICANT]>,
    len: usize,
}

impl Candidate {
    /// Keeps the significant part of `presented`.
    #[must_use]
    pub fn new(presented: &[u8]) -> Self {
        let len = presented.len().min(PASSWORD_CHARS_SIGNIFICANT);
        let mut bytes = Zeroizing::new([0; PASSWORD_CHARS_SIGNIFICANT]);
        bytes[..len].copy_from_slice(&presented[..len]);
        Self { bytes, len }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Candidate(hidden)")
    }
}

/// Why a password was neither hashed nor verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HasherError {
    /// As many as allowed are waiting already.
    #[error("too many passwords are waiting to be verified")]
    Busy,
    /// The stored hash makes no sense. Says nothing about its content.
    #[error("the stored password hash cannot be read")]
    Unreadable,
    /// No memory or no randomness for a hash, or the runtime is shutting down.
    #[error("the password could not be hashed")]
    Failed,
}

/// Makes and verifies hashes. At most `workers` at the same time, at most `queue_max` waiting.
#[derive(Debug)]
pub struct PasswordHasher {
    core: Arc<Core>,
    workers: Arc<Semaphore>,
    places: Arc<Semaphore>,
    meters: PasswordMeters,
}

#[derive(Debug)]
struct Core {
    cost: Cost,
    decoy: PasswordHash,
    hashes: AtomicU64,
}

impl PasswordHasher {
    /// `workers` 0 stands for one for each processor.
    #[must_use]
    pub fn new(cost: Cost, workers: usize, queue_max: usize) -> Self {
        let workers = match workers {
            0 => thread::available_parallelism().map_or(1, NonZero::get),
            given => given,
        }
        .min(Semaphore::MAX_PERMITS);
        let places = workers.saturating_add(queue_max).min(Semaphore::MAX_PERMITS);
        Self {
            core: Arc::new(Core { cost, decoy: cost.decoy(), hashes: AtomicU64::new(0) }),
            workers: Arc::new(Semaphore::new(workers)),
            places: Arc::new(Semaphore::new(places)),
            meters: PasswordMeters::default(),
        }
    }

    /// The same, counting in `meters`.
    #[must_use]
    pub fn measured(mut self, meters: &PasswordMeters) -> Self {
        self.meters = meters.clone();
        self
    }

    /// Hashes a password to be stored.
    ///
    /// Cancellation safe; a hash already begun is finished and thrown away.
    ///
    /// # Errors
    /// [`HasherError::Busy`] at once if the queue is full, [`HasherError::Failed`].
    pub async fn hash(&self, password: &Password) -> Result<PasswordHash, HasherError> {
        let password = password.clone();
        self.off_thread(move |core| core.hash(&password)).await
    }

    /// Hashes on this very thread, without a place in the queue: for start-up, before anybody is
    /// served.
    ///
    /// # Errors
    /// [`HasherError::Failed`].
    pub fn hash_now(&self, password: &Password) -> Result<PasswordHash, HasherError> {
        self.core.hash(password)
    }

    /// Whether one of the `candidates` (the first [`CANDIDATES_MAX`] of them) is the password.
    ///
    /// Takes as long without a `stored` hash or without candidates as it does for a wrong
    /// password: nobody can tell from the time whether an account exists. Cancellation safe as
    /// [`Self::hash`] is.
    ///
    /// # Errors
    /// [`HasherError::Busy`] at once if the queue is full; [`HasherError::Unreadable`];
    /// [`HasherError::Failed`].
    pub async fn verify_any(
        &self,
        stored: Option<&PasswordHash>,
        candidates: Vec<Candidate>,
    ) -> Result<bool, HasherError> {
        let stored = stored.cloned();
        self.off_thread(move |core| core.verify_any(stored.as_ref(), &candidates)).await
    }

    /// Hashes computed so far, for whatever purpose.
    #[must_use]
    pub fn hashes_total(&self) -> u64 {
        self.core.hashes.load(Ordering::Relaxed)
    }

    fn busy(&self) -> HasherError {
        self.meters.refusals.inc();
        HasherError::Busy
    }

    async fn off_thread<T, F>(&self, work: F) -> Result<T, HasherError>
    where
        T: Send + 'static,
        F: FnOnce(&Core) -> Result<T, HasherError> + Send + 'static,
    {
        let place: OwnedSemaphorePermit =
            Arc::clone(&self.places).try_acquire_owned().map_err(|_| self.busy())?;
        let waiting = self.meters.wait();
        let worker =
            Arc::clone(&self.workers).acquire_owned().await.map_err(|_| HasherError::Failed)?;
        drop(waiting);
        self.meters.verifications.inc();
        let working = self.meters.work();
        let core = Arc::clone(&self.core);
        // The permits go with the work: it goes on, and uses its memory, when the waiting task is
        // dropped.
        let job = task::spawn_blocking(move || {
            let result = work(&core);
            drop((worker, place, working));
            result
        });
        job.await.map_err(|_| HasherError::Failed)?
    }
}

impl Core {
    fn hash(&self, password: &Password) -> Result<PasswordHash, HasherError> {
        self.hashes.fetch_add(1, Ordering::Relaxed);
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, self.cost.params()?);
        let hash = argon2.hash_password(password.0.as_bytes()).map_err(|_| HasherError::Failed)?;
        Ok(PasswordHash(hash.to_string().into()))
    }

    fn verify_any(
        &self,
        stored: Option<&PasswordHash>,
        candidates: &[Candidate],
    ) -> Result<bool, HasherError> {
        let hash = stored.unwrap_or(&self.decoy).0.expose_secret();
        let nothing = [Candidate::new(b"")];
        let candidates = if candidates.is_empty() { &nothing } else { candidates };
        for candidate in candidates.iter().take(CANDIDATES_MAX) {
            self.hashes.fetch_add(1, Ordering::Relaxed);
            match Argon2::default().verify_password(candidate.as_bytes(), hash) {
                // The decoy has no password, but nothing shall depend on that.
                Ok(()) => return Ok(stored.is_some()),
                Err(HashError::PasswordInvalid) => {}
                Err(HashError::OutOfMemory | HashError::Internal | HashError::Crypto) => {
                    return Err(HasherError::Failed);
                }
                Err(_) => return Err(HasherError::Unreadable),
            }
        }
        Ok(false)
    }
}

impl Cost {
    /// Memory in KiB and number of passes.
    const fn numbers(self) -> (u32, u32) {
        match self {
            Self::Standard => (19 * 1024, 2),
            Self::Cheap => (Params::MIN_M_COST, 1),
        }
    }

    fn params(self) -> Result<Params, HasherError> {
        let (memory_kib, passes) = self.numbers();
        Params::new(memory_kib, passes, 1, None).map_err(|_| HasherError::Failed)
    }

    /// A hash that costs the same to verify and that no password is known to have: its output is
    /// all zeros.
    fn decoy(self) -> PasswordHash {
        let (memory_kib, passes) = self.numbers();
        let salt = "A".repeat(22);
        let output = "A".repeat(43);
        let phc = format!("$argon2id$v=19$m={memory_kib},t={passes},p=1${salt}${output}");
        PasswordHash(phc.into())
    }
}

#[cfg(test)]
mod tests;
