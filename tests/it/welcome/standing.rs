//! What happens to the robot itself: lists, kicks, its account, idle rooms, the end of the server.

use super::{ROBOT, add, call, converse, hear, open, present, say, server};
use crate::{
    admin::{ALICE, BOB},
    support::{Client, TestServer, server::new_account, until},
};
use msnd::{
    hub::{Person, SessionId},
    model::{Address, Applied, Edit, List, Name, Privacy, Prompt},
};

fn robot() -> Address {
    Address::parse(ROBOT).unwrap()
}

/// An edit of the robot's lists, as if it were made in the server.
fn edit(server: &TestServer, edit: Edit) {
    let (store, hub) = (server.store(), server.running().hub().clone());
    server.block_on(async {
        let account = store.account(&robot()).await.unwrap();
        let person = Person::new(account.id, account.address, account.name);
        let publish = move |applied: &Applied| drop(hub.apply(applied, &person, SessionId(0)));
        store.edit(account.id, edit, Box::new(publish)).await.unwrap();
    });
}

#[test]
fn whom_it_blocks_it_is_neither_seen_nor_called_by() {
    let (server, _) = server(|_| {});
    let mut alice = present(&server, ALICE);
    add(&mut alice);
    let contact = Address::parse(ALICE).unwrap();
    let name = Name::from(&contact);
    let list = List::Block;
    edit(&server, Edit::Add { list, contact: contact.clone(), name, group: None });
    alice.expect(&format!("FLN {ROBOT}"));
    let mut talk = open(&server, &mut alice, ALICE);
    talk.ask(&format!("CAL 2 {ROBOT}"), "217 2");
    edit(&server, Edit::Remove { list, contact, group: None });
    alice.expect(&format!("NLN NLN {ROBOT} Welcome 0"));
    call(&mut talk);
}

#[test]
fn who_blocks_it_can_still_ask_it() {
    let (server, _) = server(|_| {});
    let mut alice = present(&server, ALICE);
    add(&mut alice);
    alice.send(&format!("ADD 7 BL {ROBOT} Robot"));
    assert!(alice.drain().concat().contains("ADD 7 BL "));
    let mut talk = converse(&server, &mut alice, ALICE);
    say(&mut talk, "hello");
    assert_eq!(hear(&mut talk), "Hello.");
}

#[test]
fn a_kick_ends_its_conversations_and_it_comes_back() {
    let (server, door) = server(|_| {});
    let mut alice = present(&server, ALICE);
    add(&mut alice);
    let mut talk = converse(&server, &mut alice, ALICE);
    assert!(door.kick(ROBOT).status < 300);
    alice.expect(&format!("FLN {ROBOT}"));
    talk.expect(&format!("BYE {ROBOT}"));
    alice.expect(&format!("NLN NLN {ROBOT} Welcome 0"));
    call(&mut talk);
}

#[test]
fn a_disabled_account_keeps_it_out_until_it_is_enabled() {
    let (server, _) = server(|config| config.timers.account_check_secs = 1);
    let mut alice = present(&server, ALICE);
    add(&mut alice);
    let mut talk = converse(&server, &mut alice, ALICE);
    server.block_on(server.store().set_enabled(&robot(), false)).unwrap();
    alice.expect(&format!("FLN {ROBOT}"));
    talk.expect(&format!("BYE {ROBOT}"));
    talk.ask(&format!("CAL 2 {ROBOT}"), "217 2");
    server.block_on(server.store().set_enabled(&robot(), true)).unwrap();
    alice.expect(&format!("NLN NLN {ROBOT} Welcome 0"));
    call(&mut talk);
}

#[test]
fn nobody_is_left_when_its_account_is_removed() {
    let (mut server, _) = server(|config| config.timers.account_check_secs = 1);
    let mut alice = present(&server, ALICE);
    add(&mut alice);
    let mut talk = converse(&server, &mut alice, ALICE);
    server.block_on(server.store().remove_account(&robot())).unwrap();
    talk.expect(&format!("BYE {ROBOT}"));
    until(|| server.running().hub().counts().sessions == 1);
    drop((alice, talk));
    assert!(server.shut_down());
}

