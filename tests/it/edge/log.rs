//! What an operator reads: warnings at the start, and one line for each refusal.

use super::{FIXTURE, process::Process};
use crate::support::{Client, server::ticket};
use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
};

/// Listeners for a server that is not ephemeral, but for dispatch and notification.
const QUIET: &str = "run --ready-json --set passport.https_bind=off --set web.bind=off";

#[test]
fn too_few_open_files_are_told_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let line = "run --ephemeral --ready-json --set limits.connections_max=1000";
    let mut process = Process::start_after("ulimit -n 512", folder.path(), line);
    let warning = process.wait_for("limits.connections_max is 1000");
    assert!(warning.contains("WARN") && warning.contains("only 512 files"), "{warning}");
    process.ready();
    process.signal("TERM");
    assert!(process.end().0.success());
}

#[test]
fn a_dispatch_role_that_nobody_reaches_is_told_at_the_start() {
    for rest in [
        "--set dispatch.bind=127.0.0.1:0 --set notification.bind=0.0.0.0:0 \
         --set switchboard.bind=off",
        "--set dispatch.bind=127.0.0.1:0 --set notification.bind=off \
         --set dispatch.notification_servers=ns.example.test:1864 \
         --set passport.http_bind=127.0.0.1:0",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Process::start(folder.path(), &format!("{QUIET} {rest}"));
        let warning = process.wait_for("the dispatch role listens only on 127.0.0.1:");
        assert!(warning.contains("WARN"), "{warning}");
        process.signal("TERM");
        assert!(process.end().0.success());
    }
}

#[test]
fn a_flood_of_connections_above_the_limit_costs_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let line = "run --ephemeral --ready-json --set limits.connections_per_address_max=1";
    let mut process = Process::start(folder.path(), line);
    let address = process.ready().address("notification");
    let mut first = Client::connect(address);
    first.ask("VER 1 MSNP9 CVR0", "VER 1 MSNP9 CVR0");
    for _ in 0..20 {
        // Refused: it ends without a byte, or the system says so even earlier.
        let refused = TcpStream::connect(address).and_then(|mut s| s.read(&mut [0]));
        assert!(!matches!(refused, Ok(1..)), "{refused:?}");
    }
    process.signal("TERM");
    let (_, _, log) = process.end();
    let told: Vec<_> = log.lines().filter(|line| line.contains("connection refused")).collect();
    // One for each ten seconds, and even a very slow machine does not take minutes.
    assert!((1..10).contains(&told.len()), "{log}");
    let line = told[0];
    assert!(line.contains("WARN") && line.contains("address=127.0.0.1:"), "{line}");
    assert!(line.contains("connections_per_address_max") && line.contains("left_out=0"), "{line}");
}

#[test]
fn sign_ins_and_refusals_say_whose_and_from_where() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("fixture"), FIXTURE).unwrap();
    let mut process =
        Process::start(folder.path(), "run --ephemeral --fixture fixture --ready-json");
    let ready = process.ready();

    ticket(ready.address("passport-http"), "alice@example.test");
    let line = process.wait_for("passport ticket issued");
    assert!(line.contains("address=127.0.0.1:") && !line.contains("peer="), "{line}");

    let mut login = TcpStream::connect(ready.address("passport-http")).unwrap();
    login.write_all(b"GET /login2.srf HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let line = process.wait_for("passport sign-in refused");
    assert!(line.contains("address=127.0.0.1:") && !line.contains("peer="), "{line}");

    let mut client = Client::connect(ready.address("notification"));
    client.send("VER 1 MSNP9 CVR0\r\nUSR 2 TWN I nobody\r\nUSR 3 TWN S t=1&p=1");
    client.line();
    client.line();
    client.expect("911 3");
    let line = process.wait_for("not signed in");
    assert!(line.contains("INFO") && line.contains("user=\"-\""), "{line}");
    assert!(line.contains("session.id=") && line.contains("address=127.0.0.1:"), "{line}");
    process.signal("TERM");
    assert!(process.end().0.success());
}

#[test]
fn a_client_that_cannot_be_referred_is_told_with_its_name() {
    if TcpListener::bind("[::1]:0").is_err() {
        eprintln!("SKIPPED a_client_that_cannot_be_referred_is_told_with_its_name: no IPv6");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let line = "run --ephemeral --ready-json --set dispatch.bind=[::]:0";
    let mut process = Process::start(folder.path(), line);
    let mut address = process.ready().address("dispatch");
    address.set_ip(std::net::Ipv6Addr::LOCALHOST.into());
    let mut client = Client::connect(address);
    client.send("VER 1 MSNP9 CVR0\r\nUSR 2 TWN I alice@example.test");
    client.line();
    client.expect("601 2");
    client.expect_end();
    let line = process.wait_for("not referred");
    assert!(line.contains("WARN") && line.contains("user=\"alice@example.test\""), "{line}");
    assert!(line.contains("session.id=") && line.contains("address=[::1]:"), "{line}");
    process.signal("TERM");
    assert!(process.end().0.success());
}
