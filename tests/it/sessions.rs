//! Sessions that others act upon: flooded, behind, removed, disabled, or caught by a shutdown.

use crate::support::{Client, TestServer, server::new_account};
use msnd::{
    model::{Address, GroupSet, ListBits, Name},
    server::Role,
    store::NewContact,
};

const ALICE: &str = "alice@example.test";
const BOB: &str = "bob@example.test";

/// Alice watches Bob.
fn alice_watches_bob(server: &TestServer) {
    let mut alice = new_account(ALICE);
    alice.contacts.push(on_forward_list(BOB));
    server.add(vec![alice, new_account(BOB)]);
}

fn on_forward_list(address: &str) -> NewContact {
    let address = Address::parse(address).unwrap();
    let name = Name::from(&address);
    NewContact { address, name, lists: ListBits::FORWARD, groups: GroupSet::ZERO }
}

#[test]
fn a_flood_of_status_changes_throws_nobody_off_who_reads() {
    let server = TestServer::start();
    alice_watches_bob(&server);
    let mut alice = Client::present(&server, "MSNP9", ALICE, "NLN 0");
    let mut bob = Client::present(&server, "MSNP9", BOB, "NLN 0");
    alice.expect("NLN NLN bob@example.test Bob 0");
    let flood: String = (1..=20_000).map(|n| format!("CHG 9 BSY {n}\r\n")).collect();
    let mut sender = bob.second_hand();
    std::thread::scope(|scope| {
        scope.spawn(move || sender.send_bytes(flood.as_bytes()));
        // Bob reads his own answers, or he would not be served.
        scope.spawn(|| (1..=20_000).for_each(|n| bob.expect(&format!("CHG 9 BSY {n}"))));
        let mut last = 0;
        while last < 20_000 {
            let line = alice.line_but_challenge();
            let client_id = line.strip_prefix("NLN BSY bob@example.test Bob ").expect(&line);
            let client_id = client_id.parse().unwrap();
            assert!(last < client_id, "{last} before {client_id}");
            last = client_id;
        }
    });
}

/// While a command of hers waits for the database, nobody takes her news out.
#[test]
fn a_flood_throws_nobody_off_who_is_busy_with_commands() {
    let server = TestServer::start();
    alice_watches_bob(&server);
    let mut alice = Client::present(&server, "MSNP9", ALICE, "NLN 0");
    let mut bob = Client::present(&server, "MSNP9", BOB, "NLN 0");
    let flood: String = (1..=20_000).map(|n| format!("CHG 9 BSY {n}\r\n")).collect();
    let mut sender = bob.second_hand();
    let mut commands = alice.second_hand();
    std::thread::scope(|scope| {
        scope.spawn(move || sender.send_bytes(flood.as_bytes()));
        scope.spawn(|| (1..=20_000).for_each(|n| bob.expect(&format!("CHG 9 BSY {n}"))));
        scope.spawn(move || commands.send_bytes("SYN 7 0\r\nGTC 8 A\r\n".repeat(300).as_bytes()));
        let (mut errors, mut last) = (0, String::new());
        while errors < 300 || last != "NLN BSY bob@example.test Bob 20000" {
            let line = alice.line_but_challenge();
            if line == "218 8" {
                errors += 1;
            } else if line.starts_with("NLN ") {
                last = line;
            }
        }
    });
}

#[test]
fn who_does_not_keep_up_hears_the_latest_and_stays_connected() {
    let server = TestServer::start_with(|config| config.limits.output_queue_bytes_max = 100_000);
    alice_watches_bob(&server);
    let mut alice = Client::present(&server, "MSNP9", ALICE, "NLN 0");
    let mut bob = Client::present(&server, "MSNP9", BOB, "NLN 0");
    // Far more than the limit and all socket buffers hold, while Alice reads nothing.
    let object = "x".repeat(4000);
    for n in 1..=5000 {
        bob.ask(&format!("CHG 9 BSY {n} {object}"), &format!("CHG 9 BSY {n} {object}"));
    }
    let mut lines = alice.drain();
    while !lines.last().is_some_and(|line| line.starts_with("NLN BSY bob@example.test Bob 5000 ")) {
        lines = alice.drain();
    }
    alice.expect_silence();
}

