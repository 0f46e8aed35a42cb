//! Conversations over real sockets: bursts, slow readers, last words, lists that change in between,
//! guessed cookies, the shutdown.

mod clocked;
mod pace;
mod standing;

use crate::support::{Client, TestServer, server::new_account};
use msnd::{
    config::Config,
    model::{Address, Edit, List, Name},
    server::Role,
    switchboard::message::MESSAGE_BYTES_MAX,
};
use socket2::{Domain, Socket, Type};
use std::{
    net::{SocketAddr, TcpStream},
    thread,
};

const ALICE: &str = "alice@example.test";
const BOB: &str = "bob@example.test";
const CAROL: &str = "carol@example.test";

/// A server with Alice, Bob and Carol, and a notification session of each.
struct People {
    alice: Client,
    bob: Client,
    carol: Client,
    /// Last: it waits a moment for whoever does not hang up.
    server: TestServer,
}

impl People {
    fn new(change: impl FnOnce(&mut Config)) -> Self {
        let server = TestServer::start_with(change);
        server.add([ALICE, BOB, CAROL].map(new_account).into());
        let present = |user| Client::present(&server, "MSNP9", user, "NLN 0");
        let (alice, bob, carol) = (present(ALICE), present(BOB), present(CAROL));
        Self { alice, bob, carol, server }
    }

    fn session(&mut self, user: &str) -> &mut Client {
        match user {
            ALICE => &mut self.alice,
            BOB => &mut self.bob,
            _ => &mut self.carol,
        }
    }

    fn connect(&self) -> Client {
        Client::connect(self.server.address(Role::Switchboard))
    }

    /// Alice opens a conversation.
    fn open(&mut self) -> Client {
        let mut alice = self.connect();
        let cookie = self.start_cookie(ALICE);
        alice.ask(&format!("USR 1 {ALICE} {cookie}"), &format!("USR 1 OK {ALICE} Alice"));
        alice
    }

    fn start_cookie(&mut self, user: &str) -> String {
        let session = self.session(user);
        session.send("XFR 9 SB");
        session.line_but_challenge().rsplit(' ').next().unwrap().to_owned()
    }

    /// Somebody is called; returns what is to be sent to come.
    fn call(&mut self, host: &mut Client, callee: &str) -> String {
        host.send(&format!("CAL 2 {callee}"));
        let room = host.line();
        let room = room.strip_prefix("CAL 2 RINGING ").expect(&room).to_owned();
        let ring = self.session(callee).line_but_challenge();
        let words: Vec<_> = ring.split(' ').collect();
        assert_eq!(words[..2], ["RNG", &room]);
        assert_eq!(words[2], self.server.address(Role::Switchboard).to_string());
        format!("ANS 1 {callee} {} {room}", words[4])
    }

    /// Somebody is called by the first of those present, and comes on this connection.
    fn come(&mut self, present: &mut [&mut Client], callee: &str, mut callees: Client) -> Client {
        let answer = self.call(present[0], callee);
        callees.send(&answer);
        for _ in 0..present.len() {
            assert!(callees.line().starts_with("IRO 1 "));
        }
        callees.expect("ANS 1 OK");
        for other in present {
            assert!(other.line().starts_with(&format!("JOI {callee} ")));
        }
        callees
    }

    /// Alice and Bob in a conversation.
    fn pair(&mut self) -> (Client, Client) {
        let mut alice = self.open();
        let bob = self.connect();
        let bob = self.come(&mut [&mut alice], BOB, bob);
        (alice, bob)
    }
}

/// Data between clients with a number, as long as real pieces are.
fn piece(number: usize) -> Vec<u8> {
    let mut payload = b"Content-Type: application/x-msnmsgrp2p\r\n\r\n".to_vec();
    payload.extend(number.to_le_bytes());
    payload.resize(1300, b'\n');
    payload
}

fn message(trid: usize, kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut message = format!("MSG {trid} {kind} {}\r\n", payload.len()).into_bytes();
    message.extend_from_slice(payload);
    message
}

/// A connection whose kernel buffer for received bytes is as small as the kernel allows.
fn narrow(address: SocketAddr) -> Client {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(1).unwrap();
    socket.connect(&address.into()).unwrap();
    Client::over(TcpStream::from(socket))
}

