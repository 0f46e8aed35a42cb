//! What a request head says. Lines that are no headers are passed over, but then nobody can be sure
//! where the body ends, and none is read.

use super::{HEADERS_MAX, HOST_BYTES_MAX};
use zeroize::Zeroizing;

/// Digits of a length that is worth looking at.
const LENGTH_DIGITS_MAX: usize = 9;

/// Not a request.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

/// A request without its body. No `Debug`: it may carry a password.
pub struct Request {
    /// In capitals.
    pub method: String,
    /// In lower case, without host and query; empty if the target is a host only.
    pub path: String,
    /// What follows the `?` of the target, as it came; empty if nothing does.
    pub query: Zeroizing<Vec<u8>>,
    /// The host as the client called it, if it is a host name; without port.
    pub host: Option<String>,
    /// The port the client named with it.
    pub port: Option<u16>,
    headers: Vec<(String, Zeroizing<Vec<u8>>)>,
    /// `None` if the head does not say clearly how long the body is.
    length: Option<usize>,
    keeps: bool,
}

impl Request {
    /// Reads meaning into a head, from its first line to the empty one (or the only line, without
    /// a version). Letters of the version are made capitals in place.
    ///
    /// # Errors
    /// [`Malformed`]: no request line, a control character, another version, or more than
    /// [`HEADERS_MAX`] headers.
    pub fn parse(bytes: &mut [u8]) -> Result<Self, Malformed> {
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
        if let Some((method, target)) = target_without_version(line) {
            return Ok(Self::new(&String::from_utf8_lossy(method), target));
        }
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut parsed = httparse::Request::new(&mut headers);
        let outcome = httparse::ParserConfig::default()
            .allow_multiple_spaces_in_request_line_delimiters(true)
            .ignore_invalid_headers_in_requests(true)
            .parse_request(&mut parsed, bytes);
        let (Ok(httparse::Status::Complete(end)), Some(method), Some(target), Some(version)) =
            (outcome, parsed.method, parsed.path, parsed.version)
        else {
            return Err(Malformed);
        };
        if end != bytes.len() {
            return Err(Malformed);
        }
        let mut request = Self::new(method, target.as_bytes());
        let owned = |header: &httparse::Header<'_>| {
            (header.name.to_owned(), Zeroizing::new(header.value.to_vec()))
        };
        request.headers = parsed.headers.iter().map(owned).collect();
        // All lines but the first and the last, the empty one.
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count().saturating_sub(2);
        let is_clear = lines == request.headers.len();
        request.length = is_clear.then(|| request.announced_length()).flatten();
        request.keeps = request.asks_to_keep(version);
        if request.host.is_none() {
            let (host, port) = request.header("host").and_then(authority).unzip();
            (request.host, request.port) = (host, port.flatten());
        }
        Ok(request)
    }

    /// The value of the first header with this name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// Bytes of the body; 0 if there is none. `None` if the head is not clear about it: two
    /// lengths, an encoding of the transfer, or lines that some other program might take for one
    /// of those.
    #[must_use]
    pub const fn body_bytes(&self) -> Option<usize> {
        self.length
    }

    /// Whether the client would use the connection for another request, and may.
    #[must_use]
    pub const fn keeps_connection(&self) -> bool {
        self.keeps && self.length.is_some()
    }

    /// Whether the client waits to be asked for the body.
    #[must_use]
    pub fn expects_continue(&self) -> bool {
        self.header("expect").is_some_and(|value| value.eq_ignore_ascii_case(b"100-continue"))
    }

    fn new(method: &str, target: &[u8]) -> Self {
        let (authority_part, rest) = split_target(target);
        let rest = rest.split(|byte| *byte == b'#').next().unwrap_or_default();
        let path_end = rest.iter().position(|byte| *byte == b'?').unwrap_or(rest.len());
        let (path, query) = rest.split_at(path_end);
        let (host, port) = authority_part.and_then(authority).unzip();
        Self {
            method: method.to_ascii_uppercase(),
            path: String::from_utf8_lossy(path).to_ascii_lowercase(),
            query: Zeroizing::new(query.get(1..).unwrap_or_default().to_vec()),
            host,
            port: port.flatten(),
            headers: Vec::new(),
            length: Some(0),
            keeps: false,
        }
    }

    /// The values of all headers with this name, in any case, in their order.
    pub fn all(&self, name: &str) -> impl DoubleEndedIterator<Item = &[u8]> {
        let same = move |(known, _): &&(String, _)| known.eq_ignore_ascii_case(name);
        self.headers.iter().filter(same).map(|(_, value)| value.as_slice())
    }

    fn announced_length(&self) -> Option<usize> {
        let mut lengths = self.all("content-length");
        if self.header("transfer-encoding").is_some() {
            return None;
        }
        let Some(length) = lengths.next() else { return Some(0) };
        let is_number = (1..=LENGTH_DIGITS_MAX).contains(&length.len())
            && length.iter().all(u8::is_ascii_digit);
        if !is_number || lengths.next().is_some() {
            return None;
        }
        std::str::from_utf8(length).ok()?.parse().ok()
    }

    fn asks_to_keep(&self, minor_version: u8) -> bool {
        let says = |word: &str| {
            ["connection", "proxy-connection"].iter().any(|name| {
                let mut words = self.all(name).flat_map(|value| value.split(|byte| *byte == b','));
                words.any(|value| value.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
            })
        };
        if minor_version == 0 { says("keep-alive") && !says("close") } else { !says("close") }
    }
}

/// A host name without its port, if it is one: letters, digits, `-`, `.`, `_`.
#[must_use]
pub fn host_name(text: &[u8]) -> Option<String> {
    authority(text).map(|(host, _)| host)
}

/// Method and target of a request line that consists of those only.
pub(super) fn target_without_version(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let (method, target) = (words.next()?, words.next()?);
    words.next().is_none().then_some((method, target))
}

/// `host` or `host:port`. A port that is no number from 1 to 65535 is left out.
fn authority(text: &[u8]) -> Option<(String, Option<u16>)> {
    let text = std::str::from_utf8(text).ok()?;
    let (host, port) = match text.split_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, port),
        Some(_) => return None,
        None => (text, ""),
    };
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let fits = (1..=HOST_BYTES_MAX).contains(&host.len()) && host.bytes().all(legal);
    fits.then(|| (host.to_owned(), port.parse().ok().filter(|port| *port > 0)))
}

/// Authority, if there is one, and the rest of `/path?query` or `http://host:port/path?query`.
fn split_target(target: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let scheme = target.windows(3).position(|window| window == b"://");
    match scheme {
        Some(scheme) if target[..scheme].iter().all(u8::is_ascii_alphabetic) => {
            let rest = &target[scheme + 3..];
            let end = rest.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(rest.len());
            (Some(&rest[..end]), &rest[end..])
        }
        _ => (None, target),
    }
}

fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}
