//! What real clients do to a server, one test for each habit (reference `clients.md` §2 and §9.1,
//! and the matrix of its §11), as far as a transcript cannot show it.

mod segments;
mod word_counts;

use crate::support::{Client, TestServer, server::new_account};
use msnd::{
    config::Bind,
    model::{Address, GroupSet, ListBits, Name},
    server::Role,
    store::{NewAccount, NewContact},
};
use rstest::rstest;

const ALICE: &str = "alice@example.test";
const BOB: &str = "bob@example.test";

/// An account with these people on its lists.
fn account(user: &str, contacts: &[(&str, ListBits)]) -> NewAccount {
    let mut account = new_account(user);
    account.contacts.extend(contacts.iter().map(|(contact, lists)| NewContact {
        address: Address::parse(contact).unwrap(),
        name: Name::new(contact).unwrap(),
        lists: *lists,
        groups: GroupSet::default(),
    }));
    account
}

/// A server on which bob watches alice.
fn bob_watches_alice() -> TestServer {
    let server = TestServer::start();
    server.add(vec![account(ALICE, &[]), account(BOB, &[(ALICE, ListBits::FORWARD)])]);
    server
}

/// Kopete counts from zero, also where the server does for lines of its own.
#[test]
fn transaction_id_zero_is_like_any_other() {
    let server = TestServer::with_users(&[ALICE, BOB]);
    let mut dispatch = Client::connect(server.address(Role::Dispatch));
    dispatch.ask("VER 0 MSNP9", "VER 0 MSNP9");
    dispatch.send("USR 0 TWN I alice@example.test");
    assert!(dispatch.line().starts_with("XFR 0 NS 127.0.0.1:"));
    let mut client = Client::connect(server.address(Role::Notification));
    client.ask("VER 0 MSNP9", "VER 0 MSNP9");
    client.send("CVR 0 0x0409 winnt 5.1 i386 MSNMSGR 6.0.0602 MSMSGS alice@example.test");
    assert!(client.line().starts_with("CVR 0 6.0.0602 "));
    client.send("USR 0 TWN I alice@example.test");
    assert!(client.line().starts_with("USR 0 TWN S lc="));
    client.send(&format!("USR 0 TWN S {}", server.ticket(ALICE)));
    assert_eq!(client.line(), "USR 0 OK alice@example.test Alice 1 0");
    client.message();
    client.ask("SYN 0 1", "SYN 0 1");
    client.ask("CHG 0 NLN 268435492", "CHG 0 NLN 268435492");
    client.ask("GTC 0 N", "GTC 0 2 N");
    client.ask("GTC 0 N", "218 0");
    client.ask("ADD 0 AL bob@example.test bob", "ADD 0 AL 3 bob@example.test bob");
    client.ask("OUT", "OUT");
}

/// Any 32-bit number, rising or not, is repeated digit by digit; Twisted starts again after 1000.
#[test]
fn transaction_ids_come_back_as_they_were() {
    let server = TestServer::with_users(&[ALICE]);
    let mut client = Client::sign_in(&server, "MSNP9", ALICE);
    for trid in ["1000", "1", "1", "4294967295", "007"] {
        client.ask(&format!("REA {trid} {ALICE} Alice"), &format!("REA {trid} 1 {ALICE} Alice"));
    }
    client.send("REA 4294967296 alice@example.test Alice");
    client.expect_end();
}

#[rstest]
#[case::kopete_without_picture("CHG 5 NLN 268435492 ", "CHG 5 NLN 268435492")]
#[case::tab("CHG\t5\tNLN\t268435492", "CHG 5 NLN 268435492")]
#[case::double_spaces("CHG  5   NLN  268435492", "CHG 5 NLN 268435492")]
#[case::leading_space(" CHG 5 NLN", "CHG 5 NLN")]
fn white_space_is_white_space(#[case] line: &str, #[case] answer: &str) {
    let server = TestServer::with_users(&[ALICE]);
    let mut client = Client::sign_in(&server, "MSNP9", ALICE);
    client.ask(line, answer);
    client.expect_silence();
    client.send("OUT  ");
    client.expect("OUT");
    client.expect_end();
}

