//! TLS with clients of twenty-five years: a real handshake each, then a real sign-in.

mod client;

use crate::support::{Client, TestServer, client::PATIENCE, server::new_account, until};
use client::{ALICE, Hello, ask, connect, old, sign_in};
use msnd::{
    config::{Bind, Config},
    net::tls::{Floor, Policy, Source, TlsServer},
    server::Role,
};
use openssl::ssl::SslVersion;
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::LazyLock,
    thread,
};
use tempfile::TempDir;

const NAME: Option<&str> = Some("login.example.test");
const TLS10: Policy = Policy { floor: Floor::Tls10, rc4: false };
const ANY: (SslVersion, SslVersion) = (SslVersion::SSL3, SslVersion::TLS1_3);
const EVERYTHING: &str = "ALL";

/// A data folder with a pair for each kind of client, for all tests: keys take their time.
static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());
/// Makes the pairs, once.
static CERTIFICATES: LazyLock<[String; 2]> = LazyLock::new(|| {
    let tls = TlsServer::open(source(), TLS10).unwrap();
    let mut digests = tls.certificates().unwrap().into_iter().map(|info| info.sha256);
    [digests.next().unwrap(), digests.next().unwrap()]
});

fn source() -> Source {
    let names = vec!["login.example.test".to_owned()];
    Source::Folder { folder: FOLDER.path().into(), names, legacy: None }
}

/// The digest of the certificate for clients that send a server name.
fn modern() -> &'static str {
    &CERTIFICATES[0]
}

/// The digest of the one for those that do not.
fn legacy() -> &'static str {
    &CERTIFICATES[1]
}

fn start(policy: Policy) -> TestServer {
    start_with(policy, |_| {})
}

fn start_with(policy: Policy, change: impl FnOnce(&mut Config)) -> TestServer {
    LazyLock::force(&CERTIFICATES);
    let tls = TlsServer::open(source(), policy).unwrap();
    let server = TestServer::start_with_tls(Some(tls), |config| {
        config.passport.https_bind = Bind::At(SocketAddr::from(([127, 0, 0, 1], 0)));
        change(config);
    });
    server.add(vec![new_account(ALICE)]);
    server
}

#[test]
fn windows_xp_signs_in_with_tls_1_0_and_3des() {
    let server = start(TLS10);
    let seen = old(&server, "tls1.0", "3des", Hello::Plain).unwrap();
    assert_eq!((&*seen.version, &*seen.cipher, &*seen.certificate), ("3.1", "3des", legacy()));
    sign_in(&server, &seen);
    let refused = old(&server, "ssl3", "3des", Hello::Plain).unwrap_err();
    assert!(refused.contains("TLSRemoteAlert"), "{refused}");
}

#[test]
fn internet_explorer_6_signs_in_with_ssl_3_where_that_is_the_floor() {
    let server = start(Policy { floor: Floor::Ssl3, rc4: false });
    let seen = old(&server, "ssl3", "3des", Hello::Plain).unwrap();
    assert_eq!((&*seen.version, &*seen.cipher, &*seen.certificate), ("3.0", "3des", legacy()));
    sign_in(&server, &seen);
    let newer = old(&server, "tls1.0", "3des", Hello::SslV2).unwrap();
    assert_eq!(newer.version, "3.1");
    sign_in(&server, &newer);
}

#[test]
fn a_hello_in_the_form_of_ssl_2_leads_to_tls_1_0() {
    let server = start(TLS10);
    let seen = old(&server, "tls1.0", "3des", Hello::SslV2).unwrap();
    assert_eq!((&*seen.version, &*seen.cipher, &*seen.certificate), ("3.1", "3des", legacy()));
    sign_in(&server, &seen);
}

