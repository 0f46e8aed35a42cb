//! The HTTP gateway over real sockets: clients behind it beside clients on TCP.

pub(crate) mod client;
mod vectors;

use crate::support::{Client, TestServer, server::new_account};
use client::{Gated, Http, commands};
use msnd::{config::Config, model::subnet::Subnet, server::Role};

/// What begins a message between people.
const HEADER: &str = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\n\r\n";

/// Alice on TCP and Bob behind the gateway, in one conversation.
fn conversation(server: &TestServer) -> (Client, Gated) {
    let mut alice_ns = Client::present(server, "MSNP9", "alice@example.test", "NLN");
    let mut bob_ns = Gated::present(server, "bob@example.test");
    alice_ns.send("XFR 9 SB");
    let xfr = alice_ns.line_but_challenge();
    let words: Vec<_> = xfr.split(' ').collect();
    let mut alice = Client::connect(words[3].parse().unwrap());
    alice.ask(
        &format!("USR 1 alice@example.test {}", words[5]),
        "USR 1 OK alice@example.test Alice",
    );
    alice.send("CAL 2 bob@example.test");
    assert!(alice.line().starts_with("CAL 2 RINGING "));
    let ring = loop {
        let line = bob_ns.line();
        if line.starts_with("RNG ") {
            break line;
        }
    };
    let words: Vec<_> = ring.split(' ').collect();
    let answer = format!("ANS 1 bob@example.test {} {}\r\n", words[4], words[1]);
    let mut bob = Gated::open(server, "SB", &answer);
    bob.expect("IRO 1 1 1 alice@example.test Alice");
    bob.expect("ANS 1 OK");
    alice.expect("JOI bob@example.test Bob");
    (alice, bob)
}

/// Puts somebody on a client's forward list and reads all that comes of it.
fn watch(client: &mut Client, whom: &str) {
    client.send(&format!("ADD 9 FL {whom} {whom} 0"));
    assert!(client.drain().iter().any(|line| line.starts_with("ADD 9 FL ")));
}

fn alice_and_bob() -> TestServer {
    TestServer::with_users(&["alice@example.test", "bob@example.test"])
}

#[test]
fn a_client_behind_the_gateway_chats_with_one_on_tcp() {
    let server = alice_and_bob();
    let (mut alice, mut bob) = conversation(&server);
    let said = format!("{HEADER}hello");
    alice.send_bytes(format!("MSG 3 A {}\r\n{said}", said.len()).as_bytes());
    alice.expect("ACK 3");
    bob.expect(&format!("MSG alice@example.test Alice {}", said.len()));
    assert_eq!(bob.line(), said);
    bob.send_bytes(&format!("MSG 2 A {}\r\n{said}", said.len()));
    bob.expect("ACK 2");
    assert_eq!(alice.message(), (format!("MSG bob@example.test Bob {}", said.len()), said));
    bob.send("OUT");
    alice.expect("BYE bob@example.test");
}

#[test]
fn a_client_behind_the_gateway_opens_a_conversation() {
    let server = alice_and_bob();
    let mut bob = Client::present(&server, "MSNP9", "bob@example.test", "NLN");
    let mut alice = Gated::present(&server, "alice@example.test");
    alice.send("XFR 9 SB");
    let xfr = alice.line();
    let words: Vec<_> = xfr.split(' ').collect();
    assert_eq!(words[..3], ["XFR", "9", "SB"]);
    // The client strips the port and names the rest, which is of no consequence.
    let mut room =
        Gated::open(&server, "SB", &format!("USR 1 alice@example.test {}\r\n", words[5]));
    room.expect("USR 1 OK alice@example.test Alice");
    room.send("CAL 2 bob@example.test");
    assert!(room.line().starts_with("CAL 2 RINGING "));
    assert!(bob.line_but_challenge().starts_with("RNG "));
}

#[test]
fn presence_goes_both_ways() {
    let server = alice_and_bob();
    let mut bob = Client::present(&server, "MSNP9", "bob@example.test", "NLN");
    watch(&mut bob, "alice@example.test");
    let mut alice = Gated::present(&server, "alice@example.test");
    bob.expect("NLN NLN alice@example.test Alice 0");
    alice.send("ADD 9 FL bob@example.test Bob 0\r\nPNG");
    let lines: Vec<_> =
        std::iter::from_fn(|| Some(alice.line()).filter(|line| !line.starts_with("QNG ")))
            .collect();
    assert!(
        lines.iter().any(|line| line.starts_with("ILN 9 NLN bob@example.test Bob")),
        "{lines:?}"
    );
    bob.send("CHG 10 AWY");
    alice.expect("NLN AWY bob@example.test Bob 0");
    alice.send("CHG 10 HDN");
    alice.expect("CHG 10 HDN");
    while bob.line() != "FLN alice@example.test" {}
}