#[test]
fn who_has_its_password_takes_its_place_and_gives_it_back() {
    let (server, door) = server(|_| {});
    let mut alice = present(&server, ALICE);
    add(&mut alice);
    let mut talk = converse(&server, &mut alice, ALICE);
    let password = new_account(ROBOT).password;
    server.block_on(server.store().set_password(&robot(), password)).unwrap();
    let mut operator = Client::sign_in(&server, "MSNP9", ROBOT);
    alice.expect(&format!("FLN {ROBOT}"));
    talk.expect(&format!("BYE {ROBOT}"));
    operator.send("SYN 4 0");
    operator.send("CHG 5 BSY 0");
    operator.send("BLP 6 BL");
    operator.send(&format!("REA 7 {ROBOT} Operator"));
    let told = operator.drain().join("\n");
    assert!(told.contains("BLP 6 ") && told.contains("REA 7 "), "{told}");
    alice.expect(&format!("NLN BSY {ROBOT} Welcome 0"));
    alice.expect(&format!("FLN {ROBOT}"));
    // The robot looks at its account twice, and leaves it alone.
    let looks = || door.metric("msnd_store_read_seconds_count{operation=\"account\"}");
    let before = looks();
    until(|| looks() >= before + 2.0);
    operator.expect_silence();
    operator.send("OUT");
    assert_eq!(operator.drain_to_end().last().map(String::as_str), Some("OUT"));
    // As the options want it: with its name, and seen by everybody.
    alice.expect(&format!("NLN NLN {ROBOT} Welcome 0"));
    let id = server.block_on(server.store().account(&robot())).unwrap().id;
    let roster = server.block_on(server.store().roster(id)).unwrap();
    assert_eq!((roster.privacy, roster.prompt), (Privacy::AllowOthers, Prompt::Never));
    call(&mut talk);
}

#[test]
fn an_idle_conversation_ends_for_it_too() {
    let (server, door) = server(|config| config.timers.room_idle_secs = 1);
    let mut alice = present(&server, ALICE);
    let mut talk = converse(&server, &mut alice, ALICE);
    talk.expect(&format!("BYE {ROBOT} 1"));
    talk.expect_end();
    until(|| door.metric("msnd_rooms") == 0.0);
    let mut talk = converse(&server, &mut alice, ALICE);
    say(&mut talk, "still there?");
    assert_eq!(hear(&mut talk), "Hello.");
}

#[test]
fn it_neither_holds_up_the_shutdown_nor_talks_beyond_it() {
    let (mut server, _) = server(|_| {});
    let (mut alices, mut bobs) = (present(&server, ALICE), present(&server, BOB));
    let mut alice = converse(&server, &mut alices, ALICE);
    let mut bob = converse(&server, &mut bobs, BOB);
    say(&mut alice, "good night");
    assert_eq!(hear(&mut alice), "Hello.");
    assert!(server.shut_down(), "nothing outlives the shutdown");
    let ended = bob.drain_to_end();
    assert!(ended.iter().all(|line| *line == format!("BYE {ROBOT}")), "{ended:?}");
}

#[test]
fn while_the_end_is_announced_it_stays_online() {
    let (mut server, _) = server(|config| config.timers.shutdown_notice_minutes = 1);
    let mut alice = present(&server, ALICE);
    add(&mut alice);
    let mut talk = converse(&server, &mut alice, ALICE);
    server.announce_shutdown(|| {
        let (line, _) = alice.message();
        assert!(line.starts_with("MSG Hotmail "), "{line}");
        say(&mut talk, "already?");
        assert_eq!(hear(&mut talk), "Hello.");
        assert_eq!(hear(&mut talk), "Help.");
        alice.expect_silence();
    });
}
