//! What each endpoint tells and does.

use super::{ALICE, BOB, CAROL, server};
use crate::support::{Client, until};
use msnd::store::NewContact;
use serde_json::json;

#[test]
fn sessions_are_listed_as_they_are() {
    let (server, door) = server(|_| {});
    assert_eq!(door.json("/api/v1/sessions"), json!({ "sessions": [], "next": null }));
    let mut alice = Client::connect(server.address(msnd::server::Role::Notification));
    alice.send("CVR 1 0x0409 winnt 5.1 i386 MSNMSGR 6.0.0602 MSMSGS alice@example.test");
    alice.expect_end();
    let mut alice = Client::greet(&server, "MSNP9", ALICE);
    alice.send("CVR 7 0x0409 winnt 5.1 i386 MSNMSGR 6.0.0602 MSMSGS alice@example.test");
    assert!(alice.line().starts_with("CVR 7 6.0.0602 "));
    alice.send(&format!("USR 3 TWN S {}", server.ticket(ALICE)));
    assert!(alice.line().starts_with("USR 3 OK"));
    alice.message();
    let _bob = Client::present(&server, "MSNP8", BOB, "BSY");
    let listed = door.json("/api/v1/sessions");
    let sessions = listed["sessions"].as_array().unwrap();
    let told = ["user", "name", "role", "dialect", "status", "client_version", "list_version"];
    let shown: Vec<_> =
        sessions.iter().map(|session| told.map(|key| session[key].clone())).collect();
    assert_eq!(
        json!(shown),
        json!([
            [ALICE, "Alice", "notification", "MSNP9", null, "6.0.0602", 1],
            [BOB, "Bob", "notification", "MSNP8", "BSY", null, 1],
        ])
    );
    for session in sessions {
        assert!(session["address"].as_str().unwrap().starts_with("127.0.0.1:"));
        let since: jiff::Timestamp = session["signed_in_at"].as_str().unwrap().parse().unwrap();
        assert!(since.as_second() > 1_700_000_000, "{since}");
    }
    let text = listed.to_string();
    assert!(!text.contains("t=") && !text.contains("ticket"), "{text}");
}

#[test]
fn long_lists_come_in_pages_that_meet() {
    let (server, door) = server(|_| {});
    let _people = [ALICE, BOB, CAROL].map(|user| Client::sign_in(&server, "MSNP9", user));
    for (path, key, who) in
        [("/api/v1/sessions", "sessions", "user"), ("/api/v1/users/online", "users", "address")]
    {
        for (limit, pages) in [(1, 3), (2, 2), (3, 1), (1000, 1)] {
            let (mut after, mut seen, mut read) = (json!(0), Vec::new(), 0);
            while !after.is_null() {
                let page = door.json(&format!("{path}?after={after}&limit={limit}"));
                let entries = page[key].as_array().unwrap();
                seen.extend(entries.iter().map(|entry| entry[who].clone()));
                after = page["next"].clone();
                read += 1;
            }
            assert_eq!((json!(seen), read), (json!([ALICE, BOB, CAROL]), pages));
        }
    }
    for query in ["limit=0", "limit=1001", "limit=x", "after=-1", "limt=2", "after=1&after=2"] {
        let answer = door.get(&format!("/api/v1/sessions?{query}"));
        assert_eq!(answer.status, 422, "{query}: {answer:?}");
    }
}

#[test]
fn those_online_are_listed_with_what_they_show() {
    let (server, door) = server(|_| {});
    let mut alice = Client::present(&server, "MSNP9", ALICE, "HDN");
    alice.send("REA 9 alice@example.test Alice%20in%20hiding");
    alice.line();
    let users = door.json("/api/v1/users/online");
    let hidden = json!({ "address": ALICE, "name": "Alice in hiding", "status": "HDN" });
    assert_eq!(users, json!({ "users": [hidden], "next": null }));
}

