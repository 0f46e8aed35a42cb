//! Alerts and news of mail through the API: who is told, what is refused and how.

use super::{ALICE, BOB, CAROL, http::Answer, http::Door, server};
use crate::support::{Client, TestServer, server::new_account, until};
use msnd::{
    alert::Recipients,
    model::{AccountId, Address, Alert, alert::AlertParts},
    store::{Audience, NewAlert, Posted},
};
use serde_json::{Value, json};
use std::sync::Arc;

fn alert_to(door: &Door, user: &str, body: &Value) -> Answer {
    door.post(&format!("/api/v1/users/{user}/alerts"), &body.to_string())
}

/// The next document or message.
fn told(client: &mut Client) -> String {
    let line = client.line_but_challenge();
    let bytes = line.rsplit(' ').next().unwrap().parse().expect(&line);
    String::from_utf8(client.payload(bytes)).unwrap()
}

/// Refused with this status, about this field.
#[track_caller]
fn expect_refusal(answer: &Answer, status: u16, field: Option<&str>, says: &str) {
    let problem = answer.json();
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(problem["field"].as_str(), field, "{answer:?}");
    assert!(problem["detail"].as_str().unwrap().contains(says), "{answer:?}");
}

#[test]
fn an_alert_says_all_that_it_was_given() {
    let (server, door) = server(|_| {});
    let mut alice = Client::present(&server, "MSNP9", ALICE, "NLN");
    let body = json!({
        "text": "Tea <now>",
        "html": "<b>Tea</b>",
        "action_url": "/tea?a=1&b=2",
        "subscribe_url": "http://kitchen.example.test/settings",
        "icon": "/cup.png",
        "site_id": 45705,
        "site_url": "http://kitchen.example.test",
        "lang": 1031,
        "priority": 3,
        "expiry_secs": 60,
    });
    let answer = alert_to(&door, "Alice@example.test", &body);
    assert_eq!((answer.status, answer.json()["recipients"].as_u64()), (202, Some(1)));
    let (line, document) = alice.message();
    assert!(line.starts_with("NOT "), "{line}");
    for part in [
        format!(" id=\"{}\"", answer.json()["id"]),
        "Tea &lt;now&gt;".into(),
        "&lt;b&gt;Tea&lt;/b&gt;".into(),
        "/tea?a=1&amp;b=2".into(),
        "http://kitchen.example.test".into(),
        "/cup.png".into(),
        "45705".into(),
        "1031".into(),
        "pri=\"3\"".into(),
    ] {
        assert!(document.contains(&part), "{part}: {document}");
    }
    // With nothing but a text, and with fields that are null.
    for body in [json!({ "text": "x" }), json!({ "text": "x", "html": null, "lang": null })] {
        assert_eq!(alert_to(&door, ALICE, &body).status, 202);
        assert!(told(&mut alice).contains("<TEXT>x</TEXT>"));
    }
}

#[test]
fn an_alert_to_all_reaches_those_who_may_sign_in() {
    let (server, door) = server(|_| {});
    let carol = Address::parse(CAROL).unwrap();
    server.block_on(server.store().set_enabled(&carol, false)).unwrap();
    let mut alice = Client::present(&server, "MSNP9", ALICE, "NLN");
    let answer = door.post("/api/v1/alerts", "{\"text\": \"To all\"}");
    assert_eq!((answer.status, answer.json()["recipients"].as_u64()), (202, Some(2)));
    assert!(told(&mut alice).contains("To all"));
    alice.expect_silence();
    let mut bob = Client::sign_in(&server, "MSNP9", BOB);
    bob.ask("CHG 5 NLN 0", "CHG 5 NLN 0");
    assert!(told(&mut bob).contains("To all"));
    bob.expect_silence();
    for (metric, value) in [
        ("msnd_alerts_accepted_total", 1.0),
        ("msnd_alert_recipients_total", 2.0),
        ("msnd_alerts_delivered_total", 2.0),
        ("msnd_alerts_expired_total", 0.0),
        ("msnd_alert_removal_failures_total", 0.0),
    ] {
        assert_eq!(door.metric(metric), value, "{metric}");
    }
}

