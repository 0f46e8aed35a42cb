//! HTTP as plain as possible: one request, one answer, the end.

use super::document;
use crate::support::client::PATIENCE;
use serde_json::Value;
use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::PathBuf,
};

/// Where a server answers.
#[derive(Debug, Clone)]
pub(crate) enum Door {
    Socket(PathBuf),
    Tcp(SocketAddr),
}

/// A connection, whatever it is made of.
pub(crate) trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Door {
    pub(crate) fn open(&self) -> Box<dyn Stream> {
        match self {
            Self::Socket(path) => {
                let stream = UnixStream::connect(path).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                stream.set_write_timeout(Some(PATIENCE)).unwrap();
                Box::new(stream)
            }
            Self::Tcp(address) => {
                let stream = TcpStream::connect(address).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                stream.set_write_timeout(Some(PATIENCE)).unwrap();
                Box::new(stream)
            }
        }
    }

    /// Sends these bytes and reads to the end of the stream.
    pub(crate) fn raw(&self, request: &[u8]) -> Vec<u8> {
        let mut stream = self.open();
        // Who is refused early may not take all of it.
        let _ = stream.write_all(request);
        rest(&mut stream)
    }

    /// Sends a request with these header lines and this body, and holds the answer against the
    /// document.
    pub(crate) fn request(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n");
        for header in headers {
            request += &format!("{header}\r\n");
        }
        if !body.is_empty() {
            request += &format!("Content-Length: {}\r\n", body.len());
        }
        let answer = answer(&self.raw(format!("{request}\r\n{body}").as_bytes()));
        document::check(method, path, &answer);
        answer
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[], "")
    }

    /// `get` of something that must be there.
    #[track_caller]
    pub(crate) fn json(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// `POST` of a JSON body.
    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        self.request("POST", path, &["Content-Type: application/json"], body)
    }

    /// Announces, with this body.
    pub(crate) fn announce(&self, body: &str) -> Answer {
        self.post("/api/v1/announcements", body)
    }

    pub(crate) fn kick(&self, user: &str) -> Answer {
        self.request("DELETE", &format!("/api/v1/users/{user}/sessions"), &[], "")
    }

    /// The value of the metric with this name and these labels, as in the text.
    #[track_caller]
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").body;
        let mut values = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        values.next().map_or(0.0, |value| value.parse().unwrap())
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }

    /// The value of a header field, by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// Everything up to the end of the stream.
pub(crate) fn rest(stream: &mut dyn Stream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("the server did not hang up: {error}"),
        Ok(_) => {}
    }
    bytes
}

/// The only answer in these bytes.
#[track_caller]
pub(crate) fn answer(bytes: &[u8]) -> Answer {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let answer = Answer { status, head: head.into(), body: body.into() };
    let length: usize = answer.header("content-length").unwrap_or("0").parse().unwrap();
    if !head.is_empty() && answer.header("content-length").is_some() {
        assert_eq!(answer.body.len(), length, "{answer:?}");
    }
    answer
}
