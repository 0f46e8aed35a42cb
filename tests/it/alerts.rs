//! Alerts and mail over real sockets: told in order, kept until the client has said something after
//! them, told once to a client that does.

mod confirmed;
mod cut;
mod killed;
mod process;
pub(crate) mod role;
mod told;

use crate::support::{Client, TestServer, server::new_account, until};
use msnd::{
    alert::{Accepted, Recipients},
    model::{
        Address, Alert, Mailbox,
        alert::AlertParts,
        mail::{Folder, NewMail},
    },
    store::StoreError,
};
use std::time::Duration;

const ALICE: &str = "alice@example.test";
const BOB: &str = "bob@example.test";
const CAROL: &str = "carol@example.test";

fn address(user: &str) -> Address {
    Address::parse(user).unwrap()
}

fn alert(text: &str) -> Alert {
    Alert::new(AlertParts::general(text, 1033)).unwrap()
}

fn send(server: &TestServer, to: Recipients, text: &str) -> Result<Accepted, StoreError> {
    server.block_on(server.alerts().send_alert(to, alert(text), None))
}

fn post(server: &TestServer, user: &str, text: &str) -> Accepted {
    send(server, Recipients::One(address(user)), text).unwrap()
}

/// The texts of all alerts, in order, all of them confirmed: pings until one brings none.
fn texts(client: &mut Client) -> Vec<String> {
    let mut texts = Vec::new();
    loop {
        let before = texts.len();
        client.send("PNG");
        loop {
            let line = client.line_but_challenge();
            if line.starts_with("QNG") {
                break;
            }
            let bytes = line.strip_prefix("NOT ").expect(&line).parse().unwrap();
            texts.push(text(&client.payload(bytes)));
        }
        if texts.len() == before {
            return texts;
        }
    }
}

/// The text of an alert.
fn text(document: &[u8]) -> String {
    let document = str::from_utf8(document).unwrap();
    let (_, rest) = document.split_once("<TEXT>").unwrap();
    rest.split_once("</TEXT>").unwrap().0.to_owned()
}

/// Signs in, shows itself, and returns the texts of all alerts that come with it.
fn texts_at_sign_in(server: &TestServer, user: &str) -> Vec<String> {
    let mut client = Client::sign_in(server, "MSNP9", user);
    client.ask("CHG 5 NLN 0", "CHG 5 NLN 0");
    texts(&mut client)
}

/// What still waits in the store once all that was handed over has been taken out of it.
fn kept(mut server: TestServer, user: &str) -> usize {
    let store = server.store();
    let id = server.block_on(store.account(&address(user))).unwrap().id;
    // The task that takes deliveries out has done its work when the shutdown is through.
    assert!(server.shut_down());
    server.block_on(store.waiting_alerts(id, 0)).unwrap().alerts.len()
}

/// Waits until the store has nothing more for somebody who has been told everything.
fn await_settled(server: &TestServer, user: &str) {
    let store = server.store();
    let id = server.block_on(store.account(&address(user))).unwrap().id;
    until(|| server.block_on(store.waiting_alerts(id, 0)).unwrap().alerts.is_empty());
}

#[test]
fn who_was_offline_is_told_at_the_next_sign_in_and_not_at_the_one_after() {
    let server = TestServer::with_users(&[ALICE]);
    post(&server, ALICE, "Dentist at 14:00");
    assert_eq!(texts_at_sign_in(&server, ALICE), ["Dentist at 14:00"]);
    for _ in 0..20 {
        assert_eq!(texts_at_sign_in(&server, ALICE), [""; 0]);
    }
    assert_eq!(kept(server, ALICE), 0);
}

#[test]
fn fifty_waiting_alerts_come_in_order_and_one_more_is_refused() {
    let server = TestServer::with_users(&[ALICE]);
    let all: Vec<_> = (0..50).map(|n| format!("Number {n}")).collect();
    for text in &all {
        post(&server, ALICE, text);
    }
    let one_more = send(&server, Recipients::One(address(ALICE)), "one too many");
    assert!(matches!(one_more, Err(StoreError::Conflict(_))), "{one_more:?}");
    let nobody = send(&server, Recipients::One(address(BOB)), "nobody");
    assert!(matches!(nobody, Err(StoreError::NotFound)), "{nobody:?}");
    assert_eq!(texts_at_sign_in(&server, ALICE), all);
    assert_eq!(kept(server, ALICE), 0);
}