#[test]
fn a_hello_of_internet_explorer_with_ssl_2_ticked_is_answered_in_tls_1_0() {
    let server = start(TLS10);
    let mut stream = TcpStream::connect(server.address(Role::PassportHttps)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // Version 3.1; RC4-MD5, RC4-SHA and 3DES as of TLS, then 3DES and RC4 as of SSL 2; no session.
    let mut hello = vec![1, 3, 1, 0, 15, 0, 0, 0, 16];
    hello.extend([0, 0, 4, 0, 0, 5, 0, 0, 10, 7, 0, 0xc0, 1, 0, 0x80]);
    hello.extend([0x5a; 16]);
    let length = u8::try_from(hello.len()).unwrap();
    stream.write_all(&[&[0x80, length][..], &hello].concat()).unwrap();
    let mut record = [0; 11];
    stream.read_exact(&mut record).unwrap();
    assert_eq!(record[..3], [22, 3, 1], "a handshake record of TLS 1.0");
    assert_eq!((record[5], &record[9..]), (2, &[3, 1][..]), "a server hello of TLS 1.0");
}

#[test]
fn a_client_may_take_a_segment_for_each_byte() {
    let server = start(TLS10);
    let seen = old(&server, "tls1.0", "3des", Hello::Dribble).unwrap();
    sign_in(&server, &seen);
}

#[test]
fn rc4_is_spoken_only_if_asked_for_and_last_of_all() {
    let server = start(TLS10);
    assert!(old(&server, "tls1.0", "rc4", Hello::Plain).is_err());
    let server = start(Policy { rc4: true, ..TLS10 });
    let seen = old(&server, "tls1.0", "rc4", Hello::Plain).unwrap();
    assert_eq!(seen.cipher, "rc4");
    sign_in(&server, &seen);
    let old_versions = (SslVersion::TLS1, SslVersion::TLS1);
    let first = "RC4-MD5:RC4-SHA:DES-CBC3-SHA";
    let chosen = ask(connect(&server, None, old_versions, first).unwrap());
    assert_eq!(chosen.cipher, "DES-CBC3-SHA");
}

#[test]
fn every_version_gets_the_best_it_knows_and_a_ticket() {
    let server = start(TLS10);
    for (version, name) in [
        (SslVersion::TLS1, "TLSv1"),
        (SslVersion::TLS1_1, "TLSv1.1"),
        (SslVersion::TLS1_2, "TLSv1.2"),
        (SslVersion::TLS1_3, "TLSv1.3"),
    ] {
        // What a client prefers does not count.
        let ciphers = "DES-CBC3-SHA:AES128-SHA:ECDHE-RSA-AES128-SHA:ECDHE-RSA-AES128-GCM-SHA256";
        let seen = ask(connect(&server, NAME, (version, version), ciphers).unwrap());
        assert_eq!((&*seen.version, &*seen.certificate), (name, modern()));
        let best = match name {
            "TLSv1.3" => "TLS_AES_256_GCM_SHA384",
            "TLSv1.2" => "ECDHE-RSA-AES128-GCM-SHA256",
            _ => "ECDHE-RSA-AES128-SHA",
        };
        assert_eq!(seen.cipher, best);
        sign_in(&server, &seen);
    }
    let newest = ask(connect(&server, NAME, ANY, EVERYTHING).unwrap());
    assert_eq!(newest.version, "TLSv1.3");
}

#[test]
fn the_certificate_depends_on_the_server_name() {
    let server = start(TLS10);
    for versions in [ANY, (SslVersion::TLS1, SslVersion::TLS1)] {
        for (name, expected) in [(NAME, modern()), (Some("other.test"), modern()), (None, legacy())]
        {
            let seen = ask(connect(&server, name, versions, EVERYTHING).unwrap());
            assert_eq!(seen.certificate, expected, "{name:?} {versions:?}");
        }
    }
}

#[test]
fn old_clients_are_refused_where_tls_1_2_is_the_floor() {
    let server = start(Policy::default());
    for version in [SslVersion::SSL3, SslVersion::TLS1, SslVersion::TLS1_1] {
        assert!(connect(&server, None, (version, version), EVERYTHING).is_err(), "{version:?}");
    }
    for (version, hello) in [("tls1.1", Hello::Plain), ("tls1.0", Hello::SslV2)] {
        assert!(old(&server, version, "3des", hello).is_err(), "{version}");
    }
    let tls12 = (SslVersion::TLS1_2, SslVersion::TLS1_2);
    for weak in ["AES128-SHA", "AES128-GCM-SHA256", "DES-CBC3-SHA"] {
        assert!(connect(&server, NAME, tls12, weak).is_err(), "{weak}");
    }
    let seen = ask(connect(&server, None, ANY, EVERYTHING).unwrap());
    assert_eq!(seen.certificate, modern(), "nobody needs the other one");
    sign_in(&server, &seen);
}

#[test]
fn nothing_but_the_login_listener_speaks_tls() {
    let server = start(Policy { floor: Floor::Ssl3, rc4: true });
    let hello = hello();
    for listener in server.running().listeners() {
        let mut stream = TcpStream::connect(listener.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&hello).unwrap();
        // Some wait for the end of a line.
        stream.write_all(b"\r\n\r\n").unwrap();
        let mut first = [0];
        let answered = matches!(stream.read(&mut first), Ok(1)) && first == [22];
        assert_eq!(answered, listener.role == Role::PassportHttps, "{}", listener.role);
    }
}

#[test]
fn garbage_and_plain_http_end_the_connection_and_nothing_else() {
    let server = start(TLS10);
    let hello = hello();
    for said in [
        &b"GET /login2.srf HTTP/1.1\r\nHost: login.example.test\r\n\r\n"[..],
        b"VER 1 MSNP9 CVR0\r\n",
        &[0xff; 4096],
        &[0; 600],
        // A record that is longer than any may be, and a hello cut short.
        &[22, 3, 1, 0xff, 0xff, 1],
        &[&hello[..5], &[1, 0, 0, 1, 9]].concat(),
    ] {
        let mut stream = TcpStream::connect(server.address(Role::PassportHttps)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(said).unwrap();
        // The server may be gone already.
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        // A reset is an end too.
        let _ = stream.read_to_end(&mut answer);
        assert!(matches!(answer.first(), None | Some(21)), "an alert at most: {answer:?}");
    }
    sign_in(&server, &ask(connect(&server, NAME, ANY, EVERYTHING).unwrap()));
}

#[test]
fn a_handshake_that_does_not_end_is_ended() {
    let server = start_with(TLS10, |config| config.timers.http_request_secs = 1);
    let hello = hello();
    for said in [&[][..], &hello[..1], &hello[..40], &hello[..]] {
        let mut stream = TcpStream::connect(server.address(Role::PassportHttps)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(said).unwrap();
        // Up to the end, which comes although we say nothing more.
        stream.read_to_end(&mut Vec::new()).unwrap();
    }
    sign_in(&server, &ask(connect(&server, NAME, ANY, EVERYTHING).unwrap()));
}

#[test]
fn a_flood_of_handshakes_is_held_within_the_limits() {
    const CONNECTIONS_MAX: usize = 8;
    let server = start_with(TLS10, |config| config.limits.connections_max = CONNECTIONS_MAX);
    let address = server.address(Role::PassportHttps);
    let hello = hello();
    let flood: Vec<_> = (0..CONNECTIONS_MAX)
        .map(|_| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.write_all(&hello).unwrap();
            // Answered, so it has its place.
            stream.read_exact(&mut [0]).unwrap();
            stream
        })
        .collect();
    for _ in 0..CONNECTIONS_MAX {
        let refused = TcpStream::connect(address).and_then(|mut stream| stream.read(&mut [0]));
        assert!(!matches!(refused, Ok(1..)), "{refused:?}");
    }
    drop(flood);
    until(|| server.running().connections() == 0);
    sign_in(&server, &ask(connect(&server, NAME, ANY, EVERYTHING).unwrap()));
}

#[test]
fn many_sign_in_at_once() {
    let server = start(TLS10);
    thread::scope(|scope| {
        // Fewer than the failures an account may have: attempts count until they succeed.
        for versions in [ANY, (SslVersion::TLS1, SslVersion::TLS1)].repeat(4) {
            let server = &server;
            scope.spawn(move || {
                let seen = ask(connect(server, NAME, versions, EVERYTHING).unwrap());
                assert!(seen.answer.starts_with("HTTP/1.1 200 OK\r\n"), "{}", seen.answer);
            });
        }
    });
    drop(Client::sign_in(&server, "MSNP9", ALICE));
}

/// The first bytes of a client of today, as it would send them.
fn hello() -> Vec<u8> {
    let mut hello = Vec::new();
    let body = {
        let mut body = vec![3, 3];
        body.extend([0x5a; 32]);
        body.push(0);
        // ECDHE with RSA and AES, RSA with AES, RSA with 3DES.
        body.extend([0, 8, 0xc0, 0x2f, 0xc0, 0x13, 0, 0x2f, 0, 0x0a]);
        body.extend([1, 0]);
        body
    };
    let length = u8::try_from(body.len()).unwrap();
    hello.extend([22, 3, 1, 0, length + 4, 1, 0, 0, length]);
    hello.extend(body);
    hello
}
