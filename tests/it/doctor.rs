//! `msnd doctor` against real servers: right ones, and ones with a fault that clients would meet.

use crate::{
    cli::Ran,
    process::child::{Home, Server, exchange},
};
use openssl::{
    asn1::Asn1Time,
    hash::MessageDigest,
    pkey::PKey,
    rsa::Rsa,
    ssl::{SslConnector, SslMethod},
    x509::{X509, X509NameBuilder, extension::SubjectAlternativeName},
};
use serde_json::Value;
use std::net::TcpStream;

const PEOPLE: &str = "\
[[user]]
email = \"alice@example.test\"
password = \"secret\"
";
/// 2026-01-01, in the past of every run.
const PAST_SECS: i64 = 1_767_225_600;

/// The doctor on the ports of `server`, with `more` arguments.
fn examine(home: &Home, server: &Server, more: &[&str], stdin: &str) -> Ran {
    let port = |role: &str| server.address(role).port().to_string();
    let (dispatch, https, http) = (port("dispatch"), port("passport-https"), port("http"));
    let mut arguments = vec!["doctor", "127.0.0.1", "--dispatch-port", &dispatch];
    arguments.extend(["--https-port", &https, "--http-port", &http]);
    arguments.extend(more);
    let output = home.run(&arguments, stdin);
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Point, result, detail and remedy of one point.
fn point(ran: &Ran, point: u64) -> (String, String, String) {
    let report: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"));
    let checks = report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["point"] == point).unwrap();
    let text = |key: &str| check[key].as_str().unwrap_or_default().to_owned();
    (text("result"), text("detail"), text("remedy"))
}

/// A certificate for `name` from `from_secs` on, thirty days long, as options for a server.
fn certificate(home: &Home, name: &str, from_secs: i64) -> [String; 2] {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(&subject).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.set_not_before(&Asn1Time::from_unix(from_secs).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::from_unix(from_secs + 30 * 86_400).unwrap()).unwrap();
    let names =
        SubjectAlternativeName::new().dns(name).build(&builder.x509v3_context(None, None)).unwrap();
    builder.append_extension(names).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    let pem = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let certificate = home.give("cert.pem", &pem(builder.build().to_pem().unwrap()));
    let key = home.give("key.pem", &pem(key.private_key_to_pem_pkcs8().unwrap()));
    [format!("passport.certificate_file={certificate}"), format!("passport.key_file={key}")]
}

fn now_secs() -> i64 {
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

#[test]
fn a_sound_server_passes() {
    let home = Home::new();
    let server = home.ephemeral(PEOPLE, &[]);
    let user = ["--user", "alice@example.test", "--only", "1,3,4,5,6,7,8,10"];
    let ran = examine(&home, &server, &user, "secret\n");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    assert_eq!(ran.out.matches("  pass  ").count(), 8, "{ran:?}");
    assert!(ran.out.contains("gives a ticket that is good once"), "{ran:?}");

    let file = home.give("password", "secret\n");
    let user = ["--user", "alice@example.test", "--password-file", &file, "--only", "5", "--json"];
    let ran = examine(&home, &server, &user, "");
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &report["healthy"]), (0, &true.into()), "{ran:?}");
    assert_eq!(report["checks"].as_array().unwrap().len(), 1);
    assert_eq!(point(&ran, 5).0, "pass");
}

/// A server as README sets it up, before clients are pointed at it.
#[cfg(feature = "legacy-tls")]
#[test]
fn a_server_set_up_as_in_readme_passes_all_ten_points() {
    let home = Home::new();
    home.manage("cert init --name chat.example.org", "");
    home.manage("user add alice@example.test --name Alice", "secret\n");
    let server = home.keeping(&[]);
    let ran = examine(&home, &server, &["--user", "alice@example.test"], "secret\n");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    assert_eq!(ran.out.matches("  pass  ").count(), 10, "{ran:?}");
}

