//! Who may still be in conversations, call and be called: accounts that are gone, calls that nobody
//! can answer any more, too many calls.

use super::{ALICE, BOB, CAROL, People, message};
use crate::support::Client;
use msnd::{hub::Kicked, model::Address, server::Role};

fn address(user: &str) -> Address {
    Address::parse(user).unwrap()
}

fn sign_out(mut session: Client) {
    session.send("OUT");
    session.drain_to_end();
}

#[test]
fn an_account_disabled_or_removed_after_its_sign_out_is_out_of_its_conversations() {
    for is_removed in [false, true] {
        let mut people = People::new(|config| config.timers.account_check_secs = 1);
        let (mut alice, mut bob) = people.pair();
        let People { server, alice: session, .. } = people;
        sign_out(session);
        let (store, user) = (server.store(), address(ALICE));
        server.block_on(async {
            match is_removed {
                true => store.remove_account(&user).await.unwrap(),
                false => store.set_enabled(&user, false).await.unwrap(),
            }
        });
        bob.expect("BYE alice@example.test");
        alice.expect_end();
    }
}

#[test]
fn who_is_kicked_after_signing_out_is_out_of_conversations() {
    let mut people = People::new(|_| ());
    let (mut alice, mut bob) = people.pair();
    let People { server, alice: session, .. } = people;
    sign_out(session);
    let hub = server.running().hub();
    assert_eq!(hub.kick(&address(ALICE)), Some(Kicked::Conversations));
    bob.expect("BYE alice@example.test");
    alice.expect_end();
    assert_eq!(hub.kick(&address(ALICE)), None);
}

#[test]
fn who_has_no_account_any_more_rings_nobody() {
    let mut people = People::new(|config| config.timers.account_check_secs = 86_400);
    let mut alice = people.open();
    let store = people.server.store();
    people.server.block_on(store.set_enabled(&address(ALICE), false)).unwrap();
    alice.send("CAL 2 bob@example.test");
    alice.expect_end();
    people.bob.expect_silence();
}

#[test]
fn who_comes_back_goes_on_talking_and_who_signs_in_elsewhere_does_not() {
    let mut people = People::new(|_| ());
    let (mut alice, mut bob) = people.pair();
    let People { server, alice: session, bob: _bobs, carol: _carols } = people;
    sign_out(session);
    let mut first = Client::present(&server, "MSNP9", ALICE, "NLN 0");
    alice.send_bytes(&message(1, "A", b"still here"));
    alice.expect("ACK 1");
    assert_eq!(bob.message().1, "still here");
    let _second = Client::present(&server, "MSNP9", ALICE, "NLN 0");
    first.expect("OUT OTH");
    bob.expect("BYE alice@example.test");
    alice.expect_end();
}

#[test]
fn who_signed_in_anew_can_be_called_again_at_once() {
    let mut people = People::new(|_| ());
    let mut alice = people.open();
    people.call(&mut alice, BOB);
    alice.ask("CAL 3 bob@example.test", "215 3");
    people.bob = Client::present(&people.server, "MSNP9", BOB, "NLN 0");
    let answer = people.call(&mut alice, BOB);
    let mut bob = people.connect();
    bob.send(&answer);
    bob.expect("IRO 1 1 1 alice@example.test Alice");
}

/// More often than wrong cookies are borne.
#[test]
fn an_answer_to_somebody_no_longer_allowed_is_no_guess_and_no_pending_call() {
    let mut people = People::new(|_| ());
    let mut alice = people.open();
    let mut answers = people.connect();
    for _ in 0..=100 {
        let answer = people.call(&mut alice, BOB);
        people.bob.send(&format!("ADD 7 BL {ALICE} Alice"));
        people.bob.drain();
        answers.ask(&answer, "911 1");
        answers.expect_end();
        people.bob.send(&format!("REM 8 BL {ALICE}"));
        people.bob.drain();
        answers = people.connect();
    }
    answers.ask(&format!("USR 1 {BOB} 1.2"), "911 1");
}

#[test]
fn four_calls_of_one_caller_wait_for_somebody_and_no_more() {
    let mut people = People::new(|_| ());
    let mut rooms: Vec<_> = (0..5).map(|_| people.open()).collect();
    for room in &mut rooms[..4] {
        people.call(room, BOB);
    }
    rooms[4].ask("CAL 2 bob@example.test", "713 2");
    people.call(&mut rooms[4], CAROL);
    // Somebody else rings as ever.
    let mut carol = people.connect();
    let cookie = people.start_cookie(CAROL);
    carol.ask(&format!("USR 1 {CAROL} {cookie}"), "USR 1 OK carol@example.test Carol");
    people.call(&mut carol, BOB);
}

#[test]
fn calls_refused_side_by_side_count() {
    let mut people = People::new(|config| config.switchboard.refused_calls_max = 2);
    let mut rooms: Vec<_> = (0..12).map(|_| people.open()).collect();
    rooms.iter_mut().for_each(|room| room.send("CAL 2 nobody@example.test"));
    let answers: Vec<_> = rooms.iter_mut().map(Client::line).collect();
    let refused = answers.iter().filter(|answer| *answer == "217 2").count();
    assert_eq!(refused, 2, "{answers:?}");
    assert!(answers.iter().all(|answer| ["217 2", "713 2"].contains(&answer.as_str())));
}

#[test]
fn the_shared_port_takes_blank_lines_and_ends_the_silent() {
    let mut people = People::new(|config| {
        config.switchboard.bind = msnd::config::Bind::Notification;
        config.timers.login_secs = 2;
    });
    let cookie = people.start_cookie(ALICE);
    let mut alice = people.connect();
    alice.send_bytes(format!("\r\n\n \tUSR 1 {ALICE} {cookie}\r\n").as_bytes());
    alice.expect("USR 1 OK alice@example.test Alice");
    let mut silent = Client::connect(people.server.address(Role::Notification));
    silent.send_bytes(b"\r\n");
    silent.expect_end();
    alice.ask("CAL 2 nobody", "208 2");
}
