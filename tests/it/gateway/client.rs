//! A client behind the gateway: requests over real sockets, header names compared byte by byte.

use crate::support::{TestServer, client::PATIENCE};
use msnd::server::Role;
use std::{
    collections::VecDeque,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

/// One connection to port 80.
pub(crate) struct Http(BufReader<TcpStream>);

/// One answer.
#[derive(Debug)]
pub(crate) struct Reply {
    /// Everything before the empty line.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Http {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    /// Sends a request to the gateway with this query.
    pub(super) fn send(&mut self, query: &str, body: &str) {
        self.send_with(&format!("/gateway/gateway.dll?{query}"), "", body);
    }

    /// Sends a request with further header lines.
    pub(super) fn send_with(&mut self, target: &str, headers: &str, body: &str) {
        let request = format!(
            "POST {target} HTTP/1.1\r\nAccept: */*\r\nUser-Agent: MSMSGS\r\n\
             Host: gateway.messenger.hotmail.com\r\nProxy-Connection: Keep-Alive\r\n\
             Connection: Keep-Alive\r\nPragma: no-cache\r\n{headers}\
             Content-Type: application/x-msn-messenger\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.send_raw(&request);
    }

    pub(crate) fn send_raw(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    /// Reads one answer by its length.
    pub(crate) fn read(&mut self) -> Reply {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(self.0.read_line(&mut head).unwrap(), 0, "no answer: {head:?}");
        }
        let head = head.trim_end().to_owned();
        let mut reply = Reply { head, body: String::new() };
        let mut body = vec![0; reply.header("Content-Length").unwrap().parse().unwrap()];
        self.0.read_exact(&mut body).unwrap();
        reply.body = String::from_utf8(body).unwrap();
        reply
    }

    pub(super) fn ask(&mut self, query: &str, body: &str) -> Reply {
        self.send(query, body);
        self.read()
    }

    /// Closes the connection as some clients do, with a reset.
    pub(super) fn reset(self) {
        let stream = self.0.into_inner();
        socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    }

    /// What one system call reads.
    pub(super) fn read_once(&mut self) -> String {
        let mut bytes = vec![0; 64 * 1024];
        let count = self.0.get_mut().read(&mut bytes).unwrap();
        String::from_utf8(bytes[..count].to_vec()).unwrap()
    }
}

impl Reply {
    pub(crate) fn status(&self) -> &str {
        self.head.lines().next().unwrap()
    }

    /// A header by its exact name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// The parts of the session header.
    pub(crate) fn session(&self) -> Vec<&str> {
        self.header("X-MSN-Messenger").unwrap().split("; ").collect()
    }

    /// The session's id.
    pub(crate) fn id(&self) -> String {
        self.session()[0].strip_prefix("SessionID=").unwrap().to_owned()
    }

    /// Nothing but an empty refusal.
    #[track_caller]
    pub(super) fn expect_refused(&self) {
        assert_eq!(self.status(), "HTTP/1.1 400 Bad Request");
        assert_eq!((self.header("Content-Length"), &*self.body), (Some("0"), ""));
        assert_eq!(self.header("X-MSN-Messenger"), None);
    }
}

/// A session over one connection that is asked again and again.
pub(super) struct Gated {
    pub(super) http: Http,
    pub(super) id: String,
    lines: VecDeque<String>,
}

impl Gated {
    /// Opens a session to `NS` or `SB`.
    pub(super) fn open(server: &TestServer, role: &str, body: &str) -> Self {
        let mut http = Http::connect(server.address(Role::Http));
        let reply = http.ask(&format!("Action=open&Server={role}&IP=messenger.hotmail.com"), body);
        assert_eq!(reply.status(), "HTTP/1.1 200 OK");
        let mut gated = Self { http, id: reply.id(), lines: VecDeque::new() };
        gated.take(&reply.body);
        gated
    }

    /// Signs `user` in.
    pub(super) fn sign_in(server: &TestServer, user: &str) -> Self {
        let first = format!("VER 1 MSNP9 CVR0\r\nUSR 2 TWN I {user}\r\n");
        let mut gated = Self::open(server, "NS", &first);
        assert!(gated.line().starts_with("VER 1 MSNP9"));
        assert!(gated.line().starts_with("USR 2 TWN S lc="));
        gated.send(&format!("USR 3 TWN S {}", server.ticket(user)));
        assert!(gated.line().starts_with(&format!("USR 3 OK {user} ")));
        gated
    }

    /// Signs `user` in and shows it; what was told meanwhile is thrown away.
    pub(super) fn present(server: &TestServer, user: &str) -> Self {
        let mut gated = Self::sign_in(server, user);
        gated.send("SYN 4 0\r\nCHG 5 NLN\r\nPNG");
        while !gated.line().starts_with("QNG ") {}
        gated
    }

    /// Sends one line in a request of its own.
    pub(super) fn send(&mut self, line: &str) {
        self.send_bytes(&format!("{line}\r\n"));
    }

    pub(super) fn send_bytes(&mut self, bytes: &str) {
        let reply = self.http.ask(&format!("SessionID={}", self.id), bytes);
        assert_eq!(reply.status(), "HTTP/1.1 200 OK");
        self.take(&reply.body);
    }

    pub(super) fn poll(&mut self) -> Reply {
        self.http.ask(&format!("Action=poll&SessionID={}", self.id), "")
    }

    /// The next line, or the text of the next payload; waits for it by long polls.
    pub(super) fn line(&mut self) -> String {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return line;
            }
            let reply =
                self.http.ask(&format!("Action=poll&SessionID={}&Lifespan=20", self.id), "");
            assert_eq!(reply.session().len(), 2, "the session is over");
            self.take(&reply.body);
        }
    }

    #[track_caller]
    pub(super) fn expect(&mut self, line: &str) {
        loop {
            let found = self.line();
            if !found.starts_with("CHL 0 ") {
                assert_eq!(found, line);
                return;
            }
        }
    }

    fn take(&mut self, body: &str) {
        self.lines.extend(commands(body));
    }
}

/// The lines of a body, each payload as one more; panics where a command is not whole.
pub(crate) fn commands(mut body: &str) -> Vec<String> {
    let mut lines = Vec::new();
    while !body.is_empty() {
        let (line, rest) = body.split_once("\r\n").expect("a whole line");
        lines.push(line.to_owned());
        body = rest;
        if line.starts_with("MSG ") {
            let bytes = line.rsplit(' ').next().unwrap().parse().unwrap();
            lines.push(body.get(..bytes).expect("the whole payload").to_owned());
            body = &body[bytes..];
        }
    }
    lines
}
