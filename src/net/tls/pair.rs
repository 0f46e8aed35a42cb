//! A certificate with its issuers and its key, from PEM files, and what people want to know of it.

use super::{TlsError, inspect::Certificate};
use openssl::{
    asn1::Asn1Time,
    hash::MessageDigest,
    pkey::{Id, PKey, Private},
    x509::{X509, X509Ref},
};
use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};
use zeroize::Zeroizing;

/// Days before its end from which on a certificate is worth a warning.
const EXPIRY_WARNING_DAYS: i64 = 14;
const DAY_SECS: i64 = 86_400;

/// Where a certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairFiles {
    /// PEM, the server's certificate first, then its issuers.
    pub certificate: PathBuf,
    /// PEM, without passphrase.
    pub key: PathBuf,
}

/// What can be told of a certificate in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateInfo {
    /// Its file, or what it is.
    pub origin: String,
    /// The end of its life, seconds since 1970.
    pub expires_at_secs: i64,
    /// SHA-256 of its DER form, 64 lower-case hexadecimal digits.
    pub sha256: String,
}

/// A certificate ready for use.
pub(super) struct Pair {
    chain: Vec<X509>,
    pub(super) key: PKey<Private>,
    /// Where it is from, for people.
    pub(super) origin: String,
}

impl PairFiles {
    /// `NAME.pem` and `NAME.key` in `folder`.
    #[must_use]
    pub fn named(folder: &Path, name: &str) -> Self {
        Self {
            certificate: folder.join(format!("{name}.pem")),
            key: folder.join(format!("{name}.key")),
        }
    }

    /// Whether both are there.
    ///
    /// # Errors
    /// [`TlsError::Read`]: nobody knows, since the system does not let us look.
    pub fn exist(&self) -> Result<bool, TlsError> {
        Ok(exists(&self.certificate)? && exists(&self.key)?)
    }

    /// What can be told of the certificate, whether it is in use or not.
    ///
    /// # Errors
    /// [`TlsError`] names the file at fault; a pair that does not belong together is one.
    pub fn info(&self) -> Result<CertificateInfo, TlsError> {
        self.read()?.info()
    }

    pub(super) fn read(&self) -> Result<Pair, TlsError> {
        let Self { certificate, key } = self;
        let chain = X509::stack_from_pem(&read(certificate)?)
            .ok()
            .filter(|chain| !chain.is_empty())
            .ok_or_else(|| TlsError::NoCertificate(certificate.into()))?;
        let key_pem = Zeroizing::new(read(key)?);
        // Without a callback of ours OpenSSL would ask for a passphrase on the terminal.
        let key_pair = PKey::private_key_from_pem_callback(&key_pem, |_| Ok(0))
            .map_err(|_| TlsError::NoKey(key.into()))?;
        if !chain[0].public_key()?.public_eq(&key_pair) {
            return Err(TlsError::Mismatch { certificate: certificate.into(), key: key.into() });
        }
        Ok(Pair { chain, key: key_pair, origin: certificate.display().to_string() })
    }

    /// Writes both, the key readable by its owner only. The key first: a certificate is only ever
    /// there with its key.
    pub(super) fn write(&self, folder: &Path, pair: &Pair) -> Result<(), TlsError> {
        let key_pem = Zeroizing::new(pair.key.private_key_to_pem_pkcs8()?);
        write(folder, &self.key, &key_pem, 0o600)?;
        write(folder, &self.certificate, &pair.leaf().to_pem()?, 0o644)
    }
}

impl Pair {
    pub(super) fn new(certificate: X509, key: PKey<Private>, origin: String) -> Self {
        Self { chain: vec![certificate], key, origin }
    }

    pub(super) fn leaf(&self) -> &X509Ref {
        &self.chain[0]
    }

    pub(super) fn issuers(&self) -> &[X509] {
        &self.chain[1..]
    }

    /// Whether it was read from there.
    pub(super) fn is_of(&self, files: &PairFiles) -> bool {
        self.origin == files.certificate.display().to_string()
    }

    /// Which of `names` clients will not find in it; `None` if it cannot be read.
    pub(super) fn missing(&self, names: &[String]) -> Option<Vec<String>> {
        let facts = Certificate::new(self.leaf().to_owned()).facts().ok()?;
        Some(names.iter().filter(|name| !facts.is_for(name)).cloned().collect())
    }

    pub(super) fn is_rsa(&self) -> bool {
        self.key.id() == Id::RSA
    }

    pub(super) fn info(&self) -> Result<CertificateInfo, TlsError> {
        let life = Asn1Time::from_unix(0)?.diff(self.leaf().not_after())?;
        let digest = self.leaf().digest(MessageDigest::sha256())?;
        Ok(CertificateInfo {
            origin: self.origin.clone(),
            expires_at_secs: i64::from(life.days) * DAY_SECS + i64::from(life.secs),
            sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        })
    }

    /// What is wrong with it as of now, for people, with the remedy.
    pub(super) fn warning(&self) -> Option<String> {
        let origin = &self.origin;
        let remedy = "replace it, or delete a self-made pair to have a new one made at next start";
        let (from, until) = (self.leaf().not_before(), self.leaf().not_after());
        let now_secs = now_secs();
        let now = Asn1Time::from_unix(now_secs).ok()?;
        let soon = Asn1Time::from_unix(now_secs + EXPIRY_WARNING_DAYS * DAY_SECS).ok()?;
        if until < now {
            Some(format!("{origin}: the certificate has expired on {until}; {remedy}"))
        } else if from > now {
            Some(format!(
                "{origin}: the certificate is valid only from {from}; check this computer's clock"
            ))
        } else if until < soon {
            Some(format!("{origin}: the certificate expires on {until}; {remedy}"))
        } else {
            None
        }
    }
}

/// Unix time. The one clock for certificates: OpenSSL's own may be a tick behind it.
pub(super) fn now_secs() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn exists(file: &Path) -> Result<bool, TlsError> {
    file.try_exists().map_err(|error| TlsError::Read { file: file.into(), error })
}

fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(file).map_err(|error| TlsError::Read { file: file.into(), error })
}

/// Writes a whole file or none, under its final name only when it is on disk.
fn write(folder: &Path, file: &Path, content: &[u8], mode: u32) -> Result<(), TlsError> {
    let attempt = || {
        let mut temporary = new_file(folder, mode)?;
        temporary.write_all(content)?;
        temporary.as_file().sync_all()?;
        temporary.persist(file)?;
        Ok(())
    };
    attempt().map_err(|error| TlsError::Write { file: file.into(), error })
}

#[cfg(unix)]
fn new_file(folder: &Path, mode: u32) -> io::Result<tempfile::NamedTempFile> {
    use std::os::unix::fs::PermissionsExt as _;
    tempfile::Builder::new().permissions(fs::Permissions::from_mode(mode)).tempfile_in(folder)
}

#[cfg(not(unix))]
fn new_file(folder: &Path, _mode: u32) -> io::Result<tempfile::NamedTempFile> {
    tempfile::NamedTempFile::new_in(folder)
}
