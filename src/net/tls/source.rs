//! Where a listener's certificates come from, and whether they have changed since. The one place
//! that knows what they are called in the data folder.

use super::{KeyKind, Policy, TlsError, pair::Pair, pair::PairFiles, self_signed};
use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Folder in the data folder with the certificates of a private CA. Where it holds a pair named
/// [`MODERN_NAME`] or [`LEGACY_NAME`], no self-signed one is used.
pub const CERTIFICATES_FOLDER: &str = "certificates";
/// The CA itself: `ca.pem`, and `ca.key`, which is never read by a server.
pub const CA_NAME: &str = "ca";
/// For clients that send a server name: `modern.pem`, `modern.key`.
pub const MODERN_NAME: &str = "modern";
/// For clients that send none: `legacy.pem`, `legacy.key`.
pub const LEGACY_NAME: &str = "legacy";

/// File name of the self-signed certificate for clients that send a server name.
pub const CERTIFICATE_FILE: &str = "passport-cert.pem";
/// File name of its key.
pub const KEY_FILE: &str = "passport-key.pem";
/// File name of the self-signed certificate for clients that send none. Only made for a policy that
/// lets such clients in.
pub const LEGACY_CERTIFICATE_FILE: &str = "passport-legacy-cert.pem";
/// File name of its key.
pub const LEGACY_KEY_FILE: &str = "passport-legacy-key.pem";

/// Where the certificates of a listener come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// These files.
    Files {
        /// For clients that send a server name; for all, if there is no other.
        modern: PairFiles,
        /// For clients that send none.
        legacy: Option<PairFiles>,
    },
    /// The data folder: the pairs below [`CERTIFICATES_FOLDER`] if there are any, else self-signed
    /// ones, made where they are missing.
    Folder {
        /// The data folder.
        folder: PathBuf,
        /// Host names and addresses for certificates that are made, the first one also as common
        /// name. Those made earlier stay as they are, since people tell their computers to trust
        /// them.
        names: Vec<String>,
        /// For clients that send no server name, in place of the folder's.
        legacy: Option<PairFiles>,
    },
    /// Self-signed, for all clients, gone with the process.
    Memory {
        /// As above.
        names: Vec<String>,
        /// Kind of the key.
        kind: KeyKind,
    },
}

/// The pairs of a listener; without a legacy one all clients get the modern.
pub(super) struct Pairs {
    pub(super) modern: Pair,
    pub(super) legacy: Option<Pair>,
    /// The folder with the set of a private CA, if they are from there.
    pub(super) issued_in: Option<PathBuf>,
}

impl Pairs {
    pub(super) fn all(&self) -> impl Iterator<Item = &Pair> {
        [&self.modern].into_iter().chain(&self.legacy)
    }
}

/// What the files looked like.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Stamp(Vec<Option<(SystemTime, u64)>>);

impl Source {
    /// Makes the certificates that are to be made and not there.
    pub(super) fn make_missing(&self, policy: Policy) -> Result<(), TlsError> {
        if let Self::Folder { folder, names, legacy } = self
            && ca_issued(folder)?.is_none()
        {
            make_missing(folder, &self_made(folder), names, KeyKind::Rsa2048)?;
            if policy.is_weak() && legacy.is_none() {
                make_missing(folder, &self_made_legacy(folder), names, KeyKind::Rsa2048Sha1)?;
            }
        }
        Ok(())
    }

    /// Reads the certificates; files that are missing are an error.
    pub(super) fn read(&self, policy: Policy) -> Result<Pairs, TlsError> {
        let (modern, legacy, issued_in) = match self {
            Self::Memory { names, kind } => {
                let modern = self_signed::make(names, *kind, "the certificate in memory".into())?;
                return Ok(Pairs { modern, legacy: None, issued_in: None });
            }
            Self::Files { modern, legacy } => (modern.clone(), legacy.clone(), None),
            Self::Folder { folder, legacy, .. } => {
                let issued = ca_issued(folder)?;
                let issued_in = issued.as_ref().map(|_| folder.join(CERTIFICATES_FOLDER));
                let (modern, own) =
                    issued.unwrap_or_else(|| (self_made(folder), self_made_legacy(folder)));
                // A certificate signed with SHA-1 is of no use, and refused, from TLS 1.2 on.
                (modern, legacy.clone().or(policy.is_weak().then_some(own)), issued_in)
            }
        };
        let legacy = legacy.filter(|legacy| *legacy != modern);
        Ok(Pairs {
            modern: modern.read()?,
            legacy: legacy.map(|legacy| legacy.read()).transpose()?,
            issued_in,
        })
    }

    /// Whether reading again could bring anything new.
    pub(super) fn can_change(&self) -> bool {
        !matches!(self, Self::Memory { .. })
    }

    /// What the files look like now; costs a look at each, not its content.
    pub(super) fn stamp(&self) -> Stamp {
        let pairs = match self {
            Self::Memory { .. } => Vec::new(),
            Self::Files { modern, legacy } => {
                [modern.clone()].into_iter().chain(legacy.clone()).collect()
            }
            Self::Folder { folder, legacy, .. } => {
                let issued = folder.join(CERTIFICATES_FOLDER);
                [
                    PairFiles::named(&issued, MODERN_NAME),
                    PairFiles::named(&issued, LEGACY_NAME),
                    self_made(folder),
                    self_made_legacy(folder),
                ]
                .into_iter()
                .chain(legacy.clone())
                .collect()
            }
        };
        let look = |file: &Path| {
            let found = fs::metadata(file).ok()?;
            Some((found.modified().ok()?, found.len()))
        };
        Stamp(pairs.iter().flat_map(|pair| [look(&pair.certificate), look(&pair.key)]).collect())
    }
}

/// The pairs made with a private CA, if there are any: modern and legacy, one for both if only one
/// is there.
fn ca_issued(folder: &Path) -> Result<Option<(PairFiles, PairFiles)>, TlsError> {
    let folder = folder.join(CERTIFICATES_FOLDER);
    let existing = |name| {
        let pair = PairFiles::named(&folder, name);
        Ok::<_, TlsError>(pair.exist()?.then_some(pair))
    };
    Ok(match (existing(MODERN_NAME)?, existing(LEGACY_NAME)?) {
        (Some(modern), Some(legacy)) => Some((modern, legacy)),
        (one, other) => one.or(other).map(|pair| (pair.clone(), pair)),
    })
}

fn self_made(folder: &Path) -> PairFiles {
    PairFiles { certificate: folder.join(CERTIFICATE_FILE), key: folder.join(KEY_FILE) }
}

fn self_made_legacy(folder: &Path) -> PairFiles {
    PairFiles {
        certificate: folder.join(LEGACY_CERTIFICATE_FILE),
        key: folder.join(LEGACY_KEY_FILE),
    }
}

fn make_missing(
    folder: &Path,
    files: &PairFiles,
    names: &[String],
    kind: KeyKind,
) -> Result<(), TlsError> {
    if files.exist()? {
        return Ok(());
    }
    let made = self_signed::make(names, kind, String::new())?;
    files.write(folder, &made)
}
