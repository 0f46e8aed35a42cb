//! A client's side, for looking at ourselves. Strong TLS only.

use super::TlsStream;
use openssl::{
    ssl::{SslConnector, SslMethod},
    x509::X509,
};
use std::{io, pin::Pin};
use tokio::io::{AsyncRead, AsyncWrite};

/// Trusts the certificate `trusted_pem` alone and checks that it is good for `name`. Sets no
/// deadline.
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
