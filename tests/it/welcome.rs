//! The welcome robot over real sockets: who sees it, what it answers, and to what it does not.

mod standing;

use crate::{
    admin::{self, ALICE, BOB, http::Door},
    support::{Client, TestServer, until},
};
use msnd::{config::Config, model::Address, server::Role, switchboard::message::MESSAGE_BYTES_MAX};

const ROBOT: &str = "welcome@example.test";
const HEADERS: &str = "MIME-Version: 1.0\r\n\
    Content-Type: text/plain; charset=UTF-8\r\n\
    X-MMS-IM-Format: FN=MS%20Shell%20Dlg; EF=; CO=0; CS=0; PF=0\r\n\r\n";

/// A server with a robot, Alice, Bob and Carol.
fn server(change: impl FnOnce(&mut Config)) -> (TestServer, Door) {
    admin::server(|config| {
        config.welcome.address = ROBOT.into();
        config.welcome.greeting = "Hello.".into();
        config.welcome.help = "Help.".into();
        config.welcome.return_secs = 1;
        change(config);
    })
}

fn present(server: &TestServer, user: &str) -> Client {
    Client::present(server, "MSNP9", user, "NLN 0")
}

/// Puts the robot on a list and returns what the client is told.
fn add(session: &mut Client) -> Vec<String> {
    session.send(&format!("ADD 6 FL {ROBOT} Robot"));
    session.drain()
}

/// A conversation that this session's user has opened.
fn open(server: &TestServer, session: &mut Client, user: &str) -> Client {
    session.send("XFR 9 SB");
    let cookie = session.line_but_challenge().rsplit(' ').next().unwrap().to_owned();
    let mut client = Client::connect(server.address(Role::Switchboard));
    client.send(&format!("USR 1 {user} {cookie}"));
    assert!(client.line().starts_with(&format!("USR 1 OK {user} ")));
    client
}

/// Calls the robot, which comes.
fn call(client: &mut Client) {
    client.send(&format!("CAL 2 {ROBOT}"));
    assert!(client.line().starts_with("CAL 2 RINGING "));
    client.expect(&format!("JOI {ROBOT} Welcome"));
}

/// A conversation of this session's user with the robot.
fn converse(server: &TestServer, session: &mut Client, user: &str) -> Client {
    let mut client = open(server, session, user);
    call(&mut client);
    client
}

fn send(client: &mut Client, kind: &str, content_type: &str, body: &str) {
    let payload = format!("MIME-Version: 1.0\r\nContent-Type: {content_type}\r\n\r\n{body}");
    client.send_bytes(format!("MSG 3 {kind} {}\r\n{payload}", payload.len()).as_bytes());
}

fn say(client: &mut Client, body: &str) {
    send(client, "N", "text/plain; charset=UTF-8", body);
}

/// What the robot says next.
#[track_caller]
fn hear(client: &mut Client) -> String {
    let (line, payload) = client.message();
    assert!(line.starts_with(&format!("MSG {ROBOT} Welcome ")), "{line}");
    payload.strip_prefix(HEADERS).unwrap_or_else(|| panic!("{payload}")).to_owned()
}

#[test]
fn without_an_address_there_is_no_robot() {
    let (server, _) = admin::server(|_| {});
    assert_eq!(server.running().hub().counts().sessions, 0);
    assert_eq!(server.block_on(server.store().accounts()).unwrap().len(), 3);
}

#[test]
fn whoever_adds_it_sees_it_and_nobody_is_added_by_it() {
    let (server, door) = server(|_| {});
    let mut alice = present(&server, ALICE);
    let told = add(&mut alice);
    let shown = format!("NLN {ROBOT} Welcome 0");
    assert!(told.contains(&format!("ILN 6 {shown}")), "{told:?}");
    drop(alice);
    for (dialect, user) in [("MSNP9", ALICE), ("MSNP8", ALICE)] {
        let mut alice = Client::sign_in(&server, dialect, user);
        alice.send("CHG 5 NLN 0");
        let told = alice.drain();
        assert!(told.contains(&format!("ILN 5 {shown}")), "{told:?}");
    }
    let robot = server.block_on(server.store().account(&Address::parse(ROBOT).unwrap())).unwrap();
    let roster = server.block_on(server.store().roster(robot.id)).unwrap();
    let listed: Vec<_> =
        roster.contacts.iter().map(|contact| (contact.address.as_str(), contact.lists.0)).collect();
    assert_eq!(listed, [(ALICE, 8)], "on the reverse list and no other");
    let sessions = door.json("/api/v1/sessions");
    let text = sessions.to_string();
    assert!(text.contains(ROBOT) && text.contains("\"welcome\""), "{text}");
}

