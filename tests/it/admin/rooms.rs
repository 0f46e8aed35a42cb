//! Conversations as operators see them: who, how old, how long idle; never what is said.

use super::{ALICE, BOB, server};
use crate::{
    cli::Home,
    support::{Client, TestServer, until},
};
use msnd::{config::Bind, server::Role};
use serde_json::json;

/// A conversation that `session` opens, with nobody else in it.
fn open(server: &TestServer, session: &mut Client, user: &str) -> Client {
    session.send("XFR 9 SB");
    let referral = session.line_but_challenge();
    let mut host = Client::connect(server.address(Role::Switchboard));
    host.send(&format!("USR 1 {user} {}", referral.rsplit(' ').next().unwrap()));
    assert!(host.line().starts_with("USR 1 OK "));
    host
}

#[test]
fn conversations_are_listed_with_who_is_in_them() {
    let (server, door) = server(|_| {});
    let none = json!({ "count": 0, "rooms": [], "next": null });
    assert_eq!(door.json("/api/v1/rooms"), none);
    let home = Home::new();
    let to = format!("--set admin.socket={}", server.running().admin_socket().unwrap().display());
    assert_eq!(home.ok(&format!("rooms {to}"), ""), "nobody is in a conversation\n");
    assert_eq!(home.json(&format!("rooms --json {to}")), json!([]));

    let mut alice = Client::present(&server, "MSNP9", ALICE, "NLN");
    let mut bob = Client::present(&server, "MSNP9", BOB, "NLN");
    let mut host = open(&server, &mut alice, ALICE);
    host.send(&format!("CAL 2 {BOB}"));
    let id = host.line().rsplit(' ').next().unwrap().to_owned();
    let ring = bob.line_but_challenge();
    let mut guest = Client::connect(server.address(Role::Switchboard));
    guest.send(&format!("ANS 1 {BOB} {} {id}", ring.split(' ').nth(4).unwrap()));
    assert!(guest.line().starts_with("IRO 1 1 1 "));
    guest.expect("ANS 1 OK");
    assert!(host.line().starts_with("JOI "));
    host.send_bytes(b"MSG 3 A 10\r\n\r\nbetween ");
    host.expect("ACK 3");
    let answer = door.get("/api/v1/rooms");
    assert!(!answer.body.contains("between"), "{answer:?}");
    let listed = answer.json();
    assert_eq!((&listed["count"], &listed["next"]), (&json!(1), &json!(null)));
    let room = &listed["rooms"][0];
    assert_eq!(room["id"].to_string(), id);
    assert_eq!(room["participants"], json!([ALICE, BOB]));
    assert!(room["age_secs"].as_u64().unwrap() >= room["idle_secs"].as_u64().unwrap());

    let table = home.ok(&format!("rooms {to}"), "");
    let lines: Vec<_> = table.lines().collect();
    let heading: Vec<_> = lines[0].split_whitespace().collect();
    assert_eq!(heading, ["ROOM", "AGE", "IDLE", "PARTICIPANTS"]);
    assert!(
        lines[1].starts_with(&format!("{id}  ")) && lines[1].ends_with(&format!("{ALICE} {BOB}"))
    );
    assert_eq!(home.json(&format!("rooms --json {to}"))[0]["participants"], json!([ALICE, BOB]));
    drop((host, guest));
    until(|| door.json("/api/v1/rooms") == none);
}

#[test]
fn many_conversations_come_in_pages_that_meet() {
    let (server, door) = server(|_| {});
    let mut alice = Client::present(&server, "MSNP9", ALICE, "NLN");
    let _hosts = [(); 3].map(|()| open(&server, &mut alice, ALICE));
    let all = door.json("/api/v1/rooms")["rooms"].clone();
    let ids = |rooms: &serde_json::Value| -> Vec<u64> {
        rooms.as_array().unwrap().iter().map(|room| room["id"].as_u64().unwrap()).collect()
    };
    assert!(ids(&all).is_sorted() && ids(&all).len() == 3, "{all}");
    for (limit, pages) in [(1, 3), (2, 2), (3, 1)] {
        let (mut after, mut seen, mut read) = (json!(0), Vec::new(), 0);
        while !after.is_null() {
            let page = door.json(&format!("/api/v1/rooms?after={after}&limit={limit}"));
            assert_eq!(page["count"], 3);
            seen.extend(ids(&page["rooms"]));
            after = page["next"].clone();
            read += 1;
        }
        assert_eq!((seen, read), (ids(&all), pages));
    }
    let beyond = door.json("/api/v1/rooms?after=18446744073709551615");
    assert_eq!((&beyond["rooms"], &beyond["next"]), (&json!([]), &json!(null)));
    for query in ["limit=0", "limit=1001", "after=-1"] {
        assert_eq!(door.get(&format!("/api/v1/rooms?{query}")).status, 422, "{query}");
    }
}

#[test]
fn where_there_is_no_switchboard_nobody_is_in_a_conversation() {
    let (_server, door) = server(|config| config.switchboard.bind = Bind::Off);
    assert_eq!(door.json("/api/v1/rooms"), json!({ "count": 0, "rooms": [], "next": null }));
}
