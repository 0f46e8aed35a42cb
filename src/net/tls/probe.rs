//! A client that looks at a server from outside, as an old or as a modern Windows would. It checks
//! no certificate: what came is handed back to be judged. Never used to send anything secret to a
//! server that is not the operator's own.

use super::{TlsStream, inspect::Certificate};
use openssl::{
    error::ErrorStack,
    ssl::{Ssl, SslContext, SslMethod, SslVerifyMode, SslVersion},
};
use std::{io, pin::Pin};
use tokio::io::{AsyncRead, AsyncWrite};

/// The one cipher suite that Windows XP as installed and we have in common.
const OLD_CIPHERS: &str = "DES-CBC3-SHA:@SECLEVEL=0";

/// As whom we say hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hello<'a> {
    /// Windows XP: TLS 1.0, 3DES, no server name.
    Old,
    /// Windows 7 and later: TLS 1.2, with this server name.
    Modern(&'a str),
}

/// What the server answered with.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Such as `TLSv1.2`.
    pub version: &'static str,
    /// OpenSSL's name of the cipher suite.
    pub cipher: String,
    /// The server's own certificate.
    pub certificate: Certificate,
}

/// Why nothing was seen.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// Our own OpenSSL lacks what this hello needs.
    #[error("this msnd was built without the ciphers of old Windows")]
    Unable,
    /// The handshake failed.
    #[error("{0}")]
    Refused(#[from] io::Error),
}

/// Takes a connection through the handshake. Sets no deadline.
///
/// # Errors
/// [`ProbeError::Unable`] before anything is sent, else what the server or the network did.
pub async fn hello<T>(io: T, hello: Hello<'_>) -> Result<(TlsStream<T>, Seen), ProbeError>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let ssl = client(hello).map_err(|_| ProbeError::Unable)?;
    let mut stream = TlsStream::new(ssl, io).map_err(io::Error::from)?;
    if let Err(error) = Pin::new(&mut stream).connect().await {
        return Err(ProbeError::Refused(error.into_io_error().unwrap_or_else(io::Error::other)));
    }
    let ssl = stream.ssl();
    let certificate = ssl.peer_certificate();
    let certificate = certificate.ok_or_else(|| io::Error::other("no certificate was shown"))?;
    let seen = Seen {
        version: ssl.version_str(),
        cipher: ssl.current_cipher().map_or("none", |cipher| cipher.name()).to_owned(),
        certificate: Certificate::new(certificate),
    };
    Ok((stream, seen))
}

fn client(hello: Hello<'_>) -> Result<Ssl, ErrorStack> {
    let mut context = SslContext::builder(SslMethod::tls_client())?;
    context.set_verify(SslVerifyMode::NONE);
    let version = match hello {
        Hello::Old => {
            context.set_cipher_list(OLD_CIPHERS)?;
            SslVersion::TLS1
        }
        Hello::Modern(_) => SslVersion::TLS1_2,
    };
    context.set_min_proto_version(Some(version))?;
    context.set_max_proto_version(Some(version))?;
    let mut ssl = Ssl::new(&context.build())?;
    if let Hello::Modern(name) = hello {
        ssl.set_hostname(name)?;
    }
    Ok(ssl)
}