#[test]
fn the_profile_says_that_nobody_can_connect_to_the_client() {
    let server = alice_and_bob();
    let mut alice = Gated::sign_in(&server, "alice@example.test");
    assert!(alice.line().starts_with("MSG Hotmail Hotmail "));
    let profile = alice.line();
    assert!(profile.contains("\r\nClientIP: 127.0.0.1\r\n"), "{profile}");
    assert!(profile.contains("\r\nClientPort: 0\r\n"), "{profile}");
}

#[test]
fn only_known_proxies_say_for_whom_they_ask() {
    let trusting = |config: &mut Config| {
        let proxies = ["127.0.0.0/8", "192.0.2.80"];
        config.net.forwarded_for_from =
            proxies.map(|range| Subnet::try_from(range.to_owned()).unwrap()).into();
    };
    for (server, headers, client) in [
        (TestServer::start(), "X-Forwarded-For: 203.0.113.7\r\n", "127.0.0.1"),
        (TestServer::start_with(trusting), "X-Forwarded-For: 203.0.113.7\r\n", "203.0.113.7"),
        (TestServer::start_with(trusting), "x-forwarded-for: 1.2.3.4, 203.0.113.7\r\n", {
            "203.0.113.7"
        }),
        (TestServer::start_with(trusting), "X-Forwarded-For: 203.0.113.7, 192.0.2.80\r\n", {
            "203.0.113.7"
        }),
        (
            TestServer::start_with(trusting),
            "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-For: 192.0.2.80\r\n",
            "203.0.113.7",
        ),
        (TestServer::start_with(trusting), "X-Forwarded-For: unknown\r\n", "127.0.0.1"),
        (TestServer::start_with(trusting), "", "127.0.0.1"),
        // COMPAT(Twisted): a colon in the value breaks its parser.
        (TestServer::start_with(trusting), "X-Forwarded-For: 2001:db8::7\r\n", "0.0.0.0"),
    ] {
        server.add(vec![new_account("alice@example.test")]);
        let ticket = server.ticket("alice@example.test");
        let mut http = Http::connect(server.address(Role::Http));
        let body = format!(
            "VER 1 MSNP9 CVR0\r\nUSR 2 TWN I alice@example.test\r\nUSR 3 TWN S {ticket}\r\n"
        );
        http.send_with("/gateway/gateway.dll?Action=open&Server=NS", headers, &body);
        let profile = commands(&http.read().body).pop().unwrap();
        assert!(profile.contains(&format!("\r\nClientIP: {client}\r\n")), "{headers}{profile}");
    }
}

#[test]
fn news_for_a_poll_whose_client_hung_up_waits_for_the_next() {
    let server = alice_and_bob();
    let mut bob = Client::present(&server, "MSNP9", "bob@example.test", "NLN");
    let mut alice = Gated::present(&server, "alice@example.test");
    alice.send("ADD 9 FL bob@example.test Bob 0\r\nPNG");
    while !alice.line().starts_with("QNG ") {}
    bob.drain();
    for (trid, status) in [(20, "BSY"), (21, "IDL"), (22, "AWY"), (23, "LUN")] {
        let mut gone = Http::connect(server.address(Role::Http));
        gone.send(&format!("Action=poll&SessionID={}&Lifespan=20", alice.id), "");
        drop(gone);
        bob.send(&format!("CHG {trid} {status}"));
        bob.expect(&format!("CHG {trid} {status}"));
        alice.expect(&format!("NLN {status} bob@example.test Bob 0"));
    }
}

#[test]
fn an_answer_is_told_once_when_its_connection_is_reset_behind_it() {
    let server = alice_and_bob();
    let mut bob = Client::present(&server, "MSNP9", "bob@example.test", "NLN");
    let mut alice = Gated::present(&server, "alice@example.test");
    alice.send("ADD 9 FL bob@example.test Bob 0\r\nPNG");
    while !alice.line().starts_with("QNG ") {}
    bob.drain();
    for (trid, status) in [(20, "BSY"), (21, "IDL"), (22, "AWY")] {
        bob.send(&format!("CHG {trid} {status}"));
        bob.expect(&format!("CHG {trid} {status}"));
        let mut other = Http::connect(server.address(Role::Http));
        let reply = other.ask(&format!("Action=poll&SessionID={}&Lifespan=20", alice.id), "");
        assert_eq!(commands(&reply.body), [format!("NLN {status} bob@example.test Bob 0")]);
        other.reset();
        alice.send("PNG");
        assert!(alice.line().starts_with("QNG "), "{status} came twice");
    }
}

#[test]
fn a_proxy_s_connection_proves_nothing_to_another_session() {
    let server = alice_and_bob();
    let mut proxy = Http::connect(server.address(Role::Http));
    let open = "Action=open&Server=NS";
    let (alice, bob) = (proxy.ask(open, "").id(), proxy.ask(open, "").id());
    // What the proxy got is lost between it and alice; bob asks through it meanwhile.
    let version = "VER 1 MSNP9 CVR0\r\n";
    assert_eq!(proxy.ask(&format!("SessionID={alice}"), version).body, "VER 1 MSNP9 CVR0\r\n");
    proxy.ask(&format!("Action=poll&SessionID={bob}"), "");
    let mut again = Http::connect(server.address(Role::Http));
    let reply = again.ask(&format!("SessionID={alice}"), version);
    assert_eq!(reply.body, "VER 1 MSNP9 CVR0\r\n");
    // Carried out twice it would be out of order and end the session.
    let reply = again.ask(&format!("SessionID={alice}"), "CVR 2 0x0409 a b c d e f g\r\n");
    assert!(reply.body.starts_with("CVR 2 "), "{reply:?}");
}

