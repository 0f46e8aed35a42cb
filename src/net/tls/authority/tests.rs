//! Sets of certificates as they lie on the disk, and as OpenSSL reads them.

use super::{super::inspect::Facts, issue::*, *};
use openssl::x509::{X509, verify::X509CheckFlags};
use std::net::Ipv4Addr;

const CA_FILE: &str = "ca.pem";
const CA_KEY_FILE: &str = "ca.key";
const LEGACY_FILE: &str = "legacy.pem";
const LEGACY_KEY_FILE: &str = "legacy.key";
const MODERN_FILE: &str = "modern.pem";
const MODERN_KEY_FILE: &str = "modern.key";
const SET_FILES: [&str; 6] =
    [CA_FILE, CA_KEY_FILE, LEGACY_FILE, LEGACY_KEY_FILE, MODERN_FILE, MODERN_KEY_FILE];

const HOST: &str = "login.example.test";
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

fn names() -> Names {
    Names {
        hosts: vec!["login.example.test".into(), "nexus.passport.com".into()],
        addresses: vec![ADDRESS],
    }
}

/// A data folder with a set in it.
fn made() -> TempDir {
    let data = tempfile::tempdir().unwrap();
    init(data.path(), &names(), &["example.net".into()], &CaKey::InFolder, false).unwrap();
    data
}

fn x509(data: &TempDir, file: &str) -> X509 {
    X509::from_pem(&bytes(data, file)).unwrap()
}

fn facts(data: &TempDir, file: &str) -> Facts {
    Certificate::from_pem(&bytes(data, file)).unwrap().facts().unwrap()
}

fn bytes(data: &TempDir, file: &str) -> Vec<u8> {
    fs::read(data.path().join(CERTIFICATES_FOLDER).join(file)).unwrap()
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn issuer(data: &TempDir) -> Issuer {
    let key = PKey::private_key_from_pem(&bytes(data, CA_KEY_FILE)).unwrap();
    Issuer::existing(x509(data, CA_FILE), key).unwrap()
}

fn of(host: &str) -> Names {
    Names { hosts: vec![host.into()], addresses: Vec::new() }
}

#[test]
fn a_set_is_whole_and_its_keys_are_private() {
    let data = made();
    assert_eq!(files(data.path()), [CERTIFICATES_FOLDER]);
    let folder = data.path().join(CERTIFICATES_FOLDER);
    let mut expected = SET_FILES.map(String::from);
    expected.sort();
    assert_eq!(files(&folder), expected);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        for file in [CA_KEY_FILE, LEGACY_KEY_FILE, MODERN_KEY_FILE] {
            assert_eq!(mode(&folder.join(file)), 0o600, "{file}");
        }
    }
    for (certificate, key) in
        [(CA_FILE, CA_KEY_FILE), (LEGACY_FILE, LEGACY_KEY_FILE), (MODERN_FILE, MODERN_KEY_FILE)]
    {
        let key = PKey::private_key_from_pem(&bytes(&data, key)).unwrap();
        assert!(x509(&data, certificate).public_key().unwrap().public_eq(&key), "{certificate}");
    }
}

#[test]
fn certificates_say_what_old_and_new_clients_look_for() {
    let data = made();
    let ca = facts(&data, CA_FILE);
    assert_eq!((&*ca.key, ca.until_secs), ("RSA 2048", CA_UNTIL_SECS));
    assert!(ca.until_secs - ca.from_secs > 10 * 365 * 86_400 && ca.until_secs < i32::MAX.into());
    assert_eq!(ca.subject, ca.issuer);
    assert!(ca.is_sha1() && ca.subject.starts_with("O=msnd, CN=msnd private CA "), "{ca:?}");
    for (file, sha1) in [(LEGACY_FILE, true), (MODERN_FILE, false)] {
        let leaf = facts(&data, file);
        assert_eq!(leaf.subject, "O=msnd, CN=login.example.test");
        assert_eq!((leaf.issuer.as_str(), leaf.key.as_str()), (ca.subject.as_str(), "RSA 2048"));
        assert_eq!(leaf.names(), names());
        assert_eq!(leaf.until_secs - leaf.from_secs, LEAF_DAYS * 86_400);
        let expected = if sha1 { "sha1WithRSAEncryption" } else { "sha256WithRSAEncryption" };
        assert_eq!(leaf.signature, expected);
        let certificate = x509(&data, file);
        assert!(issuer(&data).vouches_for(&certificate).unwrap(), "{file}");
        // Addresses that an old Internet Explorer would hang on.
        assert!(certificate.crl_distribution_points().is_none());
        assert!(certificate.authority_info().is_none());
        assert!(certificate.authority_key_id().is_some());
    }
    assert_ne!(bytes(&data, LEGACY_KEY_FILE), bytes(&data, MODERN_KEY_FILE));
}

