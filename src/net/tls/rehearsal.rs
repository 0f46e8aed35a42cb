//! A handshake with ourselves, in memory, before any client comes: whether a context really speaks
//! what it was set up for is decided by how OpenSSL was built and by the system's own settings, and
//! no call tells. Sends nothing anywhere.

use super::TlsError;
use openssl::{
    error::ErrorStack,
    ssl::{
        ErrorCode, Ssl, SslContext, SslContextRef, SslMethod, SslStream, SslVerifyMode, SslVersion,
    },
};
use std::{
    cell::RefCell,
    collections::VecDeque,
    io::{self, Read, Write},
    rc::Rc,
};

/// A handshake takes three turns; more are no handshake.
const TURNS_MAX: usize = 8;

/// Whether a client that knows nothing but `version` and `cipher` gets through to `server`.
pub(super) fn speaks(
    server: &SslContextRef,
    version: SslVersion,
    cipher: &str,
) -> Result<(), TlsError> {
    let incapable =
        |reason: String| TlsError::Incapable { what: describe(version, cipher), reason };
    let client = client(version, cipher).map_err(|error| incapable(error.to_string()))?;
    let wire = Rc::new(RefCell::new(Wire::default()));
    let mut client = SslStream::new(Ssl::new(&client)?, End { wire: wire.clone(), side: 0 })?;
    let mut server = SslStream::new(Ssl::new(server)?, End { wire, side: 1 })?;
    for _ in 0..TURNS_MAX {
        let connected = client.connect();
        let accepted = server.accept();
        if connected.is_ok() && accepted.is_ok() {
            return Ok(());
        }
        for outcome in [accepted, connected] {
            if let Err(error) = outcome
                && error.code() != ErrorCode::WANT_READ
            {
                return Err(incapable(error.to_string()));
            }
        }
    }
    Err(incapable("the handshake does not end".into()))
}

/// Whether OpenSSL has `cipher` at all.
pub(super) fn knows(version: SslVersion, cipher: &str) -> Result<(), TlsError> {
    client(version, cipher).map(drop).map_err(|error| TlsError::Incapable {
        what: describe(version, cipher),
        reason: error.to_string(),
    })
}

fn client(version: SslVersion, cipher: &str) -> Result<SslContext, ErrorStack> {
    let mut client = SslContext::builder(SslMethod::tls_client())?;
    client.set_verify(SslVerifyMode::NONE);
    client.set_cipher_list(&format!("{cipher}:@SECLEVEL=0"))?;
    client.set_min_proto_version(Some(version))?;
    client.set_max_proto_version(Some(version))?;
    Ok(client.build())
}

fn describe(version: SslVersion, cipher: &str) -> String {
    let version = if version == SslVersion::SSL3 { "SSL 3.0" } else { "TLS 1.0" };
    format!("{version} with {cipher}")
}

/// What is under way to each side.
#[derive(Default)]
struct Wire([VecDeque<u8>; 2]);

struct End {
    wire: Rc<RefCell<Wire>>,
    side: usize,
}

impl Read for End {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.wire.borrow_mut().0[self.side].read(buffer)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }
}

impl Write for End {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.wire.borrow_mut().0[1 - self.side].extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
