//! What a certificate says: whose it is, for which names, signed how, valid when. Judges nothing.

use super::{TlsError, authority::Names};
use openssl::{
    asn1::{Asn1Time, Asn1TimeRef},
    error::ErrorStack,
    hash::MessageDigest,
    nid::Nid,
    pkey::Id,
    x509::{X509, X509NameRef},
};
use std::{fmt, fs, net::IpAddr, path::Path};

const DAY_SECS: i64 = 86_400;

/// One certificate.
#[derive(Clone)]
pub struct Certificate(X509);

/// What it says, as text and numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Such as `O=msnd, CN=login.example.org`.
    pub subject: String,
    /// Who signed it, in the same form.
    pub issuer: String,
    /// Host names.
    pub hosts: Vec<String>,
    /// Addresses.
    pub addresses: Vec<IpAddr>,
    /// Signature algorithm, such as `sha256WithRSAEncryption`.
    pub signature: String,
    /// Kind and length of the key, such as `RSA 2048`.
    pub key: String,
    /// SHA-1 fingerprint as Windows shows it, in capitals with colons.
    pub sha1: String,
    /// SHA-256 fingerprint in the same form.
    pub sha256: String,
    /// First second of validity, Unix time.
    pub from_secs: i64,
    /// Last second of validity, Unix time.
    pub until_secs: i64,
}

impl Certificate {
    /// The first certificate in a PEM text.
    ///
    /// # Errors
    /// There is none.
    pub fn from_pem(pem: &[u8]) -> Result<Self, TlsError> {
        Ok(Self(X509::from_pem(pem)?))
    }

    /// A certificate in DER, the form of `.crt` files.
    ///
    /// # Errors
    /// It is none.
    pub fn from_der(der: &[u8]) -> Result<Self, TlsError> {
        Ok(Self(X509::from_der(der)?))
    }

    /// The first certificate of a PEM file.
    ///
    /// # Errors
    /// [`TlsError::Read`] and [`TlsError::NoCertificate`] name the file.
    pub fn from_file(file: &Path) -> Result<Self, TlsError> {
        let pem =
            fs::read(file).map_err(|error| TlsError::Read { file: file.to_owned(), error })?;
        Self::from_pem(&pem).map_err(|_| TlsError::NoCertificate(file.to_owned()))
    }

    pub(super) fn new(certificate: X509) -> Self {
        Self(certificate)
    }

    pub(super) fn into_x509(self) -> X509 {
        self.0
    }

    /// The bytes of a `.crt` file.
    ///
    /// # Errors
    /// [`TlsError::OpenSsl`].
    pub fn to_der(&self) -> Result<Vec<u8>, TlsError> {
        Ok(self.0.to_der()?)
    }

    /// Whether `issuer` signed it.
    #[must_use]
    pub fn is_issued_by(&self, issuer: &Self) -> bool {
        issuer.0.public_key().is_ok_and(|key| self.0.verify(&key).unwrap_or(false))
    }

    /// What it says.
    ///
    /// # Errors
    /// [`TlsError::OpenSsl`]: it cannot be read.
    pub fn facts(&self) -> Result<Facts, TlsError> {
        Ok(self.read()?)
    }

    fn read(&self) -> Result<Facts, ErrorStack> {
        let certificate = &self.0;
        let (mut hosts, mut addresses) = (Vec::new(), Vec::new());
        for name in certificate.subject_alt_names().iter().flatten() {
            hosts.extend(name.dnsname().map(str::to_owned));
            addresses.extend(name.ipaddress().and_then(address));
        }
        let signature = certificate.signature_algorithm().object().nid();
        let key = certificate.public_key()?;
        let kind = match key.id() {
            Id::RSA => "RSA",
            Id::EC => "EC",
            _ => "other",
        };
        Ok(Facts {
            subject: name_text(certificate.subject_name()),
            issuer: name_text(certificate.issuer_name()),
            hosts,
            addresses,
            signature: signature.long_name().unwrap_or("unknown").to_owned(),
            key: format!("{kind} {}", key.bits()),
            sha1: hex(&certificate.digest(MessageDigest::sha1())?),
            sha256: hex(&certificate.digest(MessageDigest::sha256())?),
            from_secs: unix_secs(certificate.not_before())?,
            until_secs: unix_secs(certificate.not_after())?,
        })
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificate").field(&name_text(self.0.subject_name())).finish()
    }
}