#[test]
fn the_authority_may_vouch_for_its_names_and_nothing_else() {
    let data = made();
    let issuer = issuer(&data);
    let text = String::from_utf8(issuer.certificate.to_text().unwrap()).unwrap();
    let (_, rest) =
        text.split_once("X509v3 Name Constraints: \n").unwrap_or_else(|| panic!("{text}"));
    let rest = rest.replace(" = ", "=");
    for permitted in [
        "DirName:O=msnd",
        "DNS:login.example.test",
        "DNS:nexus.passport.com",
        "DNS:example.net",
        "IP:192.0.2.7/255.255.255.255",
    ] {
        assert!(rest.contains(permitted), "{permitted}: {text}");
    }
    assert!(text.contains("CA:TRUE, pathlen:0"), "{text}");
    assert!(text.contains("Certificate Sign, CRL Sign"), "{text}");
    let vouches = |names: &Names| {
        let (leaf, _) = issuer.leaf(names, Digest::Sha256).unwrap();
        issuer.vouches_for(&leaf).unwrap()
    };
    for (host, permitted) in [
        (HOST, true),
        ("www.example.net", true),
        ("example.org", false),
        ("evilexample.net", false),
        ("passport.com", false),
    ] {
        assert_eq!(vouches(&of(host)), permitted, "{host}");
    }
    let elsewhere: [IpAddr; 2] = ["192.0.2.8".parse().unwrap(), "2001:db8::1".parse().unwrap()];
    for address in elsewhere {
        assert!(!vouches(&Names { hosts: vec![HOST.into()], addresses: vec![address] }));
    }
    assert!(vouches(&names()));
}

#[test]
fn an_authority_without_addresses_vouches_for_none() {
    let issuer = Issuer::new(vec![HOST.into()], &[]).unwrap();
    let addressed = Names { hosts: vec![HOST.into()], addresses: vec![ADDRESS] };
    for (names, permitted) in [(of(HOST), true), (addressed, false)] {
        let (leaf, _) = issuer.leaf(&names, Digest::Sha1).unwrap();
        assert_eq!(issuer.vouches_for(&leaf).unwrap(), permitted, "{names:?}");
    }
}

#[test]
fn a_leaf_of_it_is_taken_for_its_names_by_a_strict_verifier() {
    let data = made();
    for (host, taken) in [("nexus.passport.com", true), ("www.example.org", false)] {
        let mut parameters = openssl::x509::verify::X509VerifyParam::new().unwrap();
        parameters.set_host(host).unwrap();
        parameters.set_hostflags(X509CheckFlags::NO_PARTIAL_WILDCARDS);
        parameters.set_flags(openssl::x509::verify::X509VerifyFlags::X509_STRICT).unwrap();
        parameters.set_purpose(openssl::x509::X509PurposeId::SSL_SERVER).unwrap();
        let mut store = openssl::x509::store::X509StoreBuilder::new().unwrap();
        store.add_cert(x509(&data, CA_FILE)).unwrap();
        store.set_param(&parameters).unwrap();
        let chain = openssl::stack::Stack::new().unwrap();
        let leaf = x509(&data, MODERN_FILE);
        let mut context = openssl::x509::X509StoreContext::new().unwrap();
        let found = context.init(&store.build(), &leaf, &chain, |context| {
            let good = context.verify_cert()?;
            Ok((good, context.error().error_string()))
        });
        let (good, why) = found.unwrap();
        assert_eq!(good, taken, "{host}: {why}");
    }
}

#[test]
fn nothing_is_replaced_unless_that_is_wanted() {
    let data = made();
    let before = bytes(&data, CA_FILE);
    let again = |replace| init(data.path(), &names(), &[], &CaKey::InFolder, replace);
    let refused = again(false).unwrap_err();
    assert!(matches!(&refused, AuthorityError::Exists(_)), "{refused}");
    assert!(refused.to_string().contains("--force"), "{refused}");
    assert_eq!(bytes(&data, CA_FILE), before);
    fs::write(data.path().join(CERTIFICATES_FOLDER).join("notes.txt"), "mine").unwrap();
    again(true).unwrap();
    assert_ne!(bytes(&data, CA_FILE), before);
    assert_eq!(bytes(&data, "notes.txt"), b"mine");
    assert_eq!(files(data.path()), [CERTIFICATES_FOLDER]);
}

#[test]
fn the_folder_is_never_without_a_set() {
    let data = made();
    let folder = data.path().join(CERTIFICATES_FOLDER);
    fs::create_dir(data.path().join("other")).unwrap();
    fs::write(data.path().join("other/mark"), "").unwrap();
    exchange(&data.path().join("other"), &folder).unwrap();
    assert_eq!(files(&folder), ["mark"]);
    assert_eq!(files(&data.path().join("other")).len(), SET_FILES.len());
    assert_eq!(files(data.path()), [CERTIFICATES_FOLDER, "other"]);
    let missing = data.path().join("missing");
    assert!(exchange(&missing, &folder).is_err());
    assert_eq!(files(&folder), ["mark"], "a failure takes nothing away");
}

#[test]
fn what_cannot_be_moved_is_not_lost() {
    let data = tempfile::tempdir().unwrap();
    // Cannot take the place of a folder that is not empty: a stand-in for any failing disk.
    let (old, new) = (data.path().join("old"), data.path().join("new"));
    fs::create_dir_all(old.join("mine")).unwrap();
    fs::create_dir_all(new.join("mine/full")).unwrap();
    assert!(keep_others(&old, &new).is_err());
    assert!(old.join("mine").exists());
}