#[test]
fn words_of_cvr_may_stand_far_apart() {
    let server = TestServer::start();
    let mut client = Client::connect(server.address(Role::Dispatch));
    client.ask("VER 1 MSNP9", "VER 1 MSNP9");
    client.send("CVR 2 0x0409\twinnt  5.1 i386\t\tMSNMSGR 6.0.0602 MSMSGS alice@example.test ");
    assert!(client.line().starts_with("CVR 2 6.0.0602 6.0.0602 6.0.0602 http://"));
}

/// Both wait for no answer between the two.
#[rstest]
fn chg_in_the_segment_of_syn_is_answered_behind_the_block(
    #[values("MSNP8", "MSNP9")] dialect: &str,
) {
    let server = TestServer::start();
    let users: Vec<_> = (0..40).map(|number| format!("user{number}@example.test")).collect();
    let contacts: Vec<_> = users.iter().map(|user| (&**user, ListBits::FORWARD)).collect();
    let mut accounts: Vec<_> = users.iter().map(|user| new_account(user)).collect();
    accounts.push(account(ALICE, &contacts));
    server.add(accounts);
    let _friend = Client::present(&server, "MSNP9", &users[7], "NLN 0");
    let mut client = Client::sign_in(&server, dialect, ALICE);
    client.send_bytes(b"SYN 5 0\r\nCHG 6 NLN 268435492 \r\n");
    client.expect("SYN 5 1 40 1");
    for line in ["GTC A", "BLP AL", "LSG 0 ~ 0"] {
        client.expect(line);
    }
    for user in &users {
        client.expect(&format!("LST {user} {user} 1 0"));
    }
    client.expect("CHG 6 NLN 268435492");
    client.expect("ILN 6 NLN user7@example.test User7 0");
    client.expect_silence();
}

/// Twisted and bitlbee count four words.
#[test]
fn msnp8_chg_is_answered_with_a_client_id() {
    let server = TestServer::with_users(&[ALICE]);
    let mut client = Client::sign_in(&server, "MSNP8", ALICE);
    client.ask("CHG 4 NLN", "CHG 4 NLN 0");
    client.ask("CHG 5 BSY 7", "CHG 5 BSY 7");
}

/// bitlbee logs out if a picture makes one word too many.
#[test]
fn msnp8_watcher_gets_no_object() {
    let server = bob_watches_alice();
    let mut bob = Client::present(&server, "MSNP8", BOB, "NLN");
    let _alice = Client::present(&server, "MSNP9", ALICE, "NLN 268435500 %3Cmsnobj%2F%3E");
    bob.expect("NLN NLN alice@example.test Alice 268435500");
    drop(bob);
    let mut bob = Client::sign_in(&server, "MSNP8", BOB);
    bob.ask("CHG 9 NLN", "CHG 9 NLN 0");
    bob.expect("ILN 9 NLN alice@example.test Alice 268435500");
    bob.expect_silence();
}

/// libpurple ends the sign-in of an empty list on the line of group 0.
#[rstest]
fn an_empty_account_has_group_zero(#[values("MSNP8", "MSNP9")] dialect: &str) {
    let server = TestServer::with_users(&[ALICE]);
    let mut client = Client::sign_in(&server, dialect, ALICE);
    client.ask("SYN 4 0", "SYN 4 1 0 1");
    client.expect("GTC A");
    client.expect("BLP AL");
    client.expect("LSG 0 ~ 0");
    client.expect_silence();
}