#[test]
fn a_wrong_alert_is_refused_by_the_name_of_its_field() {
    let (_server, door) = server(|_| {});
    let emoji = |count: usize| "\u{1f33b}".repeat(count);
    for (change, field) in [
        (json!({ "text": "" }), "text"),
        (json!({ "text": emoji(1025) }), "text"),
        (json!({ "text": "a\u{7}" }), "text"),
        (json!({ "html": "" }), "html"),
        (json!({ "html": emoji(2049) }), "html"),
        (json!({ "action_url": "javascript:x" }), "action_url"),
        (json!({ "subscribe_url": "a b" }), "subscribe_url"),
        (json!({ "icon": "" }), "icon"),
        (json!({ "site_url": "/" }), "site_url"),
        (json!({ "lang": 0 }), "lang"),
        (json!({ "priority": 10 }), "priority"),
        (json!({ "expiry_secs": 0 }), "expiry_secs"),
        (json!({ "expiry_secs": 31_536_001 }), "expiry_secs"),
    ] {
        let mut body = json!({ "text": "Hello" });
        for (key, value) in change.as_object().unwrap() {
            body[key] = value.clone();
        }
        expect_refusal(&alert_to(&door, ALICE, &body), 422, Some(field), field);
        expect_refusal(&door.post("/api/v1/alerts", &body.to_string()), 422, Some(field), field);
    }
    // What has not even the form of an alert.
    for (body, says) in [
        ("{}", "text"),
        ("{\"text\": 5}", "text"),
        ("{\"text\": \"x\", \"lang\": 65536}", "lang"),
        ("{\"text\": \"x\", \"site_id\": -1}", "site_id"),
        ("{\"text\": \"x\", \"txet\": \"x\"}", "txet"),
    ] {
        expect_refusal(&door.post("/api/v1/alerts", body), 422, None, says);
    }
    assert_eq!(door.metric("msnd_alerts_accepted_total"), 0.0);
}

/// The longest alert there can be, written as wastefully as JSON can.
#[test]
fn the_longest_alert_fits_into_a_request() {
    let (_server, door) = server(|_| {});
    let (flower, url) = ("\\ud83c\\udf3b", format!("/{}", "x".repeat(511)));
    let body = format!(
        "{{\"text\":\"{}\",\"html\":\"{}\",\"action_url\":\"{url}\",\"subscribe_url\":\"{url}\",\
         \"icon\":\"{url}\",\"site_url\":\"http://{}\"}}",
        flower.repeat(1024),
        flower.repeat(2048),
        "x".repeat(505),
    );
    let answer = door.post(&format!("/api/v1/users/{ALICE}/alerts"), &body);
    assert_eq!(answer.status, 202, "{answer:?}");
}

#[test]
fn unknown_people_full_queues_and_a_failing_database_are_told_apart() {
    let (server, door) = server(|config| config.alerts.waiting_per_account_max = 2);
    let body = json!({ "text": "x" });
    let refused = |user: &str, status, says: &str| {
        expect_refusal(&alert_to(&door, user, &body), status, None, says);
    };
    refused("nobody@example.test", 404, "nobody@example.test");
    refused("nobody", 422, "address");
    for _ in 0..2 {
        assert_eq!(alert_to(&door, ALICE, &body).status, 202);
    }
    refused(ALICE, 409, "2 alerts wait for alice@example.test");
    let all = door.post("/api/v1/alerts", "{\"text\": \"x\"}");
    assert_eq!(all.json()["recipients"], 2, "all but Alice");
    assert_eq!(door.post("/api/v1/alerts", "{\"text\": \"x\"}").json()["recipients"], 2);
    let none = door.post("/api/v1/alerts", "{\"text\": \"x\"}");
    expect_refusal(&none, 409, None, "no account");
    server.block_on(server.store().close());
    refused(ALICE, 503, "database");
    let mail =
        door.post(&format!("/api/v1/users/{ALICE}/mail"), &json!({ "from": BOB }).to_string());
    expect_refusal(&mail, 503, None, "database");
    let mailbox = door.request("PUT", &format!("/api/v1/users/{ALICE}/mailbox"), &[], "");
    expect_refusal(&mailbox, 503, None, "database");
}

