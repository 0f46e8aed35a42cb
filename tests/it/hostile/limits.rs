//! What a peer can make the server hold, and for how long: queues, connections, time.
//!
//! The timers are set to one second. No test measures time: each waits for what the timer does.

use super::{ALICE, BOB};
use crate::{
    admin::http::Door,
    support::{Client, TestServer, client::PATIENCE, server::new_account},
};
use msnd::{
    config::{ChallengePolicy, Config},
    dispatch::{Context, Dispatch, referral::Referral},
    hub::SessionId,
    metrics::Metrics,
    server::Role,
    session::{self, SessionLimits},
};
use socket2::{Domain, Socket, Type};
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    time::{Instant, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const CAROL: &str = "carol@example.test";

fn server(change: impl FnOnce(&mut Config)) -> TestServer {
    let server = TestServer::start_with(change);
    server.add([ALICE, BOB, CAROL].map(new_account).into());
    server
}

/// A connection whose kernel buffer for received bytes is as small as the kernel allows.
fn narrow(address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(1).unwrap();
    socket.connect(&address.into()).unwrap();
    socket.into()
}

/// A connection from one of this machine's many addresses.
fn from(source: [u8; 4], address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((source, 0)).into()).unwrap();
    socket.connect(&address.into()).unwrap();
    socket.into()
}

/// Whether the server says anything at all on this connection, a greeting having been sent.
fn is_served(mut stream: TcpStream) -> Option<Client> {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let _ = stream.write_all(b"VER 1 MSNP9\r\n");
    let mut first = [0];
    match stream.read(&mut first) {
        Ok(1) => {
            let mut client = Client::over(stream);
            assert_eq!(client.line(), "ER 1 MSNP9");
            Some(client)
        }
        Ok(_) => None,
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => None,
        Err(error) => panic!("neither served nor refused: {error}"),
    }
}

/// Tries until there is room again.
fn eventually_served(connect: impl Fn() -> TcpStream) -> Client {
    let start = Instant::now();
    loop {
        if let Some(client) = is_served(connect()) {
            return client;
        }
        assert!(start.elapsed() < PATIENCE, "no room became free");
        thread::yield_now();
    }
}

fn add_to_forward_list(client: &mut Client, contact: &str) {
    client.send(&format!("ADD 6 FL {contact} {contact} 0"));
    assert!(client.line_but_challenge().starts_with("ADD 6 FL "));
    client.drain();
}

#[test]
fn who_never_reads_is_dropped_and_nobody_else() {
    const OBJECT_BYTES: usize = 4000;
    let server = server(|config| {
        config.limits.output_queue_bytes_max = 32 * 1024;
        config.timers.write_stall_secs = 1;
    });
    let mut bob = Client::present(&server, "MSNP9", BOB, "NLN");
    add_to_forward_list(&mut bob, ALICE);
    add_to_forward_list(&mut bob, CAROL);
    let deaf = Client::over(narrow(server.address(Role::Notification)));
    let mut carol = deaf.signed_in(&server, "MSNP9", CAROL);
    carol.ask("CHG 5 NLN", "CHG 5 NLN");
    add_to_forward_list(&mut carol, ALICE);
    bob.expect("NLN NLN carol@example.test Carol 0");
    let mut alice = Client::present(&server, "MSNP9", ALICE, "NLN");
    bob.expect("NLN NLN alice@example.test Alice 0");

    // From here on Carol reads nothing. Bob takes every line before Alice makes the next one.
    for count in 1.. {
        let object = format!("{count:0>OBJECT_BYTES$}");
        alice.ask(&format!("CHG 7 NLN 0 {object}"), &format!("CHG 7 NLN 0 {object}"));
        let line = bob.line_but_challenge();
        if line == "FLN carol@example.test" {
            bob.expect(&format!("NLN NLN alice@example.test Alice 0 {object}"));
            break;
        }
        assert_eq!(line, format!("NLN NLN alice@example.test Alice 0 {object}"));
    }
    alice.ask("CHG 8 AWY", "CHG 8 AWY");
    loop {
        // Carol's end may have come right behind the last line.
        let line = bob.line_but_challenge();
        if line != "FLN carol@example.test" {
            assert_eq!(line, "NLN AWY alice@example.test Alice 0");
            break;
        }
    }
    let mut again = Client::sign_in(&server, "MSNP9", CAROL);
    again.expect_silence();
}

