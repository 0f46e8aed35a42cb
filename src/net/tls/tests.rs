//! What the listener's TLS accepts, refuses and presents.

use super::{
    pair::{Pair, now_secs},
    self_signed::make,
    *,
};
use openssl::{
    asn1::Asn1Time,
    hash::MessageDigest,
    nid::Nid,
    pkey::PKey,
    rsa::Rsa,
    ssl::{SslConnector, SslMethod, SslOptions, SslVerifyMode, SslVersion},
    x509::X509,
};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

const DAY_SECS: i64 = 86_400;
const WEAK: Policy = Policy { floor: Floor::Tls10, rc4: false };

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

fn folder_source(folder: &Path) -> Source {
    Source::Folder { folder: folder.into(), names: names(&["login.example.test"]), legacy: None }
}

/// A data folder with self-signed pairs for both kinds of clients; keys take their time.
static MADE: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    TlsServer::open(folder_source(folder.path()), WEAK).unwrap();
    folder
});

fn made(certificate: &str, key: &str) -> PairFiles {
    PairFiles { certificate: MADE.path().join(certificate), key: MADE.path().join(key) }
}

fn modern() -> PairFiles {
    made(CERTIFICATE_FILE, KEY_FILE)
}

fn legacy() -> PairFiles {
    made(LEGACY_CERTIFICATE_FILE, LEGACY_KEY_FILE)
}

fn copy(from: &PairFiles, to: &PairFiles) {
    fs::create_dir_all(to.certificate.parent().unwrap()).unwrap();
    fs::copy(&from.key, &to.key).unwrap();
    fs::copy(&from.certificate, &to.certificate).unwrap();
}

fn p256(folder: &Path) -> PairFiles {
    let files =
        PairFiles { certificate: folder.join(CERTIFICATE_FILE), key: folder.join(KEY_FILE) };
    let pair = make(&[], KeyKind::P256, String::new()).unwrap();
    files.write(folder, &pair).unwrap();
    files
}

/// Says nothing but its life, in days from now.
fn bare(key_bits: u32, from: i64, until: i64) -> Pair {
    let day = |offset: i64| Asn1Time::from_unix(now_secs() + offset * DAY_SECS).unwrap();
    let key = PKey::from_rsa(Rsa::generate(key_bits).unwrap()).unwrap();
    let mut builder = X509::builder().unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.set_not_before(&day(from)).unwrap();
    builder.set_not_after(&day(until)).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    Pair::new(builder.build(), key, "a.pem".into())
}

fn origins(tls: &TlsServer) -> Vec<PathBuf> {
    tls.certificates().unwrap().into_iter().map(|info| info.origin.into()).collect()
}

/// The certificate that a client gets, or why it gets none.
async fn presented(
    tls: &TlsServer,
    versions: (SslVersion, SslVersion),
    name: Option<&str>,
) -> Result<X509, String> {
    let (ours, theirs) = tokio::io::duplex(16 * 1024);
    let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
    connector.set_verify(SslVerifyMode::NONE);
    connector.set_cipher_list("ALL:@SECLEVEL=0").unwrap();
    connector.clear_options(SslOptions::NO_SSLV3);
    connector.set_min_proto_version(Some(versions.0)).unwrap();
    connector.set_max_proto_version(Some(versions.1)).unwrap();
    let mut client = connector.build().configure().unwrap();
    client.set_verify_hostname(false);
    client.set_use_server_name_indication(name.is_some());
    let client = client.into_ssl(name.unwrap_or("nobody")).unwrap();
    let mut client = TlsStream::new(client, theirs).unwrap();
    let (accepted, connected) = tokio::join!(tls.accept(ours), Pin::new(&mut client).connect());
    accepted.map_err(|error| error.to_string())?;
    connected.map_err(|error| error.to_string())?;
    Ok(client.ssl().peer_certificate().unwrap())
}

fn read(pair: &PairFiles) -> X509 {
    X509::from_pem(&fs::read(&pair.certificate).unwrap()).unwrap()
}

#[test]
fn pairs_are_made_once_and_the_keys_are_private() {
    let before = origins(&TlsServer::open(folder_source(MADE.path()), WEAK).unwrap());
    assert_eq!(before, [modern().certificate, legacy().certificate]);
    let tls = TlsServer::open(folder_source(MADE.path()), WEAK).unwrap();
    assert_eq!(tls.certificate_pem().unwrap(), fs::read(modern().certificate).unwrap());
    assert_eq!(tls.warnings(), [""; 0]);
    assert_eq!(fs::read_dir(MADE.path()).unwrap().count(), 4);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |file: &Path| fs::metadata(file).unwrap().permissions().mode() & 0o777;
        for PairFiles { certificate, key } in [modern(), legacy()] {
            assert_eq!(mode(&key), 0o600);
            assert_eq!(mode(&certificate) & !0o644, 0);
        }
    }
}