/// Reads so many pieces and receipts, each in order. Between any two lines `rest` is called.
fn receive(
    client: &mut Client,
    from: &str,
    pieces: usize,
    receipts: usize,
    mut rest: impl FnMut(),
) {
    let (mut acknowledged, mut heard) = (0, 0);
    while acknowledged < receipts || heard < pieces {
        let line = client.line();
        if let Some(trid) = line.strip_prefix("ACK ") {
            assert_eq!(trid.parse(), Ok(acknowledged));
            acknowledged += 1;
        } else {
            assert_eq!(line, format!("MSG {from} 1300"));
            assert_eq!(client.payload(1300), piece(heard));
            heard += 1;
        }
        rest();
    }
}

#[test]
fn bursts_of_data_pass_in_order_in_both_directions_at_once() {
    // So many fit one queue: not even a reader who stands still for a while loses one.
    const PIECES: usize = 2900;
    let mut people = People::new(|_| ());
    let (mut alice, mut bob) = people.pair();
    let burst: Vec<u8> = (0..PIECES).flat_map(|n| message(n, "D", &piece(n))).collect();
    let (mut alice_sends, mut bob_sends) = (alice.second_hand(), bob.second_hand());
    thread::scope(|scope| {
        scope.spawn(|| alice_sends.send_bytes(&burst));
        scope.spawn(|| bob_sends.send_bytes(&burst));
        scope.spawn(|| receive(&mut alice, "bob@example.test Bob", PIECES, PIECES, || ()));
        receive(&mut bob, "alice@example.test Alice", PIECES, PIECES, || ());
    });
}

#[test]
fn who_does_not_read_is_out_and_the_others_go_on() {
    let mut people = People::new(|config| {
        config.limits.room_queue_bytes_max = 65_536;
        config.limits.output_queue_bytes_max = 4096;
    });
    let (mut alice, mut bob) = people.pair();
    let deaf = narrow(people.server.address(Role::Switchboard));
    let carol = people.come(&mut [&mut alice, &mut bob], CAROL, deaf);
    // Carol reads nothing from here on, and where there are three nobody waits for her. Bob takes
    // every piece before Alice sends the next.
    let mut number = 0;
    loop {
        alice.send_bytes(&message(number, "A", &piece_of_text(number)));
        let answer = alice.line();
        let (line, text) = bob.message();
        assert!(line.starts_with("MSG alice@example.test Alice "), "{line}");
        assert_eq!(text.as_bytes(), piece_of_text(number));
        if answer != format!("ACK {number}") {
            // Refused by one is not delivered, though Bob has it.
            assert_eq!(answer, format!("NAK {number}"));
            break;
        }
        number += 1;
    }
    alice.expect("BYE carol@example.test");
    bob.expect("BYE carol@example.test");
    alice.send_bytes(&message(7, "A", b"just us"));
    alice.expect("ACK 7");
    assert_eq!(bob.message().1, "just us");
    // What was on its way to Carol may come, and then the end.
    let mut carol = carol;
    while carol.some_bytes() > 0 {}
}

fn piece_of_text(number: usize) -> Vec<u8> {
    format!("Content-Type: text/plain\r\n\r\n{number:0>1400}").into_bytes()
}

#[test]
fn the_last_words_arrive_before_the_end() {
    let mut people = People::new(|_| ());
    for is_polite in [true, false] {
        let (mut alice, mut bob) = people.pair();
        let mut last = message(1, "N", b"and one more thing");
        if is_polite {
            last.extend(b"OUT\r\n");
        }
        alice.send_bytes(&last);
        alice.finish_sending();
        drop(alice);
        assert_eq!(bob.message().1, "and one more thing");
        bob.expect("BYE alice@example.test");
        bob.ask("CAL 3 nobody", "208 3");
    }
}

#[test]
fn byte_by_byte_it_is_the_same_conversation() {
    let mut people = People::new(|_| ());
    let mut alice = people.open();
    let answer = people.call(&mut alice, BOB);
    let mut bob = people.connect();
    let said = message(2, "A", b"\r\n\r\nCAL 1 x\r\n\0\xff");
    let script = [format!("{answer}\r\n").as_bytes(), &said, b"PNG\r\nOUT\r\n"].concat();
    for byte in script {
        bob.send_bytes(&[byte]);
    }
    bob.expect("IRO 1 1 1 alice@example.test Alice");
    bob.expect("ANS 1 OK");
    bob.expect("ACK 2");
    bob.expect_end();
    alice.expect("JOI bob@example.test Bob");
    alice.expect("MSG bob@example.test Bob 15");
    assert_eq!(alice.payload(15), b"\r\n\r\nCAL 1 x\r\n\0\xff");
    alice.expect("BYE bob@example.test");
}