/// Kopete and aMSN always name a group.
#[test]
fn leaving_the_last_group_is_leaving_the_list() {
    let server = bob_watches_alice();
    let mut alice = Client::present(&server, "MSNP9", ALICE, "NLN 0");
    let mut bob = Client::present(&server, "MSNP9", BOB, "NLN 0");
    bob.ask("REM 6 FL alice@example.test 0", "REM 6 FL 2 alice@example.test 0");
    alice.expect("REM 0 RL 2 bob@example.test");
    alice.ask("CHG 6 BSY 0", "CHG 6 BSY 0");
    bob.expect_silence();
    bob.ask("SYN 7 0", "SYN 7 2 0 1");
}

/// bitlbee blocks without allowing no more.
#[test]
fn blocking_somebody_allowed_is_refused() {
    let server = TestServer::start();
    server.add(vec![account(ALICE, &[(BOB, ListBits::ALLOW)]), new_account(BOB)]);
    let mut client = Client::present(&server, "MSNP8", ALICE, "NLN");
    client.ask("ADD 6 BL bob@example.test bob@example.test", "219 6");
    client.ask("REM 7 AL bob@example.test", "REM 7 AL 2 bob@example.test");
    client.ask("ADD 8 BL bob@example.test bob", "ADD 8 BL 3 bob@example.test bob");
}

/// bitlbee escapes no byte above 127.
#[test]
fn a_raw_nickname_is_repeated_raw_and_told_escaped() {
    let server = bob_watches_alice();
    let mut bob = Client::present(&server, "MSNP8", BOB, "NLN");
    let mut alice = Client::present(&server, "MSNP8", ALICE, "NLN");
    bob.expect("NLN NLN alice@example.test Alice 0");
    alice.ask("REA 6 alice@example.test Алиса%20☺", "REA 6 2 alice@example.test Алиса%20☺");
    bob.expect("NLN NLN alice@example.test %D0%90%D0%BB%D0%B8%D1%81%D0%B0%20%E2%98%BA 0");
}

/// Whatever form of a long name came, nobody gets more than 387 bytes of it.
#[rstest]
#[case::every_character_escaped("%61".repeat(129), "a".repeat(129))]
#[case::lower_case_hex("%c3%a9".repeat(64), "%C3%A9".repeat(64))]
#[case::escapes_would_not_fit("é".repeat(193), "é".repeat(193))]
#[case::spaces_cost_three_bytes("%20".repeat(129), "%20".repeat(129))]
fn long_names_never_grow(#[case] sent: String, #[case] told: String) {
    let server = bob_watches_alice();
    let mut bob = Client::present(&server, "MSNP8", BOB, "NLN");
    let mut alice = Client::present(&server, "MSNP9", ALICE, "NLN 0");
    bob.expect("NLN NLN alice@example.test Alice 0");
    alice.ask(&format!("REA 6 {ALICE} {sent}"), &format!("REA 6 2 {ALICE} {sent}"));
    bob.expect(&format!("NLN NLN {ALICE} {told} 0"));
    alice.send(&format!("REA 7 {ALICE} {sent}{}", "x".repeat(388 - sent.len())));
    alice.expect_end();
    bob.expect("FLN alice@example.test");
}

/// bitlbee never says `OUT`.
#[test]
fn tcp_close_without_out_is_told() {
    let server = bob_watches_alice();
    let mut bob = Client::present(&server, "MSNP9", BOB, "NLN 0");
    let alice = Client::present(&server, "MSNP8", ALICE, "NLN");
    bob.expect("NLN NLN alice@example.test Alice 0");
    drop(alice);
    bob.expect("FLN alice@example.test");
    // With something unread the close is a reset.
    let mut alice = Client::present(&server, "MSNP8", ALICE, "NLN");
    bob.expect("NLN NLN alice@example.test Alice 0");
    alice.send("SYN 9 0");
    drop(alice);
    bob.expect("FLN alice@example.test");
}

