//! TCP gives bytes, not lines: whatever the segments are, the conversation is the same.

use super::{ALICE, BOB};
use crate::support::{Client, TestServer, client::PATIENCE, server::new_account};
use msnd::{config::ChallengePolicy, server::Role};
use rstest::rstest;
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

/// aMSN asks three things at once and insists on the answers in this order.
#[test]
fn dispatch_answers_three_commands_of_one_segment_in_order() {
    let server = TestServer::start();
    let mut client = Client::connect(server.address(Role::Dispatch));
    client.send_bytes(
        b"VER 1 MSNP9 MSNP8 CVR0\r\n\
          CVR 2 0x0409 winnt 6.0 i386 MSNMSGR 6.0.0602 MSMSGS alice@example.test\r\n\
          USR 3 TWN I alice@example.test\r\n",
    );
    assert_eq!(client.line(), "VER 1 MSNP9 MSNP8 CVR0");
    assert!(client.line().starts_with("CVR 2 6.0.0602 6.0.0602 6.0.0602 "));
    let (to, from) = (server.address(Role::Notification), server.address(Role::Dispatch));
    assert_eq!(client.line(), format!("XFR 3 NS {to} 0 {from}"));
    client.finish_sending();
    client.expect_end();
}

#[test]
fn notification_answers_three_commands_of_one_segment_in_order() {
    let server = TestServer::with_users(&[ALICE]);
    let mut client = Client::connect(server.address(Role::Notification));
    client.send_bytes(
        b"VER 1 MSNP9 MSNP8 CVR0\r\n\
          CVR 2 0x0409 winnt 6.0 i386 MSNMSGR 6.0.0602 MSMSGS alice@example.test\r\n\
          USR 3 TWN I alice@example.test\r\n",
    );
    assert_eq!(client.line(), "VER 1 MSNP9 MSNP8 CVR0");
    assert!(client.line().starts_with("CVR 2 6.0.0602 6.0.0602 6.0.0602 "));
    assert!(client.line().starts_with("USR 3 TWN S lc="));
}

/// One library reads the payload with a single call behind the line.
#[test]
fn the_profile_comes_in_one_piece() {
    let server = TestServer::with_users(&[ALICE]);
    let mut stream = TcpStream::connect(server.address(Role::Notification)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.write_all(b"VER 1 MSNP9\r\nUSR 2 TWN I alice@example.test\r\n").unwrap();
    let mut byte = [0];
    for _ in 0..2 {
        while byte != *b"\n" {
            stream.read_exact(&mut byte).unwrap();
        }
        byte = [0];
    }
    let ticket = server.ticket(ALICE);
    stream.write_all(format!("USR 3 TWN S {ticket}\r\n").as_bytes()).unwrap();
    let mut piece = [0; 4096];
    let bytes = stream.read(&mut piece).unwrap();
    let piece = std::str::from_utf8(&piece[..bytes]).unwrap();
    let (first, rest) = piece.split_once("\r\n").unwrap();
    assert_eq!(first, "USR 3 OK alice@example.test Alice 1 0");
    let (line, payload) = rest.split_once("\r\n").unwrap();
    assert_eq!(line, format!("MSG Hotmail Hotmail {}", payload.len()));
}

/// Some clients end payloads with a line end that is not part of them.
#[rstest]
#[case::blank_line("\r\n")]
#[case::bare_lf("\n")]
#[case::blanks("  \r\n\r\n\t\n")]
fn stray_line_ends_between_commands_are_ignored(#[case] stray: &str) {
    let server = TestServer::start_with(|config| config.challenge.policy = ChallengePolicy::Log);
    server.add(vec![new_account(ALICE)]);
    let mut client = Client::sign_in(&server, "MSNP9", ALICE);
    client.send_bytes(
        format!("QRY 4 msmsgs@msnmsgr.com 32\r\n{}{stray}CHG 5 NLN 0\r\n", "0".repeat(32))
            .as_bytes(),
    );
    client.expect("QRY 4");
    client.expect("CHG 5 NLN 0");
    client.send_bytes(format!("PAG 6 bob@example.test 1 3\r\nOUT{stray}PNG\n").as_bytes());
    client.expect("715 6");
    client.expect("QNG 60");
}

/// The same session all at once, line by line, in odd pieces, and byte by byte.
#[rstest]
fn any_segments_make_the_same_conversation(#[values("MSNP8", "MSNP9")] dialect: &str) {
    let whole = conversation(dialect, usize::MAX);
    let replies: Vec<&str> = whole.iter().map(|line| &line[..3]).collect();
    assert_eq!(replies.first(), Some(&"VER"));
    assert_eq!(replies.last(), Some(&"OUT"));
    assert!(
        ["SYN", "LSG", "CHG", "QRY", "ADD", "BPR", "REM", "ADG", "REA", "PRP", "QNG"]
            .iter()
            .all(|verb| replies.contains(verb))
    );
    for piece_bytes in [1, 2, 7, 64] {
        assert_eq!(conversation(dialect, piece_bytes), whole, "in pieces of {piece_bytes}");
    }
}

/// A whole session sent in pieces of so many bytes without waiting for anything: all that came
/// back, with what differs each time masked.
fn conversation(dialect: &str, piece_bytes: usize) -> Vec<String> {
    let server = TestServer::start_with(|config| config.challenge.policy = ChallengePolicy::Log);
    server.add(vec![new_account(ALICE), new_account(BOB)]);
    let script = format!(
        "VER 1 {dialect} CVR0\r\n\
         CVR 2 0x0409 winnt 5.1 i386 MSNMSGR 6.0.0602 MSMSGS {ALICE}\r\n\
         USR 3 TWN I {ALICE}\r\n\
         USR 4 TWN S {ticket}\r\n\
         SYN 5 0\r\n\
         CHG 6 NLN 268435492 \r\n\
         QRY 7 msmsgs@msnmsgr.com 32\r\n{hash}\
         PNG\r\n\
         ADD 8 FL {BOB} Bob%20é 0\r\n\
         ADG 9 Friends 0\r\n\
         ADD 10 FL {BOB} Bob 1\r\n\
         PAG 11 {BOB} 1 10\r\nOUT\r\nPNG\r\n\
         REM 12 FL {BOB} 0\r\n\
         REM 13 FL {BOB} 1\r\n\
         REG 14 1 Family 0\r\n\
         RMG 15 1\r\n\
         REA 16 {ALICE} %41lice%20☺\r\n\
         GTC 17 N\r\n\
         BLP 18 BL\r\n\
         PRP 19 PHH 46%20555\r\n\
         XFR 20 SB\r\n\
         CHG 21 HDN 0\r\n\
         OUT\r\n",
        ticket = server.ticket(ALICE),
        hash = "0".repeat(32),
    );
    let mut client = Client::connect(server.address(Role::Notification));
    for piece in script.as_bytes().chunks(piece_bytes) {
        client.send_bytes(piece);
    }
    let mut lines = Vec::new();
    while let Some(line) = client.line_or_end() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["XFR", trid, "SB", _, "CKI", _] => lines.push(format!("XFR {trid} SB")),
            ["CHL", trid, _] => lines.push(format!("CHL {trid}")),
            ["USR", trid, "TWN", "S", _] => lines.push(format!("USR {trid} TWN S")),
            ["MSG", _, _, bytes] => {
                client.payload(bytes.parse().unwrap());
                lines.push("MSG".into());
            }
            _ => lines.push(line),
        }
    }
    lines
}
