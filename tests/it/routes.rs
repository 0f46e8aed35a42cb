//! The ways from a client to this server that README describes, each followed step by step with
//! real sockets and the real binary.

mod computer;
mod hosts_file;
mod messenger;
mod papers;
mod patched;
mod proxy;
mod third_party;

use crate::{
    process::child::{Home, Server, ticket_in},
    support::Client,
};
use computer::Computer;

const ALICE: &str = "alice@example.test";
const BOB: &str = "bob@example.test";
const PASSWORD: &str = "secret";
const README: &str = include_str!("../../README.md");

/// Alice and Bob, who have each other in a group.
const PEOPLE: &str = "\
[[user]]
email = \"alice@example.test\"
password = \"secret\"
name = \"Alice\"
groups = [\"Friends\"]
forward = [{ email = \"bob@example.test\", name = \"Bob\", groups = [\"Friends\"] }]
allow = [\"bob@example.test\"]

[[user]]
email = \"bob@example.test\"
password = \"secret\"
name = \"Bob\"
groups = [\"Friends\"]
forward = [{ email = \"alice@example.test\", name = \"Alice\", groups = [\"Friends\"] }]
allow = [\"alice@example.test\"]
";

/// A data folder with Alice and Bob in it.
fn home() -> Home {
    let home = Home::new();
    let file = home.give("people.toml", PEOPLE);
    home.manage(&format!("user import {file}"), "");
    home
}

/// What `SYN` must say of the other one: group 1, and the forward, allow and reverse list.
fn entry(user: &str) -> &'static str {
    if user == ALICE {
        "LST bob@example.test Bob 11 1"
    } else {
        "LST alice@example.test Alice 11 1"
    }
}

/// Opens a conversation with two people who are signed in, each on a connection of its own to where
/// the notification server says.
#[track_caller]
fn converse(computer: &Computer<'_>, alice: &mut Client, bob: &mut Client) -> [Client; 2] {
    alice.send("XFR 20 SB");
    let referral = alice.line_but_challenge();
    let words: Vec<&str> = referral.split(' ').collect();
    let ["XFR", "20", "SB", address, "CKI", cookie] = words[..] else { panic!("{referral}") };
    let mut caller = computer.dial(address);
    caller.ask(&format!("USR 1 {ALICE} {cookie}"), "USR 1 OK alice@example.test Alice");
    caller.send(&format!("CAL 2 {BOB}"));
    assert!(caller.line().starts_with("CAL 2 RINGING "));
    let ring = bob.line_but_challenge();
    let words: Vec<&str> = ring.split(' ').collect();
    let ["RNG", room, address, "CKI", cookie, ALICE, "Alice"] = words[..] else { panic!("{ring}") };
    let mut called = computer.dial(address);
    called.ask(&format!("ANS 1 {BOB} {cookie} {room}"), "IRO 1 1 1 alice@example.test Alice");
    called.expect("ANS 1 OK");
    caller.expect("JOI bob@example.test Bob");
    [caller, called]
}

/// One side says something of this kind, the other one hears it.
#[track_caller]
fn say(from: &mut Client, to: &mut Client, sender: &str, kind: char) {
    let text = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\n\r\nhello";
    from.send_bytes(format!("MSG 7 {kind} {}\r\n{text}", text.len()).as_bytes());
    if kind == 'A' {
        from.expect("ACK 7");
    }
    assert_eq!(to.message(), (format!("MSG {sender} {}", text.len()), text.to_owned()));
}

/// A chat from the first word to the last.
#[track_caller]
fn chat(computer: &Computer<'_>, alice: &mut Client, bob: &mut Client, kind: char) {
    let [mut caller, mut called] = converse(computer, alice, bob);
    say(&mut caller, &mut called, "alice@example.test Alice", kind);
    say(&mut called, &mut caller, "bob@example.test Bob", kind);
    called.send("OUT");
    caller.expect("BYE bob@example.test");
}

/// The value of a header by its exact name, as clients look for it.
#[track_caller]
fn header<'a>(answer: &'a str, name: &str) -> &'a str {
    let found = answer.split("\r\n").find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    found.unwrap_or_else(|| panic!("no {name} in {answer}"))
}

/// `text` with every byte as `%XX`.
fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
