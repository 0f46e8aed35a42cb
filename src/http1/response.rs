//! An answer, written in one piece. Header names keep the case in which they are given.

use super::Request;
use zeroize::Zeroizing;

/// Room for the head of every answer we give, so that no copy with a ticket in it is left behind by
/// growing.
const HEAD_BYTES: usize = 2048;

/// Somebody who must know what becomes of an answer. Dropped behind [`Receipt::written`], it is
/// told that nobody will ever know: a connection that was reset may have brought all of it.
pub trait Receipt: Send {
    /// The system has taken all of it. Without this call it has not.
    fn written(&mut self);

    /// Whether `next`, the request behind it on its connection, could only come from somebody who
    /// has the answer. A proxy sends requests of many clients over one connection.
    fn is_proved_by(&self, next: &Request) -> bool;

    /// The client has it (it has asked on, or closed the connection in order), or has not (it had
    /// closed its end before the answer came).
    fn settled(self: Box<Self>, has_arrived: bool);
}

/// An answer in the making.
#[must_use]
pub struct Response {
    head: Zeroizing<Vec<u8>>,
    body: Zeroizing<Vec<u8>>,
    keeps: bool,
    receipt: Option<Box<dyn Receipt>>,
}

impl Response {
    /// Begins with `HTTP/1.1`, whatever the request said: clients compare the whole line. The type
    /// is `text/html`, the body empty.
    pub fn new(status: &str) -> Self {
        Self::of_type(status, "text/html")
    }

    /// The same with another type.
    pub fn of_type(status: &str, content_type: &str) -> Self {
        let mut head = Zeroizing::new(Vec::with_capacity(HEAD_BYTES));
        for part in ["HTTP/1.1 ", status, "\r\n"] {
            head.extend_from_slice(part.as_bytes());
        }
        let body = Zeroizing::default();
        Self { head, body, keeps: false, receipt: None }.header("Content-Type", content_type)
    }

    /// Adds a line. A control character in the value would end it early, so it becomes `?`.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        push_header(&mut self.head, name, value);
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Zeroizing::new(body.into());
        self
    }

    /// Lets the connection live on, if the client wants that too. Without it the answer is the
    /// connection's last.
    pub fn keep_alive(mut self) -> Self {
        self.keeps = true;
        self
    }

    /// `receipt` hears what becomes of the answer.
    pub fn receipt(mut self, receipt: impl Receipt + 'static) -> Self {
        self.receipt = Some(Box::new(receipt));
        self
    }

    /// The bytes to be sent, all at once, for an answer that is the connection's last.
    #[must_use]
    pub fn finish(self) -> Zeroizing<Vec<u8>> {
        self.bytes(false, true)
    }

    pub(super) const fn keeps(&self) -> bool {
        self.keeps
    }

    pub(super) fn take_receipt(&mut self) -> Option<Box<dyn Receipt>> {
        self.receipt.take()
    }

    pub(super) fn bytes(self, keeps: bool, with_body: bool) -> Zeroizing<Vec<u8>> {
        let Self { head, body, .. } = self;
        let mut bytes = Zeroizing::new(Vec::with_capacity(head.len() + body.len() + 100));
        bytes.extend_from_slice(&head);
        push_header(&mut bytes, "Content-Length", &body.len().to_string());
        push_header(&mut bytes, "Connection", if keeps { "Keep-Alive" } else { "close" });
        bytes.extend_from_slice(b"\r\n");
        if with_body {
            bytes.extend_from_slice(&body);
        }
        bytes
    }
}

fn push_header(bytes: &mut Vec<u8>, name: &str, value: &str) {
    bytes.extend_from_slice(name.as_bytes());
    bytes.extend_from_slice(b": ");
    let safe = |byte: u8| if byte.is_ascii_control() { b'?' } else { byte };
    bytes.extend(value.bytes().map(safe));
    bytes.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn no_value_can_end_its_line() {
        let bytes = Response::new("200 OK").header("X", "a\r\nb\0").finish();
        assert_eq!(
            text(&bytes),
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX: a??b?\r\nContent-Length: 0\r\n\
             Connection: close\r\n\r\n"
        );
    }

    #[test]
    fn the_length_is_there_also_where_the_body_is_not() {
        let response = || Response::of_type("200 OK", "text/plain").body("words");
        assert_eq!(
            text(&response().bytes(true, true)),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\
             Connection: Keep-Alive\r\n\r\nwords"
        );
        assert!(
            text(&response().bytes(true, false))
                .ends_with("Length: 5\r\nConnection: Keep-Alive\r\n\r\n")
        );
    }
}