/// Nobody hears of an alert.
#[derive(Debug)]
struct Silence;

impl Audience for Silence {
    fn hears(&self, _: AccountId) -> bool {
        false
    }

    fn publish(&self, _: &Posted) {}
}

#[test]
fn expired_alerts_are_counted_when_they_are_forgotten() {
    let (server, door) = server(|_| {});
    let store = server.store();
    let to = |user: &str| Recipients::One(Address::parse(user).unwrap());
    for user in [ALICE, ALICE, BOB] {
        let alert = NewAlert {
            to: to(user),
            alert: Alert::new(AlertParts::general("old", 1033)).unwrap(),
            created_at_secs: 100,
            expires_at_secs: 101,
            waiting_max: 9,
            unconfirmed_max: 9,
        };
        server.block_on(store.add_alert(alert, Arc::new(Silence))).unwrap();
    }
    let _alice = Client::present(&server, "MSNP9", ALICE, "NLN");
    assert_eq!(door.metric("msnd_alerts_expired_total"), 0.0);
    assert_eq!(alert_to(&door, BOB, &json!({ "text": "new" })).status, 202);
    assert_eq!(door.metric("msnd_alerts_expired_total"), 3.0);
    assert_eq!(door.metric("msnd_alerts_delivered_total"), 0.0);
}

