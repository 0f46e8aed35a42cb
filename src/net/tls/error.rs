//! Why there is no TLS. Names the file and the remedy, never a file's content.

use openssl::error::ErrorStack;
use std::{io, path::PathBuf};

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing or not for us to read.
    #[error("cannot read {}: {error}; check the path and who may read it", file.display())]
    Read {
        /// Which.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file could not be made.
    #[error(
        "cannot write {}: {error}; check that its folder exists and is writable",
        file.display()
    )]
    Write {
        /// Which.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// No certificate in the certificate file.
    #[error(
        "{} contains no PEM certificate; it must hold the server's certificate first, then \
         those of its issuers",
        .0.display()
    )]
    NoCertificate(PathBuf),
    /// No key in the key file.
    #[error("{} contains no PEM private key without a passphrase", .0.display())]
    NoKey(PathBuf),
    /// The two do not belong together.
    #[error(
        "the key in {} does not belong to the first certificate in {}; give the pair that was \
         made together",
        key.display(),
        certificate.display()
    )]
    Mismatch {
        /// Certificate file.
        certificate: PathBuf,
        /// Key file.
        key: PathBuf,
    },
    /// OpenSSL refuses the certificate, as too weak for example.
    #[error(
        "OpenSSL refuses {origin}: {error}; a certificate signed with SHA-1 or a short key needs \
         a lower floor than TLS 1.2"
    )]
    Refused {
        /// The file.
        origin: String,
        /// Why.
        error: ErrorStack,
    },
    /// What the policy asks for does not work here.
    #[error(
        "this msnd cannot speak {what} ({reason}), which its options ask for; build it with the \
         feature legacy-tls, or raise the floor"
    )]
    Incapable {
        /// Version and cipher.
        what: String,
        /// What OpenSSL says.
        reason: String,
    },
    /// The set of a private CA that is in use is not there any more.
    #[error(
        "{} holds no certificates any more, and users trust no others; put them back, or start the \
         server again to have it use self-signed ones",
        .0.display()
    )]
    Withdrawn(PathBuf),
    /// SSL 3 knows no other keys.
    #[error(
        "{0} has no RSA key, and SSL 3 works with no other; give those clients an RSA pair of \
         their own, or raise the floor"
    )]
    NotRsa(String),
    /// OpenSSL failed otherwise.
    #[error("TLS cannot be set up: {0}")]
    OpenSsl(ErrorStack),
}

// Not `#[from]`, which would make it the source too, and people would read it twice.
impl From<ErrorStack> for TlsError {
    fn from(error: ErrorStack) -> Self {
        Self::OpenSsl(error)
    }
}
