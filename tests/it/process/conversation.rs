//! What the log says of conversations, and what it never does.

use super::child::{Home, Server};
use crate::support::Client;

const ALICE: &str = "alice@example.test";
const BOB: &str = "bob@example.test";

/// Alice and Bob in a conversation, and the cookies that led there.
fn converse(server: &Server) -> (Client, Client, Vec<String>) {
    let mut alice = server.sign_in(ALICE, "secret");
    let mut bob = server.sign_in(BOB, "secret");
    for session in [&mut alice, &mut bob] {
        session.ask("CHG 4 NLN", "CHG 4 NLN");
    }
    alice.send("XFR 5 SB");
    let line = alice.line_but_challenge();
    let start = line.rsplit(' ').next().unwrap().to_owned();
    let mut alice_talks = server.connect("switchboard");
    alice_talks.send(&format!("USR 1 {ALICE} {start}"));
    assert!(alice_talks.line().starts_with("USR 1 OK "));
    alice_talks.send(&format!("CAL 2 {BOB}"));
    assert!(alice_talks.line().starts_with("CAL 2 RINGING "));
    let ring = bob.line_but_challenge();
    let words: Vec<_> = ring.split(' ').collect();
    let mut bob_talks = server.connect("switchboard");
    bob_talks.send(&format!("ANS 1 {BOB} {} {}", words[4], words[1]));
    assert!(bob_talks.line().starts_with("IRO 1 1 1 "));
    bob_talks.expect("ANS 1 OK");
    assert!(alice_talks.line().starts_with("JOI "));
    let mut wrong = server.connect("switchboard");
    wrong.ask(&format!("USR 1 {ALICE} 1795415933.271828"), "911 1");
    let cookies = vec![start, words[4].to_owned(), "271828".to_owned()];
    (alice_talks, bob_talks, cookies)
}

#[test]
fn what_people_say_and_their_cookies_are_in_no_log() {
    let home = Home::new();
    for user in [ALICE, BOB] {
        home.manage(&format!("user add {user}"), "secret\n");
    }
    let server = home.keeping(&["log.level=trace", &format!("log.wire_trace={ALICE}")]);
    let (mut alice, mut bob, secrets) = converse(&server);
    alice.send_bytes(b"MSG 3 A 48\r\nContent-Type: text/plain\r\n\r\nbetween us\r\ntwo only");
    alice.expect("ACK 3");
    assert!(bob.message().1.contains("between us"));
    bob.send_bytes(b"MSG 4 N 10\r\n\r\nMSG  two");
    assert!(alice.message().1.contains("MSG  two"));
    alice.send("OUT");
    alice.expect_end();
    bob.expect("BYE alice@example.test");
    drop(bob);
    server.signal("TERM");
    let ended = server.wait();
    let log = ended.log();
    let signs = [
        "C: CAL 2 bob@example.test",
        "C: MSG 3 A 48 [48 bytes]",
        "S: MSG bob@example.test bob@example.test 10",
        "S: XFR 5 SB",
        "in a conversation",
        "out of the conversation",
    ];
    for sign in signs {
        assert!(log.contains(sign), "no {sign:?} in {log}");
    }
    for secret in secrets.iter().map(String::as_str).chain(["between us", "two"]) {
        let found = ended.logged.iter().find(|line| line.contains(secret));
        assert_eq!(found, None, "{secret} was logged");
    }
}