/// However much is delivered together: each command has been carried out before the next one.
#[test]
fn what_is_sent_at_once_is_heard_and_answered_in_order() {
    let mut people = People::new(|_| ());
    let (mut alice, mut bob) = people.pair();
    let said = [
        message(1, "A", b"one"),
        message(2, "A", b""),
        message(3, "A", b"two"),
        message(4, "N", b"three"),
        message(5, "S", b"four"),
        message(6, "U", b"five"),
        message(7, "A", b"six"),
        message(8, "D", b"no data"),
        message(9, "A", b"seven"),
        b"PNG\r\n".to_vec(),
        message(10, "A", b""),
        message(11, "D", &piece(0)),
        format!("CAL 12 {BOB}\r\n").into_bytes(),
        message(13, "A", b"eight"),
        format!("CAL 14 {CAROL}\r\n").into_bytes(),
        message(15, "A", b"nine"),
        message(16, "X", b"never"),
        message(17, "A", b"never"),
    ];
    alice.send_bytes(&said.concat());
    for reply in ["ACK 1", "ACK 2", "ACK 3", "ACK 5", "ACK 7", "282 8", "ACK 9", "ACK 10"] {
        alice.expect(reply);
    }
    alice.expect("ACK 11");
    alice.expect("215 12");
    alice.expect("ACK 13");
    assert!(alice.line().starts_with("CAL 14 RINGING "));
    alice.expect("ACK 15");
    alice.expect_end();
    let mut hear = |text: &[u8]| {
        bob.expect(&format!("MSG alice@example.test Alice {}", text.len()));
        assert_eq!(bob.payload(text.len()), text);
    };
    for text in ["one", "two", "three", "four", "five", "six", "seven"] {
        hear(text.as_bytes());
    }
    hear(&piece(0));
    for text in ["eight", "nine"] {
        hear(text.as_bytes());
    }
    bob.expect("BYE alice@example.test");
}

#[test]
fn the_longest_message_passes_and_a_longer_one_is_not_waited_for() {
    let mut people = People::new(|config| config.limits.payload_bytes_max = 1024);
    let (mut alice, mut bob) = people.pair();
    let longest: Vec<u8> = (0..MESSAGE_BYTES_MAX).map(|n| n as u8).collect();
    alice.send_bytes(&message(1, "A", &longest));
    alice.expect("ACK 1");
    bob.expect("MSG alice@example.test Alice 1664");
    assert_eq!(bob.payload(MESSAGE_BYTES_MAX), longest);
    alice.send("MSG 2 A 1665");
    alice.expect_end();
    bob.expect("BYE alice@example.test");
}

/// An edit by another process: the hub knows nothing of it.
fn edit_elsewhere(server: &TestServer, owner: &str, edit: impl FnOnce(Address) -> Edit) {
    let store = server.store();
    server.block_on(async {
        let owner = store.account(&Address::parse(owner).unwrap()).await.unwrap().id;
        let edit = edit(Address::parse(ALICE).unwrap());
        store.edit(owner, edit, Box::new(|_| ())).await.unwrap();
    });
}

fn block(contact: Address) -> Edit {
    let name = Name::from(&contact);
    Edit::Add { list: List::Block, contact, name, group: None }
}

#[test]
fn what_another_process_writes_counts_at_the_call_and_at_the_answer() {
    let mut people = People::new(|_| ());
    let mut alice = people.open();
    edit_elsewhere(&people.server, CAROL, block);
    alice.ask("CAL 2 carol@example.test", "217 2");
    let answer = people.call(&mut alice, BOB);
    edit_elsewhere(&people.server, BOB, block);
    let mut bob = people.connect();
    bob.ask(&answer, "911 1");
    bob.expect_end();
    alice.send_bytes(&message(3, "A", b"nobody came"));
    alice.expect("NAK 3");
}

