//! Commands at the wrong moment, with the wrong number of words, or that nobody may send at all.
//! Generated from the command tables, so that a new row is covered by being there.

use super::{ALICE, Target, closes, command};
use crate::support::Client;
use msnd::{
    dispatch::Dispatch, notification::Notification, server::Role, session::command::RowInfo,
};

/// Sent by servers only, withdrawn before these dialects, or part of later ones.
const NEVER: [&str; 35] = [
    "ILN", "NLN", "FLN", "RNG", "BPR", "QNG", "NOT", "IPG", "ACK", "NAK", "JOI", "IRO", "BYE",
    "INF", "LST", "LSG", "MSG", "ADC", "SBP", "GCF", "UUX", "UBX", "UBN", "UUN", "SBS", "ADL",
    "RML", "FQY", "PUT", "NFY", "SDG", "LKP", "RFS", "VAS", "200",
];
const GREETING: &[u8] = b"VER 9 MSNP9\r\n";
const VERSION: &[u8] = b"CVR 9\r\n";

/// Both roles with their tables.
fn tables() -> [(Role, Vec<RowInfo>); 2] {
    [(Role::Dispatch, Dispatch::table()), (Role::Notification, Notification::table())]
}

/// On a connection where every row of `role` may be used, by the table at least.
#[track_caller]
fn closes_at_its_best(target: &Target, role: Role, bytes: &str) {
    if role == Role::Notification {
        target.closes_alice(bytes);
    } else {
        closes(target.greeted(role), bytes, VERSION);
    }
}

#[test]
fn a_word_too_few_or_too_many_ends_the_connection() {
    let mut target = Target::new();
    for (role, table) in tables() {
        assert!(table.len() >= 5);
        for row in table {
            let (fewest, most) = row.arity;
            closes_at_its_best(&target, role, &command(&row, "7", most + 1));
            if fewest > 0 {
                closes_at_its_best(&target, role, &command(&row, "7", fewest - 1));
            } else if row.has_trid {
                closes_at_its_best(&target, role, &format!("{}\r\n", row.verb));
            }
        }
    }
    target.leaves_bob_alone();
}

#[test]
fn a_transaction_id_is_a_number_of_32_bits() {
    let mut target = Target::new();
    for (role, table) in tables() {
        for row in table.iter().filter(|row| row.has_trid) {
            for trid in ["x", "-1", "+1", "1x", "0x1", "4294967296", "18446744073709551617"] {
                closes_at_its_best(&target, role, &command(row, trid, row.arity.0));
            }
        }
    }
    let mut alice = target.alice();
    for trid in ["0", "007", "4294967295", "1", "1"] {
        alice.ask(&format!("XFR {trid} NS"), &format!("201 {trid}"));
    }
    target.leaves_bob_alone();
}

#[test]
fn nothing_that_needs_a_sign_in_works_without_one() {
    let mut target = Target::new();
    let table = Notification::table();
    let rows: Vec<_> = table.iter().filter(|row| row.states == "signed in").collect();
    assert!(rows.len() >= 16);
    for row in rows {
        let line = command(row, "7", row.arity.0);
        closes(target.connect(Role::Notification), &line, GREETING);
        closes(target.greeted(Role::Notification), &line, VERSION);
        let mut named = target.greeted(Role::Notification);
        named.send(&format!("USR 2 TWN I {ALICE}"));
        assert!(named.line().starts_with("USR 2 TWN S "));
        closes(named, &line, VERSION);
        // The dispatch role does not know these verbs at all.
        closes(target.greeted(Role::Dispatch), &line, VERSION);
    }
    target.leaves_bob_alone();
}

#[test]
fn the_dialect_comes_first() {
    let mut target = Target::new();
    for role in [Role::Dispatch, Role::Notification] {
        for line in ["CVR 1", "CVQ 1", "USR 1 TWN I alice@example.test", "USR 1 TWN S t=a&p=b"] {
            closes(target.connect(role), format!("{line}\r\n"), GREETING);
        }
        for (offer, answer) in [("MSNP7 MSNP10", "VER 1 0"), ("CVR", "VER 1 0")] {
            let mut client = target.connect(role);
            client.ask(&format!("VER 1 {offer}"), answer);
            client.expect_end();
        }
        let mut client = target.greeted(role);
        client.ask("VER 2 MSNP9", "715 2");
        client.expect_end();
    }
    target.leaves_bob_alone();
}

