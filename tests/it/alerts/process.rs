//! Alerts through the real binary: sent by its commands, kept through the death of the server.

use super::{ALICE, BOB, CAROL, texts};
use crate::process::child::{Home, Server};

fn home() -> Home {
    let home = Home::new();
    for user in [ALICE, BOB, CAROL] {
        home.manage(&format!("user add {user}"), "secret\n");
    }
    home
}

/// The texts of all alerts that a sign-in brings.
fn texts_at_sign_in(server: &Server, user: &str) -> Vec<String> {
    let mut client = server.sign_in(user, "secret");
    client.ask("CHG 5 NLN 0", "CHG 5 NLN 0");
    texts(&mut client)
}

#[test]
fn an_acknowledged_alert_outlives_its_server_and_comes_once() {
    let home = home();
    let server = home.keeping(&[]);
    let said = home.manage("notify alice@example.test --text Dentist", "");
    assert_eq!(said, "alert 1 is accepted for 1 account\n");
    server.signal("KILL");
    server.wait();

    let server = home.keeping(&[]);
    assert_eq!(texts_at_sign_in(&server, ALICE), ["Dentist"]);
    assert_eq!(texts_at_sign_in(&server, ALICE), [""; 0]);
    server.signal("TERM");
    assert_eq!(server.wait().status.code(), Some(0));
    // Nor after a restart in good order.
    let server = home.keeping(&[]);
    assert_eq!(texts_at_sign_in(&server, ALICE), [""; 0]);
}

#[test]
fn all_are_told_at_once_or_at_their_next_sign_in() {
    let home = home();
    let server = home.keeping(&[]);
    let mut online = [ALICE, BOB].map(|user| {
        let mut client = server.sign_in(user, "secret");
        client.ask("CHG 5 NLN 0", "CHG 5 NLN 0");
        client
    });
    let said = home.manage("notify --all --text - --expiry 1h", "Line one\nLine two\n");
    assert_eq!(said, "alert 1 is accepted for 3 accounts\n");
    for client in &mut online {
        let line = client.line_but_challenge();
        let bytes = line.strip_prefix("NOT ").expect(&line).parse().unwrap();
        let document = String::from_utf8(client.payload(bytes)).unwrap();
        assert!(document.contains("<TEXT>Line one\nLine two</TEXT>"), "{document}");
        assert_eq!(texts(client), [""; 0]);
    }
    server.signal("KILL");
    server.wait();
    let server = home.keeping(&[]);
    assert_eq!(texts_at_sign_in(&server, CAROL), ["Line one\nLine two"]);
    assert_eq!(texts_at_sign_in(&server, CAROL), [""; 0]);
    let log = {
        server.signal("TERM");
        server.wait().log()
    };
    assert!(!log.contains("Line one"), "{log}");
}