/// Written now by whoever shows something, now by the session of who hears it.
#[test]
fn who_reads_late_hears_whole_lines_in_order_up_to_the_last_one() {
    const CHANGES: usize = 400;
    const PINGS: usize = 20;
    const OBJECT_BYTES: usize = 1000;
    let server = server(|_| ());
    let late = Client::over(narrow(server.address(Role::Notification)));
    let mut carol = late.signed_in(&server, "MSNP9", CAROL);
    add_to_forward_list(&mut carol, ALICE);
    carol.ask("CHG 5 NLN", "CHG 5 NLN");
    let mut alice = Client::present(&server, "MSNP9", ALICE, "NLN");
    let shown = |number| format!("NLN 0 {number:0>OBJECT_BYTES$}");
    for number in 0..CHANGES {
        let change = format!("CHG 7 {}", shown(number));
        alice.ask(&change, &change);
        if number % (CHANGES / PINGS) == 0 {
            carol.send("PNG");
        }
    }
    let (mut next, mut pings) = (0, 0);
    while next < CHANGES || pings < PINGS {
        let line = carol.line_but_challenge();
        if line == "QNG 60" {
            pings += 1;
            continue;
        }
        let Some(object) = line.strip_prefix("NLN NLN alice@example.test Alice 0 ") else {
            assert_eq!((line.as_str(), next), ("NLN NLN alice@example.test Alice 0", 0));
            continue;
        };
        let number: usize = object.parse().unwrap();
        assert!(object.len() == OBJECT_BYTES && number >= next, "{line}");
        next = number + 1;
    }
    assert_eq!((next, pings), (CHANGES, PINGS));
    carol.expect_silence();
}

#[test]
fn a_flood_without_a_reader_ends_and_nobody_else_notices() {
    let server = server(|config| config.timers.write_stall_secs = 1);
    let mut bob = Client::present(&server, "MSNP9", BOB, "NLN");
    let mut flood = Client::over(narrow(server.address(Role::Notification)));
    flood.send("VER 1 MSNP9");
    let requests = b"CVR 2\r\n".repeat(1000);
    while flood.can_send_bytes(&requests) {}
    bob.expect_silence();
    let door = Door::Socket(server.running().admin_socket().unwrap().to_path_buf());
    assert_eq!(door.metric("msnd_write_stalls_total"), 1.0);
}

/// Over a pipe and with a paused clock, which moves on only when nobody can do anything any more.
#[tokio::test(start_paused = true)]
async fn requests_of_who_reads_no_answers_are_left_unread() {
    const REQUESTS: usize = 40_000;
    const PIPE_BYTES: usize = 16 * 1024;
    let config = Config::default();
    let address = SocketAddr::from(([127, 0, 0, 1], 1863));
    let limits =
        SessionLimits { output_queue_bytes_max: PIPE_BYTES, ..SessionLimits::from(&config) };
    let referral = Referral::new(&config, address, None);
    let context = Arc::new(Context {
        config: Arc::new(config),
        referral,
        meters: Dispatch::meters(&Metrics::default()),
    });
    let role = Dispatch::new(context, SessionId(1), address, address);
    let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
    let tasks = TaskTracker::new();
    tasks.spawn(session::run(role, theirs, &[], limits, CancellationToken::new(), ()));
    let (read, mut write) = tokio::io::split(ours);
    let mut requests = b"VER 1 MSNP9\r\n".to_vec();
    for number in 0..REQUESTS {
        requests.extend_from_slice(format!("CVR {number}\r\n").as_bytes());
    }
    let sent = AtomicUsize::new(0);
    let mut sending = pin!(async {
        for piece in requests.chunks(1000) {
            write.write_all(piece).await.unwrap();
            sent.fetch_add(piece.len(), Ordering::Relaxed);
        }
    });
    // The answers are ten times as long. What was taken in waits as answers up to the mark, as
    // one read behind it, and in the pipe.
    timeout(Duration::from_secs(1), &mut sending).await.expect_err("all requests were taken in");
    let sent = sent.load(Ordering::Relaxed);
    assert!(sent < 2 * PIPE_BYTES + 32 * 1024, "{sent} bytes were taken in");

    let mut lines = BufReader::new(read).lines();
    let reading = async {
        assert_eq!(lines.next_line().await.unwrap().unwrap(), "VER 1 MSNP9");
        for number in 0..REQUESTS {
            let line = lines.next_line().await.unwrap().unwrap();
            assert!(line.starts_with(&format!("CVR {number} 1.0.0000 ")), "{line}");
        }
    };
    tokio::join!(sending, reading);
}

#[test]
fn a_burst_is_answered_to_the_end_without_another_byte() {
    const REQUESTS: usize = 2000;
    let server = server(|_| {});
    let mut client = Client::connect(server.address(Role::Notification));
    client.ask("VER 1 MSNP9", "VER 1 MSNP9");
    // The answers to one segment are several times what may wait in the outbox.
    client.send_bytes(&b"CVR 2\r\n".repeat(REQUESTS));
    for _ in 0..REQUESTS {
        assert!(client.line().starts_with("CVR 2 1.0.0000 "));
    }
}

#[test]
fn connections_above_the_limit_are_closed_at_once_and_room_is_given_back() {
    let server = server(|config| config.limits.connections_max = 3);
    let connect = |role| TcpStream::connect(server.address(role)).unwrap();
    let roles = [Role::Dispatch, Role::Notification, Role::Dispatch];
    let mut held: Vec<_> =
        roles.into_iter().map(|role| is_served(connect(role)).expect("room for three")).collect();
    assert_eq!(server.running().connections(), 3);
    for role in [Role::Dispatch, Role::Notification, Role::PassportHttp] {
        assert!(is_served(connect(role)).is_none(), "{role}");
    }
    drop(held.pop());
    held.push(eventually_served(|| connect(Role::Notification)));
    assert!(is_served(connect(Role::Dispatch)).is_none());
    for client in &mut held {
        client.send("CVR 2");
        assert!(client.line().starts_with("CVR 2 "), "a held connection is served on");
    }
}