#[test]
fn what_has_expired_is_not_told() {
    let server = TestServer::with_users(&[ALICE]);
    let soon = Some(Duration::ZERO);
    let to = || Recipients::One(address(ALICE));
    server.block_on(server.alerts().send_alert(to(), alert("stale"), soon)).unwrap();
    assert_eq!(texts_at_sign_in(&server, ALICE), [""; 0]);
    let later = Some(Duration::from_secs(3600));
    server.block_on(server.alerts().send_alert(to(), alert("fresh"), later)).unwrap();
    assert_eq!(texts_at_sign_in(&server, ALICE), ["fresh"]);
    // It stays for a day, should the clock have been wrong.
    assert_eq!(kept(server, ALICE), 1);
}

#[test]
fn an_alert_before_the_first_chg_waits_for_it() {
    let server = TestServer::with_users(&[ALICE]);
    let mut alice = Client::sign_in(&server, "MSNP9", ALICE);
    post(&server, ALICE, "one");
    assert_eq!(texts(&mut alice), [""; 0]);
    post(&server, ALICE, "two");
    alice.ask("CHG 5 HDN 0", "CHG 5 HDN 0");
    assert_eq!(texts(&mut alice), ["one", "two"]);
}

#[test]
fn who_is_online_is_told_at_once() {
    let server = TestServer::with_users(&[ALICE]);
    let mut alice = Client::present(&server, "MSNP9", ALICE, "HDN 0");
    for text in ["one", "two", "three"] {
        post(&server, ALICE, text);
        // Unasked.
        let (line, document) = alice.message();
        assert!(line.starts_with("NOT ") && document.contains(&format!("<TEXT>{text}<")));
    }
    alice.expect_silence();
    drop(alice);
    assert_eq!(texts_at_sign_in(&server, ALICE), [""; 0]);
    assert_eq!(kept(server, ALICE), 0);
}

#[test]
fn an_old_client_is_told_nothing_and_a_newer_one_later() {
    let server = TestServer::with_users(&[ALICE]);
    post(&server, ALICE, "before");
    let mut old = Client::present(&server, "MSNP8", ALICE, "NLN 0");
    post(&server, ALICE, "while online");
    old.expect_silence();
    assert_eq!(texts_at_sign_in(&server, ALICE), ["before", "while online"]);
    assert_eq!(kept(server, ALICE), 0);
}

/// The older session is there until the moment in which the newer one takes its place. Whoever of
/// them is told of an alert, nothing is lost; and what a session has confirmed is told by no other,
/// while what it was told at its end and could not confirm comes once more.
#[test]
fn nothing_is_lost_between_two_sessions_of_one_account() {
    const ROUNDS: usize = 30;
    let server = TestServer::start_with(|config| config.alerts.waiting_per_account_max = 1000);
    server.add(vec![new_account(ALICE)]);
    let number = |text: &String| text.strip_prefix("Number ").unwrap().parse::<usize>().unwrap();
    let mut confirmed = Vec::new();
    let mut confirm = |texts: Vec<String>| {
        let numbers: Vec<_> = texts.iter().map(number).collect();
        assert!(numbers.is_sorted_by(|one, other| one < other), "{numbers:?}");
        confirmed.extend(numbers);
    };
    std::thread::scope(|scope| {
        let posting = scope.spawn(|| {
            for n in 0..ROUNDS * 5 {
                post(&server, ALICE, &format!("Number {n}"));
            }
        });
        let mut older: Option<Client> = None;
        let mut rounds = 0;
        while rounds < ROUNDS || !posting.is_finished() {
            let mut newer = Client::sign_in(&server, "MSNP9", ALICE);
            if let Some(mut older) = older.take() {
                let last: Vec<_> = texts_to_end(&mut older).iter().map(number).collect();
                assert!(last.is_sorted_by(|one, other| one < other), "{last:?}");
            }
            newer.ask("CHG 5 NLN 0", "CHG 5 NLN 0");
            confirm(texts(&mut newer));
            older = Some(newer);
            rounds += 1;
        }
        confirm(older.map(|mut last| texts(&mut last)).unwrap_or_default());
    });
    confirm(texts_at_sign_in(&server, ALICE));
    assert_eq!(confirmed, (0..ROUNDS * 5).collect::<Vec<_>>());
    assert_eq!(kept(server, ALICE), 0);
}

