//! Certificates we make ourselves and sign with their own key.

use super::pair::{Pair, now_secs};
use openssl::{
    asn1::Asn1Time,
    bn::{BigNum, MsbOption},
    ec::{EcGroup, EcKey},
    error::ErrorStack,
    hash::MessageDigest,
    nid::Nid,
    pkey::PKey,
    rsa::Rsa,
    x509::{
        X509, X509NameBuilder,
        extension::{
            BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
            SubjectKeyIdentifier,
        },
    },
};
use std::net::IpAddr;

/// Life of a self-signed certificate, days.
const VALID_DAYS: i64 = 730;
const DAY_SECS: i64 = 86_400;
/// X.509 has no room for more in a common name.
const COMMON_NAME_BYTES_MAX: usize = 64;

/// Kind of key and signature of a self-signed certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA 2048 and SHA-256: for Windows XP SP3 and later.
    Rsa2048,
    /// RSA 2048 and SHA-1: what every client of the time can do, and today's no longer like.
    Rsa2048Sha1,
    /// P-256 and SHA-256. Made in no time; for tests and CI mode.
    P256,
}

/// For `names` (host names and addresses, the first one also as common name), valid from yesterday
/// for two years. `origin` is what people are told of where it is.
pub(super) fn make(names: &[String], kind: KeyKind, origin: String) -> Result<Pair, ErrorStack> {
    let key = match kind {
        KeyKind::Rsa2048 | KeyKind::Rsa2048Sha1 => PKey::from_rsa(Rsa::generate(2048)?)?,
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
    if kind != KeyKind::P256 {
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
    let digest = match kind {
        KeyKind::Rsa2048Sha1 => MessageDigest::sha1(),
        KeyKind::Rsa2048 | KeyKind::P256 => MessageDigest::sha256(),
    };
    certificate.sign(&key, digest)?;
    Ok(Pair::new(certificate.build(), key, origin))
}