#[test]
fn who_is_kicked_is_told_to_stay_away_and_watchers_see_it() {
    let (server, door) = server(|_| {});
    let mut bob = Client::present(&server, "MSNP9", BOB, "NLN");
    bob.send("ADD 9 FL alice@example.test Alice");
    bob.drain();
    let mut alice = Client::present(&server, "MSNP9", ALICE, "NLN");
    bob.expect("NLN NLN alice@example.test Alice 0");
    let answer = door.kick("Alice@example.test");
    assert_eq!((answer.status, answer.json()), (200, json!({ "ended": 1 })));
    alice.expect("OUT OTH");
    alice.expect_end();
    bob.expect("FLN alice@example.test");
    bob.expect_silence();
    assert_eq!(door.kick(ALICE).status, 404);
    // Only its user keeps it away.
    let _again = Client::present(&server, "MSNP9", ALICE, "NLN");
    bob.expect("NLN NLN alice@example.test Alice 0");
}

#[test]
fn only_who_is_online_can_be_kicked() {
    let (_server, door) = server(|_| {});
    for (user, status) in [
        (ALICE, 404),
        ("nobody@example.test", 404),
        ("alice%40example.test", 404),
        ("alice", 422),
        ("", 422),
        ("a%20b@example.test", 422),
        ("%ff@example.test", 400),
        ("..%2fsessions", 422),
    ] {
        let answer = door.kick(user);
        assert_eq!(answer.status, status, "{user}: {answer:?}");
    }
}

#[test]
fn an_announcement_is_heard_by_all_online_and_shuts_nothing_down() {
    let (server, door) = server(|_| {});
    let mut people = [(ALICE, "MSNP9"), (BOB, "MSNP8")]
        .map(|(user, dialect)| Client::present(&server, dialect, user, "NLN"));
    let answer = door.announce("{\"minutes\": 7}");
    assert_eq!((answer.status, answer.json()), (200, json!({ "told": 2 })));
    for client in &mut people {
        let (line, message) = client.message();
        assert!(line.starts_with("MSG Hotmail Hotmail "), "{line}");
        assert!(message.contains("application/x-msmsgssystemmessage"), "{message}");
        assert!(message.contains("Type: 1\r\nArg1: 7\r\n"), "{message}");
        client.expect_silence();
    }
    let mut carol = Client::present(&server, "MSNP9", CAROL, "NLN");
    carol.expect_silence();
    assert_eq!(door.get("/readyz").status, 200);
}

#[test]
fn status_counts_what_is_there() {
    let (server, door) = server(|_| {});
    let mut alice = new_watcher(&server);
    alice.drain();
    let status = door.json("/api/v1/status");
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["pid"], std::process::id());
    let counts = ["connections", "sessions", "watches"].map(|key| status[key].clone());
    assert_eq!(json!(counts), json!([1, 1, 1]));
    assert_eq!(status["closing"], false);
}

/// Somebody online who has one contact.
fn new_watcher(server: &crate::support::TestServer) -> Client {
    let mut account = crate::support::server::new_account("watcher@example.test");
    account.contacts.push(NewContact {
        address: msnd::model::Address::parse(BOB).unwrap(),
        name: msnd::model::Name::new("Bob").unwrap(),
        lists: msnd::model::ListBits::FORWARD,
        groups: msnd::model::GroupSet::default(),
    });
    server.add(vec![account]);
    Client::present(server, "MSNP9", "watcher@example.test", "NLN")
}

#[test]
fn a_server_that_goes_down_is_alive_but_not_ready() {
    let (mut server, door) = server(|config| config.timers.shutdown_notice_minutes = 1);
    assert_eq!(door.json("/readyz"), json!({ "status": "ok" }));
    server.announce_shutdown(|| {
        until(|| door.get("/readyz").status != 200);
        assert_eq!(door.get("/readyz").status, 503);
        assert_eq!(door.get("/healthz").status, 200);
        assert_eq!(door.json("/api/v1/status")["closing"], true);
    });
}

#[test]
fn a_database_that_is_gone_makes_the_server_unready() {
    let (server, door) = server(|_| {});
    server.block_on(server.store().close());
    let answer = door.get("/readyz");
    assert_eq!(answer.status, 503);
    assert!(answer.json()["detail"].as_str().unwrap().contains("database"), "{answer:?}");
    assert_eq!(door.get("/healthz").status, 200);
}
