//! Certificates themselves: what an authority's and a leaf's say, so that Windows 98 to 11 and
//! OpenSSL can all read them. Writes no file.

use super::{super::pair::now_secs, AuthorityError, Names};
use openssl::{
    asn1::{Asn1Object, Asn1OctetString, Asn1Time, Asn1Type},
    bn::{BigNum, MsbOption},
    error::ErrorStack,
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, Private},
    rsa::Rsa,
    stack::Stack,
    x509::{
        X509, X509Builder, X509Extension, X509Name, X509NameBuilder, X509StoreContext,
        extension::{
            AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage,
            SubjectAlternativeName, SubjectKeyIdentifier,
        },
        store::X509StoreBuilder,
    },
};
use std::net::IpAddr;

/// The last second of an authority: the end of 2037, before old clocks run over.
pub(super) const CA_UNTIL_SECS: i64 = 2_145_916_799;
/// Life of a leaf, days.
pub(super) const LEAF_DAYS: i64 = 730;
/// An authority that ends sooner issues nothing more, days.
const REST_DAYS_MIN: i64 = 30;
const DAY_SECS: i64 = 86_400;
/// RSA, since SChannel before Vista knows no elliptic curves.
const KEY_BITS: u32 = 2048;
/// Organisation in every subject. The authority is bound to it: Windows XP refuses a leaf whose
/// subject has a part of which the constraints say nothing.
const ORGANISATION: &str = "msnd";
/// X.509 has no room for more in a common name.
const COMMON_NAME_BYTES_MAX: usize = 64;

/// Tags of DER, as far as name constraints need them.
const SEQUENCE: u8 = 0x30;
const PERMITTED: u8 = 0xa0;
const EXCLUDED: u8 = 0xa1;
const DNS_NAME: u8 = 0x82;
const DIRECTORY_NAME: u8 = 0xa4;
const IP_ADDRESS: u8 = 0x87;

/// With which digest a leaf is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Digest {
    Sha1,
    Sha256,
}

/// An authority with its key.
pub(super) struct Issuer {
    pub(super) certificate: X509,
    pub(super) key: PKey<Private>,
}

impl Issuer {
    /// A new authority that may vouch for hosts in `domains` and for `addresses`.
    pub(super) fn new(domains: Vec<String>, addresses: &[IpAddr]) -> Result<Self, AuthorityError> {
        let from = now_secs() - DAY_SECS;
        rest_days(CA_UNTIL_SECS)?;
        let key = PKey::from_rsa(Rsa::generate(KEY_BITS)?)?;
        let mut mark = [0; 4];
        openssl::rand::rand_bytes(&mut mark)?;
        let mark: String = mark.iter().map(|byte| format!("{byte:02x}")).collect();
        // A name of its own, or a computer that knows two of them takes one for the other.
        let subject = name(&format!("msnd private CA {mark}"))?;
        let mut builder = builder(&subject, &subject, &key, from, CA_UNTIL_SECS)?;
        for extension in [
            BasicConstraints::new().critical().ca().pathlen(0).build()?,
            KeyUsage::new().critical().key_cert_sign().crl_sign().build()?,
            // Windows would else believe it about programs and mail too.
            ExtendedKeyUsage::new().server_auth().build()?,
            name_constraints(domains, addresses)?,
        ] {
            builder.append_extension(extension)?;
        }
        let id = SubjectKeyIdentifier::new().build(&builder.x509v3_context(None, None))?;
        builder.append_extension(id)?;
        // SHA-1: old Windows looks at this signature too, and nobody's trust hangs on it.
        builder.sign(&key, MessageDigest::sha1())?;
        Ok(Self { certificate: builder.build(), key })
    }

    /// An authority made before, if the key is its own.
    pub(super) fn existing(certificate: X509, key: PKey<Private>) -> Option<Self> {
        let own = certificate.public_key().is_ok_and(|public| public.public_eq(&key));
        own.then_some(Self { certificate, key })
    }

    /// A certificate for `names` with a key of its own, from yesterday on.
    pub(super) fn leaf(
        &self,
        names: &Names,
        digest: Digest,
    ) -> Result<(X509, PKey<Private>), AuthorityError> {
        let ca_until = Asn1Time::from_unix(0)?.diff(self.certificate.not_after())?;
        let ca_until = i64::from(ca_until.days) * DAY_SECS + i64::from(ca_until.secs);
        rest_days(ca_until)?;
        let from = now_secs() - DAY_SECS;
        let until = (from + LEAF_DAYS * DAY_SECS).min(ca_until);
        let key = PKey::from_rsa(Rsa::generate(KEY_BITS)?)?;
        let short = |host: &&String| {
            (1..=COMMON_NAME_BYTES_MAX).contains(&host.len()) && !host.contains('_')
        };
        let common_name = names.hosts.iter().find(short).map_or(ORGANISATION, String::as_str);
        let subject = name(common_name)?;
        let issuer = self.certificate.subject_name();
        let mut builder = builder(&subject, issuer, &key, from, until)?;
        let mut alternatives = SubjectAlternativeName::new();
        for host in &names.hosts {
            if !is_host_name(host) {
                return Err(AuthorityError::Name(host.clone()));
            }
            alternatives.dns(host);
        }
        for address in &names.addresses {
            alternatives.ip(&address.to_string());
        }
        for extension in [
            BasicConstraints::new().critical().build()?,
            KeyUsage::new().critical().digital_signature().key_encipherment().build()?,
            ExtendedKeyUsage::new().server_auth().build()?,
        ] {
            builder.append_extension(extension)?;
        }
        let context = builder.x509v3_context(Some(&self.certificate), None);
        let extensions = [
            alternatives.build(&context)?,
            SubjectKeyIdentifier::new().build(&context)?,
            AuthorityKeyIdentifier::new().keyid(true).build(&context)?,
        ];
        for extension in extensions {
            builder.append_extension(extension)?;
        }
        builder.sign(
            &self.key,
            match digest {
                Digest::Sha1 => MessageDigest::sha1(),
                Digest::Sha256 => MessageDigest::sha256(),
            },
        )?;
        Ok((builder.build(), key))
    }