#[test]
fn a_second_sign_in_ends_the_session_with_a_word() {
    let server = alice_and_bob();
    let mut gated = Gated::present(&server, "alice@example.test");
    let _tcp = Client::present(&server, "MSNP9", "alice@example.test", "NLN");
    gated.expect("OUT OTH");
    assert_eq!(gated.poll().session().last(), Some(&"Session=close"));
    gated.poll().expect_refused();
}

#[test]
fn whoever_polls_hears_of_a_shutdown() {
    let mut server = TestServer::start_with(|config| config.timers.shutdown_notice_minutes = 1);
    server.add(vec![new_account("alice@example.test")]);
    let mut alice = Gated::present(&server, "alice@example.test");
    server.announce_shutdown(
        || {
            while !alice.line().contains("application/x-msmsgssystemmessage") {}
        },
    );
}

#[test]
fn a_lan_client_is_never_sent_to_another_notification_server() {
    let server = alice_and_bob();
    // With a dispatch role beside it, a client on TCP would be referred.
    assert!(server.running().address(Role::Dispatch).is_some());
    let mut alice = Gated::sign_in(&server, "alice@example.test");
    assert!(alice.line().starts_with("MSG Hotmail Hotmail "));
}

#[test]
fn what_is_no_request_is_refused_and_the_connection_lives() {
    let server = alice_and_bob();
    let mut http = Http::connect(server.address(Role::Http));
    for query in [
        "",
        "Action=close&SessionID=1.2",
        "Action=open",
        "Action=open&Server=DS&IP=1.2.3.4",
        "Action=poll",
        "SessionID=",
        "SessionID=%00",
    ] {
        http.ask(query, "").expect_refused();
    }
    http.send_raw("GET /gateway/gateway.dll?Action=open&Server=NS HTTP/1.1\r\n\r\n");
    http.read().expect_refused();
    assert_eq!(http.ask("action=OPEN&server=ns", "").status(), "HTTP/1.1 200 OK");
}

#[test]
fn a_body_has_its_limit() {
    let server = alice_and_bob();
    let mut gated = Gated::open(&server, "NS", "");
    let data = format!("SessionID={}", gated.id);
    let reply = gated.http.ask(&data, &"\r\n".repeat(32 * 1024));
    assert_eq!(reply.status(), "HTTP/1.1 200 OK");
    let target = format!("/gateway/gateway.dll?{data}");
    gated.http.send_raw(&format!("POST {target} HTTP/1.1\r\nContent-Length: 65537\r\n\r\n"));
    assert_eq!(gated.http.read().status(), "HTTP/1.1 413 Request Entity Too Large");
}

#[test]
fn an_address_has_room_for_so_many_sessions() {
    let server = alice_and_bob();
    let mut http = Http::connect(server.address(Role::Http));
    let open = "Action=open&Server=NS";
    let ids: Vec<_> = (0..64).map(|_| http.ask(open, "").id()).collect();
    http.ask(open, "").expect_refused();
    // One that ends makes room.
    let (data, poll) =
        (format!("SessionID={}", ids[0]), format!("Action=poll&SessionID={}&Lifespan=20", ids[0]));
    http.ask(&data, "OUT\r\n");
    while http.ask(&poll, "").status() == "HTTP/1.1 200 OK" {}
    assert_eq!(http.ask(open, "").status(), "HTTP/1.1 200 OK");
}

#[test]
fn the_gateway_can_be_off_and_names_what_it_was_told() {
    let server = TestServer::start_with(|config| config.gateway.enabled = false);
    let mut http = Http::connect(server.address(Role::Http));
    assert_eq!(http.ask("Action=open&Server=NS", "").header("X-MSN-Messenger"), None);
    let server = TestServer::start_with(|config| {
        config.gateway.advertised = "gateway.example.test".into();
        config.switchboard.bind = msnd::config::Bind::Off;
    });
    let mut http = Http::connect(server.address(Role::Http));
    let reply = http.ask("Action=open&Server=NS", "");
    assert_eq!(reply.session()[1..], ["GW-IP=gateway.example.test"]);
    http.ask("Action=open&Server=SB", "").expect_refused();
    let server = TestServer::start_with(|config| {
        config.notification.advertised = "chat.example.test:1864".into();
    });
    let mut http = Http::connect(server.address(Role::Http));
    let reply = http.ask("Action=open&Server=NS", "");
    assert_eq!(reply.session()[1..], ["GW-IP=chat.example.test"]);
}
