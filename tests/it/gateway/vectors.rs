//! The fourteen test vectors of reference `http-services.md` §6.6, by number.

use super::client::{Gated, Http, commands};
use crate::support::{Client, TestServer, server::new_account};
use msnd::{config::VerReply, server::Role};
use std::{collections::BTreeSet, io, net::TcpListener, thread};

const VER: &str = "VER 1 MSNP9 MSNP8 CVR0\r\n";
const OPEN: &str = "Action=open&Server=NS&IP=messenger.hotmail.com";

fn server() -> TestServer {
    let server = TestServer::start_with(|config| {
        config.notification.ver_reply = VerReply::Single;
        config.gateway.idle_secs = 1;
    });
    server.add(["alice@example.test", "bob@example.test"].map(new_account).into());
    server
}

/// A server whose clients may be silent for as long as a test takes.
fn patient_server() -> TestServer {
    TestServer::with_users(&["alice@example.test", "bob@example.test"])
}

fn http(server: &TestServer) -> Http {
    Http::connect(server.address(Role::Http))
}

/// 1
#[test]
fn a_session_is_opened_with_its_first_command() {
    let server = server();
    let mut http = http(&server);
    http.send(OPEN, VER);
    let id = http.read();
    assert_eq!(id.status(), "HTTP/1.1 200 OK");
    assert_eq!(id.body, "VER 1 MSNP9\r\n");
    let (left, right) = id.id().split_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    for half in [left, right] {
        assert!(half.len() == 10 && half.bytes().all(|byte| byte.is_ascii_digit()), "{half}");
    }
    assert_eq!(id.session()[1..], ["GW-IP=127.0.0.1"]);
    assert_eq!(id.header("Connection"), Some("Keep-Alive"));
    assert_eq!(id.header("Cache-Control"), Some("no-store"));
    assert_eq!(id.header("Content-Type"), Some("application/x-msn-messenger"));
    // Head and body are written at once.
    http.send(
        &format!("SessionID={}", id.id()),
        "CVR 2 0x0409 winnt 5.1 i386 MSNMSGR 6.0 MSMSGS a\r\n",
    );
    let whole = http.read_once();
    let (head, body) = whole.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("Content-Length: {}", body.len())), "{whole}");
    assert!(body.starts_with("CVR 2 ") && body.ends_with("\r\n"));
}

/// 2
#[test]
fn a_session_may_be_opened_empty() {
    let server = patient_server();
    let mut gated = Gated::open(&server, "NS", "");
    gated.send("VER 1 MSNP9 MSNP8 CVR0");
    assert!(gated.line().starts_with("VER 1 MSNP9"));
}

/// 3
#[test]
fn a_command_in_two_requests_is_answered_in_the_second() {
    let server = patient_server();
    let gated = Gated::open(&server, "NS", "");
    let data = format!("SessionID={}", gated.id);
    let mut http = gated.http;
    assert_eq!(http.ask(&data, "VER 1 MSN").body, "");
    assert!(http.ask(&data, "P9 CVR0\r\n").body.starts_with("VER 1 MSNP9"));
}

/// 4
#[test]
fn three_commands_in_one_body_get_three_answers_in_order() {
    let server = patient_server();
    let body = "VER 1 MSNP9 CVR0\r\nCVR 2 0x0409 winnt 5.1 i386 MSNMSGR 6.0 MSMSGS \
                alice@example.test\r\nUSR 3 TWN I alice@example.test\r\n";
    let reply = http(&server).ask(OPEN, body);
    let verbs: Vec<_> = commands(&reply.body).iter().map(|line| line[..5].to_owned()).collect();
    assert_eq!(verbs, ["VER 1", "CVR 2", "USR 3"]);
}

