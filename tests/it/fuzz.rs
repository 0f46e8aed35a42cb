//! Fuzz targets that run as ordinary tests: whatever bytes a peer sends, before or after sign-in,
//! the server neither falls over nor stops serving others.

use crate::support::{Client, TestServer};
use msnd::{
    dispatch::Dispatch, notification::Notification, server::Role, switchboard::Switchboard,
};
use proptest::{prelude::*, test_runner::TestRunner};
use std::cell::RefCell;

/// Words that lead deep into the handlers, and words that should not.
fn word() -> impl Strategy<Value = Vec<u8>> {
    let known = [
        "0",
        "1",
        "29",
        "30",
        "4294967295",
        "4294967296",
        "-1",
        "FL",
        "AL",
        "BL",
        "RL",
        "A",
        "N",
        "NLN",
        "HDN",
        "FLN",
        "PHM",
        "MOB",
        "MBE",
        "Y",
        "TWN",
        "I",
        "S",
        "U",
        "D",
        "SB",
        "MSNP8",
        "MSNP9",
        "CVR0",
        "alice@example.test",
        "bob@example.test",
        "ghost@example.test",
        "@",
        "%41",
        "%",
        "%00",
        "%0D%0A",
        "~",
        "+",
    ];
    prop_oneof![
        6 => proptest::sample::select(known.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..12),
        1 => (0usize..9000).prop_map(|bytes| vec![b'x'; bytes]),
    ]
}

/// A line with a known verb, perhaps with a payload that is as long as it says.
fn command() -> impl Strategy<Value = Vec<u8>> {
    let tables = [Notification::table(), Dispatch::table(), Switchboard::table()].concat();
    let mut verbs: Vec<_> = tables.iter().map(|row| row.verb).collect();
    verbs.extend(["LST", "INF", "NLN", "chg", "", "ADC"]);
    let verb = proptest::sample::select(verbs);
    let payload = proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40));
    let end = prop_oneof![9 => Just("\r\n"), 1 => Just("\n"), 1 => Just("\r"), 1 => Just("")];
    (verb, 0u32..9, proptest::collection::vec(word(), 0..5), payload, end).prop_map(
        |(verb, trid, words, payload, end)| {
            let mut line = format!("{verb} {trid}").into_bytes();
            for word in words {
                line.push(b' ');
                line.extend(word);
            }
            if let Some(payload) = &payload {
                line.extend(format!(" {}", payload.len()).bytes());
            }
            line.extend(end.bytes());
            line.extend(payload.unwrap_or_default());
            line
        },
    )
}

fn input() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => proptest::collection::vec(command(), 1..12).prop_map(|commands| commands.concat()),
        1 => proptest::collection::vec(any::<u8>(), 0..400),
    ]
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(ProptestConfig { cases, max_shrink_iters: 64, ..ProptestConfig::default() })
}

/// Sends `input`, hangs up, and reads whatever comes until the server hangs up too.
fn throw(mut client: Client, input: &[u8]) {
    client.try_send_bytes(input);
    client.finish_sending();
    while client.some_bytes() > 0 {}
}

#[test]
fn no_bytes_before_sign_in_harm_others() {
    let server = TestServer::with_users(&["alice@example.test"]);
    let canary = RefCell::new(Client::present(&server, "MSNP9", "alice@example.test", "NLN 0"));
    let roles = [Role::Dispatch, Role::Notification, Role::Switchboard];
    let strategy = (proptest::sample::select(roles.to_vec()), any::<bool>(), input());
    let outcome = runner(150).run(&strategy, |(role, greets, input)| {
        let mut client = Client::connect(server.address(role));
        if greets && role != Role::Switchboard {
            client.ask("VER 1 MSNP9 CVR0", "VER 1 MSNP9 CVR0");
        }
        throw(client, &input);
        canary.borrow_mut().expect_silence();
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn no_bytes_after_sign_in_harm_others() {
    let server = TestServer::with_users(&["alice@example.test", "bob@example.test"]);
    let canary = RefCell::new(Client::present(&server, "MSNP9", "alice@example.test", "NLN 0"));
    let dialect = prop_oneof![Just("MSNP8"), Just("MSNP9")];
    let outcome = runner(150).run(&(dialect, input()), |(dialect, input)| {
        let client = Client::present(&server, dialect, "bob@example.test", "NLN 0");
        throw(client, &input);
        // Bob may have put Alice on a list; whatever she is told, she is still served.
        canary.borrow_mut().drain();
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn no_bytes_in_a_conversation_harm_others() {
    let server =
        TestServer::start_with(|config| config.switchboard.requests_per_minute_max = 10_000);
    let users = ["alice@example.test", "bob@example.test"];
    server.add(users.map(crate::support::server::new_account).into());
    let canary = RefCell::new(Client::present(&server, "MSNP9", users[0], "NLN 0"));
    let host = RefCell::new(Client::present(&server, "MSNP9", users[1], "NLN 0"));
    let talk = |session: &RefCell<Client>, user: &str| {
        session.borrow_mut().send("XFR 9 SB");
        let xfr = loop {
            let line = session.borrow_mut().line_but_challenge();
            // Alice may be called by the bytes.
            if line.starts_with("XFR 9 SB ") {
                break line;
            }
        };
        let mut client = Client::connect(server.address(Role::Switchboard));
        client.send(&format!("USR 1 {user} {}", xfr.rsplit(' ').next().unwrap()));
        assert!(client.line().starts_with("USR 1 OK "));
        client
    };
    let outcome = runner(150).run(&input(), |input| {
        throw(talk(&host, users[1]), &input);
        talk(&canary, users[0]).ask("CAL 2 nobody", "208 2");
        Ok(())
    });
    outcome.unwrap();
}
