//! The reader and what it makes of a head: every form of request, every limit, every split, and
//! what must never be taken for the end of a body.

use super::*;
use crate::http1::HEADERS_MAX;
use proptest::prelude::*;
use std::{
    pin::Pin,
    task::{Context, Poll},
};
use tokio::io::ReadBuf;

/// A peer that sends its bytes `step` at a time and then leaves.
struct Pieces<'a> {
    bytes: &'a [u8],
    step: usize,
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let count = self.step.min(self.bytes.len()).min(buffer.remaining());
        let (now, later) = self.bytes.split_at(count);
        buffer.put_slice(now);
        self.bytes = later;
        Poll::Ready(Ok(()))
    }
}

/// A request with all that can be asked of it, as plain values.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    method: String,
    path: String,
    query: Vec<u8>,
    host: Option<String>,
    port: Option<u16>,
    authorization: Option<Vec<u8>>,
    length: Option<usize>,
    keeps: bool,
    body: Vec<u8>,
}

/// All requests that come out of a stream, with bodies where the head is clear, and why there is
/// no further one.
fn all(bytes: &[u8], step: usize) -> (Vec<Seen>, ReadError) {
    let mut io = Pieces { bytes, step };
    let mut reader = Reader::default();
    let mut seen = Vec::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let end = runtime.block_on(async {
        loop {
            let request = match reader.request(&mut io).await {
                Ok(request) => request,
                Err(error) => return error,
            };
            let length = request.body_bytes();
            let body = match reader.body(&mut io, length.unwrap_or(0)).await {
                Ok(body) => body.to_vec(),
                Err(error) => return error,
            };
            seen.push(Seen {
                authorization: request.header("authorization").map(<[u8]>::to_vec),
                keeps: request.keeps_connection(),
                query: request.query.to_vec(),
                method: request.method,
                path: request.path,
                host: request.host,
                port: request.port,
                length,
                body,
            });
        }
    });
    (seen, end)
}

/// The only request of a stream.
fn one(text: &str) -> Seen {
    let (mut seen, end) = all(text.as_bytes(), usize::MAX);
    assert_eq!((seen.len(), end), (1, ReadError::Gone), "{text}");
    seen.remove(0)
}

/// Path and host of the only request, or why there is none.
fn outcome(bytes: &[u8], step: usize) -> Result<(String, String), ReadError> {
    let (mut seen, end) = all(bytes, step);
    if seen.is_empty() {
        return Err(end);
    }
    let first = seen.remove(0);
    Ok((first.path, first.host.unwrap_or_else(|| "-".into())))
}

#[test]
fn every_form_of_request_line_is_understood() {
    for (text, path, host) in [
        ("GET /rdr/pprdr.asp\r\n\r\n", "/rdr/pprdr.asp", "-"),
        ("GET /rdr/pprdr.asp\r\n", "/rdr/pprdr.asp", "-"),
        ("GET /rdr/pprdr.asp HTTP/1.0\r\n\r\n", "/rdr/pprdr.asp", "-"),
        ("get /RDR/PPRDR.ASP http/1.1\nhost: a.b\n\n", "/rdr/pprdr.asp", "a.b"),
        ("HEAD /a?lc=1&lc=2#x HTTP/1.1\r\nHost: a.b:443\r\n\r\n", "/a", "a.b"),
        ("GET https://x.y:443/A.srf?q HTTP/1.1\r\nHost: a.b\r\n\r\n", "/a.srf", "x.y"),
        ("GET http://x.y HTTP/1.1\r\n\r\n", "", "x.y"),
        ("GET  /a  HTTP/1.1\r\n\r\n", "/a", "-"),
        ("\r\n\r\nGET /a HTTP/1.1\r\n\r\n", "/a", "-"),
        ("GET /a?u=http://x.y/ HTTP/1.1\r\nHost: a.b\r\n\r\n", "/a", "a.b"),
        ("GET /a HTTP/1.1\r\nnonsense\r\nHost: a.b\r\n\r\n", "/a", "a.b"),
        ("GET /a HTTP/1.1\r\nHost: a.b,c\r\n\r\n", "/a", "-"),
        ("GET /a HTTP/1.1\r\nHost: [::1]:443\r\n\r\n", "/a", "-"),
        ("GET /a HTTP/1.1\r\nHost: a'b\r\n\r\n", "/a", "-"),
    ] {
        for step in [1, 7, 10_000] {
            let found = outcome(text.as_bytes(), step);
            assert_eq!(found, Ok((path.into(), host.into())), "{text}");
        }
    }
}