#[test]
fn it_answers_what_people_write_and_is_heard_to_have_heard() {
    let (server, _) = server(|_| {});
    let mut session = present(&server, ALICE);
    let mut alice = converse(&server, &mut session, ALICE);
    send(&mut alice, "A", "text/plain", "hello?");
    alice.expect("ACK 3");
    assert_eq!(hear(&mut alice), "Hello.");
    assert_eq!(hear(&mut alice), "Help.");
    say(&mut alice, "Who am I?");
    assert_eq!(hear(&mut alice), format!("You are Alice. Others can add you as {ALICE}."));
    say(&mut alice, "and you?");
    assert_eq!(hear(&mut alice), "Help.");
    alice.send("OUT");
    alice.expect_end();
    // And once more from the beginning.
    let mut alice = converse(&server, &mut session, ALICE);
    say(&mut alice, "me again");
    assert_eq!(hear(&mut alice), "Hello.");
}

#[test]
fn typing_data_and_invitations_are_not_answered() {
    let (server, _) = server(|_| {});
    let mut session = present(&server, ALICE);
    let mut alice = converse(&server, &mut session, ALICE);
    send(&mut alice, "U", "text/x-msmsgscontrol", "TypingUser: alice@example.test");
    send(&mut alice, "D", "application/x-msnmsgrp2p", "help");
    alice.expect("ACK 3");
    send(&mut alice, "N", "text/x-msmsgsinvite; charset=UTF-8", "Application-Name: File Transfer");
    send(&mut alice, "U", "text/x-msnmsgr-datacast", "ID: 1");
    alice.send_bytes(b"MSG 3 N 0\r\n");
    say(&mut alice, "who am i");
    assert_eq!(hear(&mut alice), "Hello.");
    assert!(hear(&mut alice).starts_with("You are "));
    // Nothing else was under way: leaving is the next thing that happens.
    server.running().hub().kick(&Address::parse(ROBOT).unwrap());
    alice.expect(&format!("BYE {ROBOT}"));
}

#[test]
fn among_people_it_speaks_only_when_it_is_spoken_to() {
    let (server, _) = server(|_| {});
    let (mut alices, mut bobs) = (present(&server, ALICE), present(&server, BOB));
    let mut alice = converse(&server, &mut alices, ALICE);
    alice.send(&format!("CAL 4 {BOB}"));
    let room = alice.line().rsplit(' ').next().unwrap().to_owned();
    let ring = bobs.line_but_challenge();
    let cookie = ring.split(' ').nth(4).unwrap();
    let mut bob = Client::connect(server.address(Role::Switchboard));
    bob.send(&format!("ANS 1 {BOB} {cookie} {room}"));
    bob.expect(&format!("IRO 1 1 2 {ALICE} Alice"));
    bob.expect(&format!("IRO 1 2 2 {ROBOT} Welcome"));
    bob.expect("ANS 1 OK");
    alice.expect(&format!("JOI {BOB} Bob"));
    say(&mut alice, "shall we go for a walk?");
    assert!(bob.message().1.ends_with("walk?"));
    say(&mut bob, "who am i");
    assert!(alice.message().1.ends_with("who am i"));
    for client in [&mut alice, &mut bob] {
        assert_eq!(hear(client), format!("You are Bob. Others can add you as {BOB}."));
    }
    bob.send("OUT");
    bob.expect_end();
    alice.expect(&format!("BYE {BOB}"));
    say(&mut alice, "now it is just us");
    assert_eq!(hear(&mut alice), "Help.");
}