#[test]
fn without_an_address_the_options_say_where() {
    let home = Home::new();
    let server = home.ephemeral(PEOPLE, &["dispatch.bind=notification"]);
    let bind = format!("notification.bind={}", server.address("notification"));
    let arguments =
        ["doctor", "--only", "1", "--set", "dispatch.bind=notification", "--set", &bind];
    let output = home.run(&arguments, "");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("serves without a referral"), "{text}");
}

#[test]
fn who_counts_as_a_proxy_says_so() {
    let home = Home::new();
    let behind = "net.proxy_protocol_from=[\"127.0.0.1\"]";
    let options = ["dispatch.bind=notification", "passport.https_bind=127.0.0.1:0", behind];
    let server = home.ephemeral(PEOPLE, &options);
    let notification = format!("notification.bind={}", server.address("notification"));
    let https = format!("passport.https_bind={}", server.address("passport-https"));
    let sets = ["--set", options[0], "--set", &notification, "--set", &https, "--set", behind];
    for command in [&["doctor", "--only", "1,3,4"][..], &["probe"]] {
        let output = home.run(&[command, &sets].concat(), "");
        assert!(output.status.success(), "{output:?}");
    }
    let output = home.run(&[&["probe"], &sets[..6]].concat(), "");
    assert!(!output.status.success(), "{output:?}");
}

#[test]
fn a_wrong_password_is_told_and_never_shown() {
    let home = Home::new();
    let server = home.ephemeral(PEOPLE, &[]);
    let user = ["--user", "alice@example.test", "--only", "5", "--json"];
    let ran = examine(&home, &server, &user, "hush-hush\n");
    assert_eq!(ran.code, 1, "{ran:?}");
    let (result, detail, remedy) = point(&ran, 5);
    assert_eq!(result, "fail", "{ran:?}");
    assert!(detail.contains("alice@example.test") && remedy.contains("user passwd"), "{ran:?}");
    assert!(!ran.out.contains("hush") && !ran.err.contains("hush"), "{ran:?}");
}

#[test]
fn a_referral_into_the_void_fails() {
    let home = Home::new();
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    for (advertised, says) in
        [(closed.to_string(), "cannot connect"), ("0.0.0.0:1864".into(), "no address")]
    {
        let advertised = format!("notification.advertised={advertised}");
        let server = home.ephemeral(PEOPLE, &[&advertised]);
        let ran = examine(&home, &server, &["--only", "1", "--json"], "");
        assert_eq!(ran.code, 1, "{ran:?}");
        let (result, detail, remedy) = point(&ran, 1);
        assert_eq!(result, "fail", "{ran:?}");
        assert!(detail.contains(says), "{ran:?}");
        assert!(remedy.contains("notification.advertised"), "{ran:?}");
    }
}

#[test]
fn a_gateway_that_sends_clients_elsewhere_fails() {
    let home = Home::new();
    for (option, says) in [
        ("gateway.advertised=nowhere.invalid", "cannot connect to nowhere.invalid"),
        ("notification.advertised=0.0.0.0:1864", "no address"),
    ] {
        let server = home.ephemeral(PEOPLE, &[option]);
        let ran = examine(&home, &server, &["--only", "7", "--json"], "");
        let (result, detail, remedy) = point(&ran, 7);
        assert_eq!((ran.code, result.as_str()), (1, "fail"), "{ran:?}");
        assert!(detail.contains(says) && remedy.contains("gateway.advertised"), "{ran:?}");
    }
    let server = home.ephemeral(PEOPLE, &["notification.advertised=localhost:1864"]);
    let ran = examine(&home, &server, &["--only", "7"], "");
    assert!(ran.out.contains("polled at localhost"), "{ran:?}");
}

