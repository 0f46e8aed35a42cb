//! Why there are no certificates. Names the file and the remedy, never a file's content.

use super::super::TlsError;
use openssl::error::ErrorStack;
use std::{io, path::PathBuf};

/// Why there are no certificates. Names the file and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// There is a set already.
    #[error(
        "{} holds certificates already; `msnd cert renew` gives them new dates. --force makes a \
         new authority, which every user has to install anew",
        .0.display()
    )]
    Exists(PathBuf),
    /// A file must not be overwritten.
    #[error("{} exists already; name a new file for the key", .0.display())]
    KeyExists(PathBuf),
    /// There is nothing to renew.
    #[error("there are no certificates in {}; `msnd cert init` makes them", .0.display())]
    Missing(PathBuf),
    /// The authority's key is somewhere else.
    #[error("the key of the authority is not in {}; name its file with --ca-key", .0.display())]
    NoKey(PathBuf),
    /// A key that belongs to another authority.
    #[error("the key in {} is not that of the authority in {}", key.display(), ca.display())]
    ForeignKey {
        /// The key.
        key: PathBuf,
        /// The authority's certificate.
        ca: PathBuf,
    },
    /// The file holds something else.
    #[error("{} contains no {what} in PEM", file.display())]
    NotPem {
        /// The file.
        file: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// The authority may not vouch for a name.
    #[error(
        "this authority was made for other names and cannot vouch for {0}; leave that out, or make \
         a new one with `msnd cert init --force`, which every user has to install anew"
    )]
    NotPermitted(String),
    /// A name that no certificate can hold.
    #[error("a certificate cannot name `{0}`")]
    Name(String),
    /// The authority ends too soon to issue anything.
    #[error(
        "the authority ends within {0} days; make a new one with `msnd cert init --force`, which \
         every user has to install anew"
    )]
    Ending(i64),
    /// The disk.
    #[error("{}: {error}; check that the folder exists and who may use it", file.display())]
    File {
        /// Which file or folder.
        file: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The new files would not be the server's to read.
    #[error(
        "{} belongs to another user, to whom the certificates cannot be given: {error}; run this \
         as that user",
        folder.display()
    )]
    Owner {
        /// The data folder.
        folder: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The new set is in its place, and something behind that failed.
    #[error(
        "the new certificates are in their place; but {}: {error}; what else lay in their folder \
         is there now",
        kept.display()
    )]
    AfterExchange {
        /// Where the rest is.
        kept: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A certificate that cannot be read.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// OpenSSL refused something else.
    #[error("the certificates cannot be made: {0}")]
    OpenSsl(ErrorStack),
}

// Not `#[from]`, which would make it the source too, and people would read it twice.
impl From<ErrorStack> for AuthorityError {
    fn from(error: ErrorStack) -> Self {
        Self::OpenSsl(error)
    }
}