#[test]
fn an_update_check_ends_after_its_answer_and_cannot_sign_in() {
    let mut target = Target::new();
    for role in [Role::Dispatch, Role::Notification] {
        let check = || {
            let mut client = target.connect(role);
            client.ask("VER 1 CVR0", "VER 1 CVR0");
            client
        };
        closes(check(), "USR 2 TWN I alice@example.test\r\n", VERSION);
        let mut client = check();
        client.send("CVQ 2 0x0409 winnt 5.1 i386 MSNMSGR 6.0.0602 MSMSGS a@example.test");
        assert!(client.line().starts_with("CVQ 2 6.0.0602 6.0.0602 6.0.0602 "));
        client.expect_end();
    }
    target.leaves_bob_alone();
}

#[test]
fn nothing_but_leaving_follows_a_referral() {
    let mut target = Target::new();
    let referred = || {
        let mut client = target.greeted(Role::Dispatch);
        client.send(&format!("USR 2 TWN I {ALICE}"));
        assert!(client.line().starts_with("XFR 2 NS "));
        client
    };
    closes(referred(), format!("USR 3 TWN I {ALICE}\r\n"), VERSION);
    closes(referred(), "OUT\r\n", b"");
    target.leaves_bob_alone();
}

#[test]
fn a_second_sign_in_on_one_connection_is_refused() {
    let mut target = Target::new();
    let mut alice = target.alice();
    alice.ask(&format!("USR 7 TWN I {ALICE}"), "207 7");
    alice.ask(&format!("USR 8 TWN S {}", target.server.ticket(ALICE)), "207 8");
    alice.send("CVR 9");
    assert!(alice.line().starts_with("CVR 9 "));
    alice.ask("VER 10 MSNP9", "715 10");
    alice.expect_end();
    target.leaves_bob_alone();
}

#[test]
fn a_ticket_is_for_one_person_and_one_sign_in() {
    let mut target = Target::new();
    let sign_in = |user: &str, ticket: &str| {
        let mut client = target.greeted(Role::Notification);
        client.send(&format!("USR 2 TWN I {user}"));
        assert!(client.line().starts_with("USR 2 TWN S "));
        client.send(&format!("USR 3 TWN S {ticket}"));
        client
    };
    let refused = |mut client: Client| {
        client.expect("911 3");
        client.expect_end();
    };
    let ticket = target.server.ticket(ALICE);
    for (user, ticket) in [
        ("bob@example.test", ticket.as_str()),
        ("nobody@example.test", "t=a&p=b"),
        ("nobody", "t=a&p=b"),
        (ALICE, "t=&p="),
        (ALICE, "x"),
        (ALICE, &"A".repeat(4000)),
    ] {
        refused(sign_in(user, ticket));
    }
    let ticket = target.server.ticket(ALICE);
    assert!(sign_in(ALICE, &ticket).line().starts_with("USR 3 OK alice@example.test "));
    refused(sign_in(ALICE, &ticket));
    target.leaves_bob_alone();
}

#[test]
fn verbs_that_no_client_may_send_end_the_connection() {
    let mut target = Target::new();
    for verb in NEVER {
        for line in
            [format!("{verb}\r\n"), format!("{verb} 7 0\r\n"), format!("{verb} 7 N 3\r\nabc")]
        {
            target.closes_alice(&line);
        }
        closes(target.greeted(Role::Notification), format!("{verb} 7\r\n"), VERSION);
        closes(target.greeted(Role::Dispatch), format!("{verb} 7\r\n"), VERSION);
    }
    target.leaves_bob_alone();
}

#[test]
fn verbs_are_three_capital_letters() {
    let mut target = Target::new();
    for (role, table) in tables() {
        for row in table {
            let line = command(&row, "7", row.arity.0);
            let behind = &line[3..];
            for verb in [
                row.verb.to_lowercase(),
                format!("{}{}", &row.verb[..1], row.verb[1..].to_lowercase()),
                row.verb[..2].to_owned(),
                format!("{}X", row.verb),
            ] {
                closes_at_its_best(&target, role, &format!("{verb}{behind}"));
            }
        }
    }
    target.leaves_bob_alone();
}

#[test]
fn pages_are_answered_by_dialect() {
    let mut target = Target::new();
    for (dialect, code) in [("MSNP8", "800"), ("MSNP9", "715")] {
        let mut alice = Client::sign_in(&target.server, dialect, ALICE);
        alice.send_bytes(b"PAG 7 bob@example.test 1 2\r\nhi");
        alice.expect(&format!("{code} 7"));
    }
    // MSNP8 has no objects: what stands there is ignored, not relayed.
    let mut alice = Client::sign_in(&target.server, "MSNP8", ALICE);
    alice.ask("CHG 8 NLN 5 object and more", "CHG 8 NLN 5");
    target.leaves_bob_alone();
}