#[test]
fn everything_held_back_comes_without_asking() {
    const PEOPLE: usize = 150;
    let server = TestServer::start();
    let people: Vec<String> = (0..PEOPLE).map(|n| format!("user{n}@example.test")).collect();
    let mut alice = new_account(ALICE);
    alice.contacts.extend(people.iter().map(|address| on_forward_list(address)));
    server.add(people.iter().map(|address| new_account(address)).chain([alice]).collect());
    let mut alice = Client::present(&server, "MSNP9", ALICE, "NLN 0");
    // Several times what may wait for Alice before news are held back.
    let object = "x".repeat(4000);
    let mut people: Vec<Client> = people
        .iter()
        .map(|address| Client::present(&server, "MSNP9", address, &format!("NLN 0 {object}")))
        .collect();
    for n in 1..=20 {
        for person in &mut people {
            person.send(&format!("CHG 9 BSY {n} {object}"));
        }
    }
    for person in &mut people {
        person.drain();
    }
    // Only now does she read, and she says nothing.
    let mut last = std::collections::HashMap::new();
    while last.len() < PEOPLE || last.values().any(|client_id| client_id != "20") {
        let line = alice.line_but_challenge();
        let words: Vec<_> = line.split(' ').collect();
        last.insert(words[2].to_owned(), words[4].to_owned());
    }
}

#[test]
fn a_burst_is_answered_to_its_last_command() {
    let server = TestServer::with_users(&[ALICE]);
    let mut alice = Client::present(&server, "MSNP9", ALICE, "NLN 0");
    // Each answer is far longer than the question, so the answers fill the queue first.
    let mut burst: String = (0..1000).map(|n| format!("URL {n} INBOX\r\n")).collect();
    burst += "PNG\r\n";
    alice.send_bytes(burst.as_bytes());
    for n in 0..1000 {
        assert!(alice.line().starts_with(&format!("URL {n} http://")));
    }
    alice.expect("QNG 60");
}

/// Commands that wait for nothing, for the store, and for a payload, in pieces that end anywhere:
/// each is carried out once and in its order, however many come together.
#[test]
fn commands_of_all_kinds_are_answered_in_order_however_they_come() {
    const CHANGES: usize = 40;
    let server = TestServer::with_users(&[ALICE]);
    let mut alice = Client::sign_in(&server, "MSNP9", ALICE);
    let (mut sent, mut answers) = (Vec::new(), Vec::new());
    for n in 0..CHANGES {
        // More than one turn of a connection, and more behind it than is copied at a pause.
        let pings = [1, 200, 5000][n % 3];
        sent.extend(b"PNG\r\n".repeat(pings));
        answers.extend(vec!["QNG 60".to_owned(); pings]);
        sent.extend(
            format!("\r\nIMS {n} ON\r\nSND  {n} x@example.test 0x0409 MSMSGS MSMSGS\r\n").bytes(),
        );
        answers.push(format!("IMS {n} 0 ON"));
        answers.push(format!("SND {n} OK"));
        let payload = "PNG\r\n".repeat(n);
        let length = payload.len();
        sent.extend(
            format!("SDC {n} x@example.test 0x0409 MSMSGS MSMSGS X X Alice {length}\r\n{payload}")
                .bytes(),
        );
        answers.push(format!("SDC {n} OK"));
        sent.extend(format!("BLP {n} {}\r\n", ["BL", "AL"][n % 2]).bytes());
        answers.push(format!("BLP {n} {} {}", n + 2, ["BL", "AL"][n % 2]));
    }
    let mut sender = alice.second_hand();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut rest = &sent[..];
            for size in [1, 7, 64, 1000, 4096, 5001, 17_000, 70_000].into_iter().cycle() {
                let (piece, behind) = rest.split_at(size.min(rest.len()));
                sender.send_bytes(piece);
                rest = behind;
                if rest.is_empty() {
                    break;
                }
            }
        });
        for answer in answers {
            assert_eq!(alice.line_but_challenge(), answer);
        }
    });
}

#[test]
fn the_longest_list_can_be_fetched_whatever_the_limit_for_others() {
    const WATCHERS: usize = 3000;
    let server = TestServer::start_with(|config| config.limits.output_queue_bytes_max = 65_536);
    let mut accounts = vec![new_account(ALICE)];
    for n in 0..WATCHERS {
        let mut watcher = new_account(&format!("watcher{n}@example.test"));
        watcher.contacts.push(on_forward_list(ALICE));
        watcher.name = Name::new(&"é".repeat(60)).unwrap();
        accounts.push(watcher);
    }
    server.add(accounts);
    let mut alice = Client::sign_in(&server, "MSNP9", ALICE);
    alice.ask("SYN 4 0", &format!("SYN 4 1 {WATCHERS} 1"));
    let lines = alice.drain();
    assert_eq!(lines.iter().filter(|line| line.starts_with("LST ")).count(), WATCHERS);
}