#[test]
fn a_certificate_must_be_for_today_and_for_the_nexus() {
    let home = Home::new();
    for (name, from, says) in [
        ("nexus.passport.com", PAST_SECS, "expired"),
        ("nexus.passport.com", now_secs() + 86_400, "not valid yet"),
        ("www.example.test", now_secs() - 86_400, "not for nexus.passport.com"),
    ] {
        let options = certificate(&home, name, from);
        let options = options.each_ref().map(String::as_str);
        let server = home.keeping(&options);
        let ran = examine(&home, &server, &["--only", "3", "--json"], "");
        let (result, detail, remedy) = point(&ran, 3);
        assert_eq!((ran.code, result.as_str()), (1, "fail"), "{ran:?}");
        assert!(detail.contains(says) && !remedy.is_empty(), "{ran:?}");
    }
    let options = certificate(&home, "nexus.passport.com", now_secs() - 86_400);
    let server = home.keeping(&options.each_ref().map(String::as_str));
    let ran = examine(&home, &server, &["--only", "3", "--json"], "");
    assert_eq!((ran.code, point(&ran, 3).0.as_str()), (0, "pass"), "{ran:?}");
}

#[test]
fn a_certificate_must_be_for_the_login_host_too() {
    let home = Home::new();
    let pair = certificate(&home, "nexus.passport.com", now_secs() - 86_400);
    let options = [pair[0].as_str(), pair[1].as_str(), "passport.login_host=login.example.test"];
    let mut server = home.keeping(&options);
    server.await_log("the certificate is not for login.example.test");
    let points = if cfg!(feature = "legacy-tls") { &[2, 3][..] } else { &[3] };
    let ran = examine(&home, &server, &["--only", "2,3", "--json"], "");
    for number in points {
        let (result, detail, remedy) = point(&ran, *number);
        assert_eq!(result, "fail", "{ran:?}");
        assert!(detail.contains("sent to login.example.test"), "{ran:?}");
        assert!(remedy.contains("msnd cert renew --name login.example.test"), "{ran:?}");
    }
    drop(server);

    home.manage("cert init --name nowhere.invalid", "");
    let server = home.keeping(&["passport.login_host=nowhere.invalid"]);
    let ran = examine(&home, &server, &["--only", "3", "--json"], "");
    let (result, detail, _) = point(&ran, 3);
    assert_eq!((ran.code, result.as_str()), (1, "fail"), "{ran:?}");
    assert!(detail.contains("no address is found for nowhere.invalid"), "{ran:?}");
}

#[test]
fn a_client_that_trusts_the_authority_believes_the_server() {
    let home = Home::new();
    home.manage("cert init --name chat.example.test", "");
    let server = home.keeping(&[]);
    let ran = examine(&home, &server, &["--only", "3,4"], "");
    assert_eq!(ran.code, 0, "{ran:?}");
    let ca = std::fs::read(home.data_dir().join("certificates/ca.pem")).unwrap();
    for (name, believed) in
        [("nexus.passport.com", true), ("chat.example.test", true), ("www.example.test", false)]
    {
        let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
        connector.cert_store_mut().add_cert(X509::from_pem(&ca).unwrap()).unwrap();
        let stream = TcpStream::connect(server.address("passport-https")).unwrap();
        let connected = connector.build().connect(name, stream);
        assert_eq!(connected.is_ok(), believed, "{name}: {:?}", connected.err());
    }
}

/// The two kinds of client get the two certificates, unless the floor is too high for the old one.
#[cfg(feature = "legacy-tls")]
#[test]
fn old_windows_is_served_or_told_why_not() {
    let home = Home::new();
    home.manage("cert init", "");
    let server = home.keeping(&[]);
    let ran = examine(&home, &server, &["--only", "2,3", "--json"], "");
    assert_eq!(ran.code, 0, "{ran:?}");
    let (old, modern) = (point(&ran, 2).1, point(&ran, 3).1);
    assert_eq!(old, "TLSv1 DES-CBC3-SHA, certificate signed with SHA-1");
    assert!(modern.starts_with("TLSv1.2 ") && modern.ends_with(" sha256WithRSAEncryption"));
    drop(server);

    let server = home.keeping(&["passport.tls_floor=tls1.2"]);
    let ran = examine(&home, &server, &["--only", "2", "--json"], "");
    let (result, detail, remedy) = point(&ran, 2);
    assert_eq!((ran.code, result.as_str()), (1, "fail"), "{ran:?}");
    assert!(detail.contains("no TLS 1.0") && remedy.contains("passport.tls_floor"), "{ran:?}");
}

