//! What the listener's TLS accepts, refuses and presents.

use super::*;
use openssl::ssl::{SslConnector, SslVerifyMode};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

#[test]
fn a_pair_is_made_once_and_the_key_is_private() {
    let folder = tempfile::tempdir().unwrap();
    let names = names(&["login.example.test", "127.0.0.1"]);
    let first = TlsServer::self_signed(folder.path(), &names, KeyKind::P256).unwrap();
    let again = TlsServer::self_signed(folder.path(), &names, KeyKind::P256).unwrap();
    assert_eq!(first.certificate_pem().unwrap(), again.certificate_pem().unwrap());
    assert_eq!(first.warning(), None);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode =
            |file| fs::metadata(folder.path().join(file)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(KEY_FILE), 0o600);
        assert_eq!(mode(CERTIFICATE_FILE) & !0o644, 0);
    }
    fs::remove_file(folder.path().join(CERTIFICATE_FILE)).unwrap();
    let remade = TlsServer::self_signed(folder.path(), &names, KeyKind::P256).unwrap();
    assert_ne!(first.certificate_pem().unwrap(), remade.certificate_pem().unwrap());
}

#[test]
fn the_certificate_says_what_clients_look_at() {
    let long = "x".repeat(70);
    let names = names(&["login.example.test", "192.0.2.7", &long]);
    for kind in [KeyKind::Rsa2048, KeyKind::P256] {
        let certificate = TlsServer::in_memory(&names, kind).unwrap().certificate;
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
        let method = certificate.signature_algorithm().object().nid();
        assert!([Nid::SHA256WITHRSAENCRYPTION, Nid::ECDSA_WITH_SHA256].contains(&method));
        let life = certificate.not_before().diff(certificate.not_after()).unwrap();
        assert_eq!((life.days, life.secs), (730, 0));
        let age = certificate.not_before().diff(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        assert_eq!(age.days, 1);
    }
}

#[test]
fn errors_name_the_file_and_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    for folder in [&folder, &other] {
        TlsServer::self_signed(folder.path(), &[], KeyKind::P256).unwrap();
    }
    let certificate = folder.path().join(CERTIFICATE_FILE);
    let key = folder.path().join(KEY_FILE);
    let missing = folder.path().join("missing.pem");
    let error =
        |certificate: &Path, key: &Path| TlsServer::from_files(certificate, key).unwrap_err();
    let shown = error(&missing, &key).to_string();
    assert!(shown.contains("missing.pem") && shown.contains("check the path"), "{shown}");
    assert!(matches!(error(&key, &key), TlsError::NoCertificate(file) if file == key));
    assert!(matches!(error(&certificate, &certificate), TlsError::NoKey(_)));
    let foreign = other.path().join(KEY_FILE);
    let shown = error(&certificate, &foreign).to_string();
    assert!(shown.contains(&*foreign.to_string_lossy()), "{shown}");
    assert!(shown.contains("made together"), "{shown}");

    let locked = folder.path().join("locked.pem");
    let pair = PKey::private_key_from_pem(&fs::read(&key).unwrap()).unwrap();
    let cipher = openssl::symm::Cipher::aes_128_cbc();
    let pem = pair.private_key_to_pem_pkcs8_passphrase(cipher, b"secret").unwrap();
    fs::write(&locked, pem).unwrap();
    assert!(matches!(error(&certificate, &locked), TlsError::NoKey(file) if file == locked));

    let nowhere = folder.path().join("no such folder");
    let shown = TlsServer::self_signed(&nowhere, &[], KeyKind::P256).unwrap_err().to_string();
    assert!(shown.contains(KEY_FILE) && shown.contains("writable"), "{shown}");
}

#[test]
fn an_expired_certificate_is_a_warning() {
    let day = |offset: i64| Asn1Time::from_unix(now_secs() + offset * DAY_SECS).unwrap();
    let warning = |from: i64, until: i64| {
        let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        let mut builder = X509::builder().unwrap();
        builder.set_pubkey(&key).unwrap();
        builder.set_not_before(&day(from)).unwrap();
        builder.set_not_after(&day(until)).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        TlsServer::new(vec![builder.build()], &key, "a.pem".into()).unwrap().warning()
    };
    assert!(warning(-3, -1).unwrap().contains("a.pem: the certificate has expired on"));
    assert!(warning(-3, 5).unwrap().contains("expires on"));
    assert!(warning(2, 50).unwrap().contains("clock"));
    assert_eq!(warning(-3, 50), None);
}

#[tokio::test]
async fn only_tls_1_2_and_1_3_are_spoken() {
    let server = TlsServer::in_memory(&[], KeyKind::P256).unwrap();
    for (version, spoken) in
        [(SslVersion::TLS1_1, false), (SslVersion::TLS1_2, true), (SslVersion::TLS1_3, true)]
    {
        let (ours, theirs) = tokio::io::duplex(16 * 1024);
        let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
        connector.set_verify(SslVerifyMode::NONE);
        connector.set_cipher_list("DEFAULT:@SECLEVEL=0").unwrap();
        connector.set_min_proto_version(Some(version)).unwrap();
        connector.set_max_proto_version(Some(version)).unwrap();
        let client = connector.build().configure().unwrap().into_ssl("localhost").unwrap();
        let mut client = TlsStream::new(client, theirs).unwrap();
        let (accepted, connected) =
            tokio::join!(server.accept(ours), Pin::new(&mut client).connect());
        assert_eq!((accepted.is_ok(), connected.is_ok()), (spoken, spoken), "{version:?}");
    }
}