#[test]
fn who_guesses_cookies_hears_nothing_any_more_and_locks_nobody_out() {
    let mut people = People::new(|_| ());
    let address = people.server.address(Role::Switchboard);
    let say = |line: &str| {
        let mut client = Client::connect(address);
        client.send(line);
        (client.line_or_end(), client)
    };
    let guess = format!("USR 1 {ALICE} 1795415933.1");
    let guesses = (0..).take_while(|_| say(&guess).0.is_some()).count();
    assert_eq!(guesses, 100);
    // Whoever has a good cookie comes from the same address.
    let cookie = people.start_cookie(ALICE);
    let (line, mut alice) = say(&format!("USR 1 {ALICE} {cookie}"));
    assert_eq!(line, Some(format!("USR 1 OK {ALICE} Alice")));
    let answer = people.call(&mut alice, BOB);
    assert_eq!(say(&answer).0, Some("IRO 1 1 1 alice@example.test Alice".into()));
    assert_eq!(say(&guess).0, None);
}

#[test]
fn too_many_conversations_are_refused_and_those_that_ended_count_no_more() {
    let mut people = People::new(|config| {
        config.limits.rooms_max = 3;
        config.limits.rooms_per_user_max = 2;
    });
    let mut open = |user: &str| {
        let cookie = people.start_cookie(user);
        let mut client = people.connect();
        client.send(&format!("USR 1 {user} {cookie}"));
        (client.line(), client)
    };
    let (_, mut first) = open(ALICE);
    let _second = open(ALICE);
    let (refused, mut third) = open(ALICE);
    assert_eq!(refused, "280 1");
    third.expect_end();
    let _bobs = open(BOB);
    assert_eq!(open(CAROL).0, "280 1");
    first.send("OUT");
    first.expect_end();
    assert_eq!(open(ALICE).0, "USR 1 OK alice@example.test Alice");
}

#[test]
fn the_shutdown_ends_conversations_without_a_word_and_loses_none_before() {
    let mut people = People::new(|_| ());
    let (mut alice, mut bob) = people.pair();
    alice.send_bytes(&message(1, "A", b"quick"));
    alice.expect("ACK 1");
    assert!(people.server.shut_down(), "every connection has ended by itself");
    assert_eq!(bob.message().1, "quick");
    for client in [&mut alice, &mut bob] {
        let heard = client.drain_to_end();
        assert!(heard.iter().all(|line| line.starts_with("BYE ")), "{heard:?}");
    }
}

#[test]
fn while_the_end_is_announced_nobody_is_called_any_more() {
    let mut people = People::new(|config| config.timers.shutdown_notice_minutes = 1);
    let (mut alice, mut bob) = people.pair();
    let People { server, carol, .. } = &mut people;
    server.announce_shutdown(|| {
        let (line, _) = carol.message();
        assert!(line.starts_with("MSG Hotmail "), "{line}");
        alice.ask("CAL 3 carol@example.test", "280 3");
        alice.send_bytes(&message(4, "A", b"still talking"));
        alice.expect("ACK 4");
        assert_eq!(bob.message().1, "still talking");
    });
}

#[test]
fn rings_name_the_switchboard_address_that_the_room_was_opened_at() {
    let servers: Vec<_> = (1..6).map(|n| format!("192.0.2.{n}:1865")).collect();
    let mut people = People::new(|config| config.switchboard.servers.clone_from(&servers));
    people.alice.send("XFR 9 SB");
    let line = people.alice.line_but_challenge();
    let words: Vec<_> = line.split(' ').collect();
    let chosen = words[3];
    assert!(servers.iter().any(|server| server == chosen), "{line}");
    let mut alice = people.connect();
    alice.ask(&format!("USR 1 {ALICE} {}", words[5]), "USR 1 OK alice@example.test Alice");
    alice.send("CAL 2 bob@example.test");
    alice.line();
    let ring = people.bob.line_but_challenge();
    let words: Vec<_> = ring.split(' ').collect();
    assert_eq!(words[2], chosen);
    // Whoever came may call too, and names the same one.
    let mut bob = people.connect();
    bob.send(&format!("ANS 1 {BOB} {} {}", words[4], words[1]));
    bob.line();
    bob.expect("ANS 1 OK");
    bob.send("CAL 2 carol@example.test");
    bob.line();
    assert_eq!(people.carol.line_but_challenge().split(' ').nth(2), Some(chosen));
}
