//! Malformed lines, lengths, values and names.

use super::{ALICE, Target, closes};
use crate::support::{Client, TestServer};
use msnd::{
    notification::Notification,
    server::Role::{Dispatch, Notification as Ns},
};

const ROLES: [msnd::server::Role; 2] = [Dispatch, Ns];
/// `limits.line_bytes_max` and `limits.payload_bytes_max` as shipped.
const BYTES_MAX: usize = 8192;
/// Answered on both roles behind `VER`.
const VERSION: &[u8] = b"CVR 9\r\n";

#[test]
fn a_line_is_as_long_as_the_limit_and_no_longer() {
    let mut target = Target::new();
    let padded = |bytes: usize| {
        let mut line = b"CVR 8".to_vec();
        line.resize(bytes - 2, b' ');
        line.extend_from_slice(b"\r\n");
        line
    };
    for role in ROLES {
        let mut client = target.greeted(role);
        client.send_bytes(&padded(BYTES_MAX));
        assert!(client.line().starts_with("CVR 8 1.0.0000 "));
        closes(client, padded(BYTES_MAX + 1), VERSION);
        // No line end at all: nobody waits for it.
        closes(target.connect(role), vec![b'A'; BYTES_MAX], b"");
        closes(target.connect(role), vec![b' '; BYTES_MAX], b"");
    }
    target.leaves_bob_alone();
}

#[test]
fn a_limit_of_the_configuration_counts() {
    let server = TestServer::start_with(|config| {
        config.limits.line_bytes_max = 1024;
        config.limits.payload_bytes_max = 1024;
    });
    server.add(vec![crate::support::server::new_account(ALICE)]);
    let mut alice = Client::sign_in(&server, "MSNP9", ALICE);
    alice.send_bytes(&[b"PAG 7 bob@example.test 1 1024\r\n", &[b'x'; 1024][..]].concat());
    alice.expect("715 7");
    closes(alice, "PAG 8 bob@example.test 1 1025\r\n", b"");
    closes(Client::connect(server.address(Ns)), [b'A'; 1024], b"");
}

#[test]
fn payload_lengths_are_decimal_and_bounded() {
    let mut target = Target::new();
    let rows = Notification::table().into_iter().filter(|row| row.payload_bytes_max.is_some());
    let mut count = 0;
    for row in rows {
        count += 1;
        let over = (row.payload_bytes_max.unwrap() + 1).to_string();
        for length in [
            "-1",
            "+5",
            "0x10",
            "1.5",
            "1e3",
            "five",
            "4294967295",
            "4294967296",
            "9223372036854775808",
            "18446744073709551616",
            "340282366920938463463374607431768211456",
            &over,
        ] {
            let words = " bob@example.test".repeat(row.arity.0 - 1);
            target.closes_alice(format!("{} 7{words} {length}\r\n", row.verb));
        }
    }
    assert_eq!(count, 4, "QRY, SDC, PAG and PGD");
    target.leaves_bob_alone();
}

#[test]
fn a_payload_is_consumed_whatever_is_in_it() {
    let mut target = Target::new();
    let page = |payload: &[u8]| {
        [format!("PAG 7 bob@example.test 1 {}\r\n", payload.len()).as_bytes(), payload].concat()
    };
    for payload in
        [&b""[..], b"\0\xff\r\r\n", b"OUT\r\nINF 1\r\n", b"\r\n\r\n", &[b'\n'; BYTES_MAX]]
    {
        target.tells_alice(page(payload), &["715 7"], false);
        // The same with its successor, to which none of this is a page.
        let page = [b"PGD".as_slice(), &page(payload)[3..]].concat();
        target.tells_alice(page, &["201 7"], false);
    }
    let answer = |length: usize| {
        [format!("QRY 7 msmsgs@msnmsgr.com {length}\r\n").as_bytes(), &vec![b'x'; length]].concat()
    };
    for length in [0, 31, 32, 33, BYTES_MAX] {
        target.tells_alice(answer(length), &["540 7"], true);
    }
    target.leaves_bob_alone();
}

#[test]
fn blank_lines_are_no_commands_and_a_bare_lf_ends_a_line() {
    let mut target = Target::new();
    for role in ROLES {
        let mut client = target.connect(role);
        client.send_bytes(b"\r\n\n \t \r\n\r\nVER 1 MSNP9\n\r\n  CVR \t 2  \n");
        client.expect("VER 1 MSNP9");
        assert!(client.line().starts_with("CVR 2 1.0.0000 "));
    }
    target.leaves_bob_alone();
}

#[test]
fn bytes_that_are_in_no_line_end_the_connection() {
    let mut target = Target::new();
    let cases: [&[u8]; 9] = [
        b"CVR 2\rCVR 3\r\n",
        b"\rCVR 2\r\n",
        b"CVR 2\r\r\n",
        b"CVR 2\0\r\n",
        b"\0\r\n",
        b"\0\n",
        b"\xff\xfe\xfd\r\n",
        b"CV\xff 2\r\n",
        b"CVR \xff\r\n",
    ];
    for role in ROLES {
        for case in cases {
            closes(target.greeted(role), case, VERSION);
        }
        // Other protocols on our ports.
        for case in [
            &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..],
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n",
            b"<?xml version='1.0'?>\r\n",
        ] {
            closes(target.connect(role), case, b"VER 1 MSNP9\r\n");
        }
    }
    for case in [&b"PNG\rPNG\r\n"[..], b"PNG\0\r\n", b"PN\xc3\x89\r\n", b"CHG 1 NL\xff\r\n"] {
        target.closes_alice(case);
    }
    target.leaves_bob_alone();
}