#[test]
fn a_missing_half_is_a_new_pair_and_strong_tls_needs_no_other() {
    let folder = tempfile::tempdir().unwrap();
    copy(&modern(), &p256(folder.path()));
    fs::remove_file(folder.path().join(CERTIFICATE_FILE)).unwrap();
    let tls = TlsServer::open(folder_source(folder.path()), Policy::default()).unwrap();
    assert_ne!(tls.certificate_pem().unwrap(), fs::read(modern().certificate).unwrap());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn the_certificate_says_what_clients_look_at() {
    let long = "x".repeat(70);
    let names = names(&["login.example.test", "192.0.2.7", &long]);
    for (kind, signature) in [
        (KeyKind::Rsa2048, Nid::SHA256WITHRSAENCRYPTION),
        (KeyKind::Rsa2048Sha1, Nid::SHA1WITHRSAENCRYPTION),
        (KeyKind::P256, Nid::ECDSA_WITH_SHA256),
    ] {
        let pair = make(&names, kind, String::new()).unwrap();
        let certificate = pair.leaf();
        let subject = certificate.subject_name().entries_by_nid(Nid::COMMONNAME).next();
        let subject = subject.unwrap().data().to_string().unwrap();
        assert_eq!(subject, "login.example.test");
        let alternatives: Vec<_> = certificate
            .subject_alt_names()
            .unwrap()
            .iter()
            .map(|name| (name.dnsname().map(Into::into), name.ipaddress().map(Into::into)))
            .collect();
        let expected: [(Option<String>, Option<Vec<u8>>); 3] = [
            (Some("login.example.test".into()), None),
            (None, Some(vec![192, 0, 2, 7])),
            (Some(long.clone()), None),
        ];
        assert_eq!(alternatives, expected);
        assert_eq!(certificate.signature_algorithm().object().nid(), signature);
        let life = certificate.not_before().diff(certificate.not_after()).unwrap();
        assert_eq!((life.days, life.secs), (730, 0));
        let now = Asn1Time::from_unix(now_secs()).unwrap();
        let age = certificate.not_before().diff(&now).unwrap();
        assert_eq!(age.days, 1);
        let info = pair.info().unwrap();
        let left = info.expires_at_secs - now_secs() - 729 * DAY_SECS;
        assert!((-60..=0).contains(&left), "{left}");
        assert_eq!(info.sha256.len(), 64);
    }
}

#[test]
fn errors_name_the_file_and_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let PairFiles { certificate, key } = p256(folder.path());
    let foreign = p256(other.path()).key;
    let missing = folder.path().join("missing.pem");
    let error = |certificate: &Path, key: &Path| {
        let modern = PairFiles { certificate: certificate.into(), key: key.into() };
        TlsServer::open(Source::Files { modern, legacy: None }, Policy::default()).unwrap_err()
    };
    let shown = error(&missing, &key).to_string();
    assert!(shown.contains("missing.pem") && shown.contains("check the path"), "{shown}");
    assert!(matches!(error(&key, &key), TlsError::NoCertificate(file) if file == key));
    assert!(matches!(error(&certificate, &certificate), TlsError::NoKey(_)));
    let shown = error(&certificate, &foreign).to_string();
    assert!(shown.contains(&*foreign.to_string_lossy()), "{shown}");
    assert!(shown.contains("made together"), "{shown}");

    let locked = folder.path().join("locked.pem");
    let pair = PKey::private_key_from_pem(&fs::read(&key).unwrap()).unwrap();
    let cipher = openssl::symm::Cipher::aes_128_cbc();
    let pem = pair.private_key_to_pem_pkcs8_passphrase(cipher, b"secret").unwrap();
    fs::write(&locked, pem).unwrap();
    assert!(matches!(error(&certificate, &locked), TlsError::NoKey(file) if file == locked));

    let short = PairFiles::named(folder.path(), "short");
    let pair = bare(1024, -1, 30);
    short.write(folder.path(), &pair).unwrap();
    let shown = error(&short.certificate, &short.key).to_string();
    assert!(shown.contains("short.pem") && shown.contains("lower floor"), "{shown}");

    let nowhere = folder.path().join("no such folder");
    let shown = TlsServer::open(folder_source(&nowhere), Policy::default()).unwrap_err();
    let shown = shown.to_string();
    assert!(shown.contains(KEY_FILE) && shown.contains("writable"), "{shown}");
}

