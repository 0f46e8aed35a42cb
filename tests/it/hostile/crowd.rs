//! Very many connections, and very few descriptors, against the binary as a process of its own.

use crate::process::child::{Home, Server};
use std::net::TcpStream;

const ALICE: &str = "alice@example.test";
const PEOPLE: &str = "\
[[user]]
email = \"alice@example.test\"
password = \"secret\"
";

/// Connections that say nothing at all.
fn silent(server: &Server, role: &str, count: usize) -> Vec<TcpStream> {
    let connect = |_| TcpStream::connect(server.address(role)).unwrap();
    (0..count).map(connect).collect()
}

#[test]
fn ten_thousand_who_never_speak_cost_little_and_hinder_nobody() {
    const CROWD: usize = 10_000;
    /// Resident memory for one connection that said nothing: about 1700 bytes were measured in a
    /// build without optimisation.
    const BYTES_EACH_MAX: u64 = 2560;
    let limit = rlimit::increase_nofile_limit(u64::MAX).unwrap();
    assert!(limit > CROWD as u64 + 500, "hard limit of open files too low for this test: {limit}");
    let home = Home::new();
    let options = ["limits.connections_per_address_max=20000", "timers.login_secs=600"];
    let server = home.ephemeral(PEOPLE, &options);
    // What the first sign-in allocates is not the crowd's.
    server.sign_in_through_dispatch(ALICE, "secret");
    let before_kib = server.resident_kib();
    let crowd =
        [silent(&server, "notification", CROWD / 2), silent(&server, "dispatch", CROWD / 2)];
    // Both listeners accept in order: whoever is served now came after all of them.
    let mut alice = server.sign_in_through_dispatch(ALICE, "secret");
    let bytes_each = (server.resident_kib() - before_kib) * 1024 / CROWD as u64;
    assert!(bytes_each <= BYTES_EACH_MAX, "{bytes_each} bytes for each connection");
    alice.ask("CHG 5 NLN", "CHG 5 NLN");
    drop(crowd);
    server.sign_in_through_dispatch(ALICE, "secret");
    alice.expect("OUT OTH");
    server.signal("TERM");
    assert_eq!(server.wait().status.code(), Some(0));
}

#[test]
fn without_descriptors_it_waits_and_serves_again_when_there_are_some() {
    const FILES: u32 = 40;
    let home = Home::new();
    let fixture = home.give("fixture.toml", PEOPLE);
    let arguments = ["--ephemeral", "--fixture", &fixture, "--ready-json"];
    let mut server = home.spawn_limited(FILES, &arguments);
    server.await_ready();
    let mut alice = server.sign_in_through_dispatch(ALICE, "secret");
    for _ in 0..2 {
        // The kernel completes these connections whether they are accepted or not.
        let crowd = silent(&server, "notification", FILES as usize * 2);
        server.await_log("cannot accept connections at the moment");
        alice.ask("CHG 5 BSY", "CHG 5 BSY");
        alice.ask(
            "REA 6 alice@example.test Still%20here",
            "REA 6 2 alice@example.test Still%20here",
        );
        drop(crowd);
        let mut again = server.sign_in_through_dispatch(ALICE, "secret");
        again.ask("CHG 5 BSY", "CHG 5 BSY");
        alice = again;
    }
    server.signal("TERM");
    let ended = server.wait();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log());
}
