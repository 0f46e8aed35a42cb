//! TLS for listeners: certificate and key from files or self-signed, TLS 1.2 and 1.3. The only
//! file that knows OpenSSL.

pub mod authority;
pub mod inspect;
pub mod probe;

use openssl::{
    asn1::Asn1Time,
    bn::{BigNum, MsbOption},
    ec::{EcGroup, EcKey},
    error::ErrorStack,
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, Private},
    rsa::Rsa,
    ssl::{
        Ssl, SslAcceptor, SslConnector, SslContext, SslMethod, SslOptions, SslSessionCacheMode,
        SslVersion,
    },
    x509::{
        X509, X509NameBuilder,
        extension::{
            BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
            SubjectKeyIdentifier,
        },
    },
};
use std::{
    fmt, fs,
    io::{self, Write as _},
    net::IpAddr,
    path::{Path, PathBuf},
    pin::Pin,
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::io::{AsyncRead, AsyncWrite};
use zeroize::Zeroizing;

/// File name of the self-signed certificate.
pub const CERTIFICATE_FILE: &str = "passport-cert.pem";
/// File name of its key.
pub const KEY_FILE: &str = "passport-key.pem";

/// Life of a self-signed certificate, days.
const VALID_DAYS: i64 = 730;
const DAY_SECS: i64 = 86_400;
/// Days before its end from which on a certificate is worth a warning.
const EXPIRY_WARNING_DAYS: u32 = 14;
/// X.509 has no room for more in a common name.
const COMMON_NAME_BYTES_MAX: usize = 64;

/// An encrypted connection.
pub type TlsStream<T> = tokio_openssl::SslStream<T>;

/// Kind of the key of a self-signed certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// What every client of the time can do.
    Rsa2048,
    /// Made in no time; for tests and CI mode.
    P256,
}

/// Why there is no TLS. Names the file and the remedy, never a file's content.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing or not for us to read.
    #[error("cannot read {}: {source}; check the path and who may read it", file.display())]
    Read {
        /// Which.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file could not be made.
    #[error(
        "cannot write {}: {source}; check that its folder exists and is writable",
        file.display()
    )]
    Write {
        /// Which.
        file: PathBuf,
        /// Why.
        source: io::Error,
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
    /// OpenSSL refused something else, such as a key too weak.
    #[error("TLS cannot be set up: {0}")]
    OpenSsl(#[from] ErrorStack),
}

/// The server's side of TLS for one listener. Cheap to clone.
#[derive(Clone)]
pub struct TlsServer {
    context: SslContext,
    certificate: X509,
    origin: String,
}

impl TlsServer {
    /// Takes PEM files: the certificate with its chain, and its key without passphrase.
    ///
    /// # Errors
    /// [`TlsError`] names the file at fault.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
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
        Self::new(chain, &key_pair, certificate.display().to_string())
    }

    /// Uses [`CERTIFICATE_FILE`] and [`KEY_FILE`] in `folder`, which it makes if one of them is
    /// missing: for `names` (host names and addresses, the first one also as common name), valid
    /// from yesterday for two years. Later runs use the same pair whatever `names` says, since
    /// people tell their computers to trust it.
    ///
    /// # Errors
    /// As for [`Self::from_files`], and [`TlsError::Write`].
    pub fn self_signed(folder: &Path, names: &[String], kind: KeyKind) -> Result<Self, TlsError> {
        let (certificate, key) = (folder.join(CERTIFICATE_FILE), folder.join(KEY_FILE));
        if !(certificate.exists() && key.exists()) {
            let (made, key_pair) = make_certificate(names, kind)?;
            // The key first: a certificate is only ever there with its key.
            let key_pem = Zeroizing::new(key_pair.private_key_to_pem_pkcs8()?);
            write(folder, &key, &key_pem, 0o600)?;
            write(folder, &certificate, &made.to_pem()?, 0o644)?;
        }
        Self::from_files(&certificate, &key)
    }

    /// Like [`Self::self_signed`], but leaves no trace on disk.
    ///
    /// # Errors
    /// [`TlsError::OpenSsl`].
    pub fn in_memory(names: &[String], kind: KeyKind) -> Result<Self, TlsError> {
        let (certificate, key_pair) = make_certificate(names, kind)?;
        Self::new(vec![certificate], &key_pair, "the certificate in memory".into())
    }

    /// Takes a connection through the handshake. Sets no deadline. Not cancellation safe: dropped,
    /// it takes the connection with it.
    ///
    /// # Errors
    /// The peer's or the network's failure; nothing a person must act upon.
    pub async fn accept<T>(&self, io: T) -> Result<TlsStream<T>, io::Error>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let mut stream = TlsStream::new(Ssl::new(&self.context)?, io)?;
        match Pin::new(&mut stream).accept().await {
            Ok(()) => Ok(stream),
            Err(error) => Err(error.into_io_error().unwrap_or_else(io::Error::other)),
        }
    }

    /// The server's own certificate, PEM.
    ///
    /// # Errors
    /// [`TlsError::OpenSsl`].
    pub fn certificate_pem(&self) -> Result<Vec<u8>, TlsError> {
        Ok(self.certificate.to_pem()?)
    }

    /// What is wrong with the certificate as of now, for people, with the remedy.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let origin = &self.origin;
        let remedy = "replace it, or delete a self-made pair to have a new one made at next start";
        let (from, until) = (self.certificate.not_before(), self.certificate.not_after());
        let now = Asn1Time::days_from_now(0).ok()?;
        let soon = Asn1Time::days_from_now(EXPIRY_WARNING_DAYS).ok()?;
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

    fn new(chain: Vec<X509>, key: &PKey<Private>, origin: String) -> Result<Self, TlsError> {
        let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
        builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
        let mut chain = chain.into_iter();
        let Some(certificate) = chain.next() else {
            return Err(TlsError::NoCertificate(origin.into()));
        };
        builder.set_certificate(&certificate)?;
        for issuer in chain {
            builder.add_extra_chain_cert(issuer)?;
        }
        builder.set_private_key(key)?;
        builder.check_private_key()?;
        // A client comes for one request: resuming a session would save it nothing and cost us a
        // cache, and keys that open recorded connections.
        builder.set_session_cache_mode(SslSessionCacheMode::OFF);
        builder.set_options(SslOptions::NO_TICKET | SslOptions::NO_RENEGOTIATION);
        builder.set_num_tickets(0)?;
        Ok(Self { context: builder.build().into_context(), certificate, origin })
    }
}

