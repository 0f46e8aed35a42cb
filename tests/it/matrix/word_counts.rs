//! The table of word counts (reference `clients.md` §2): bitlbee signs out, Twisted raises and
//! libpurple reads too far if a line has a word too many or too few.

use super::{ALICE, BOB, account};
use crate::support::{Client, TestServer};
use msnd::{
    config::Challenge,
    model::{ListBits, PropertyKey},
    protocol::challenge::answer,
    server::Role,
};
use rstest::rstest;
use std::collections::{BTreeMap, BTreeSet};

const CAROL: &str = "carol@example.test";
const DAVE: &str = "dave@example.test";
const OBJECT: &str = "%3Cmsnobj%2F%3E";

/// Kind of line, its words in MSNP8 and in MSNP9, the verb included. Every count must be seen.
const TABLE: &[(&str, &[usize], &[usize])] = &[
    ("VER", &[4], &[4]),
    ("CVR", &[7], &[7]),
    ("USR TWN", &[5], &[5]),
    ("USR OK", &[7], &[7]),
    ("MSG", &[4], &[4]),
    ("XFR NS", &[6], &[6]),
    ("SYN", &[3, 5], &[3, 5]),
    ("GTC in SYN", &[2], &[2]),
    ("BLP in SYN", &[2], &[2]),
    ("PRP in SYN", &[3], &[3]),
    ("LSG", &[4], &[4]),
    ("LST with FL", &[5], &[5]),
    ("LST without FL", &[4], &[4]),
    ("BPR in SYN", &[3], &[3]),
    ("GTC", &[4], &[4]),
    ("BLP", &[4], &[4]),
    ("PRP", &[4, 5], &[4, 5]),
    ("BPR", &[4, 5], &[4, 5]),
    ("CHG", &[4], &[3, 4, 5]),
    ("ILN", &[6], &[6, 7]),
    ("NLN", &[5], &[5, 6]),
    ("FLN", &[2], &[2]),
    ("ADD FL", &[7], &[7]),
    ("ADD AL", &[6], &[6]),
    ("ADD BL", &[6], &[6]),
    ("ADD RL", &[6], &[6]),
    ("REM FL", &[5, 6], &[5, 6]),
    ("REM AL", &[5], &[5]),
    ("REM BL", &[5], &[5]),
    ("REM RL", &[5], &[5]),
    ("REA", &[5], &[5]),
    ("ADG", &[6], &[6]),
    ("REG", &[6], &[6]),
    ("RMG", &[4], &[4]),
    ("QNG", &[1], &[2]),
    ("CHL", &[3], &[3]),
    ("QRY", &[2], &[2]),
    ("error", &[2], &[2]),
    ("OUT", &[1], &[1]),
];

#[rstest]
#[case("MSNP8", 1)]
#[case("MSNP9", 2)]
fn every_line_has_exactly_its_words(#[case] dialect: &str, #[case] column: usize) {
    let server = TestServer::start();
    let mut bob = account(
        BOB,
        &[
            (ALICE, ListBits(ListBits::FORWARD.0 | ListBits::ALLOW.0)),
            (CAROL, ListBits::FORWARD),
            (DAVE, ListBits::BLOCK),
        ],
    );
    bob.properties.insert(PropertyKey::HomePhone, "46 555".into());
    let mut alice = account(ALICE, &[]);
    alice.properties.insert(PropertyKey::MobilePhone, "46 70".into());
    server.add(vec![bob, alice, account(CAROL, &[]), account(DAVE, &[])]);
    let mut seen = Seen::default();
    meet(&server, dialect, &mut seen);
    for row @ (kind, ..) in TABLE {
        let wanted = if column == 1 { row.1 } else { row.2 };
        let counted: Vec<_> = seen.0.get(*kind).into_iter().flatten().copied().collect();
        assert_eq!(counted, wanted, "{kind}");
    }
    assert_eq!(seen.0.len(), TABLE.len(), "{:?}", seen.0.keys());
}