/// 5, 6
#[test]
fn a_poll_without_news_is_empty_and_one_of_nobody_is_refused() {
    let server = patient_server();
    let mut gated = Gated::open(&server, "NS", "");
    let reply = gated.poll();
    assert_eq!((reply.status(), &*reply.body), ("HTTP/1.1 200 OK", ""));
    assert_eq!(reply.header("Content-Length"), Some("0"));
    assert_eq!(reply.id(), gated.id);
    gated.http.ask("Action=poll&SessionID=730118254.90417", "").expect_refused();
    gated.http.ask("SessionID=730118254.90417", "PNG\r\n").expect_refused();
    // The connection and the session go on.
    assert_eq!(gated.poll().status(), "HTTP/1.1 200 OK");
}

/// 7
#[test]
fn requests_at_the_same_time_share_the_output() {
    let server = patient_server();
    let gated = Gated::sign_in(&server, "alice@example.test");
    let address = server.address(Role::Http);
    // Each makes a group, and the answer tells the version of the lists, which rises with each.
    let ask = |thread: usize, round: usize| {
        let (data, trid) = (format!("SessionID={}", gated.id), 100 + thread * 10 + round);
        let mut http = Http::connect(address);
        let reply = http.ask(&data, &format!("ADG {trid} group{trid} 0\r\n"));
        if reply.status() == "HTTP/1.1 400 Bad Request" {
            return (Vec::new(), None);
        }
        (commands(&reply.body), Some(trid))
    };
    let (mut versions, mut heard, mut expected) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    thread::scope(|scope| {
        let ask = &ask;
        let asked: Vec<_> = (0..4)
            .map(|thread| {
                scope.spawn(move || (0..5).map(|round| ask(thread, round)).collect::<Vec<_>>())
            })
            .collect();
        for replies in asked.into_iter().map(|asked| asked.join().unwrap()) {
            let mut last = 0;
            for (lines, answer) in replies {
                expected.extend(answer);
                for line in lines.iter().filter(|line| line.starts_with("ADG ")) {
                    let mut words = line.split(' ').skip(1).map(|word| word.parse().unwrap_or(0));
                    let (trid, version) = (words.next().unwrap(), words.next().unwrap());
                    assert!(version > last, "out of order: {line}");
                    last = version;
                    assert!(heard.insert(trid) && versions.insert(version), "twice: {line}");
                }
            }
        }
    });
    assert!(!expected.is_empty());
    assert_eq!(heard, expected, "each command is answered once");
    let (first, last) = (versions.first().unwrap(), versions.last().unwrap());
    assert_eq!(last - first + 1, versions.len(), "each was carried out once");
}

/// 8
#[test]
fn an_absolute_target_is_the_same_as_one_without_host() {
    let server = patient_server();
    let mut http = http(&server);
    for target in [
        "http://gateway.messenger.hotmail.com/gateway/gateway.dll",
        "http://127.0.0.1:80/Gateway/Gateway.dll",
        "/gateway/gateway.dll",
    ] {
        http.send_with(&format!("{target}?{OPEN}"), "", VER);
        let reply = http.read();
        assert!(reply.body.starts_with("VER 1 MSNP9"), "{target}");
        http.send_with(&format!("{target}?Action=poll&SessionID={}", reply.id()), "", "");
        assert_eq!(http.read().id(), reply.id());
    }
}

/// 9
#[test]
fn a_message_is_never_cut() {
    let server = patient_server();
    let (mut alice, mut bob) = super::conversation(&server);
    let payload = format!("{}{}", super::HEADER, "x".repeat(1500 - super::HEADER.len()));
    for trid in 10..30 {
        alice.send_bytes(format!("MSG {trid} N 1500\r\n{payload}").as_bytes());
    }
    alice.send_bytes(format!("MSG 30 A 1500\r\n{payload}").as_bytes());
    alice.expect("ACK 30");
    let mut heard = 0;
    while heard < 21 {
        let reply = bob.poll();
        assert!(reply.body.len() <= 8192, "{} bytes", reply.body.len());
        let lines = commands(&reply.body);
        assert!(lines.iter().skip(1).step_by(2).all(|text| *text == payload));
        heard += lines.len() / 2;
    }
    assert_eq!(heard, 21);
}

