//! TLS for listeners: which certificate a client gets, how old it may be, and certificates that are
//! replaced while clients come. The only module that knows OpenSSL.

pub mod authority;
mod client;
mod context;
mod error;
pub mod inspect;
mod pair;
mod policy;
pub mod probe;
mod rehearsal;
mod self_signed;
mod source;
#[cfg(test)]
#[cfg(feature = "legacy-tls")]
mod tests;

pub use client::connect;
pub use error::TlsError;
use openssl::ssl::{Ssl, SslContext};
pub use pair::{CertificateInfo, PairFiles};
use parking_lot::Mutex;
pub use policy::{Floor, Policy};
pub use self_signed::KeyKind;
pub use source::{
    CA_NAME, CERTIFICATE_FILE, CERTIFICATES_FOLDER, KEY_FILE, LEGACY_CERTIFICATE_FILE,
    LEGACY_KEY_FILE, LEGACY_NAME, MODERN_NAME, Source,
};
use source::{Pairs, Stamp};
use std::{fmt, io, pin::Pin, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};

/// For so long a look at the certificate files holds. Without handshakes there is none.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// What helps where a certificate is from somebody else.
const GIVEN: &str = "get one for that name too, or set passport.login_host to a name that it has";

/// An encrypted connection.
pub type TlsStream<T> = tokio_openssl::SslStream<T>;

/// The server's side of TLS for one listener. Clones are one and the same.
#[derive(Clone)]
pub struct TlsServer(Arc<Inner>);

struct Inner {
    source: Source,
    policy: Policy,
    current: Mutex<Current>,
}

struct Current {
    context: SslContext,
    pairs: Arc<Pairs>,
    stamp: Stamp,
    looked_at: Instant,
}

impl TlsServer {
    /// Reads or makes the certificates and tries out, in memory, the oldest clients that `policy`
    /// lets in. A weak policy is for the login listener and nothing else.
    ///
    /// # Errors
    /// [`TlsError`] names the file at fault, or what this build cannot speak.
    pub fn open(source: Source, policy: Policy) -> Result<Self, TlsError> {
        source.make_missing(policy)?;
        // Looked at before they are read, so that no change is lost.
        let stamp = source.stamp();
        let pairs = source.read(policy)?;
        let context = context::build(policy, &pairs.modern, pairs.legacy.as_ref())?;
        let pairs = Arc::new(pairs);
        let current = Current { context, pairs, stamp, looked_at: Instant::now() };
        Ok(Self(Arc::new(Inner { source, policy, current: Mutex::new(current) })))
    }

    /// A self-signed certificate that leaves no trace on disk, and strong TLS only.
    ///
    /// # Errors
    /// [`TlsError::OpenSsl`].
    pub fn in_memory(names: &[String], kind: KeyKind) -> Result<Self, TlsError> {
        Self::open(Source::Memory { names: names.into(), kind }, Policy::default())
    }