#[test]
fn an_expired_certificate_is_a_warning() {
    let warning = |from, until| bare(2048, from, until).warning();
    assert!(warning(-3, -1).unwrap().contains("a.pem: the certificate has expired on"));
    assert!(warning(-3, 5).unwrap().contains("expires on"));
    assert!(warning(2, 50).unwrap().contains("clock"));
    assert_eq!(warning(-3, 50), None);
}

#[tokio::test]
async fn nothing_below_the_floor_is_spoken() {
    let versions = [SslVersion::SSL3, SslVersion::TLS1, SslVersion::TLS1_1, SslVersion::TLS1_2];
    for (floor, lowest) in [(Floor::Tls12, 3), (Floor::Tls10, 1), (Floor::Ssl3, 0)] {
        let policy = Policy { floor, rc4: false };
        let tls = TlsServer::open(folder_source(MADE.path()), policy).unwrap();
        for (age, version) in versions.into_iter().enumerate() {
            let name = (age > 0).then_some("login.example.test");
            let outcome = presented(&tls, (version, version), name).await;
            assert_eq!(outcome.is_ok(), age >= lowest, "{floor:?} {version:?}: {outcome:?}");
        }
        let newest = (SslVersion::TLS1, SslVersion::TLS1_3);
        assert!(presented(&tls, newest, Some("login.example.test")).await.is_ok());
    }
}

#[tokio::test]
async fn a_server_name_brings_the_modern_certificate() {
    let tls = TlsServer::open(folder_source(MADE.path()), WEAK).unwrap();
    for version in [SslVersion::TLS1, SslVersion::TLS1_2, SslVersion::TLS1_3] {
        let named = presented(&tls, (version, version), Some("any.example.test")).await;
        assert!(named.unwrap() == read(&modern()), "{version:?}");
        let nameless = presented(&tls, (version, version), None).await;
        assert!(nameless.unwrap() == read(&legacy()), "{version:?}");
    }
    let source = Source::Files { modern: modern(), legacy: None };
    let one = TlsServer::open(source, WEAK).unwrap();
    let nameless = presented(&one, (SslVersion::TLS1, SslVersion::TLS1), None).await;
    assert!(nameless.unwrap() == read(&modern()));
}

#[test]
fn pairs_of_a_private_ca_come_before_self_signed_ones() {
    let folder = tempfile::tempdir().unwrap();
    let issued = folder.path().join(CERTIFICATES_FOLDER);
    let named = |name| PairFiles::named(&issued, name);
    let open = |policy| origins(&TlsServer::open(folder_source(folder.path()), policy).unwrap());
    copy(&legacy(), &named(LEGACY_NAME));
    let running = TlsServer::open(folder_source(folder.path()), WEAK).unwrap();
    assert_eq!(origins(&running), [issued.join("legacy.pem")]);
    copy(&modern(), &named(MODERN_NAME));
    assert_eq!(open(WEAK), [issued.join("modern.pem"), issued.join("legacy.pem")]);
    assert_eq!(open(Policy::default()), [issued.join("modern.pem")]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is made");
    running.reload().unwrap();
    assert_eq!(
        running.certificates().unwrap(),
        [MODERN_NAME, LEGACY_NAME].map(|name| { named(name).info().unwrap() })
    );

    let given =
        Source::Folder { folder: folder.path().into(), names: Vec::new(), legacy: Some(modern()) };
    let given = TlsServer::open(given, WEAK).unwrap();
    assert_eq!(origins(&given), [issued.join("modern.pem"), modern().certificate]);
}

#[test]
fn a_set_that_cannot_be_looked_at_is_not_taken_for_none() {
    let folder = tempfile::tempdir().unwrap();
    // Not what a service user meets in a folder of root's, but the same to us: no answer.
    fs::write(folder.path().join(CERTIFICATES_FOLDER), "").unwrap();
    let refused = TlsServer::open(folder_source(folder.path()), WEAK).unwrap_err();
    assert!(matches!(&refused, TlsError::Read { file, .. } if file.ends_with("modern.pem")));
    assert!(refused.to_string().contains("who may read it"), "{refused}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is made");
}

#[test]
fn a_set_that_is_gone_is_not_replaced_by_what_nobody_trusts() {
    let folder = tempfile::tempdir().unwrap();
    let issued = folder.path().join(CERTIFICATES_FOLDER);
    copy(&legacy(), &PairFiles::named(&issued, LEGACY_NAME));
    for name in [CERTIFICATE_FILE, KEY_FILE, LEGACY_CERTIFICATE_FILE, LEGACY_KEY_FILE] {
        fs::copy(MADE.path().join(name), folder.path().join(name)).unwrap();
    }
    let tls = TlsServer::open(folder_source(folder.path()), WEAK).unwrap();
    fs::remove_dir_all(&issued).unwrap();
    let refused = tls.reload().unwrap_err();
    assert!(matches!(&refused, TlsError::Withdrawn(folder) if *folder == issued), "{refused}");
    assert_eq!(origins(&tls), [issued.join("legacy.pem")]);
    let again = TlsServer::open(folder_source(folder.path()), WEAK).unwrap();
    assert_eq!(
        origins(&again),
        [modern().certificate, legacy().certificate]
            .map(|file| { folder.path().join(file.file_name().unwrap()) })
    );
}

#[test]
fn a_name_that_a_certificate_lacks_is_told_with_the_remedy() {
    let tls = TlsServer::open(folder_source(MADE.path()), WEAK).unwrap();
    assert_eq!(tls.name_warnings(&names(&["LOGIN.example.test"])), [""; 0]);
    let new = names(&["login.example.test", "new.example.test"]);
    let told = tls.name_warnings(&new);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[1].contains("not for new.example.test") && told[1].contains("delete it"));

    let folder = tempfile::tempdir().unwrap();
    copy(&legacy(), &PairFiles::named(&folder.path().join(CERTIFICATES_FOLDER), LEGACY_NAME));
    let source = |legacy| Source::Folder { folder: folder.path().into(), names: vec![], legacy };
    let tls = TlsServer::open(source(None), WEAK).unwrap();
    let told = tls.name_warnings(&new).concat();
    assert!(told.contains("`msnd cert renew --name new.example.test`"), "{told}");
    let tls = TlsServer::open(source(Some(modern())), WEAK).unwrap();
    assert!(tls.name_warnings(&new)[1].contains("passport.login_host"));
}