/// 10
#[test]
fn a_closed_session_says_its_last_words_then_that_it_is_closed() {
    let server = patient_server();
    let gated =
        Gated::open(&server, "NS", "VER 1 MSNP9 CVR0\r\nUSR 2 TWN I alice@example.test\r\n");
    let (data, poll) =
        (format!("SessionID={}", gated.id), format!("Action=poll&SessionID={}", gated.id));
    let mut http = gated.http;
    let reply = http.ask(&data, "USR 3 TWN S t=wrong&p=\r\n");
    assert_eq!((reply.status(), &*reply.body), ("HTTP/1.1 200 OK", "911 3\r\n"));
    assert_eq!(reply.session().len(), 2);
    let reply = http.ask(&poll, "");
    assert_eq!((reply.status(), &*reply.body), ("HTTP/1.1 200 OK", ""));
    assert_eq!(reply.session()[1..], ["GW-IP=127.0.0.1", "Session=close"]);
    assert_eq!(reply.id(), gated.id);
    http.ask(&poll, "").expect_refused();
}

/// 11
#[test]
fn nobody_is_connected_to_and_no_name_is_repeated() {
    let server = patient_server();
    // An address of this machine's that nobody else here uses, with the ports of the roles: `IP`
    // comes without one.
    let traps = ["127.7.7.7:1863", "127.7.7.7:1864", "127.7.7.7:1865", "127.0.0.1:0"].map(|at| {
        let trap = TcpListener::bind(at).unwrap();
        trap.set_nonblocking(true).unwrap();
        trap
    });
    let trapped = traps[3].local_addr().unwrap().to_string();
    let mut http = http(&server);
    for ip in ["127.0.0.1", "127.7.7.7", "127.7.7.7:1863", "evil.example", &trapped] {
        for role in ["NS", "SB"] {
            let reply = http.ask(&format!("Action=open&Server={role}&IP={ip}"), "");
            assert_eq!(reply.session()[1..], ["GW-IP=127.0.0.1"]);
        }
    }
    for trap in traps {
        assert_eq!(trap.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
}

/// 12
#[test]
fn a_silent_client_goes_offline() {
    let server = server();
    let mut bob = Client::present(&server, "MSNP9", "bob@example.test", "NLN");
    super::watch(&mut bob, "alice@example.test");
    let mut alice = Gated::present(&server, "alice@example.test");
    bob.expect("NLN NLN alice@example.test Alice 0");
    bob.expect("FLN alice@example.test");
    alice.poll().expect_refused();
}

/// 13
#[test]
fn commands_whose_answer_was_lost_are_carried_out_once() {
    let server = patient_server();
    let (mut alice, bob) = super::conversation(&server);
    let text = |trid: u32, said: &str| format!("MSG {trid} A {}\r\n{said}", said.len());
    let (data, body) = (format!("SessionID={}", bob.id), text(5, "once"));
    let mut lost = http(&server);
    lost.send(&data, &body);
    // It is carried out, and its answer is not read.
    assert_eq!(alice.message().1, "once");
    drop(lost);
    let mut http = http(&server);
    assert_eq!(http.ask(&data, &body).body, "ACK 5\r\n");
    // Over the same connection the very same commands are new ones.
    for _ in 0..2 {
        assert_eq!(http.ask(&data, &text(6, "twice")).body, "ACK 6\r\n");
    }
    let heard: Vec<_> = (0..2).map(|_| alice.message().1).collect();
    assert_eq!(heard, ["twice", "twice"]);
}

/// 14
#[test]
fn nothing_is_ever_compressed() {
    let server = patient_server();
    let mut http = http(&server);
    let target = format!("/gateway/gateway.dll?{OPEN}");
    http.send_with(&target, "Accept-Encoding: gzip, deflate\r\n", VER);
    let reply = http.read();
    assert!(reply.body.starts_with("VER 1 MSNP9"));
    assert_eq!(reply.header("Content-Encoding"), None);
    assert_eq!(reply.header("Transfer-Encoding"), None);
}