#[test]
fn mail_is_counted_and_shown() {
    let (server, door) = server(|_| {});
    let mailbox = format!("/api/v1/users/{ALICE}/mailbox");
    let mail = format!("/api/v1/users/{ALICE}/mail");
    let moves = format!("{mail}/moves");
    let bobs = json!({ "from": "Bob", "from_address": BOB, "subject": "Saturday?" }).to_string();
    expect_refusal(&door.post(&mail, &bobs), 409, None, "msnd user mailbox");
    expect_refusal(&door.post(&moves, "{\"count\": 1}"), 409, None, "msnd user mailbox");
    for _ in 0..2 {
        let given = door.request("PUT", &mailbox, &[], "");
        assert_eq!((given.status, given.json()), (200, json!({ "has_mailbox": true })));
    }
    let mut alice = Client::sign_in(&server, "MSNP8", ALICE);
    alice.ask("CHG 5 NLN 0", "CHG 5 NLN 0");
    assert!(told(&mut alice).contains("Inbox-Unread: 0\r\n"));
    let unread = |answer: Answer| {
        assert_eq!(answer.status, 200, "{answer:?}");
        ["inbox_unread", "folders_unread"].map(|key| answer.json()[key].as_u64().unwrap())
    };
    assert_eq!(unread(door.post(&mail, &bobs)), [1, 0]);
    let shown = told(&mut alice);
    for part in ["From: Bob\r\n", "Subject: Saturday?\r\n", "From-Addr: bob@example.test\r\n"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    // The address alone, in another folder.
    let brief = json!({ "from": BOB, "folder": "Work", "reference": "msg=7" }).to_string();
    assert_eq!(unread(door.post(&mail, &brief)), [1, 1]);
    let shown = told(&mut alice);
    assert!(shown.contains("From: bob@example.test\r\n"), "{shown}");
    let thrown_away = json!({ "from_folder": "Work", "to_folder": "trAsH", "count": 1 });
    assert_eq!(unread(door.post(&moves, &thrown_away.to_string())), [1, 0]);
    let shown = told(&mut alice);
    assert!(shown.contains("Src-Folder: Work\r\nDest-Folder: trAsH\r\n"), "{shown}");
    assert_eq!(unread(door.post(&moves, "{\"count\": 5}")), [0, 0], "never below zero");
    told(&mut alice);
    alice.expect_silence();
    assert_eq!(door.metric("msnd_mail_news_total{kind=\"new\"}"), 2.0);
    assert_eq!(door.metric("msnd_mail_news_total{kind=\"moved\"}"), 2.0);
    let taken = door.request("DELETE", &mailbox, &[], "");
    assert_eq!((taken.status, taken.json()), (200, json!({ "has_mailbox": false })));
    assert_eq!(door.post(&mail, &bobs).status, 409);
}

#[test]
fn wrong_news_of_mail_is_refused_by_the_name_of_its_field() {
    let (_server, door) = server(|_| {});
    let mail = format!("/api/v1/users/{ALICE}/mail");
    for (what, body, field) in [
        ("", json!({ "from": "Bob" }), "from"),
        ("", json!({ "from": "Bob", "from_address": "Bob" }), "from_address"),
        ("", json!({ "from": "B\nb", "from_address": BOB }), "from"),
        ("", json!({ "from": "é".repeat(129), "from_address": BOB }), "from"),
        ("", json!({ "from": BOB, "subject": "a\r\nFrom: c" }), "subject"),
        ("", json!({ "from": BOB, "subject": "é".repeat(257) }), "subject"),
        ("", json!({ "from": BOB, "folder": "my folder" }), "folder"),
        ("", json!({ "from": BOB, "reference": "a b" }), "reference"),
        ("/moves", json!({ "count": 0 }), "count"),
        ("/moves", json!({ "count": 1, "from_folder": "" }), "from_folder"),
        ("/moves", json!({ "count": 1, "to_folder": "x".repeat(65) }), "to_folder"),
    ] {
        let answer = door.post(&format!("{mail}{what}"), &body.to_string());
        expect_refusal(&answer, 422, Some(field), &format!("{field}: "));
    }
    for what in ["mail", "mail/moves", "mailbox"] {
        let (method, body) = match what {
            "mail" => ("POST", json!({ "from": BOB }).to_string()),
            "mail/moves" => ("POST", "{\"count\": 1}".to_owned()),
            _ => ("PUT", String::new()),
        };
        let path = format!("/api/v1/users/nobody@example.test/{what}");
        let answer = door.request(method, &path, &["Content-Type: application/json"], &body);
        expect_refusal(&answer, 404, None, "nobody@example.test");
    }
}

#[test]
fn a_removal_that_fails_is_counted_and_the_alert_comes_again() {
    let (server, store) = TestServer::start_observed(|_| {});
    server.add(vec![new_account(ALICE)]);
    let door = Door::Socket(server.running().admin_socket().unwrap().to_path_buf());
    let mut alice = Client::present(&server, "MSNP9", ALICE, "NLN");
    // From the commit on nothing works: what is delivered cannot be forgotten.
    store.fail_from("settle_alerts");
    assert_eq!(alert_to(&door, ALICE, &json!({ "text": "x" })).status, 202);
    assert!(told(&mut alice).contains("<TEXT>x</TEXT>"));
    alice.ask("PNG", "QNG 60");
    until(|| door.metric("msnd_alert_removal_failures_total") == 1.0);
    assert_eq!(door.metric("msnd_alerts_delivered_total"), 1.0);
    store.set_failing(false);
    let mut again = Client::sign_in(&server, "MSNP9", ALICE);
    again.ask("CHG 5 NLN 0", "CHG 5 NLN 0");
    assert!(told(&mut again).contains("<TEXT>x</TEXT>"));
}

#[test]
fn pages_are_counted_by_what_became_of_them() {
    let (server, door) = server(|_| {});
    let mut bob = Client::present(&server, "MSNP9", BOB, "NLN");
    let mut alice = Client::present(&server, "MSNP9", ALICE, "NLN");
    let page = "PGD 9 bob@example.test 1 17\r\n<TEXT>Call</TEXT>";
    alice.send_bytes(page.as_bytes());
    alice.expect("800 9");
    for property in ["MBE Y", "MOB Y"] {
        bob.send(&format!("PRP 7 {property}"));
        assert!(bob.line_but_challenge().starts_with("PRP 7 "));
    }
    alice.send_bytes(page.as_bytes());
    assert!(told(&mut bob).contains("Call"));
    assert_eq!(door.metric("msnd_pages_total{result=\"refused\"}"), 1.0);
    assert_eq!(door.metric("msnd_pages_total{result=\"delivered\"}"), 1.0);
}
