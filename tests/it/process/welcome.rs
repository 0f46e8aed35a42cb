//! The welcome robot as a newcomer meets it: one option, one account, a first conversation.

use super::child::{Home, Server};
use crate::support::Client;

const ALICE: &str = "alice@example.test";
const ROBOT: &str = "welcome@example.test";
const ON: &[&str] = &["welcome.address=Welcome@example.test", "log.level=debug"];

/// Alice finds the robot and talks to it.
fn meet(server: &Server, is_added: bool) -> Client {
    let mut alice = server.sign_in(ALICE, "secret");
    alice.send("SYN 4 0");
    alice.send("CHG 5 NLN 0");
    let mut told = alice.drain();
    if !is_added {
        alice.send(&format!("ADD 6 FL {ROBOT} {ROBOT}"));
        told.extend(alice.drain());
    }
    let is_shown = |line: &String| line.ends_with(&format!(" NLN {ROBOT} Welcome 0"));
    assert!(told.iter().any(is_shown), "{told:?}");
    alice.send("XFR 7 SB");
    let line = alice.line_but_challenge();
    let words: Vec<_> = line.split(' ').collect();
    let mut talk = Client::connect(words[3].parse().unwrap());
    talk.send(&format!("USR 1 {ALICE} {}", words[5]));
    assert!(talk.line().starts_with("USR 1 OK "));
    talk.send(&format!("CAL 2 {ROBOT}"));
    assert!(talk.line().starts_with("CAL 2 RINGING "));
    talk.expect(&format!("JOI {ROBOT} Welcome"));
    talk.send_bytes(b"MSG 3 A 41\r\nContent-Type: text/plain\r\n\r\nanybody there");
    talk.expect("ACK 3");
    assert!(talk.message().1.ends_with("\r\n\r\nHello! I am the robot of this server."));
    assert!(talk.message().1.contains("\r\nTo add somebody, choose \"Add a Contact\""));
    talk
}

#[test]
fn with_one_option_there_is_somebody_to_talk_to() {
    let home = Home::new();
    home.manage(&format!("user add {ALICE} --name Alice"), "secret\n");
    let server = home.keeping(ON);
    let talk = meet(&server, false);
    server.signal("TERM");
    let ended = server.wait();
    drop(talk);
    assert!(ended.status.success(), "{}", ended.log());
    let log = ended.log();
    assert!(log.contains("made the account of the welcome robot"), "{log}");
    assert!(log.contains("the robot is in a conversation"), "{log}");
    for said in ["anybody there", "I am the robot", "Add a Contact"] {
        assert!(!log.contains(said), "{said} was logged");
    }
    assert!(home.manage("user list", "").contains(ROBOT));

    // Once more, with the same account. Nobody can sign in to it.
    let server = home.keeping(ON);
    let talk = meet(&server, true);
    server.signal("TERM");
    let ended = server.wait();
    drop(talk);
    assert!(ended.status.success() && !ended.log().contains("made the account"));

    // And without the option it is an account of which nobody hears.
    let server = home.keeping(&[]);
    let mut alice = server.sign_in(ALICE, "secret");
    alice.send("CHG 5 NLN 0");
    let told = alice.drain().concat();
    assert!(!told.contains("ILN "), "{told}");
}

#[test]
fn a_robot_without_a_place_to_talk_is_refused_before_anything_is_made() {
    let home = Home::new();
    let option = format!("welcome.address={ROBOT}");
    let output =
        home.run(&["run", "--ephemeral", "--set", &option, "--set", "switchboard.bind=off"], "");
    assert_eq!(output.status.code(), Some(78));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("`welcome.address`") && said.contains("switchboard.bind"), "{said}");
    assert!(home.leftovers().is_empty());
}