/// Everybody compares handles letter by letter.
#[test]
fn handles_are_lower_case_however_they_came() {
    let server = bob_watches_alice();
    let mut client = Client::connect(server.address(Role::Notification));
    client.ask("VER 1 msnp9", "VER 1 MSNP9");
    client.send("USR 2 TWN I ALICE@Example.TEST");
    assert!(client.line().starts_with("USR 2 TWN S "));
    client.send(&format!("USR 3 TWN S {}", server.ticket(ALICE)));
    assert_eq!(client.line(), "USR 3 OK alice@example.test Alice 1 0");
    let (_, profile) = client.message();
    assert!(profile.contains("\r\nPreferredEmail: alice@example.test\r\n"), "{profile}");
    client.ask("ADD 4 AL BOB@EXAMPLE.TEST Bob", "ADD 4 AL 2 bob@example.test Bob");
    client.ask("REM 5 AL Bob@example.test", "REM 5 AL 3 bob@example.test");
}

/// Lists may be changed and the status shown before anything was synchronised.
#[test]
fn syn_need_not_come_first() {
    let server = bob_watches_alice();
    let mut bob = Client::sign_in(&server, "MSNP9", BOB);
    bob.ask("ADD 4 AL alice@example.test Alice", "ADD 4 AL 2 alice@example.test Alice");
    bob.ask("CHG 5 NLN 0", "CHG 5 NLN 0");
    bob.ask("SYN 6 0", "SYN 6 2 1 1");
}

/// An empty list version of our own would look like a client's "I know nothing".
#[test]
fn a_number_nobody_has_heard_brings_the_whole_list() {
    let server = TestServer::with_users(&[ALICE]);
    for (known, answer) in [("0", "SYN 4 1 0 1"), ("2", "SYN 4 1 0 1"), ("1", "SYN 4 1")] {
        let mut client = Client::sign_in(&server, "MSNP9", ALICE);
        client.ask(&format!("SYN 4 {known}"), answer);
    }
}

/// Twisted reads a second colon in a profile value as an error, and lines of it by their ends.
#[test]
fn profile_values_hold_no_colon() {
    let server = TestServer::with_users(&[ALICE]);
    let mut client = Client::connect(server.address(Role::Notification));
    client.ask("VER 1 MSNP8 CVR0", "VER 1 MSNP8 CVR0");
    client.send("USR 2 TWN I alice@example.test");
    client.line();
    client.send(&format!("USR 3 TWN S {}", server.ticket(ALICE)));
    client.line();
    let (line, profile) = client.message();
    assert_eq!(line, format!("MSG Hotmail Hotmail {}", profile.len()));
    let (fields, rest) = profile.split_once("\r\n\r\n").unwrap();
    assert_eq!(rest, "");
    for field in fields.split("\r\n") {
        assert_eq!(field.matches(':').count(), 1, "{field}");
        assert!(field.contains(": "), "{field}");
    }
    client.expect_silence();
}

/// One port for both roles: the client is asked for its ticket at once and refers itself nowhere.
#[rstest]
fn on_a_shared_port_nobody_is_referred(#[values("MSNP8", "MSNP9")] dialect: &str) {
    let server = TestServer::start_with(|config| config.dispatch.bind = Bind::Notification);
    server.add(vec![new_account(ALICE)]);
    let address = server.address(Role::Dispatch);
    assert_eq!(server.address(Role::Notification), address);
    let mut client = Client::connect(address);
    client.send_bytes(
        format!("VER 1 {dialect} CVR0\r\nCVR 2 0x0409 winnt\r\nUSR 3 TWN I {ALICE}\r\n").as_bytes(),
    );
    assert_eq!(client.line(), format!("VER 1 {dialect} CVR0"));
    assert!(client.line().starts_with("CVR 2 "));
    assert!(client.line().starts_with("USR 3 TWN S lc="));
    client.send(&format!("USR 4 TWN S {}", server.ticket(ALICE)));
    assert_eq!(client.line(), "USR 4 OK alice@example.test Alice 1 0");
}