    /// Whether a computer that trusts this authority believes the leaf.
    pub(super) fn vouches_for(&self, leaf: &X509) -> Result<bool, ErrorStack> {
        let mut store = X509StoreBuilder::new()?;
        store.add_cert(self.certificate.clone())?;
        let (store, chain) = (store.build(), Stack::new()?);
        X509StoreContext::new()?.init(&store, leaf, &chain, |context| context.verify_cert())
    }
}

/// Days until `until`, if they are enough to issue something.
fn rest_days(until: i64) -> Result<i64, AuthorityError> {
    let days = (until - now_secs()) / DAY_SECS;
    if days < REST_DAYS_MIN { Err(AuthorityError::Ending(REST_DAYS_MIN)) } else { Ok(days) }
}

fn builder(
    subject: &X509Name,
    issuer: &openssl::x509::X509NameRef,
    key: &PKey<Private>,
    from: i64,
    until: i64,
) -> Result<X509Builder, ErrorStack> {
    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::MAYBE_ZERO, false)?;
    let serial = serial.to_asn1_integer()?;
    let (from, until) = (Asn1Time::from_unix(from)?, Asn1Time::from_unix(until)?);
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_serial_number(&serial)?;
    builder.set_subject_name(subject)?;
    builder.set_issuer_name(issuer)?;
    builder.set_pubkey(key)?;
    builder.set_not_before(&from)?;
    builder.set_not_after(&until)?;
    Ok(builder)
}

/// Organisation and common name in the one kind of string that Windows 98 surely reads.
fn name(common_name: &str) -> Result<X509Name, ErrorStack> {
    let mut builder = X509NameBuilder::new()?;
    for (part, text) in [(Nid::ORGANIZATIONNAME, ORGANISATION), (Nid::COMMONNAME, common_name)] {
        builder.append_entry_by_nid_with_type(part, text, Asn1Type::PRINTABLESTRING)?;
    }
    Ok(builder.build())
}

/// What the authority may vouch for. Not critical: Windows 98 and 2000 know no name constraints
/// and refuse what is critical and unknown to them; all others heed them in either case.
fn name_constraints(
    domains: Vec<String>,
    addresses: &[IpAddr],
) -> Result<X509Extension, AuthorityError> {
    let mut organisation = X509NameBuilder::new()?;
    organisation.append_entry_by_nid_with_type(
        Nid::ORGANIZATIONNAME,
        ORGANISATION,
        Asn1Type::PRINTABLESTRING,
    )?;
    let mut permitted = subtree(DIRECTORY_NAME, &organisation.build().to_der()?);
    for domain in domains {
        if !is_host_name(&domain) {
            return Err(AuthorityError::Name(domain));
        }
        permitted.extend(subtree(DNS_NAME, domain.to_ascii_lowercase().as_bytes()));
    }
    for address in addresses {
        // An address and a mask that leaves nothing open.
        let octets = match address {
            IpAddr::V4(address) => [address.octets(), [255; 4]].concat(),
            IpAddr::V6(address) => [address.octets(), [255; 16]].concat(),
        };
        permitted.extend(subtree(IP_ADDRESS, &octets));
    }
    let mut content = der(PERMITTED, &permitted);
    if addresses.is_empty() {
        // Where nothing is said about addresses, all of them would be permitted.
        let none = [subtree(IP_ADDRESS, &[0; 8]), subtree(IP_ADDRESS, &[0; 32])].concat();
        content.extend(der(EXCLUDED, &none));
    }
    let content = Asn1OctetString::new_from_bytes(&der(SEQUENCE, &content))?;
    let kind = Asn1Object::from_str("2.5.29.30")?;
    Ok(X509Extension::new_from_der(&kind, false, &content)?)
}

fn subtree(tag: u8, base: &[u8]) -> Vec<u8> {
    der(SEQUENCE, &der(tag, base))
}

/// Tag, length, content.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant = length.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<_>>();
    let mut bytes = vec![tag];
    match significant.as_slice() {
        [] => bytes.push(0),
        [short] if *short < 0x80 => bytes.push(*short),
        long => {
            // At most eight bytes of length.
            bytes.push(0x80 | long.len() as u8);
            bytes.extend_from_slice(long);
        }
    }
    bytes.extend_from_slice(content);
    bytes
}

/// Whether `text` can stand in a certificate as a host name.
fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        (1..=63).contains(&label.len()) && label.bytes().all(legal)
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_as_der_wants_them() {
        assert_eq!(der(4, &[]), [4, 0]);
        assert_eq!(der(4, &[7; 127])[..2], [4, 127]);
        assert_eq!(der(4, &[7; 128])[..3], [4, 0x81, 128]);
        assert_eq!(der(4, &[7; 300])[..4], [4, 0x82, 1, 44]);
    }

    #[test]
    fn only_host_names_stand_in_certificates() {
        for (text, good) in [
            ("chat.example.org", true),
            ("a_b.example.org", true),
            ("*.example.org", false),
            ("chat..org", false),
            ("chat.example.org:443", false),
            ("", false),
        ] {
            assert_eq!(is_host_name(text), good, "{text}");
        }
        assert!(!is_host_name(&"x".repeat(64)));
    }
}