#[test]
fn all_parts_of_a_target_are_told() {
    let seen = one("post http://A.b:8080/X.Asp?Key=Value%20&b#c HTTP/1.1\r\nHost: c.d\r\n\r\n");
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/x.asp"));
    assert_eq!(seen.query, b"Key=Value%20&b");
    assert_eq!((seen.host.as_deref(), seen.port), (Some("A.b"), Some(8080)));
    let seen = one("GET / HTTP/1.1\r\nHost: c.d:80\r\n\r\n");
    assert_eq!((seen.host.as_deref(), seen.port), (Some("c.d"), Some(80)));
    for host in ["c.d", "c.d:", "c.d:0", "c.d:65536"] {
        assert_eq!(one(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).port, None, "{host}");
    }
}

#[test]
fn the_authorization_header_is_found_in_any_case() {
    let text = b"GET /l.srf HTTP/1.1\r\nAUTHORIZATION: Passport1.4 a=\xe9\r\n\r\n";
    let (seen, _) = all(text, 1);
    assert_eq!(seen[0].authorization.as_deref(), Some(&b"Passport1.4 a=\xe9"[..]));
}

#[test]
fn nonsense_is_malformed() {
    for text in [
        &b"GET\r\n\r\n"[..],
        b"GET /\0 HTTP/1.1\r\n\r\n",
        b"GET /a\0\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: a\0b\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHo\0st: a\r\n\r\n",
        b"GET /a HTTP/2.0\r\n\r\n",
        b"GET /a b HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\n\n",
    ] {
        let shown = String::from_utf8_lossy(text);
        assert_eq!(outcome(text, 10_000), Err(ReadError::Malformed), "{shown}");
    }
    let many = "a: b\r\n".repeat(HEADERS_MAX + 1);
    let text = format!("GET /a HTTP/1.1\r\n{many}\r\n");
    assert_eq!(outcome(text.as_bytes(), 10_000), Err(ReadError::Malformed));
}

#[test]
fn limits_are_exact() {
    let line = |length: usize| format!("X: {}\r\n", "x".repeat(length - 5));
    let start = "GET /a HTTP/1.1\r\n";
    for (text, good) in [
        (format!("{start}{}\r\n", line(LINE_BYTES_MAX)), true),
        (format!("{start}{}\r\n", line(LINE_BYTES_MAX + 1)), false),
        (format!("{start}{}{}\r\n", line(4096), line(8192 - 4096 - 17 - 2)), true),
        (format!("{start}{}{}\r\n", line(4096), line(8192 - 4096 - 17 - 1)), false),
        (format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(9000)), false),
        ("\r\n".repeat(5000), false),
    ] {
        for step in [1, 100, 10_000] {
            let found = outcome(text.as_bytes(), step);
            assert_eq!(found.is_ok(), good, "{} bytes by {step}", text.len());
            assert!(good || found == Err(ReadError::TooLarge));
        }
    }
}

#[tokio::test]
async fn the_reader_never_holds_more_than_the_limit() {
    let mut endless = tokio::io::repeat(b'\n');
    let mut reader = Reader::default();
    assert_eq!(reader.request(&mut endless).await.err(), Some(ReadError::TooLarge));
    assert!(reader.bytes.capacity() <= HEAD_BYTES_MAX);
    // What comes behind a head stays for its turn.
    let mut pair = &b"GET /a HTTP/1.1\r\n\r\nbody"[..];
    let mut reader = Reader::default();
    assert_eq!(reader.request(&mut pair).await.unwrap().path, "/a");
    assert_eq!(reader.ahead(), 4);
    // An announcement alone takes no memory.
    let (mut io, _other_end) = tokio::io::duplex(8);
    let body = tokio::time::timeout(std::time::Duration::ZERO, reader.body(&mut io, 1 << 29));
    assert!(body.await.is_err());
}

#[test]
fn a_body_is_as_long_as_announced() {
    let text = "POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nfirstPOST /b HTTP/1.1\r\n\
                content-length:  6 \r\n\r\nsecondGET /c HTTP/1.0\r\n\r\n";
    for step in [1, 3, 10_000] {
        let (seen, end) = all(text.as_bytes(), step);
        let bodies: Vec<_> = seen.iter().map(|seen| (&*seen.path, &*seen.body)).collect();
        assert_eq!(bodies, [("/a", &b"first"[..]), ("/b", b"second"), ("/c", b"")]);
        assert_eq!(end, ReadError::Gone);
    }
    let (seen, end) = all(b"POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nfour", 2);
    assert_eq!((seen.len(), end), (0, ReadError::Gone));
}

