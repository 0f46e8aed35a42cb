//! What a peer may send, and what it gets.

use super::{
    ALICE, TOKEN,
    http::{Door, answer, rest},
    server, server_over_tcp,
};
use std::io::{Read as _, Write as _};

#[test]
fn what_cannot_be_read_is_refused_with_a_problem() {
    let (_server, door) = server(|_| {});
    for (body, status) in [
        ("", 400),
        ("{", 400),
        ("{\"minutes\": 5}}", 400),
        ("[]", 422),
        ("{}", 422),
        ("{\"minutes\": \"5\"}", 422),
        ("{\"minutes\": 5, \"hours\": 1}", 422),
        ("{\"minutes\": 5, \"minutes\": 6}", 422),
        ("{\"minutes\": -1}", 422),
        ("{\"minutes\": 0}", 422),
        ("{\"minutes\": 1441}", 422),
        ("{\"minutes\": 99999999999999999999}", 422),
        ("{\"minutes\": 1440}", 200),
    ] {
        let answer = door.announce(body);
        assert_eq!(answer.status, status, "{body}: {answer:?}");
    }
    let deep = "[".repeat(10_000);
    assert_eq!(door.announce(&deep).status, 422);
    let plain = door.request("POST", "/api/v1/announcements", &["Content-Type: text/plain"], "{}");
    assert_eq!(plain.status, 415);
    assert_eq!(door.request("POST", "/api/v1/announcements", &[], "{}").status, 415);
}

#[test]
fn a_large_body_is_refused_and_the_answer_arrives() {
    let (_server, door) = server(|_| {});
    let body = format!("{{\"minutes\": 5{}}}", " ".repeat(64 * 1024));
    for _ in 0..10 {
        assert_eq!(door.announce(&body).status, 413);
    }
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let request = format!(
        "POST /api/v1/announcements HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n{chunk}0\r\n\r\n"
    );
    assert_eq!(answer(&door.raw(request.as_bytes())).status, 413);
}

#[test]
fn a_large_or_broken_head_is_refused() {
    let (_server, door, _folder) = server_over_tcp(|_| {});
    let long = format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "y".repeat(20_000));
    assert_eq!(answer(&door.raw(long.as_bytes())).status, 431);
    let many = format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: y\r\n".repeat(100));
    assert_eq!(answer(&door.raw(many.as_bytes())).status, 431);
    let uri = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "y".repeat(20_000));
    assert!([414, 431].contains(&answer(&door.raw(uri.as_bytes())).status));
    for broken in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01"[..],
        b"GET /healthz\r\n\r\n",
        b"GET /healthz HTTP/9.9\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST /api/v1/announcements HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
        b"VER 1 MSNP9 CVR0\r\n\r\n",
    ] {
        let bytes = door.raw(broken);
        assert!(bytes.starts_with(b"HTTP/1.1 400 "), "{}", bytes.escape_ascii());
    }
}

#[test]
fn paths_lead_nowhere_else() {
    let (_server, door) = server(|_| {});
    for path in [
        "/",
        "/api",
        "/api/v1",
        "/api/v1/",
        "/api/v2/status",
        "/api/v1/status/",
        "//api/v1/status",
        "/API/v1/status",
        "/api/v1/../v1/status",
        "/api/v1/%2e%2e/v1/status",
        "/healthz%00",
        "/healthz/../metrics",
    ] {
        assert_eq!(door.get(path).status, 404, "{path}");
    }
    for (method, path, allowed) in [
        ("POST", "/healthz", "GET,HEAD"),
        ("PUT", "/api/v1/sessions", "GET,HEAD"),
        ("GET", "/api/v1/announcements", "POST"),
        ("BREW", "/api/v1/status", "GET,HEAD"),
        ("GET", "/api/v1/users/alice@example.test/sessions", "DELETE"),
    ] {
        let answer = door.request(method, path, &[], "");
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allowed)), "{path}");
    }
}

#[test]
fn one_connection_carries_one_request() {
    let (server, door) = server(|_| {});
    let mut alice = crate::support::Client::present(&server, "MSNP9", ALICE, "NLN");
    let health = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let kick = format!("DELETE /api/v1/users/{ALICE}/sessions HTTP/1.1\r\nHost: x\r\n\r\n");
    let answer = answer(&door.raw(format!("{health}{kick}{kick}").as_bytes()));
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    alice.expect_silence();
}

#[test]
fn a_body_is_no_way_to_hide_a_request() {
    let (_server, door, _folder) = server_over_tcp(|_| {});
    let hidden = format!(
        "GET /api/v1/sessions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    );
    let request = format!(
        "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{hidden}",
        hidden.len()
    );
    let bytes = door.raw(request.as_bytes());
    assert!(!String::from_utf8_lossy(&bytes).contains("\"sessions\""));
}

#[test]
fn who_is_slow_is_cut_off_and_holds_up_nobody() {
    let (_server, door, _folder) = server_over_tcp(|config| config.timers.http_request_secs = 1);
    let mut silent = door.open();
    let mut half_a_head = door.open();
    half_a_head.write_all(b"GET /healthz HTTP/1.1\r\nHos").unwrap();
    let mut half_a_body = door.open();
    let head = format!(
        "POST /api/v1/announcements HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Type: application/json\r\nContent-Length: 20\r\n\r\n{{"
    );
    half_a_body.write_all(head.as_bytes()).unwrap();
    assert_eq!(door.get("/healthz").status, 200);
    assert_eq!(rest(&mut silent), b"");
    assert!(!rest(&mut half_a_head).starts_with(b"HTTP/1.1 200"));
    assert_eq!(answer(&rest(&mut half_a_body)).status, 408);
}

#[test]
fn a_crowd_on_tcp_does_not_lock_the_owner_out() {
    let (server, door, _folder) = server_over_tcp(|_| {});
    let crowd: Vec<_> = (0..200).map(|_| door.open()).collect();
    let socket = Door::Socket(server.running().admin_socket().unwrap().to_path_buf());
    assert_eq!(socket.get("/healthz").status, 200);
    // The seats of one door, and the two that ask here.
    let seats = msnd::admin::CONNECTIONS_MAX as f64;
    assert!(socket.metric("msnd_connections{role=\"admin\"}") <= seats + 2.0);
    drop(crowd);
    assert_eq!(door.get("/healthz").status, 200);
}

#[test]
fn a_connection_left_open_does_not_hold_up_the_shutdown() {
    let (mut server, door) = server(|_| {});
    let mut idle = door.open();
    idle.write_all(b"GET /heal").unwrap();
    assert_eq!(door.get("/healthz").status, 200);
    assert!(server.shut_down());
    let _ = idle.read(&mut [0; 16]);
}