/// The texts of all alerts up to the end of the stream.
fn texts_to_end(client: &mut Client) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some(line) = client.line_or_end() {
        if let Some(bytes) = line.strip_prefix("NOT ") {
            texts.push(text(&client.payload(bytes.parse().unwrap())));
        }
    }
    texts
}

#[test]
fn an_announcement_reaches_all_who_are_online_and_all_others_later() {
    let server = TestServer::start_with(|config| config.alerts.waiting_per_account_max = 2);
    server.add([ALICE, BOB, CAROL, "dave@example.test"].map(new_account).into());
    let store = server.store();
    server.block_on(store.set_enabled(&address("dave@example.test"), false)).unwrap();
    let mut alice = Client::present(&server, "MSNP9", ALICE, "NLN 0");
    for text in ["one", "two"] {
        assert_eq!(send(&server, Recipients::All, text).unwrap().recipients, 3);
    }
    assert_eq!(texts(&mut alice), ["one", "two"]);
    assert_eq!(texts_at_sign_in(&server, BOB), ["one", "two"]);
    [ALICE, BOB].iter().for_each(|user| await_settled(&server, user));
    // As many wait for Carol as may: the others hear of the next one all the same.
    assert_eq!(send(&server, Recipients::All, "three").unwrap().recipients, 2);
    assert_eq!(texts(&mut alice), ["three"]);
    assert_eq!(texts_at_sign_in(&server, BOB), ["three"]);
    assert_eq!(texts_at_sign_in(&server, CAROL), ["one", "two"]);
    assert_eq!(kept(server, CAROL), 0);
}

#[test]
fn an_announcement_to_nobody_is_refused() {
    let server = TestServer::start();
    let refused = send(&server, Recipients::All, "Hello?");
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
}

#[test]
fn mail_is_told_only_to_accounts_that_had_a_mailbox_at_sign_in() {
    let server = TestServer::with_users(&[ALICE, BOB]);
    let mail = || NewMail::new("Bob", address(BOB), "Lunch?", "m1", Folder::inbox()).unwrap();
    let new_mail = |user| server.block_on(server.alerts().new_mail(&address(user), mail()));
    assert!(matches!(new_mail(ALICE), Err(StoreError::Conflict(_))));
    assert!(matches!(new_mail(CAROL), Err(StoreError::NotFound)));
    let (mut alice, profile) = with_profile(&server, ALICE);
    assert!(profile.contains("\r\nEmailEnabled: 0\r\n"));
    server.block_on(server.alerts().set_mailbox(&address(ALICE), true)).unwrap();
    let unread = Mailbox { inbox_unread: 1, folders_unread: 0 };
    assert_eq!(new_mail(ALICE).unwrap(), unread);
    alice.ask("CHG 5 NLN 0", "CHG 5 NLN 0");
    alice.expect_silence();
    let (mut alice, profile) = with_profile(&server, ALICE);
    assert!(profile.contains("\r\nEmailEnabled: 1\r\n"));
    alice.ask("CHG 5 NLN 0", "CHG 5 NLN 0");
    assert!(alice.line().starts_with("CHL 0 "));
    let (_, initial) = alice.message();
    assert!(initial.contains("\r\n\r\nInbox-Unread: 1\r\nFolders-Unread: 0\r\n"), "{initial}");
    // Taken away while she is signed in: nothing more is counted or told.
    server.block_on(server.alerts().set_mailbox(&address(ALICE), false)).unwrap();
    assert!(matches!(new_mail(ALICE), Err(StoreError::Conflict(_))));
    alice.expect_silence();
}

/// Signs in and returns the profile too.
fn with_profile(server: &TestServer, user: &str) -> (Client, String) {
    let mut client = Client::greet(server, "MSNP9", user);
    client.send(&format!("USR 3 TWN S {}", server.ticket(user)));
    assert!(client.line().starts_with("USR 3 OK "));
    let (_, profile) = client.message();
    (client, profile)
}
