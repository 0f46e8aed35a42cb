//! How old a client may be: the lowest version, the ciphers, in order of preference. Knows no
//! certificate.

use openssl::ssl::SslVersion;

/// Forward secrecy, authenticated encryption first. All that is offered with TLS 1.2 as the floor.
const STRONG: &str = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!AESCCM:!aNULL:!eNULL";
/// The same, then what clients without elliptic curves have, and last what those without AES have.
/// Level 0: any higher one refuses everything below TLS 1.2, and certificates signed with SHA-1.
const WEAK: &str = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:kRSA+AESGCM:kRSA+AES:DES-CBC3-SHA:\
                    !AESCCM:!aNULL:!eNULL:!PSK:!SRP:@SECLEVEL=0";
/// And RC4 behind everything else.
const WEAKEST: &str = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:kRSA+AESGCM:kRSA+AES:DES-CBC3-SHA:\
                       RC4-SHA:RC4-MD5:!AESCCM:!aNULL:!eNULL:!PSK:!SRP:@SECLEVEL=0";

/// The lowest version that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Floor {
    /// SSL 3.0, with 3DES: Internet Explorer 6 as it was installed.
    Ssl3,
    /// TLS 1.0, with 3DES: Windows XP.
    Tls10,
    /// TLS 1.2 with forward secrecy only.
    #[default]
    Tls12,
}

/// What a listener speaks. The default is strong; anything else is for the login listener alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    /// The lowest version.
    pub floor: Floor,
    /// Whether RC4 is offered, last of all. Without effect where the floor is TLS 1.2.
    pub rc4: bool,
}

impl Policy {
    /// Whether clients are served that only know versions before TLS 1.2.
    #[must_use]
    pub fn is_weak(self) -> bool {
        self.floor < Floor::Tls12
    }

    pub(super) fn has_rc4(self) -> bool {
        self.rc4 && self.is_weak()
    }

    pub(super) fn lowest(self) -> SslVersion {
        match self.floor {
            Floor::Ssl3 => SslVersion::SSL3,
            Floor::Tls10 => SslVersion::TLS1,
            Floor::Tls12 => SslVersion::TLS1_2,
        }
    }

    /// OpenSSL's list for versions before TLS 1.3, best first.
    pub(super) fn ciphers(self) -> &'static str {
        match (self.is_weak(), self.has_rc4()) {
            (false, _) => STRONG,
            (true, false) => WEAK,
            (true, true) => WEAKEST,
        }
    }

    /// Version and cipher of the handshakes that must succeed before a client is let in.
    pub(super) fn promises(self) -> Vec<(SslVersion, &'static str)> {
        let mut promises = Vec::new();
        if self.is_weak() {
            promises.push((SslVersion::TLS1, "DES-CBC3-SHA"));
        }
        if self.floor == Floor::Ssl3 {
            promises.push((SslVersion::SSL3, "DES-CBC3-SHA"));
        }
        if self.has_rc4() {
            promises.push((SslVersion::TLS1, "RC4-SHA"));
        }
        promises
    }
}