#[test]
fn whoever_calls_it_into_a_conversation_finds_it_quiet() {
    let (server, door) = server(|_| {});
    let (mut alices, mut bobs) = (present(&server, ALICE), present(&server, BOB));
    let mut alice = open(&server, &mut alices, ALICE);
    alice.send(&format!("CAL 4 {BOB}"));
    let room = alice.line().rsplit(' ').next().unwrap().to_owned();
    let ring = bobs.line_but_challenge();
    let mut bob = Client::connect(server.address(Role::Switchboard));
    bob.send(&format!("ANS 1 {BOB} {} {room}", ring.split(' ').nth(4).unwrap()));
    bob.expect(&format!("IRO 1 1 1 {ALICE} Alice"));
    bob.expect("ANS 1 OK");
    alice.expect(&format!("JOI {BOB} Bob"));
    call(&mut bob);
    alice.expect(&format!("JOI {ROBOT} Welcome"));
    say(&mut alice, "look who is here");
    assert!(bob.message().1.ends_with("here"));
    say(&mut bob, "help");
    assert!(alice.message().1.ends_with("help"));
    assert_eq!(hear(&mut alice), "Help.");
    drop((alice, bob));
    until(|| door.metric("msnd_rooms") == 0.0);
}

#[test]
fn it_talks_with_two_people_at_once_and_keeps_them_apart() {
    let (server, _) = server(|_| {});
    let (mut alices, mut bobs) = (present(&server, ALICE), present(&server, BOB));
    let mut alice = converse(&server, &mut alices, ALICE);
    let mut bob = converse(&server, &mut bobs, BOB);
    say(&mut alice, "who am i");
    say(&mut bob, "who am i");
    for (client, name) in [(&mut bob, "Bob"), (&mut alice, "Alice")] {
        assert_eq!(hear(client), "Hello.");
        assert!(hear(client).starts_with(&format!("You are {name}. ")));
    }
}

#[test]
fn a_long_help_comes_in_several_messages() {
    let lines: Vec<_> = (0..70).map(|n| format!("{n}: {}", "ö".repeat(50))).collect();
    let (server, _) = server(|config| {
        config.welcome.greeting = String::new();
        config.welcome.help = lines.join("\n");
    });
    let mut session = present(&server, ALICE);
    let mut alice = converse(&server, &mut session, ALICE);
    say(&mut alice, "help");
    let mut heard = Vec::new();
    while heard.len() < lines.len() {
        let body = hear(&mut alice);
        assert!(HEADERS.len() + body.len() <= MESSAGE_BYTES_MAX);
        heard.extend(body.split("\r\n").map(str::to_owned));
    }
    assert_eq!(heard, lines);
}

#[test]
fn a_flood_gets_few_answers() {
    const TEXTS: usize = 60;
    let (server, door) = server(|config| config.welcome.greeting = String::new());
    let mut session = present(&server, ALICE);
    let mut alice = converse(&server, &mut session, ALICE);
    let payload = "Content-Type: text/plain\r\n\r\nflood";
    let text = format!("MSG 3 N {}\r\n{payload}", payload.len());
    alice.send_bytes((text.repeat(TEXTS) + "OUT\r\n").as_bytes());
    while alice.line_or_end().is_some_and(|line| line.starts_with("MSG ")) {
        alice.payload(HEADERS.len() + "Help.".len());
    }
    // It has heard everything before it noticed that it was alone.
    until(|| door.metric("msnd_rooms") == 0.0);
    assert_eq!(door.metric("msnd_messages_total{type=\"N\"}"), TEXTS as f64);
    let answers = door.metric("msnd_messages_total{type=\"U\"}");
    // Ten at once, and one more every six seconds on a slow machine.
    assert!((10.0..20.0).contains(&answers), "{answers}");
}

#[test]
fn one_caller_does_not_get_all_of_it() {
    let (server, door) = server(|_| {});
    let (mut alices, mut bobs) = (present(&server, ALICE), present(&server, BOB));
    let mut talks: Vec<_> = (0..4).map(|_| converse(&server, &mut alices, ALICE)).collect();
    let mut fifth = open(&server, &mut alices, ALICE);
    fifth.send(&format!("CAL 2 {ROBOT}"));
    assert!(fifth.line().starts_with("CAL 2 RINGING "));
    // Calls are taken in order: when Bob's is answered, that one was passed over.
    let bob = converse(&server, &mut bobs, BOB);
    talks.pop().unwrap().send("OUT");
    until(|| door.metric("msnd_rooms") == 5.0);
    let again = converse(&server, &mut alices, ALICE);
    assert_eq!(door.metric("msnd_room_joins_total"), 6.0);
    assert!(fifth.hears_nothing_yet());
    drop((talks, fifth, bob, again));
    until(|| door.metric("msnd_rooms") == 0.0);
}