#[test]
fn one_address_cannot_take_all_connections() {
    let server = server(|config| config.limits.connections_per_address_max = 2);
    let connect = |last, role| from([127, 0, 0, last], server.address(role));
    let first = is_served(connect(5, Role::Dispatch)).unwrap();
    let _second = is_served(connect(5, Role::Notification)).unwrap();
    assert!(is_served(connect(5, Role::Dispatch)).is_none());
    assert!(is_served(connect(5, Role::Notification)).is_none());
    let _other = is_served(connect(6, Role::Dispatch)).expect("another address has its own room");
    drop(first);
    let _third = eventually_served(|| connect(5, Role::Dispatch));
}

#[test]
fn sign_in_must_be_complete_in_time() {
    let server = server(|config| config.timers.login_secs = 1);
    for role in [Role::Dispatch, Role::Notification] {
        let mut silent = Client::connect(server.address(role));
        let mut greeted = Client::connect(server.address(role));
        greeted.ask("VER 1 MSNP9", "VER 1 MSNP9");
        greeted.send_bytes(b"CVR 2 half a line");
        silent.expect_end();
        greeted.expect_end();
    }
    let mut named = Client::connect(server.address(Role::Notification));
    named.ask("VER 1 MSNP9", "VER 1 MSNP9");
    named.send(&format!("USR 2 TWN I {ALICE}"));
    assert!(named.line().starts_with("USR 2 TWN S "));
    let mut bob = Client::sign_in(&server, "MSNP9", BOB);
    named.expect_end();
    bob.expect_silence();
}

#[test]
fn a_connection_that_keeps_talking_must_sign_in_in_time_too() {
    let server = server(|config| config.timers.login_secs = 1);
    let mut client = Client::connect(server.address(Role::Notification));
    client.ask("VER 1 MSNP9", "VER 1 MSNP9");
    let start = Instant::now();
    loop {
        client.try_send_bytes(b"CVR 2\r\n");
        if client.line_or_end().is_none() {
            break;
        }
        assert!(start.elapsed() < PATIENCE, "it may talk for ever");
    }
}

#[test]
fn silence_ends_only_those_who_ping() {
    let server = server(|config| {
        config.timers.ping_secs = 1;
        config.timers.idle_intervals = 1;
    });
    // Bob was silent for longer than Alice when Alice's time is over.
    let mut bob = Client::sign_in(&server, "MSNP9", BOB);
    let mut alice = Client::sign_in(&server, "MSNP9", ALICE);
    alice.ask("PNG", "QNG 1");
    alice.expect_end();
    bob.ask("XFR 5 SB", "913 5");
}

#[test]
fn a_challenge_must_be_answered_in_time() {
    let server = server(|config| config.challenge.answer_secs = 1);
    let mut bob = Client::sign_in(&server, "MSNP9", BOB);
    add_to_forward_list(&mut bob, ALICE);
    bob.ask("CHG 7 NLN", "CHG 7 NLN");
    bob.send("CHL 8");
    let challenge = loop {
        let line = bob.line();
        if let Some(challenge) = line.strip_prefix("CHL 8 ") {
            break challenge.to_owned();
        }
    };
    let answer = msnd::protocol::challenge::answer(&challenge, "VT6PX?UQTM4WM%YR");
    bob.send_bytes(format!("QRY 9 PROD0038W!61ZTF9 32\r\n{answer}").as_bytes());
    bob.expect("QRY 9");
    let mut alice = Client::sign_in(&server, "MSNP9", ALICE);
    alice.ask("CHG 5 NLN", "CHG 5 NLN");
    assert!(alice.line().starts_with("CHL 0 "));
    alice.expect_end();
    bob.expect("NLN NLN alice@example.test Alice 0");
    bob.expect("FLN alice@example.test");
}

#[test]
fn a_challenge_without_consequences_is_asked_again() {
    let server = server(|config| {
        config.challenge.policy = ChallengePolicy::Log;
        config.challenge.answer_secs = 1;
        config.challenge.repeat_secs = 1;
    });
    let mut alice = Client::sign_in(&server, "MSNP9", ALICE);
    alice.ask("CHG 5 NLN", "CHG 5 NLN");
    let (first, second) = (alice.line(), alice.line());
    assert!(first.starts_with("CHL 0 ") && second.starts_with("CHL 0 ") && first != second);
    alice.send_bytes(b"QRY 6 nobody 5\r\nwrong");
    alice.expect("QRY 6");
}

#[test]
fn a_referred_client_may_linger_but_not_for_ever() {
    let server = server(|config| config.timers.dispatch_linger_secs = 1);
    let mut client = Client::connect(server.address(Role::Dispatch));
    client.ask("VER 1 MSNP9", "VER 1 MSNP9");
    client.send(&format!("USR 2 TWN I {ALICE}"));
    assert!(client.line().starts_with("XFR 2 NS "));
    client.expect_end();
}
