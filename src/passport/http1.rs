//! As much HTTP as Passport clients speak: one request head in, one answer without a body out.
//! Written by hand because old clients compare header names byte by byte, and some ask without an
//! HTTP version; no library allows either. Knows nothing of what is asked for.

use crate::config;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use zeroize::Zeroizing;

/// Longest request head in bytes.
pub(super) const REQUEST_BYTES_MAX: usize = 8 * 1024;
/// Longest line of it in bytes, with its line end.
pub(super) const LINE_BYTES_MAX: usize = 4 * 1024;
/// Header lines of one request.
const HEADERS_MAX: usize = 64;
/// Longest host name of a client's that we repeat, in bytes; as long as one of our own.
pub(super) const HOST_BYTES_MAX: usize = config::LOGIN_HOST_BYTES_MAX;
/// Room for every answer we give, so that no copy with a ticket in it is left behind by growing.
const RESPONSE_BYTES: usize = 2048;
const FIRST_READ_BYTES: usize = 1024;

/// Why there is no request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ReadError {
    /// The peer went away before its request was complete.
    Gone,
    /// More than [`LINE_BYTES_MAX`] or [`REQUEST_BYTES_MAX`].
    TooLarge,
}

/// Not a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// What matters of a request. No `Debug`: it carries a password.
pub(super) struct Request<'a> {
    /// Lower case, without host and query.
    pub(super) path: String,
    /// The host as the client called it, if it is a host name; without port.
    pub(super) host: Option<&'a str>,
    /// Value of the `Authorization` header.
    pub(super) authorization: Option<&'a [u8]>,
}

/// Reads a request head. Bytes behind it (a body) may be lost: nobody wants them.
pub(super) async fn read<T>(io: &mut T) -> Result<Zeroizing<Vec<u8>>, ReadError>
where
    T: AsyncRead + Unpin,
{
    let mut bytes = Zeroizing::new(Vec::with_capacity(FIRST_READ_BYTES));
    let mut progress = Progress::default();
    loop {
        if bytes.len() == bytes.capacity() {
            bytes = grown(&bytes);
        }
        match io.read_buf(&mut *bytes).await {
            Ok(0) | Err(_) => return Err(ReadError::Gone),
            Ok(_) => {}
        }
        if let Some(end) = progress.find_end(&bytes)? {
            bytes.truncate(end);
            return Ok(bytes);
        }
    }
}

/// Reads meaning into a head found by [`read`]. Lines that are no headers are passed over.
pub(super) fn parse(bytes: &mut [u8]) -> Result<Request<'_>, Malformed> {
    let blank = bytes.iter().take_while(|byte| is_line_end(**byte)).count();
    let bytes = &mut bytes[blank..];
    let line_end = bytes.iter().position(|byte| is_line_end(*byte)).ok_or(Malformed)?;
    // The case of the request line does not matter, but httparse thinks so of the version.
    let version = bytes[..line_end].iter().rposition(|byte| *byte == b' ').unwrap_or(0);
    if target_without_version(&bytes[..line_end]).is_none() {
        bytes[version..line_end].make_ascii_uppercase();
    }
    let bytes = &*bytes;
    let line = &bytes[..line_end];
    if !line.iter().all(|byte| *byte == b' ' || byte.is_ascii_graphic() || *byte >= 0x80) {
        return Err(Malformed);
    }
    if let Some(target) = target_without_version(line) {
        let (path, host) = split_target(target);
        return Ok(Request { path, host, authorization: None });
    }
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    let outcome = httparse::ParserConfig::default()
        .allow_multiple_spaces_in_request_line_delimiters(true)
        .ignore_invalid_headers_in_requests(true)
        .parse_request(&mut parsed, bytes);
    let (Ok(httparse::Status::Complete(_)), Some(target)) = (outcome, parsed.path) else {
        return Err(Malformed);
    };
    let (path, authority) = split_target(target.as_bytes());
    let header = |name: &str| {
        let same = |header: &&httparse::Header<'_>| header.name.eq_ignore_ascii_case(name);
        parsed.headers.iter().find(same).map(|header| header.value)
    };
    let host = authority.or_else(|| header("host").and_then(host_name));
    Ok(Request { path, host, authorization: header("authorization") })
}

