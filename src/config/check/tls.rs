//! Certificates come in pairs, and not every build speaks what old clients do.

use super::Complaints;
use crate::config::{Passport, TlsFloor};
use std::path::Path;

/// `is_capable`: whether this build's OpenSSL has what is needed below TLS 1.2.
pub(super) fn check(passport: &Passport, is_capable: bool, found: &mut Complaints) {
    pair(
        ("passport.certificate_file", &passport.certificate_file),
        ("passport.key_file", &passport.key_file),
        found,
    );
    pair(
        ("passport.legacy_certificate_file", &passport.legacy_certificate_file),
        ("passport.legacy_key_file", &passport.legacy_key_file),
        found,
    );
    let (floor, name) = match passport.tls_floor {
        TlsFloor::Tls12 => (TlsFloor::Tls12, "tls1.2"),
        TlsFloor::Tls10 => (TlsFloor::Tls10, "tls1.0"),
        TlsFloor::Ssl3 => (TlsFloor::Ssl3, "ssl3"),
    };
    if floor != TlsFloor::Tls12 && !is_capable {
        let remedy = "this msnd is built without the feature legacy-tls, so that its OpenSSL lacks \
                      the ciphers of old Windows; write tls1.2, or use a build that has it";
        found.add("passport.tls_floor", name, remedy);
    }
    if passport.rc4 && floor == TlsFloor::Tls12 {
        let remedy = "clients that need RC4 know no TLS 1.2; set passport.tls_floor to tls1.0 or \
                      ssl3, or write false";
        found.add("passport.rc4", true, remedy);
    } else if passport.rc4 && !is_capable {
        let remedy =
            "this msnd is built without the feature legacy-tls and has no RC4; write false";
        found.add("passport.rc4", true, remedy);
    }
}

fn pair(certificate: (&'static str, &Path), key: (&'static str, &Path), found: &mut Complaints) {
    let is_empty = |path: &Path| path.as_os_str().is_empty();
    match (is_empty(certificate.1), is_empty(key.1)) {
        (false, true) => found.add(
            key.0,
            "",
            "a certificate needs its key; name the key's PEM file too, or leave both empty",
        ),
        (true, false) => found.add(
            certificate.0,
            "",
            "a key needs its certificate; name the certificate's PEM file too, or leave both empty",
        ),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(floor: TlsFloor, rc4: bool, is_capable: bool) -> Vec<&'static str> {
        let passport = Passport { tls_floor: floor, rc4, ..Passport::default() };
        let mut found = Complaints(Vec::new());
        check(&passport, is_capable, &mut found);
        found.0.iter().map(|complaint| complaint.key).collect()
    }

    #[test]
    fn a_build_without_old_ciphers_is_asked_for_none() {
        assert_eq!(complaints(TlsFloor::Tls12, false, false), [""; 0]);
        assert_eq!(complaints(TlsFloor::Tls10, false, false), ["passport.tls_floor"]);
        assert_eq!(complaints(TlsFloor::Ssl3, true, false), ["passport.tls_floor", "passport.rc4"]);
        assert_eq!(complaints(TlsFloor::Ssl3, true, true), [""; 0]);
    }

    #[test]
    fn rc4_is_nothing_for_new_clients() {
        assert_eq!(complaints(TlsFloor::Tls12, true, true), ["passport.rc4"]);
    }

    #[test]
    fn certificates_come_with_their_keys() {
        for (certificate, key, complaint) in [
            ("a.pem", "", "passport.legacy_key_file"),
            ("", "a.key", "passport.legacy_certificate_file"),
        ] {
            let passport = Passport {
                legacy_certificate_file: certificate.into(),
                legacy_key_file: key.into(),
                ..Passport::default()
            };
            let mut found = Complaints(Vec::new());
            check(&passport, true, &mut found);
            assert_eq!(found.0.iter().map(|found| found.key).collect::<Vec<_>>(), [complaint]);
        }
    }
}