/// From a server without an authority to one whose users can get it, without a restart.
#[test]
fn an_authority_made_beside_the_server_is_handed_out() {
    let home = Home::new();
    let mut server = home.keeping(&[]);
    let get = |server: &Server, path: &str| {
        let stream = TcpStream::connect(server.address("http")).unwrap();
        exchange(stream, &format!("GET {path} HTTP/1.1\r\nHost: g.msn.com\r\n\r\n"))
    };
    let ran = examine(&home, &server, &["--only", "9", "--json"], "");
    let (result, detail, remedy) = point(&ran, 9);
    assert_eq!((ran.code, result.as_str()), (1, "fail"), "{ran:?}");
    assert!(detail.contains("404") && remedy.contains("msnd cert init"), "{ran:?}");

    home.manage("cert init", "");
    let hosts = get(&server, "/setup/hosts.txt");
    assert!(hosts.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"), "{hosts}");
    assert!(hosts.contains("\r\n127.0.0.1\tnexus.passport.com\t#msnd-setup\r\n"), "{hosts}");
    assert!(get(&server, "/setup").contains("\r\nLocation: /setup/\r\n"));
    assert!(get(&server, "/setup/").contains("<H1>MSN Messenger at 127.0.0.1</H1>\r\n"));
    assert!(get(&server, "/setup/ca.key").starts_with("HTTP/1.1 404 "));
    let ran = examine(&home, &server, &["--only", "9", "--json"], "");
    assert!(point(&ran, 9).1.contains("were not issued by the authority"), "{ran:?}");

    server.signal("HUP");
    server.await_log("certificates read again");
    let ran = examine(&home, &server, &["--only", "3,6,8,9", "--json"], "");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
}

#[test]
fn the_handout_names_the_advertised_address() {
    let home = Home::new();
    home.manage("cert init", "");
    let server = home.keeping(&["notification.advertised=192.0.2.7:1864"]);
    let stream = TcpStream::connect(server.address("http")).unwrap();
    let asked = "GET /setup/hosts.txt HTTP/1.1\r\nHost: chat.example.test\r\n\r\n";
    let hosts = exchange(stream, asked);
    assert!(hosts.contains("begins: MSN Messenger at chat.example.test\r\n"), "{hosts}");
    assert!(hosts.contains("\r\n192.0.2.7\tmessenger.hotmail.com\t"), "{hosts}");
}

#[test]
fn without_authority_or_address_the_handout_says_what_is_missing() {
    let home = Home::new();
    let server = home.keeping(&["notification.advertised=localhost:1864"]);
    let get = |path: &str| {
        let stream = TcpStream::connect(server.address("http")).unwrap();
        exchange(stream, &format!("GET /setup/{path} HTTP/1.1\r\nHost: G.MSN.COM\r\n\r\n"))
    };
    let page = get("");
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.contains("msnd cert init"), "{page}");
    home.manage("cert init", "");
    assert!(get("hosts.txt").contains("begins: MSN Messenger at 127.0.0.1\r\n"));
    assert!(get("setup.exe").starts_with("HTTP/1.1 404 "));
}

#[test]
fn closed_ports_fail_with_the_option_to_look_at() {
    let home = Home::new();
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port().to_string()
    };
    let ports =
        ["--dispatch-port", &closed, "--https-port", &closed, "--http-port", &closed, "--json"];
    let mut arguments = vec!["doctor", "127.0.0.1"];
    arguments.extend(ports);
    let output = home.run(&arguments, "");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["healthy"], false);
    for (point, option) in
        [(1, "dispatch.bind"), (3, "passport.https_bind"), (6, "web.bind"), (9, "web.bind")]
    {
        let check = &report["checks"][point - 1];
        assert_eq!(check["result"], "fail", "{check}");
        assert!(check["remedy"].as_str().unwrap().contains(option), "{check}");
    }
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(
        complaint.starts_with("msnd: 127.0.0.1: ") && complaint.contains("of 10 points failed")
    );
}