/// A host name without its port, if it is one: letters, digits, `-`, `.`, `_`.
pub(super) fn host_name(text: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(text).ok()?;
    let host = match text.split_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        Some(_) => return None,
        None => text,
    };
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    ((1..=HOST_BYTES_MAX).contains(&host.len()) && host.bytes().all(legal)).then_some(host)
}

/// An answer in the making: header names keep their case, the body is empty.
#[must_use]
pub(super) struct Response(Zeroizing<Vec<u8>>);

impl Response {
    /// Begins with `HTTP/1.1`, whatever the request said: clients compare the whole line.
    pub(super) fn new(status: &str) -> Self {
        let mut bytes = Zeroizing::new(Vec::with_capacity(RESPONSE_BYTES));
        for part in ["HTTP/1.1 ", status, "\r\n"] {
            bytes.extend_from_slice(part.as_bytes());
        }
        Self(bytes).header("Content-Type", "text/html")
    }

    /// Adds a line. A control character in the value would end it early, so it becomes `?`.
    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b": ");
        let safe = |byte: u8| if byte.is_ascii_control() { b'?' } else { byte };
        self.0.extend(value.bytes().map(safe));
        self.0.extend_from_slice(b"\r\n");
        self
    }

    /// The bytes to be sent, all at once.
    #[must_use]
    pub(super) fn finish(self) -> Zeroizing<Vec<u8>> {
        let Self(mut bytes) = self.header("Content-Length", "0").header("Connection", "close");
        bytes.extend_from_slice(b"\r\n");
        bytes
    }
}

/// How far a growing head has been looked at.
#[derive(Debug, Default)]
struct Progress {
    line_start: usize,
    at: usize,
    begun: bool,
}

impl Progress {
    /// Where the head ends: behind the first empty line, or behind a request line without HTTP
    /// version, which is the whole request. Empty lines before it do not count.
    fn find_end(&mut self, bytes: &[u8]) -> Result<Option<usize>, ReadError> {
        while let Some(offset) = bytes[self.at..].iter().position(|byte| *byte == b'\n') {
            let end = self.at + offset + 1;
            let line = &bytes[self.line_start..end - 1];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if end - self.line_start > LINE_BYTES_MAX || end > REQUEST_BYTES_MAX {
                return Err(ReadError::TooLarge);
            }
            (self.line_start, self.at) = (end, end);
            if line.is_empty() && !self.begun {
                continue;
            }
            if line.is_empty() || (!self.begun && target_without_version(line).is_some()) {
                return Ok(Some(end));
            }
            self.begun = true;
        }
        self.at = bytes.len();
        if self.at - self.line_start >= LINE_BYTES_MAX || bytes.len() >= REQUEST_BYTES_MAX {
            return Err(ReadError::TooLarge);
        }
        Ok(None)
    }
}

/// The target of a request line that consists of method and target only.
fn target_without_version(line: &[u8]) -> Option<&[u8]> {
    let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let (_method, target) = (words.next()?, words.next()?);
    words.next().is_none().then_some(target)
}

/// Path in lower case and host of `/path?query` or `http://host:port/path?query`.
fn split_target(target: &[u8]) -> (String, Option<&str>) {
    let scheme = target.windows(3).position(|window| window == b"://");
    let (authority, path) = match scheme {
        Some(scheme) if target[..scheme].iter().all(u8::is_ascii_alphabetic) => {
            let rest = &target[scheme + 3..];
            let end = rest.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(rest.len());
            (host_name(&rest[..end]), &rest[end..])
        }
        _ => (None, target),
    };
    let end = path.iter().position(|byte| b"?#".contains(byte)).unwrap_or(path.len());
    (String::from_utf8_lossy(&path[..end]).to_ascii_lowercase(), authority)
}

/// A copy with twice the room; the old one is wiped, which growing in place would not do.
fn grown(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let capacity = (bytes.len() * 2).clamp(FIRST_READ_BYTES, REQUEST_BYTES_MAX);
    let mut larger = Zeroizing::new(Vec::with_capacity(capacity));
    larger.extend_from_slice(bytes);
    larger
}

fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Runs the bytes through the reader in pieces of `step` and then the parser; the host and the
    /// authorization come back as owned text.
    fn request(bytes: &[u8], step: usize) -> Result<(String, String, Vec<u8>), String> {
        let mut progress = Progress::default();
        let mut have = 0;
        let end = loop {
            if have == bytes.len() {
                return Err("more".into());
            }
            have = (have + step).min(bytes.len());
            match progress.find_end(&bytes[..have]) {
                Ok(Some(end)) => break end,
                Ok(None) => assert!(have < REQUEST_BYTES_MAX),
                Err(error) => return Err(format!("{error:?}")),
            }
        };
        let mut head = bytes[..end].to_vec();
        let request = parse(&mut head).map_err(|error| format!("{error:?}"))?;
        let host = request.host.unwrap_or("-").to_owned();
        Ok((request.path, host, request.authorization.unwrap_or(b"-").to_vec()))
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
                let found = request(text.as_bytes(), step);
                assert_eq!(found, Ok((path.into(), host.into(), b"-".to_vec())), "{text}");
            }
        }
    }

    #[test]
    fn the_authorization_header_is_found_in_any_case() {
        let text = b"GET /l.srf HTTP/1.1\r\nAUTHORIZATION: Passport1.4 a=\xe9\r\n\r\n";
        assert_eq!(request(text, 1).unwrap().2, b"Passport1.4 a=\xe9");
    }

    #[test]
    fn nonsense_is_malformed() {
        for text in [
            &b"GET\r\n\r\n"[..],
            b"GET /\0 HTTP/1.1\r\n\r\n",
            b"GET /a\0\r\n\r\n",
            b"GET /a HTTP/1.1\r\nHost: a\0b\r\n\r\n",
            b"GET /a HTTP/2.0\r\n\r\n",
            b"GET /a b HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\n\n",
        ] {
            let text_shown = String::from_utf8_lossy(text);
            assert_eq!(request(text, 10_000), Err("Malformed".into()), "{text_shown}");
        }
        let many = "a: b\r\n".repeat(HEADERS_MAX + 1);
        let text = format!("GET /a HTTP/1.1\r\n{many}\r\n");
        assert_eq!(request(text.as_bytes(), 10_000), Err("Malformed".into()));
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
                let found = request(text.as_bytes(), step);
                assert_eq!(found.is_ok(), good, "{} bytes by {step}", text.len());
                assert!(good || found == Err("TooLarge".into()));
            }
        }
    }

    #[tokio::test]
    async fn the_reader_never_holds_more_than_the_limit() {
        let mut endless = tokio::io::repeat(b'\n');
        assert_eq!(read(&mut endless).await.unwrap_err(), ReadError::TooLarge);
        let bytes = [b"GET /a HTTP/1.1\r\n".to_vec(), b"a: b\r\n".repeat(1000)].concat();
        let mut long = &bytes[..];
        assert_eq!(read(&mut long).await.unwrap_err(), ReadError::Gone);
        let mut pair = &b"GET /a HTTP/1.1\r\n\r\nbody"[..];
        let head = read(&mut pair).await.unwrap();
        assert_eq!(&**head, b"GET /a HTTP/1.1\r\n\r\n");
        assert!(head.capacity() <= REQUEST_BYTES_MAX);
    }

    #[test]
    fn no_value_can_end_its_line() {
        let bytes = Response::new("200 OK").header("X", "a\r\nb\0").finish();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        assert_eq!(
            text,
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX: a??b?\r\nContent-Length: 0\r\n\
             Connection: close\r\n\r\n"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_give_the_same(
            bytes in prop::collection::vec(
                prop_oneof![
                    Just(b'\n'), Just(b'\r'), Just(b' '), Just(b':'), Just(b'/'), any::<u8>()
                ],
                0..300,
            ),
            begun in any::<bool>(),
            step in 1_usize..40,
        ) {
            let start: &[u8] = if begun { b"GET /a HTTP/1.1\r\n" } else { b"" };
            let bytes = [start, &bytes].concat();
            prop_assert_eq!(request(&bytes, step), request(&bytes, usize::MAX / 2));
        }
    }
}