#[test]
fn what_old_clients_need_is_tried_out_before_they_come() {
    let folder = tempfile::tempdir().unwrap();
    let files = |modern| Source::Files { modern, legacy: None };
    let open = |floor| TlsServer::open(files(p256(folder.path())), Policy { floor, rc4: true });
    let shown = open(Floor::Ssl3).unwrap_err().to_string();
    assert!(shown.contains(CERTIFICATE_FILE) && shown.contains("RSA"), "{shown}");
    let warnings = open(Floor::Tls10).unwrap().warnings();
    assert!(warnings[0].contains("is no RSA key") && warnings.len() == 1, "{warnings:?}");

    // A context that was not set up for them stands for an OpenSSL that cannot.
    let pair = modern().read().unwrap();
    let strong = context::build(Policy::default(), &pair, None).unwrap();
    let refused = rehearsal::speaks(&strong, SslVersion::TLS1, "DES-CBC3-SHA").unwrap_err();
    let shown = refused.to_string();
    assert!(shown.contains("TLS 1.0 with DES-CBC3-SHA"), "{shown}");
    assert!(shown.contains("legacy-tls"), "{shown}");
    let weak = context::build(WEAK, &pair, None).unwrap();
    rehearsal::speaks(&weak, SslVersion::TLS1, "DES-CBC3-SHA").unwrap();
    for (version, cipher) in [
        (SslVersion::SSL3, "DES-CBC3-SHA"),
        (SslVersion::TLS1, "RC4-SHA"),
        (SslVersion::TLS1, "NO-SUCH-CIPHER"),
    ] {
        assert!(rehearsal::speaks(&weak, version, cipher).is_err(), "{version:?} {cipher}");
    }
}

#[tokio::test(start_paused = true)]
async fn changed_files_are_in_use_within_ten_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let files = PairFiles::named(folder.path(), "a");
    copy(&modern(), &files);
    let source = Source::Files { modern: files.clone(), legacy: None };
    let tls = TlsServer::open(source, WEAK).unwrap();
    let now =
        async || presented(&tls, (SslVersion::TLS1_2, SslVersion::TLS1_2), None).await.unwrap();
    assert!(now().await == read(&modern()));

    copy(&legacy(), &files);
    assert!(now().await == read(&modern()), "not before the next look");
    tokio::time::advance(LOOK_INTERVAL).await;
    assert!(now().await == read(&legacy()));

    fs::write(&files.certificate, "half a certificate").unwrap();
    tokio::time::advance(LOOK_INTERVAL).await;
    assert!(now().await == read(&legacy()), "what cannot be used changes nothing");
    assert!(tls.reload().is_err());
    assert!(now().await == read(&legacy()));

    copy(&modern(), &files);
    tokio::time::advance(LOOK_INTERVAL).await;
    assert!(now().await == read(&modern()));

    copy(&legacy(), &files);
    tls.reload().unwrap();
    assert!(now().await == read(&legacy()), "at once when asked");
}