    /// Reads the certificates again, for the handshakes that begin from now on. If they cannot be
    /// used, those from before stay.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn reload(&self) -> Result<(), TlsError> {
        let Inner { source, policy, current } = &*self.0;
        if !source.can_change() {
            return Ok(());
        }
        let stamp = source.stamp();
        let read = source.read(*policy).and_then(|pairs| {
            // Clients that trust the authority would be locked out.
            if let (Some(folder), None) = (&self.pairs().issued_in, &pairs.issued_in) {
                return Err(TlsError::Withdrawn(folder.clone()));
            }
            Ok((context::build(*policy, &pairs.modern, pairs.legacy.as_ref())?, pairs))
        });
        let mut current = current.lock();
        // What could not be used is tried again when it has changed again.
        current.stamp = stamp;
        current.looked_at = Instant::now();
        let (context, pairs) = read?;
        current.context = context;
        current.pairs = Arc::new(pairs);
        Ok(())
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
        self.follow_files();
        let ssl = Ssl::new(&self.0.current.lock().context)?;
        let mut stream = TlsStream::new(ssl, io)?;
        match Pin::new(&mut stream).accept().await {
            Ok(()) => {
                let ssl = stream.ssl();
                let cipher = ssl.current_cipher().map_or("none", |cipher| cipher.name());
                tracing::debug!(version = ssl.version_str(), cipher, "TLS handshake done");
                Ok(stream)
            }
            Err(error) => Err(error.into_io_error().unwrap_or_else(io::Error::other)),
        }
    }

    /// The certificate for clients that send a server name, PEM, without its issuers.
    ///
    /// # Errors
    /// [`TlsError::OpenSsl`].
    pub fn certificate_pem(&self) -> Result<Vec<u8>, TlsError> {
        Ok(self.pairs().modern.leaf().to_pem()?)
    }

    /// The certificates in use: the one for clients that send a server name, then, if there is
    /// another one, that for those that do not.
    ///
    /// # Errors
    /// [`TlsError::OpenSsl`].
    pub fn certificates(&self) -> Result<Vec<CertificateInfo>, TlsError> {
        self.pairs().all().map(|pair| pair.info()).collect()
    }

    /// What is wrong with the certificates as of now, for people, with the remedy.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let pairs = self.pairs();
        let mut warnings: Vec<String> = pairs.all().filter_map(|pair| pair.warning()).collect();
        let for_old = pairs.legacy.as_ref().unwrap_or(&pairs.modern);
        if self.0.policy.is_weak() && !for_old.is_rsa() {
            warnings.push(format!(
                "{}: the key is no RSA key, and Windows before Vista knows no other; give clients \
                 that send no server name an RSA pair of their own",
                for_old.origin
            ));
        }
        warnings.extend(pairs.issued_in.as_deref().and_then(authority::warning));
        warnings
    }

    /// What clients that look for one of `names` will not take, for people, with the remedy.
    #[must_use]
    pub fn name_warnings(&self, names: &[String]) -> Vec<String> {
        let pairs = self.pairs();
        let one_for_each = pairs.all().filter_map(|pair| {
            let missing = pair.missing(names).filter(|missing| !missing.is_empty())?.join(" and ");
            let remedy = match (&self.0.source, &pairs.issued_in) {
                (
                    Source::Folder { legacy: Some(given), .. }
                    | Source::Files { legacy: Some(given), .. },
                    _,
                ) if pair.is_of(given) => GIVEN.to_owned(),
                (_, Some(_)) => {
                    format!("`msnd cert renew --name {}`", missing.replace(" and ", " --name "))
                }
                (Source::Files { .. }, None) => GIVEN.to_owned(),
                (Source::Folder { .. } | Source::Memory { .. }, None) => {
                    "delete it to have a new one made at the next start, or make an authority with \
                     `msnd cert init`"
                        .into()
                }
            };
            let origin = &pair.origin;
            Some(format!(
                "{origin}: the certificate is not for {missing}, and clients that look there will \
                 not take it; {remedy}"
            ))
        });
        one_for_each.collect()
    }

    fn pairs(&self) -> Arc<Pairs> {
        self.0.current.lock().pairs.clone()
    }

    /// Reloads if the files have changed. A few metadata calls at most every [`LOOK_INTERVAL`], so
    /// not worth a thread of their own.
    fn follow_files(&self) {
        let Inner { source, current, .. } = &*self.0;
        let known = {
            let mut current = current.lock();
            if current.looked_at.elapsed() < LOOK_INTERVAL {
                return;
            }
            current.looked_at = Instant::now();
            current.stamp.clone()
        };
        if source.stamp() == known {
            return;
        }
        match self.reload() {
            Ok(()) => tracing::info!("certificate files have changed and are in use"),
            Err(error) => tracing::warn!(
                "certificate files have changed and cannot be used, those from before stay: {error}"
            ),
        }
    }
}

impl fmt::Debug for TlsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origins: Vec<_> = self.pairs().all().map(|pair| pair.origin.clone()).collect();
        f.debug_struct("TlsServer")
            .field("policy", &self.0.policy)
            .field("origins", &origins)
            .finish_non_exhaustive()
    }
}
