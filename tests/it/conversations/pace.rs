//! Senders that are faster than the only other one: they wait, and not for ever.

use super::{BOB, People, message, narrow, piece, receive};
use crate::support::Client;
use msnd::server::Role;
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

/// Many times what may wait for one participant.
const PIECES: usize = 2000;
const QUEUE_BYTES_MAX: usize = 65_536;

fn people() -> People {
    People::new(|config| {
        config.limits.room_queue_bytes_max = QUEUE_BYTES_MAX;
        config.limits.output_queue_bytes_max = 4096;
    })
}

/// Alice, and Bob on a connection whose kernel takes little for him.
fn narrow_pair(people: &mut People) -> (Client, Client) {
    let mut alice = people.open();
    let bob = narrow(people.server.address(Role::Switchboard));
    let bob = people.come(&mut [&mut alice], BOB, bob);
    (alice, bob)
}

fn burst() -> Vec<u8> {
    (0..PIECES).flat_map(|number| message(number, "D", &piece(number))).collect()
}

#[test]
fn many_queues_full_reach_a_slow_reader_whole_and_in_order() {
    let mut people = people();
    let (alice, mut bob) = people.pair();
    let mut alice_sends = alice.second_hand();
    let mut carol = people.carol;
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut alice = alice;
            (0..PIECES).for_each(|number| alice.expect(&format!("ACK {number}")));
        });
        scope.spawn(move || alice_sends.send_bytes(&burst()));
        // He does something else after each, as long as it takes.
        let rest = || drop(carol.drain());
        receive(&mut bob, "alice@example.test Alice", PIECES, 0, rest);
    });
}

/// Each piece before the next one is sent: now written by whoever says it, now by whoever hears it.
#[test]
fn what_is_said_bit_by_bit_reaches_a_slow_reader_whole_and_in_order() {
    const PIECES: usize = 800;
    let mut people = People::new(|_| ());
    let (mut alice, mut bob) = people.pair();
    for number in 0..PIECES {
        alice.send_bytes(&message(number, "D", &piece(number)));
        alice.expect(&format!("ACK {number}"));
        // What he does is answered between two lines.
        if number % 40 == 0 {
            bob.send_bytes(&message(number / 40, "A", b""));
        }
    }
    receive(&mut bob, "alice@example.test Alice", PIECES, PIECES / 40, || ());
    for number in 0..PIECES {
        alice.send_bytes(&message(number, "D", &piece(number)));
        alice.expect(&format!("ACK {number}"));
        bob.expect("MSG alice@example.test Alice 1300");
        assert_eq!(bob.payload(1300), piece(number));
    }
}

#[test]
fn two_who_send_more_than_fits_at_once_do_not_wait_for_ever() {
    let mut people = people();
    let (mut alice, mut bob) = people.pair();
    let (mut alice_sends, mut bob_sends) = (alice.second_hand(), bob.second_hand());
    thread::scope(|scope| {
        scope.spawn(move || alice_sends.send_bytes(&burst()));
        scope.spawn(move || bob_sends.send_bytes(&burst()));
        scope.spawn(|| receive(&mut alice, "bob@example.test Bob", PIECES, PIECES, || ()));
        receive(&mut bob, "alice@example.test Alice", PIECES, PIECES, || ());
    });
    bob.send("OUT");
    alice.expect("BYE bob@example.test");
}

/// Sends pieces until `is_done`.
fn send_until(client: &mut Client, is_done: &AtomicBool) {
    for number in 0.. {
        if is_done.load(Ordering::Relaxed) {
            return;
        }
        client.send_bytes(&message(number, "D", &piece(number)));
    }
}

#[test]
fn who_has_stopped_reading_is_out_after_a_while_and_the_sender_goes_on() {
    let mut people = people();
    let (mut alice, mut bob) = narrow_pair(&mut people);
    let (mut alice_sends, is_done) = (alice.second_hand(), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| send_until(&mut alice_sends, &is_done));
        let acknowledged = (0..).take_while(|number| match alice.line() {
            line if line == "BYE bob@example.test" => false,
            line => line == format!("ACK {number}") || panic!("{line}"),
        });
        let acknowledged = acknowledged.count();
        assert!(acknowledged * 1300 > QUEUE_BYTES_MAX / 2);
        // Every one before was acknowledged, none after.
        alice.expect(&format!("NAK {acknowledged}"));
        is_done.store(true, Ordering::Relaxed);
    });
    while bob.some_bytes() > 0 {}
}