/// Only root can give files away.
#[cfg(unix)]
#[test]
fn a_set_made_by_root_belongs_to_the_server_s_user() {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let data = tempfile::tempdir().unwrap();
    if chown(data.path(), Some(4321), Some(4322)).is_err() {
        return;
    }
    init(data.path(), &names(), &[], &CaKey::InFolder, false).unwrap();
    renew(data.path(), &Names::default(), None).unwrap();
    let folder = data.path().join(CERTIFICATES_FOLDER);
    let all = SET_FILES.iter().map(|file| folder.join(file)).chain([folder.clone()]);
    for path in all {
        let found = fs::metadata(&path).unwrap();
        assert_eq!((found.uid(), found.gid()), (4321, 4322), "{}", path.display());
    }
}

#[test]
fn renewing_keeps_the_authority_and_adds_names() {
    let data = made();
    let before = SET_FILES.map(|file| bytes(&data, file));
    let added = Names { hosts: vec!["Chat.example.net".into(), HOST.into()], ..Names::default() };
    let all = renew(data.path(), &added, None).unwrap();
    assert_eq!(all.hosts, ["login.example.test", "nexus.passport.com", "chat.example.net"]);
    for (file, before) in SET_FILES.iter().zip(before) {
        let kept = [CA_FILE, CA_KEY_FILE].contains(file);
        assert_eq!(bytes(&data, file) == before, kept, "{file}");
    }
    assert_eq!(facts(&data, LEGACY_FILE).names(), all);
    assert!(issuer(&data).vouches_for(&x509(&data, MODERN_FILE)).unwrap());

    let legacy = bytes(&data, LEGACY_FILE);
    let refused = renew(data.path(), &of("chat.example.org"), None).unwrap_err().to_string();
    assert!(refused.contains("chat.example.org") && refused.contains("--force"), "{refused}");
    assert_eq!(bytes(&data, LEGACY_FILE), legacy);
    assert_eq!(files(data.path()), [CERTIFICATES_FOLDER]);
}

#[test]
fn the_end_of_an_authority_is_told_in_time() {
    let data = made();
    let folder = data.path().join(CERTIFICATES_FOLDER);
    assert_eq!(warning(&folder), None);
    let told = warning_at(&folder, CA_UNTIL_SECS - 179 * DAY_SECS).unwrap();
    assert!(told.contains("ends in 179 days") && told.contains("cert init --force"), "{told}");
    assert_eq!(warning_at(data.path(), CA_UNTIL_SECS), None, "no authority, no end");
}

#[test]
fn the_key_may_live_elsewhere() {
    let data = tempfile::tempdir().unwrap();
    let away = tempfile::tempdir().unwrap();
    let key = away.path().join("ca.key");
    let make = |replace| init(data.path(), &names(), &[], &CaKey::At(key.clone()), replace);
    make(false).unwrap();
    let folder = data.path().join(CERTIFICATES_FOLDER);
    assert!(!folder.join(CA_KEY_FILE).exists());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let before = bytes(&data, CA_FILE);
    let refused = make(true).unwrap_err();
    assert!(matches!(&refused, AuthorityError::KeyExists(_)), "{refused}");
    assert_eq!(bytes(&data, CA_FILE), before);

    let refused = renew(data.path(), &Names::default(), None).unwrap_err();
    assert!(refused.to_string().contains("--ca-key"), "{refused}");
    renew(data.path(), &Names::default(), Some(&key)).unwrap();
    assert!(!folder.join(CA_KEY_FILE).exists(), "the key came back");
    let foreign = folder.join(MODERN_KEY_FILE);
    let refused = renew(data.path(), &Names::default(), Some(&foreign)).unwrap_err();
    assert!(matches!(&refused, AuthorityError::ForeignKey { .. }), "{refused}");
}

#[test]
fn a_discarded_key_is_nowhere() {
    let data = tempfile::tempdir().unwrap();
    init(data.path(), &names(), &[], &CaKey::Discard, false).unwrap();
    assert_eq!(files(&data.path().join(CERTIFICATES_FOLDER)).len(), 5);
    assert!(!data.path().join(CERTIFICATES_FOLDER).join(CA_KEY_FILE).exists());
}

#[test]
fn a_failed_start_leaves_nothing() {
    let data = tempfile::tempdir().unwrap();
    let wrong = of("not a name");
    let refused = init(data.path(), &wrong, &[], &CaKey::InFolder, false).unwrap_err();
    assert!(matches!(&refused, AuthorityError::Name(name) if name == "not a name"), "{refused}");
    let missing = data.path().join("no such folder").join("ca.key");
    let refused = init(data.path(), &names(), &[], &CaKey::At(missing), false).unwrap_err();
    assert!(refused.to_string().contains("no such folder"), "{refused}");
    assert_eq!(files(data.path()), [""; 0]);
    assert!(matches!(renew(data.path(), &Names::default(), None), Err(AuthorityError::Missing(_))));
}
