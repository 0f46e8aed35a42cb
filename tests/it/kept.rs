//! The lists that are read at sign-in and shown at `SYN`: one read, and with every change of them
//! that the server itself has made since. What somebody lets be seen or forbids is no such change:
//! nothing forbidden is shown, and what has just been permitted not yet.

use crate::{
    alerts::role::{Role, WIDE},
    support::{Client, TestServer, server::new_account, store::Observed},
};
use msnd::model::Address;
use std::{
    sync::{Arc, atomic::Ordering, mpsc},
    time::Duration,
};
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep},
};

const ALICE: &str = "alice@example.test";
const BOB: &str = "bob@example.test";

#[test]
fn the_lists_read_at_sign_in_are_shown_once() {
    let (server, store) = server();
    let mut alice = in_time(|| {
        let mut alice = Client::sign_in(&server, "MSNP9", ALICE);
        store.forget();
        alice.ask("SYN 4 0", "SYN 4 1 0 1");
        alice
    });
    alice.drain();
    assert_eq!(store.calls(), [""; 0]);
    alice.ask("SYN 5 1", "SYN 5 1");
    assert_eq!(store.calls(), ["roster"]);
    // Whoever knows them is not told them, and they are not read for that either.
    let mut again = Client::sign_in(&server, "MSNP9", ALICE);
    store.forget();
    again.ask("SYN 4 1", "SYN 4 1");
    assert_eq!(store.calls(), [""; 0]);
}

#[test]
fn nothing_is_kept_behind_another_command() {
    for (command, answer) in [("PNG", "QNG 60"), ("CHG 4 NLN 0", "CHG 4 NLN 0")] {
        let (server, store) = server();
        let mut alice = Client::sign_in(&server, "MSNP9", ALICE);
        alice.ask(command, answer);
        alice.drain();
        store.forget();
        alice.ask("SYN 5 0", "SYN 5 1 0 1");
        assert_eq!(store.calls(), ["roster"]);
    }
}

#[test]
fn what_others_change_before_syn_is_in_the_lists() {
    let (server, store) = server();
    let mut bob = Client::present(&server, "MSNP9", BOB, "NLN 0");
    let mut alice = Client::sign_in(&server, "MSNP9", ALICE);
    bob.ask("ADD 6 FL alice@example.test Alice 0", "ADD 6 FL 2 alice@example.test Alice 0");
    store.forget();
    alice.ask("SYN 4 0", "SYN 4 2 1 1");
    assert!(alice.drain().contains(&"LST bob@example.test Bob 8".to_owned()));
    assert_eq!(store.calls(), ["roster"]);
    // Told once.
    alice.expect_silence();
}

/// Between the read and the entry into the hub.
#[test]
fn what_others_change_during_a_sign_in_is_in_the_lists() {
    let (server, store) = server();
    let mut bob = Client::present(&server, "MSNP9", BOB, "NLN 0");
    let ticket = server.ticket(ALICE);
    let mut alice = Client::greet(&server, "MSNP9", ALICE);
    let held = store.hold_sign_in();
    alice.send(&format!("USR 3 TWN S {ticket}"));
    server.block_on(held.wait());
    bob.ask("ADD 6 FL alice@example.test Alice 0", "ADD 6 FL 2 alice@example.test Alice 0");
    store.forget();
    server.block_on(held.wait());
    assert!(alice.line().starts_with("USR 3 OK "));
    alice.message();
    // Others' changes keep nobody out, however many they are: the sign-in is not read again.
    assert_eq!(store.calls(), [""; 0]);
    alice.ask("SYN 4 0", "SYN 4 2 1 1");
    assert!(alice.drain().contains(&"LST bob@example.test Bob 8".to_owned()));
    assert_eq!(store.calls(), ["roster"]);
}

/// Lists in which somebody shows properties are read again: that Bob blocks Alice changes none of
/// hers.
#[test]
fn who_has_just_been_blocked_sees_no_properties() {
    let (server, store) = server();
    let mut bob = Client::present(&server, "MSNP9", BOB, "NLN 0");
    bob.ask("PRP 6 PHH 555-1234", "PRP 6 2 PHH 555-1234");
    let mut alice = Client::present(&server, "MSNP9", ALICE, "NLN 0");
    alice.ask("ADD 6 FL bob@example.test Bob 0", "ADD 6 FL 2 bob@example.test Bob 0");
    let mut alice = Client::sign_in(&server, "MSNP9", ALICE);
    store.forget();
    alice.ask("SYN 4 0", "SYN 4 2 1 1");
    assert!(alice.drain().contains(&"BPR PHH 555-1234".to_owned()));
    assert_eq!(store.calls(), ["roster"]);
    let mut alice = Client::sign_in(&server, "MSNP9", ALICE);
    bob.send("ADD 7 BL alice@example.test Alice");
    while !bob.line().starts_with("ADD 7 BL ") {}
    alice.ask("SYN 4 0", "SYN 4 2 1 1");
    let block = alice.drain();
    assert!(!block.iter().any(|line| line.starts_with("BPR")), "{block:?}");
}