/// What another program on the way might read differently has no end that we would trust.
#[test]
fn an_unclear_length_is_no_length() {
    for headers in [
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length: -1",
        "Content-Length: 0x5",
        "Content-Length: 5.0",
        "Content-Length:",
        "Content-Length: 18446744073709551621",
        "Content-Length : 5",
        " Content-Length: 5",
        "X: y\r\n Content-Length: 5",
        "X: y\r\n\tz",
        "Content-Length\x0b: 5",
        "Transfer-Encoding: chunked",
        "transfer-encoding: identity",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "X: y\rContent-Length: 5",
    ] {
        let text = format!("POST /a HTTP/1.1\r\n{headers}\r\n\r\n");
        match all(text.as_bytes(), usize::MAX) {
            (seen, ReadError::Gone) => {
                assert_eq!((seen[0].length, seen[0].keeps), (None, false), "{headers:?}");
            }
            (seen, ReadError::Malformed) if seen.is_empty() => {}
            (_, error) => panic!("{headers:?}: {error:?}"),
        }
    }
    assert_eq!(one("POST /a HTTP/1.1\r\nContent-Length: 000\r\n\r\n").length, Some(0));
}

#[test]
fn the_version_and_the_header_decide_whether_a_connection_is_kept() {
    for (text, keeps) in [
        ("GET /a HTTP/1.1\r\n\r\n", true),
        ("GET /a HTTP/1.1\r\nConnection: Close\r\n\r\n", false),
        ("GET /a HTTP/1.1\r\nConnection: x, close\r\n\r\n", false),
        ("GET /a HTTP/1.1\r\nProxy-Connection: close\r\n\r\n", false),
        ("GET /a HTTP/1.0\r\n\r\n", false),
        ("GET /a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true),
        ("GET /a HTTP/1.0\r\nProxy-Connection: keep-alive\r\n\r\n", true),
        ("GET /a HTTP/1.1\r\nnonsense\r\n\r\n", false),
        ("GET /a\r\n", false),
    ] {
        assert_eq!(one(text).keeps, keeps, "{text}");
    }
}

/// Bytes of which requests are made, more often than by chance.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"\r\n".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"GET /a HTTP/1.1\r\n".to_vec()),
        Just(b"POST http://h:1/a?b HTTP/1.0\r\n".to_vec()),
        Just(b"Content-Length: 3\r\n".to_vec()),
        Just(b"Transfer-Encoding: chunked\r\n".to_vec()),
        Just(b"Host: a.b:80\r\n".to_vec()),
        Just(b" folded\r\n".to_vec()),
        prop::collection::vec(any::<u8>(), 0..6),
    ]
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_give_the_same(
        pieces in prop::collection::vec(piece(), 0..40),
        step in 1_usize..40,
    ) {
        let bytes = pieces.concat();
        prop_assert_eq!(all(&bytes, step), all(&bytes, usize::MAX));
    }

    #[test]
    fn what_was_written_is_read(
        requests in prop::collection::vec(
            ("[A-Z]{1,7}", "(/[a-z0-9._-]{0,8}){1,3}", "[!-\"$->@-~]{0,20}", "[a-z]{1,9}(\\.[a-z]{1,4}){0,3}",
             1_u16.., prop::collection::vec(any::<u8>(), 0..50)),
            0..5,
        ),
        step in 1_usize..60,
    ) {
        let mut bytes = Vec::new();
        for (method, path, query, host, port, body) in &requests {
            let length = body.len();
            bytes.extend(format!(
                "{method} {path}?{query} HTTP/1.1\r\nHost: {host}:{port}\r\n\
                 Content-Length: {length}\r\n\r\n"
            ).into_bytes());
            bytes.extend(body);
        }
        let (seen, end) = all(&bytes, step);
        prop_assert_eq!(end, ReadError::Gone);
        prop_assert_eq!(seen.len(), requests.len());
        for (seen, (method, path, query, host, port, body)) in seen.iter().zip(&requests) {
            prop_assert_eq!((&seen.method, &seen.path), (method, path));
            prop_assert_eq!(&seen.query, query.as_bytes());
            prop_assert_eq!((&seen.host, seen.port), (&Some(host.clone()), Some(*port)));
            prop_assert_eq!((&seen.body, seen.keeps), (body, true));
        }
    }
}
