//! What is logged, in which form, and what must never be.

use super::child::{FREE_PORTS, Home, Server, exchange, login, ticket_in};
use openssl::{
    ssl::{SslConnector, SslMethod},
    x509::{X509, store::X509StoreBuilder},
};
use std::net::TcpStream;

const ALICE: &str = "alice@example.test";
const BOB: &str = "bob@example.test";
const PASSWORD: &str = "Hush-Quiet-16chr";

/// One request over TLS, trusting the certificate in the data folder and no other.
fn https(home: &Home, server: &Server, request: &str) -> String {
    let pem = std::fs::read(home.data_dir().join("passport-cert.pem")).unwrap();
    let mut trusted = X509StoreBuilder::new().unwrap();
    trusted.add_cert(X509::from_pem(&pem).unwrap()).unwrap();
    let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
    connector.set_cert_store(trusted.build());
    let tcp = TcpStream::connect(server.address("passport-https")).unwrap();
    exchange(connector.build().connect("localhost", tcp).unwrap(), request)
}

/// Every way to sign in, and to fail to, for one user; returns all that must stay secret.
fn sign_in_every_way(home: &Home, server: &Server, user: &str) -> Vec<String> {
    let mut secrets = vec![PASSWORD.to_owned(), "Wrong-And-Loud".to_owned()];
    let request = login("/login2.srf", user, PASSWORD);
    let header = request.lines().find(|line| line.starts_with("Authorization: ")).unwrap();
    let (_, encoded) = header.split_once("pwd=").unwrap();
    secrets.push(encoded.split(',').next().unwrap().to_owned());
    secrets.push("OrgVerb=GET".to_owned());
    for ticket in [ticket_in(&server.http(&request)), ticket_in(&https(home, server, &request))] {
        // With its halves exchanged, then a right one, then none at all.
        let (t, p) = ticket.split_once("&p=").unwrap();
        let t = t.strip_prefix("t=").unwrap();
        assert!(t.len() >= 16 && p.len() >= 16, "{ticket}");
        secrets.extend([t.to_owned(), p.to_owned()]);
        for (ticket, is_good) in [
            (format!("t={p}&p={t}"), false),
            (ticket_in(&server.http(&request)), true),
            ("Wrong-And-Loud".to_owned(), false),
        ] {
            if is_good {
                let (t, p) = ticket.split_once("&p=").unwrap();
                secrets.extend([t.strip_prefix("t=").unwrap().to_owned(), p.to_owned()]);
            }
            let (mut client, answer) = server.present_ticket(user, &ticket);
            assert_eq!(answer.starts_with("USR 3 OK "), is_good, "{answer}");
            if is_good {
                let (_, profile) = client.message();
                let (_, rest) = profile.split_once("MSPAuth: ").unwrap();
                let web = rest.lines().next().unwrap();
                assert!(web.len() >= 16, "{profile}");
                secrets.push(web.to_owned());
                client.ask("CHG 4 NLN", "CHG 4 NLN");
                client.send("OUT");
                client.expect("OUT");
                client.expect_end();
            }
        }
    }
    let wrong = login("/login2.srf", user, "Wrong-And-Loud");
    assert!(server.http(&wrong).starts_with("HTTP/1.1 401 "));
    assert!(https(home, server, &wrong).starts_with("HTTP/1.1 401 "));
    // Requests that are refused before anybody looks at the password.
    let cut = &request[..request.len() - 20];
    let stream = TcpStream::connect(server.address("passport-http")).unwrap();
    {
        use std::io::Write as _;
        (&stream).write_all(cut.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
    }
    let _ = exchange(stream.try_clone().unwrap(), "");
    let odd = request.replacen("GET ", "G\u{1}T ", 1);
    assert!(!server.http(&odd).contains("from-PP"));
    secrets
}

#[test]
fn no_secret_is_logged_even_at_trace_level() {
    for format in ["text", "json"] {
        let home = Home::new();
        for user in [ALICE, BOB] {
            home.manage(&format!("user add {user}"), &format!("{PASSWORD}\n"));
        }
        let mut server = home.keeping(&[
            "log.level=trace",
            &format!("log.wire_trace={ALICE}"),
            &format!("log.format={format}"),
        ]);
        let mut secrets = sign_in_every_way(&home, &server, ALICE);
        secrets.extend(sign_in_every_way(&home, &server, BOB));
        server.log();
        server.signal("TERM");
        let ended = server.wait();
        assert_eq!(ended.status.code(), Some(0));
        let log = ended.log();
        // The log is the whole one: signs of the sign-ins, of the wire trace, and of the level.
        for sign in ["ticket issued", "signed in", "USR 3 TWN S ***", "TRACE"] {
            assert!(log.contains(sign), "{format}: no {sign:?} in the log");
        }
        for secret in secrets {
            let found = ended.logged.iter().find(|line| line.contains(&secret));
            assert_eq!(found, None, "{format}: a secret was logged");
        }
        assert!(!log.to_lowercase().contains("passport1.4"));
    }
}

#[test]
fn the_json_form_is_one_object_a_line() {
    let home = Home::new();
    home.manage(&format!("user add {ALICE}"), "secret\n");
    let data_dir = home.data_dir();
    let mut arguments = vec!["--data-dir", data_dir.to_str().unwrap(), "--ready-json"];
    let options = FREE_PORTS.iter().chain(&["log.format=json", "log.level=debug"]);
    arguments.extend(options.flat_map(|option| ["--set", option]));
    let mut server = home.spawn(&arguments);
    server.await_ready();
    let mut alice = server.sign_in(ALICE, "secret");
    alice.send("OUT");
    alice.expect("OUT");
    alice.expect_end();
    server.await_log("signed out");
    server.signal("TERM");
    let ended = server.wait();
    let mut messages = Vec::new();
    for line in &ended.logged {
        let event: serde_json::Value = serde_json::from_str(line).expect(line);
        assert!(event["timestamp"].is_string() && event["level"].is_string(), "{line}");
        let message = event["message"].as_str().unwrap_or_default().to_owned();
        if message == "signed in" {
            assert_eq!(event["user"], ALICE);
            assert!(event["session.id"].is_string() && event["address"].is_string(), "{line}");
        }
        messages.push(message);
    }
    for message in ["passport ticket issued", "signed in", "signed out"] {
        let count = messages.iter().filter(|logged| *logged == message).count();
        assert_eq!(count, 1, "{message}: {messages:?}");
    }
}

#[test]
fn the_wire_trace_shows_the_lines_of_those_named_and_nobody_else() {
    let home = Home::new();
    for user in [ALICE, BOB] {
        home.manage(&format!("user add {user}"), "secret\n");
    }
    let server = home.keeping(&[&format!("log.wire_trace={ALICE}")]);
    for user in [ALICE, BOB] {
        let mut client = server.sign_in(user, "secret");
        client.ask("CHG 4 NLN 268435500", "CHG 4 NLN 268435500");
        client.send_bytes(b"PAG 5 bob@example.test 1 16\r\nnobody's concern");
        client.expect("715 5");
        client.send("OUT");
        client.expect("OUT");
        client.expect_end();
    }
    server.signal("TERM");
    let ended = server.wait();
    let traced: Vec<&String> =
        ended.logged.iter().filter(|line| line.contains("C: ") || line.contains("S: ")).collect();
    assert!(traced.iter().all(|line| line.contains(ALICE)), "{traced:?}");
    for part in [
        "S: USR 2 TWN S ***",
        "C: USR 3 TWN S ***",
        "S: USR 3 OK alice@example.test",
        "S: MSG Hotmail Hotmail",
        "C: CHG 4 NLN 268435500",
        "S: CHL 0 ",
        "C: PAG 5 bob@example.test 1 16 [16 bytes]",
        "S: 715 5",
        "C: OUT",
    ] {
        let count = traced.iter().filter(|line| line.contains(part)).count();
        assert_eq!(count, 1, "{part}: {traced:?}");
    }
    assert!(!ended.log().contains("concern"));
}