impl fmt::Debug for TlsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsServer").field("origin", &self.origin).finish_non_exhaustive()
    }
}

fn make_certificate(names: &[String], kind: KeyKind) -> Result<(X509, PKey<Private>), ErrorStack> {
    let key = match kind {
        KeyKind::Rsa2048 => PKey::from_rsa(Rsa::generate(2048)?)?,
        KeyKind::P256 => {
            let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
            PKey::from_ec_key(EcKey::generate(&group)?)?
        }
    };
    let fallback = ["localhost".to_owned()];
    let names = if names.is_empty() { &fallback } else { names };
    let short = names.iter().find(|name| (1..=COMMON_NAME_BYTES_MAX).contains(&name.len()));
    let mut subject = X509NameBuilder::new()?;
    subject.append_entry_by_nid(Nid::COMMONNAME, short.map_or("msnd", String::as_str))?;
    let subject = subject.build();

    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::MAYBE_ZERO, false)?;
    let mut certificate = X509::builder()?;
    certificate.set_version(2)?;
    let serial = serial.to_asn1_integer()?;
    certificate.set_serial_number(&serial)?;
    certificate.set_subject_name(&subject)?;
    certificate.set_issuer_name(&subject)?;
    certificate.set_pubkey(&key)?;
    // A day early: the clocks of old computers are often wrong.
    let from = now_secs() - DAY_SECS;
    let from_time = Asn1Time::from_unix(from)?;
    certificate.set_not_before(&from_time)?;
    let until_time = Asn1Time::from_unix(from + VALID_DAYS * DAY_SECS)?;
    certificate.set_not_after(&until_time)?;

    let mut usage = KeyUsage::new();
    usage.critical().digital_signature();
    if kind == KeyKind::Rsa2048 {
        usage.key_encipherment();
    }
    let mut alternatives = SubjectAlternativeName::new();
    for name in names {
        if name.parse::<IpAddr>().is_ok() {
            alternatives.ip(name);
        } else {
            alternatives.dns(name);
        }
    }
    let key_id = SubjectKeyIdentifier::new().build(&certificate.x509v3_context(None, None))?;
    let alternatives = alternatives.build(&certificate.x509v3_context(None, None))?;
    for extension in [
        BasicConstraints::new().critical().build()?,
        usage.build()?,
        ExtendedKeyUsage::new().server_auth().build()?,
        key_id,
        alternatives,
    ] {
        certificate.append_extension(extension)?;
    }
    certificate.sign(&key, MessageDigest::sha256())?;
    Ok((certificate.build(), key))
}

fn now_secs() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(file).map_err(|source| TlsError::Read { file: file.into(), source })
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
    attempt().map_err(|source| TlsError::Write { file: file.into(), source })
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

/// A client's side, for looking at ourselves: trusts the certificate `trusted_pem` alone and
/// checks that it is good for `name`. Sets no deadline.
///
/// # Errors
/// The handshake failed, or the certificate is not the expected one.
pub async fn connect<T>(io: T, name: &str, trusted_pem: &[u8]) -> Result<TlsStream<T>, io::Error>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let mut connector = SslConnector::builder(SslMethod::tls_client())?;
    connector.cert_store_mut().add_cert(X509::from_pem(trusted_pem)?)?;
    let ssl = connector.build().configure()?.into_ssl(name)?;
    let mut stream = TlsStream::new(ssl, io)?;
    match Pin::new(&mut stream).connect().await {
        Ok(()) => Ok(stream),
        Err(error) => Err(error.into_io_error().unwrap_or_else(io::Error::other)),
    }
}

#[cfg(test)]
mod tests;