/// What bob reads while everything happens that can.
fn meet(server: &TestServer, dialect: &str, seen: &mut Seen) {
    let mut referred = Client::connect(server.address(Role::Dispatch));
    referred.send_bytes(format!("VER 1 {dialect} CVR0\r\nUSR 2 TWN I {BOB}\r\n").as_bytes());
    referred.line();
    let referral = referred.line();
    seen.count(&referral, false);
    for host in [3, 5] {
        referral.split(' ').nth(host).unwrap().parse::<std::net::SocketAddrV4>().unwrap();
    }

    let mut alice = Client::present(server, "MSNP9", ALICE, &format!("BSY 268435500 {OBJECT}"));
    let mut carol = Client::present(server, "MSNP8", CAROL, "NLN");
    let mut dave = Client::present(server, "MSNP9", DAVE, "NLN 0");

    let mut bob = Client::connect(server.address(Role::Notification));
    bob.send(&format!("VER 1 {} CVR0", if dialect == "MSNP8" { "MSNP8 MSNP7" } else { dialect }));
    // The reply names what both speak: one dialect here, and the update check.
    seen.count(&bob.line(), false);
    for line in [
        format!("CVR 2 0x0409 winnt 5.1 i386 MSNMSGR 6.0.0602 MSMSGS {BOB}"),
        format!("USR 3 TWN I {BOB}"),
        format!("USR 4 TWN S {}", server.ticket(BOB)),
    ] {
        bob.send(&line);
        seen.count(&bob.line(), false);
    }
    seen.count(&bob.message().0, false);

    let mut all = |bob: &mut Client, lines: &[String], is_syn: bool| {
        for line in lines {
            bob.send(line);
        }
        bob.send("PNG");
        loop {
            let line = bob.line();
            seen.count(&line, is_syn);
            if line.starts_with("QNG") {
                break;
            }
        }
    };
    all(&mut bob, &["SYN 5 0".into()], true);
    all(&mut bob, &["SYN 6 1".into()], true);
    all(&mut bob, &["CHG 7 NLN".into(), "CHG 8 NLN 7".into()], false);
    all(&mut bob, &[format!("CHG 9 NLN 8 {OBJECT}")], false);

    // Others act; their answers show that it has reached bob.
    alice.ask(&format!("CHG 9 AWY 7 {OBJECT}"), &format!("CHG 9 AWY 7 {OBJECT}"));
    carol.ask("CHG 9 AWY", "CHG 9 AWY 0");
    alice.ask("PRP 10 PHM", "PRP 10 2 PHM");
    alice.ask("PRP 11 PHM 46%2071", "PRP 11 3 PHM 46%2071");
    dave.send(&format!("ADD 9 FL {BOB} Bob"));
    assert!(dave.line_but_challenge().starts_with("ADD 9 FL "));
    dave.send(&format!("REM 10 FL {BOB}"));
    while !dave.line().starts_with("REM 10 ") {}
    carol.ask("OUT", "OUT");
    carol.expect_end();
    all(&mut bob, &[], false);

    let edits = [
        format!("ADD 10 AL {CAROL} Carol"),
        format!("REM 11 AL {CAROL}"),
        format!("ADD 12 BL {CAROL} Carol"),
        format!("REM 13 BL {CAROL}"),
        format!("REM 14 FL {CAROL}"),
        format!("ADD 15 FL {CAROL} Carol"),
        "ADG 16 Friends 0".into(),
        "REG 17 1 Family 0".into(),
        format!("ADD 18 FL {CAROL} Carol 1"),
        format!("REM 19 FL {CAROL} 0"),
        "RMG 20 1".into(),
        "RMG 21 1".into(),
        format!("REA 22 {BOB} Robert"),
        "GTC 23 N".into(),
        "BLP 24 BL".into(),
        "PRP 25 PHH 46".into(),
        "PRP 26 PHH".into(),
    ];
    all(&mut bob, &edits, false);
    bob.send("CHL 27");
    let challenge = bob.line();
    seen.count(&challenge, false);
    let client = &Challenge::default().clients[0];
    let response = answer(challenge.split(' ').nth(2).unwrap(), &client.key);
    bob.send_bytes(format!("QRY 28 {} 32\r\n{response}OUT\r\n", client.id).as_bytes());
    while let Some(line) = bob.line_or_end() {
        seen.count(&line, false);
    }
}

/// How many words each kind of line had.
#[derive(Default)]
struct Seen(BTreeMap<String, BTreeSet<usize>>);

impl Seen {
    /// `in_block`: nothing but a `SYN` answer can come.
    fn count(&mut self, line: &str, in_block: bool) {
        // Splitting at single spaces, as aMSN does, shows double and trailing ones as empty words.
        let words: Vec<&str> = line.split(' ').collect();
        assert!(words.iter().all(|word| !word.is_empty()), "{line:?}");
        let kind = match words[..] {
            [code, _] if code.parse::<u16>().is_ok() => "error".into(),
            [verb @ ("GTC" | "BLP" | "PRP" | "BPR"), ..] if in_block => format!("{verb} in SYN"),
            ["LST", _, _, bits, ..] if ListBits(bits.parse().unwrap()).has(ListBits::FORWARD) => {
                "LST with FL".into()
            }
            ["LST", ..] => "LST without FL".into(),
            [verb @ ("ADD" | "REM" | "USR" | "XFR"), _, what, ..] => format!("{verb} {what}"),
            [verb, ..] => verb.into(),
            [] => unreachable!("a split gives at least one word"),
        };
        self.0.entry(kind).or_default().insert(words.len());
    }
}