impl Facts {
    /// Whole days that are left at `now_secs` (Unix time); negative once it has expired.
    #[must_use]
    pub const fn days_left(&self, now_secs: i64) -> i64 {
        (self.until_secs - now_secs).div_euclid(DAY_SECS)
    }

    /// Host names and addresses together.
    #[must_use]
    pub fn names(&self) -> Names {
        Names { hosts: self.hosts.clone(), addresses: self.addresses.clone() }
    }

    /// Whether a client that looks for `host` takes this certificate.
    #[must_use]
    pub fn is_for(&self, host: &str) -> bool {
        if let Ok(address) = host.parse::<IpAddr>() {
            return self.addresses.contains(&address);
        }
        self.hosts.iter().any(|name| match name.strip_prefix("*.") {
            Some(parent) => {
                host.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent))
            }
            None => name.eq_ignore_ascii_case(host),
        })
    }

    /// Whether it is signed with SHA-1, which only old clients still take and which is all that
    /// Windows 98 to XP SP2 can verify.
    #[must_use]
    pub fn is_sha1(&self) -> bool {
        self.signature.to_ascii_lowercase().contains("sha1")
    }
}

fn name_text(name: &X509NameRef) -> String {
    let part = |kind: Nid| kind.short_name().unwrap_or("?");
    let parts: Vec<String> = name
        .entries()
        .map(|entry| {
            let text = entry.data().to_string().unwrap_or_else(|_| "?".into());
            format!("{}={text}", part(entry.object().nid()))
        })
        .collect();
    parts.join(", ")
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(octets) {
        return Some(octets.into());
    }
    <[u8; 16]>::try_from(octets).ok().map(IpAddr::from)
}

fn unix_secs(time: &Asn1TimeRef) -> Result<i64, ErrorStack> {
    let since = Asn1Time::from_unix(0)?.diff(time)?;
    Ok(i64::from(since.days) * DAY_SECS + i64::from(since.secs))
}

fn hex(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(hosts: &[&str], signature: &str) -> Facts {
        Facts {
            subject: String::new(),
            issuer: String::new(),
            hosts: hosts.iter().map(ToString::to_string).collect(),
            addresses: vec!["192.0.2.7".parse().unwrap()],
            signature: signature.into(),
            key: "RSA 2048".into(),
            sha1: String::new(),
            sha256: String::new(),
            from_secs: 0,
            until_secs: 10 * DAY_SECS,
        }
    }

    #[test]
    fn a_name_matches_as_clients_match_it() {
        let facts = facts(&["Nexus.example.test", "*.chat.example.test"], "sha1WithRSA");
        for (host, is_for) in [
            ("nexus.example.test", true),
            ("a.chat.example.test", true),
            ("a.b.chat.example.test", false),
            ("chat.example.test", false),
            ("example.test", false),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
        ] {
            assert_eq!(facts.is_for(host), is_for, "{host}");
        }
        assert!(facts.is_sha1());
    }

    #[test]
    fn days_left_turn_negative_with_the_first_second_too_late() {
        let facts = facts(&[], "sha256WithRSAEncryption");
        assert_eq!(facts.days_left(0), 10);
        assert_eq!(facts.days_left(10 * DAY_SECS), 0);
        assert_eq!(facts.days_left(10 * DAY_SECS + 1), -1);
        assert!(!facts.is_sha1());
    }
}