/// As it would have, had it come right before the permission, which changes no list of hers.
#[test]
fn what_somebody_has_just_permitted_is_shown_by_the_next_syn() {
    let (mut alice, store, server) = in_time(|| {
        let (server, store) = server();
        let mut bob = Client::present(&server, "MSNP9", BOB, "NLN 0");
        bob.ask("PRP 6 PHH 555-1234", "PRP 6 2 PHH 555-1234");
        bob.ask("ADD 7 BL alice@example.test Alice", "ADD 7 BL 3 alice@example.test Alice");
        let mut alice = Client::present(&server, "MSNP9", ALICE, "NLN 0");
        alice.ask("ADD 6 FL bob@example.test Bob 0", "ADD 6 FL 2 bob@example.test Bob 0");
        bob.line();
        let mut alice = Client::sign_in(&server, "MSNP9", ALICE);
        bob.ask("REM 8 BL alice@example.test", "REM 8 BL 5 alice@example.test");
        store.forget();
        alice.ask("SYN 4 0", "SYN 4 2 1 1");
        (alice, store, server)
    });
    let shown = |block: Vec<String>| block.iter().filter(|line| line.starts_with("BPR")).count();
    assert_eq!((shown(alice.drain()), store.calls().len()), (0, 0));
    alice.ask("SYN 5 0", "SYN 5 2 1 1");
    assert_eq!((shown(alice.drain()), store.calls().len()), (1, 1));
    drop(server);
}

/// Between the read and `SYN` another process removes Bob: to Alice it comes right behind.
#[test]
fn what_another_process_changes_before_syn_is_learned_like_what_it_changes_after() {
    let (server, _) = server();
    let mut alice = Client::present(&server, "MSNP9", ALICE, "NLN 0");
    alice.ask("ADD 6 FL bob@example.test Bob 0", "ADD 6 FL 2 bob@example.test Bob 0");
    let mut alice = Client::sign_in(&server, "MSNP9", ALICE);
    server.block_on(server.store().remove_account(&Address::parse(BOB).unwrap())).unwrap();
    let version = |line: &str| line.split(' ').nth(2).unwrap().parse::<u32>().unwrap();
    alice.send("SYN 4 2");
    let shown = alice.line();
    alice.drain();
    // At version 3 the client would believe that it knows all there is.
    alice.send("GTC 5 N");
    let told = version(&alice.line());
    let mut again = Client::sign_in(&server, "MSNP9", ALICE);
    again.send(&format!("SYN 4 {told}"));
    let lists = again.line();
    assert_eq!(lists.split(' ').nth(3), Some("0"), "{shown} / {told} / {lists}");
}

/// A session that has nothing else to wait for is woken once, to give their memory back; if it kept
/// them, its deadline would stay and it would never sleep again.
#[tokio::test(start_paused = true)]
async fn lists_that_nobody_asks_for_are_forgotten_after_five_seconds() {
    // While this thread waits the clock stands still, however long the store takes.
    let (release, held) = mpsc::channel::<()>();
    let clock = spawn_blocking(move || held.recv());
    let role = Role::start().await;
    let alice = role.signed_in(WIDE).await;
    drop(release);
    clock.await.unwrap().unwrap_err();
    sleep(Duration::from_secs(1)).await;
    let before = alice.polls.load(Ordering::Relaxed);
    sleep(Duration::from_millis(3900)).await;
    assert_eq!(alice.polls.load(Ordering::Relaxed), before);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(alice.polls.load(Ordering::Relaxed), before + 1);
}

/// A server whose store is counted, with Alice and Bob, who do not know each other.
fn server() -> (TestServer, Arc<Observed>) {
    let (server, store) = TestServer::start_observed(|_| {});
    server.add(vec![new_account(ALICE), new_account(BOB)]);
    (server, store)
}

/// What `act` came to in less time than the lists are kept: on a machine that stood still it is
/// done again.
fn in_time<T>(act: impl Fn() -> T) -> T {
    loop {
        let began = Instant::now();
        let done = act();
        if began.elapsed() < Duration::from_secs(5) {
            return done;
        }
    }
}
