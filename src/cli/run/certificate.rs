//! From options to the login listener's TLS, and what these options risk, in plain words.

use super::{Failure, PASSPORT_NAMES};
use crate::{
    config::{self, Bind, Config, TlsFloor},
    net::tls::{
        CA_NAME, CERTIFICATE_FILE, CERTIFICATES_FOLDER, Floor, LEGACY_CERTIFICATE_FILE, PairFiles,
        Policy, Source, TlsServer,
    },
};
use std::path::{Path, PathBuf};

/// The configured certificates, or those of the data folder, where self-signed ones are made at the
/// first start.
pub(in crate::cli) fn open(config: &Config) -> Result<TlsServer, Failure> {
    let config::Passport {
        certificate_file,
        key_file,
        legacy_certificate_file,
        legacy_key_file,
        ..
    } = &config.passport;
    let legacy = pair(legacy_certificate_file, legacy_key_file);
    let source = match pair(certificate_file, key_file) {
        Some(modern) => Source::Files { modern, legacy },
        None => {
            let folder = config.data.dir.clone();
            Source::Folder { folder, names: names(config), legacy }
        }
    };
    let tls = TlsServer::open(source, policy(config));
    Ok(tls.map_err(anyhow::Error::new)?)
}

/// How old a client may be.
pub(super) fn policy(config: &Config) -> Policy {
    let floor = match config.passport.tls_floor {
        TlsFloor::Ssl3 => Floor::Ssl3,
        TlsFloor::Tls10 => Floor::Tls10,
        TlsFloor::Tls12 => Floor::Tls12,
    };
    Policy { floor, rc4: config.passport.rc4 }
}

/// The names that a certificate must have for clients to find the login service under them.
pub(super) fn names(config: &Config) -> Vec<String> {
    let own = Some(&config.passport.login_host).filter(|name| !name.is_empty());
    own.cloned().into_iter().chain(PASSPORT_NAMES.map(String::from)).collect()
}

/// The names under which clients look for the services, so that a certificate without one of them
/// is worth a warning.
pub(super) fn needed(config: &Config) -> Vec<String> {
    let own = Some(&config.passport.login_host).filter(|name| !name.is_empty());
    own.cloned().into_iter().chain(PASSPORT_NAMES.first().map(ToString::to_string)).collect()
}

/// What clients' machines must trust where the certificates are of our own making.
pub(super) fn to_trust(config: &Config) -> Option<String> {
    let is_given = !config.passport.certificate_file.as_os_str().is_empty();
    if config.passport.https_bind == Bind::Off || is_given {
        return None;
    }
    let folder = &config.data.dir;
    if has_authority(config) {
        let text = "(`msnd client-setup` writes what users of Windows need for that)";
        return Some(format!("{} {text}", authority_file(config).display()));
    }
    let modern = folder.join(CERTIFICATE_FILE);
    let legacy = folder.join(LEGACY_CERTIFICATE_FILE);
    if !policy(config).is_weak() || !legacy.exists() {
        return Some(modern.display().to_string());
    }
    Some(format!("{} (Windows XP and older: {})", modern.display(), legacy.display()))
}

/// Whether `msnd cert init` has made an authority for users to install.
pub(super) fn has_authority(config: &Config) -> bool {
    authority_file(config).exists()
}

fn authority_file(config: &Config) -> PathBuf {
    PairFiles::named(&config.data.dir.join(CERTIFICATES_FOLDER), CA_NAME).certificate
}

/// What each setting costs, one line each.
pub(super) fn risks(config: &Config) -> Vec<&'static str> {
    let mut risks = Vec::new();
    match config.passport.tls_floor {
        TlsFloor::Tls12 => {}
        TlsFloor::Tls10 => risks.push(
            "passport.tls_floor is tls1.0 for clients on old Windows: who records what those send \
             and later gets hold of the certificate's key reads their passwords; newer clients \
             lose nothing, and tls1.2 locks the old ones out",
        ),
        TlsFloor::Ssl3 => risks.push(
            "passport.tls_floor is ssl3: who sits between an SSL 3 client and this server can find \
             out what it sends, passwords too (POODLE), and later read what TLS 1.0 clients sent \
             with the certificate's key; use it only in a network you trust",
        ),
    }
    if config.passport.rc4 {
        risks.push(
            "passport.rc4 is on: who watches very many sign-ins over RC4 can work out the password; \
             clients that know 3DES or anything better do not use it",
        );
    }
    risks
}

fn pair(certificate: &Path, key: &Path) -> Option<PairFiles> {
    let is_given = !certificate.as_os_str().is_empty();
    is_given.then(|| PairFiles { certificate: certificate.into(), key: key.into() })
}