#[test]
fn unknown_values_end_the_connection() {
    let mut target = Target::new();
    for line in [
        "CHG 7 XXX",
        "CHG 7 nln",
        "CHG 7 NLN -1",
        "CHG 7 NLN x",
        "CHG 7 NLN 4294967296",
        "CHG 7 NLN 0 %3Cmsnobj/%3E more",
        "GTC 7 X",
        "GTC 7 a",
        "BLP 7 XX",
        "BLP 7 A",
        "SYN 7 x",
        "SYN 7 -1",
        "SYN 7 4294967296",
        "SYN 7 2004-01-01T00:00:00.0000000-08:00 2004-01-01T00:00:00.0000000-08:00",
        "ADD 7 RL bob@example.test Bob",
        "ADD 7 XL bob@example.test Bob",
        "ADD 7 fl bob@example.test Bob",
        "ADD 7 FL bob@example.test Bob x",
        "ADD 7 FL bob@example.test Bob f60efbe7-94af-4b16-b92d-10346d52dc7e",
        "ADD 7 AL bob@example.test Bob 0",
        "REM 7 RL bob@example.test",
        "REM 7 XL bob@example.test",
        "REM 7 FL bob@example.test x",
        "REM 7 AL bob@example.test 0",
        "REG 7 x Name 0",
        "RMG 7 Friends",
        "PRP 7 PHMX 1",
        "USR 7 MD5 I alice@example.test",
    ] {
        let bytes = format!("{line}\r\n");
        if line.starts_with("USR") {
            // After sign-in every USR is told that it comes too late.
            target.tells_alice(&bytes, &["207 7"], false);
            closes(target.greeted(Ns), &bytes, VERSION);
            closes(target.greeted(Dispatch), &bytes, VERSION);
        } else {
            target.closes_alice(bytes);
        }
    }
    for (role, line) in [
        (Ns, "USR 7 TWN X alice@example.test"),
        (Ns, "USR 7 twn i alice@example.test"),
        (Ns, "USR 7 TWN S t=a&p=b"),
        (Dispatch, "USR 7 TWN X alice@example.test"),
        (Dispatch, "USR 7 TWN S t=a&p=b"),
    ] {
        closes(target.greeted(role), format!("{line}\r\n"), VERSION);
    }
    target.leaves_bob_alone();
}

#[test]
fn values_that_are_only_wrong_are_errors() {
    let mut target = Target::new();
    for (line, code) in [
        ("CHG 7 FLN", "201"),
        ("XFR 7 NS", "201"),
        ("ADD 7 FL bob Bob", "201"),
        ("ADD 7 FL carol@example.test Carol", "205"),
        ("ADD 7 FL carol@example.test Carol 7", "205"),
        ("ADD 7 FL bob@example.test Bob 4294967295", "224"),
        ("REM 7 FL bob@example.test 30", "224"),
        ("REM 7 BL bob@example.test", "216"),
        ("REA 7 carol@example.test Carol", "216"),
        ("RMG 7 4294967295", "224"),
        ("RMG 7 0", "230"),
        ("REG 7 30 Name 0", "224"),
        ("GTC 7 A", "218"),
        ("BLP 7 AL", "218"),
        ("PRP 7 XXX 1", "715"),
        ("PRP 7 PH 1", "715"),
        ("PRP 7 MFN Alice", "715"),
        ("XFR 7 SB", "913"),
    ] {
        target.tells_alice(format!("{line}\r\n"), &[&format!("{code} 7")], false);
    }
    target.leaves_bob_alone();
}

#[test]
fn names_that_are_no_text_are_refused() {
    let mut target = Target::new();
    let invalid: [&[u8]; 8] =
        [b"\xff", b"%FF", b"%C3", b"%00", b"%0D%0A", b"100%", b"%zz", b"%ED%A0%80"];
    let around = |before: &str, name: &[u8], after: &str| {
        [before.as_bytes(), name, after.as_bytes(), b"\r\n"].concat()
    };
    for name in invalid {
        target.tells_alice(around("REA 7 alice@example.test ", name, ""), &["209 7"], false);
        target.tells_alice(around("ADD 7 FL bob@example.test ", name, ""), &["201 7"], false);
        target.tells_alice(around("ADG 7 ", name, " 0"), &["201 7"], false);
        target.tells_alice(around("REG 7 0 ", name, " 0"), &["201 7"], false);
        target.tells_alice(around("PRP 7 PHM ", name, ""), &["201 7"], false);
    }
    target.tells_alice(around("ADD 7 FL b\u{f6}b@example.test Bob", b"", ""), &["201 7"], false);
    target.tells_alice(around("ADD 7 FL ", b"b\xff@example.test Bob", ""), &["201 7"], false);
    target.tells_alice(around("REA 7 ", b"b\xff@example.test Bob", ""), &["216 7"], false);
    target.leaves_bob_alone();
}

#[test]
fn names_over_the_hard_limit_end_the_connection() {
    let target = Target::new();
    for (before, fits, after) in [
        ("REA 7 alice@example.test ", 387, ""),
        ("ADD 7 FL bob@example.test ", 387, ""),
        ("ADG 7 ", 127, " 0"),
        ("REG 7 0 ", 127, " 0"),
        ("PRP 7 PHM ", 95, ""),
        ("CHG 7 NLN 0 ", 4096, ""),
    ] {
        let line = |bytes: usize| format!("{before}{}{after}\r\n", "x".repeat(bytes));
        target.closes_alice(line(fits + 1));
        let mut alice = target.alice();
        alice.send_bytes(line(fits).as_bytes());
        assert!(alice.line().contains(" 7"), "{before}");
    }
    let mut bob = target.bob;
    let lines = bob.drain();
    assert!(lines.iter().all(|line| line.starts_with("ADD 0 RL ") || line.starts_with("CHL 0 ")));
}