#[test]
fn a_removed_account_is_signed_out_and_seen_by_nobody() {
    let server = TestServer::start_with(|config| config.timers.account_check_secs = 1);
    alice_watches_bob(&server);
    let mut alice = Client::present(&server, "MSNP9", ALICE, "NLN 0");
    let mut bob = Client::present(&server, "MSNP9", BOB, "NLN 0");
    alice.expect("NLN NLN bob@example.test Bob 0");
    // As `msnd user remove` does from another process.
    server.block_on(server.store().remove_account(&Address::parse(BOB).unwrap())).unwrap();
    alice.expect("FLN bob@example.test");
    assert_eq!(bob.drain_to_end(), Vec::<String>::new());
    server.add(vec![new_account(BOB)]);
    let _namesake = Client::present(&server, "MSNP9", BOB, "NLN 0");
    alice.expect_silence();
}

#[test]
fn a_list_changed_behind_the_clients_back_is_fetched_anew() {
    let server = TestServer::start();
    alice_watches_bob(&server);
    let mut alice = Client::present(&server, "MSNP9", ALICE, "NLN 0");
    alice.ask("GTC 7 N", "GTC 7 2 N");
    server.block_on(server.store().remove_account(&Address::parse(BOB).unwrap())).unwrap();
    // The client will keep its list, which still has Bob, under this number.
    alice.ask("GTC 8 A", "GTC 8 4 A");
    alice.send("OUT");
    let mut again = Client::sign_in(&server, "MSNP9", ALICE);
    again.ask("SYN 9 4", "SYN 9 5 0 1");
    again.drain();
    again.ask("GTC 10 N", "GTC 10 6 N");
    let mut once_more = Client::sign_in(&server, "MSNP9", ALICE);
    once_more.ask("SYN 11 6", "SYN 11 6");
}

#[test]
fn a_disabled_account_is_signed_out_and_does_not_come_back() {
    let server = TestServer::start_with(|config| config.timers.account_check_secs = 1);
    server.add(vec![new_account(BOB)]);
    let ticket = server.ticket(BOB);
    let mut bob = Client::present(&server, "MSNP9", BOB, "NLN 0");
    let bob_address = Address::parse(BOB).unwrap();
    server.block_on(server.store().set_enabled(&bob_address, false)).unwrap();
    assert_eq!(bob.drain_to_end(), Vec::<String>::new());
    let mut again = Client::greet(&server, "MSNP9", BOB);
    again.ask(&format!("USR 3 TWN S {ticket}"), "911 3");
    again.expect_end();
}

#[test]
fn a_ticket_shown_by_nobody_in_particular_is_spent() {
    let server = TestServer::with_users(&[ALICE]);
    let ticket = server.ticket(ALICE);
    for user in ["nonsense", ALICE] {
        let mut client = Client::greet(&server, "MSNP9", user);
        client.ask(&format!("USR 3 TWN S {ticket}"), "911 3");
        client.expect_end();
    }
}

#[test]
fn nobody_signs_in_while_the_server_goes_down() {
    let mut server = TestServer::start_with(|config| config.timers.shutdown_notice_minutes = 1);
    server.add(vec![new_account(ALICE), new_account(BOB)]);
    let mut alice = Client::present(&server, "MSNP8", ALICE, "NLN 0");
    let ticket = server.ticket(BOB);
    let mut bob = Client::greet(&server, "MSNP9", BOB);
    server.announce_shutdown(|| {
        let (line, notice) = alice.message();
        assert!(line.starts_with("MSG Hotmail Hotmail "));
        assert!(notice.contains("x-msmsgssystemmessage") && notice.contains("\r\nArg1: 1\r\n"));
        bob.ask(&format!("USR 3 TWN S {ticket}"), "604 3");
        bob.expect_end();
    });
}

#[test]
fn a_shutdown_says_so_and_closes() {
    let mut server = TestServer::with_users(&[ALICE]);
    let mut alice = Client::present(&server, "MSNP9", ALICE, "NLN 0");
    let waiting = Client::connect(server.address(Role::Notification));
    assert!(server.shut_down());
    let (_, notice) = alice.message();
    assert!(notice.contains("Arg1: 0\r\n"));
    alice.expect("OUT SSD");
    alice.expect_end();
    drop(waiting);
}
