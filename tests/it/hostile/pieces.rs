//! How bytes are cut into segments makes no difference.

use super::{ALICE, Target};
use crate::support::Client;
use msnd::server::Role;

/// Everything a client says from `VER` to `OUT`.
fn whole_session(target: &Target) -> String {
    format!(
        "VER 1 MSNP9 MSNP8 CVR0\r\n\
         CVR 2 0x0409 winnt 5.1 i386 MSNMSGR 6.0.0602 MSMSGS {ALICE}\r\n\
         USR 3 TWN I {ALICE}\r\n\
         USR 4 TWN S {}\r\n\
         SYN 5 0\r\n\
         CHG 6 NLN 268435500\r\n\
         PAG 7 bob@example.test 1 7\r\nHi\r\nBob\
         XFR 8 SB\r\n\
         PNG\r\n\
         OUT\r\n",
        target.server.ticket(ALICE)
    )
}

/// All that is said to it, without what differs from one session to the next.
fn heard(client: &mut Client) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some(line) = client.line_or_end() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[0] {
            "MSG" => drop(client.payload(words[3].parse().unwrap())),
            "CHL" => {}
            "USR" if words[2] == "TWN" => lines.push(words[..4].join(" ")),
            "XFR" => lines.push([&words[..3], &words[4..5]].concat().join(" ")),
            _ => lines.push(line),
        }
    }
    lines
}

fn expected() -> Vec<String> {
    let cvr = "CVR 2 6.0.0602 6.0.0602 6.0.0602 http://messenger.msn.com/download \
               http://messenger.msn.com";
    [
        "VER 1 MSNP9 MSNP8 CVR0",
        cvr,
        "USR 3 TWN S",
        "USR 4 OK alice@example.test Alice 1 0",
        "SYN 5 1 0 1",
        "GTC A",
        "BLP AL",
        "LSG 0 ~ 0",
        "CHG 6 NLN 268435500",
        "715 7",
        "XFR 8 SB CKI",
        "QNG 60",
        "OUT",
    ]
    .map(String::from)
    .into()
}

#[test]
fn a_whole_session_in_one_segment_is_answered_in_order() {
    let mut target = Target::new();
    let mut alice = target.connect(Role::Notification);
    alice.send_bytes(whole_session(&target).as_bytes());
    assert_eq!(heard(&mut alice), expected());
    target.leaves_bob_alone();
}

#[test]
fn a_whole_session_byte_by_byte_is_the_same_session() {
    let mut target = Target::new();
    let mut alice = target.connect(Role::Notification);
    for byte in whole_session(&target).as_bytes() {
        alice.send_bytes(&[*byte]);
    }
    assert_eq!(heard(&mut alice), expected());
    target.leaves_bob_alone();
}

#[test]
fn a_referral_may_be_asked_for_in_one_segment() {
    let mut target = Target::new();
    let mut client = target.connect(Role::Dispatch);
    client
        .send_bytes(format!("VER 1 MSNP9\r\nCVR 2 x\r\nUSR 3 TWN I {ALICE}\r\nOUT\r\n").as_bytes());
    client.expect("VER 1 MSNP9");
    assert!(client.line().starts_with("CVR 2 1.0.0000 "));
    let ns = target.server.address(Role::Notification);
    let ds = target.server.address(Role::Dispatch);
    client.expect(&format!("XFR 3 NS {ns} 0 {ds}"));
    client.expect_end();
    target.leaves_bob_alone();
}

#[test]
fn a_command_with_payload_may_be_cut_anywhere() {
    let mut target = Target::new();
    let mut alice = target.alice();
    let command = b"PAG 7 bob@example.test 1 7\r\nHi\r\nBobXFR 8 NS\r\n";
    for cut in 0..command.len() {
        let (first, second) = command.split_at(cut);
        // The answer to the ping proves that the first piece, in the same segment, was taken in
        // before the second one was sent.
        alice.send_bytes(&[b"PNG\r\n", first].concat());
        alice.expect("QNG 60");
        if cut >= 35 {
            alice.expect("715 7");
        }
        alice.send_bytes(second);
        if cut < 35 {
            alice.expect("715 7");
        }
        alice.expect("201 8");
    }
    target.leaves_bob_alone();
}

#[test]
fn half_a_command_is_no_command() {
    let mut target = Target::new();
    for half in ["CHG 7 HDN", "PAG 7 bob@example.test 1 5\r\nhell", "\r"] {
        let mut alice = target.alice();
        alice.send_bytes(half.as_bytes());
        alice.finish_sending();
        alice.expect_end();
    }
    target.leaves_bob_alone();
}
