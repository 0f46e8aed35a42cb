//! A client as plain as possible: lines and payloads over a blocking socket with a time limit, so
//! that a missing line fails a test instead of hanging it.

use super::TestServer;
use msnd::server::Role;
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// How long anything that must happen may take. Never decides a test that passes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// One connection.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).unwrap())
    }

    /// Takes a connection that is there already.
    pub(crate) fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    /// The same connection once more, for a thread that only sends.
    pub(crate) fn second_hand(&self) -> Self {
        Self { stream: BufReader::new(self.stream.get_ref().try_clone().unwrap()) }
    }

    /// Connects to the notification role and claims to be `user`: up to the policy.
    pub(crate) fn greet(server: &TestServer, dialect: &str, user: &str) -> Self {
        let mut client = Self::connect(server.address(Role::Notification));
        client.claim(dialect, user);
        client
    }

    /// Connects to the notification role and signs `user` in: everything up to the profile.
    pub(crate) fn sign_in(server: &TestServer, dialect: &str, user: &str) -> Self {
        Self::connect(server.address(Role::Notification)).signed_in(server, dialect, user)
    }

    /// Signs `user` in on a fresh connection to the notification role.
    pub(crate) fn signed_in(mut self, server: &TestServer, dialect: &str, user: &str) -> Self {
        self.claim(dialect, user);
        self.send(&format!("USR 3 TWN S {}", server.ticket(user)));
        assert!(self.line().starts_with(&format!("USR 3 OK {user} ")));
        let (_, profile) = self.message();
        assert!(profile.contains("text/x-msmsgsprofile"));
        self
    }

    /// Agrees on a dialect and names an account.
    fn claim(&mut self, dialect: &str, user: &str) {
        self.send(&format!("VER 1 {dialect} CVR0"));
        assert!(self.line().starts_with(&format!("VER 1 {dialect}")));
        self.send(&format!("USR 2 TWN I {user}"));
        assert!(self.line().starts_with("USR 2 TWN S lc="));
    }

    /// Signs in, synchronises and shows `status`; `ILN`s and the challenge are read.
    pub(crate) fn present(server: &TestServer, dialect: &str, user: &str, status: &str) -> Self {
        let mut client = Self::sign_in(server, dialect, user);
        client.send("SYN 4 0");
        client.send(&format!("CHG 5 {status}"));
        client.drain();
        client
    }

    /// Sends one line.
    pub(crate) fn send(&mut self, line: &str) {
        self.send_bytes(format!("{line}\r\n").as_bytes());
    }

    /// Sends bytes.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).unwrap();
    }

    /// Closes the sending direction only, if the server has not closed already: what it still says
    /// can be read.
    pub(crate) fn finish_sending(&mut self) {
        let _ = self.stream.get_mut().shutdown(std::net::Shutdown::Write);
    }

    /// Sends bytes to a server that may have closed already.
    pub(crate) fn try_send_bytes(&mut self, bytes: &[u8]) {
        let _ = self.stream.get_mut().write_all(bytes);
    }

    /// Reads whatever is there and throws it away; 0 at the end of the stream.
    pub(crate) fn some_bytes(&mut self) -> usize {
        let mut waste = [0; 4096];
        match self.stream.read(&mut waste) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => 0,
            Err(error) => panic!("the server did not hang up: {error}"),
        }
    }

    /// Sends bytes; whether the connection is still good for it.
    pub(crate) fn can_send_bytes(&mut self, bytes: &[u8]) -> bool {
        match self.stream.get_mut().write_all(bytes) {
            Ok(()) => true,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("nothing could be sent for {PATIENCE:?}")
            }
            Err(_) => false,
        }
    }

    /// The next line without its end; panics at the end of the stream.
    pub(crate) fn line(&mut self) -> String {
        self.line_or_end().expect("a line, not the end")
    }

    /// The next line that is no challenge.
    pub(crate) fn line_but_challenge(&mut self) -> String {
        loop {
            let line = self.line();
            if !line.starts_with("CHL 0 ") {
                return line;
            }
        }
    }

    /// The next line, or `None` at the end of the stream.
    pub(crate) fn line_or_end(&mut self) -> Option<String> {
        let mut line = Vec::new();
        match self.stream.read_until(b'\n', &mut line) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
            Err(error) => panic!("no line came: {error}"),
        }
        let line = String::from_utf8(line).unwrap();
        Some(line.strip_suffix("\r\n").unwrap_or_else(|| panic!("{line:?} has no CRLF")).into())
    }

    /// The next whole line, or `None` if the server is gone, even in the middle of a line.
    pub(crate) fn line_or_cut(&mut self) -> Option<String> {
        let mut line = Vec::new();
        match self.stream.read_until(b'\n', &mut line) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("no line came for {PATIENCE:?}")
            }
            Err(_) => return None,
            Ok(_) => {}
        }
        let line = line.strip_suffix(b"\r\n")?;
        Some(String::from_utf8(line.to_vec()).unwrap())
    }

    /// Exactly so many bytes.
    pub(crate) fn payload(&mut self, bytes: usize) -> Vec<u8> {
        let mut payload = vec![0; bytes];
        self.stream.read_exact(&mut payload).unwrap();
        payload
    }

    /// The next line and its payload.
    pub(crate) fn message(&mut self) -> (String, String) {
        let line = self.line();
        let bytes = line.rsplit(' ').next().unwrap().parse().unwrap();
        (line, String::from_utf8(self.payload(bytes)).unwrap())
    }

    /// Expects exactly this line next, challenges aside.
    #[track_caller]
    pub(crate) fn expect(&mut self, line: &str) {
        assert_eq!(self.line_but_challenge(), line);
    }

    /// Sends a line and expects the answer.
    #[track_caller]
    pub(crate) fn ask(&mut self, line: &str, answer: &str) {
        self.send(line);
        self.expect(answer);
    }

    /// Expects the end of the stream, and nothing before it.
    #[track_caller]
    pub(crate) fn expect_end(&mut self) {
        assert_eq!(self.line_or_end(), None);
    }

    /// Expects the end of the stream, and nothing but challenges before it.
    #[track_caller]
    pub(crate) fn expect_end_but_challenge(&mut self) {
        while let Some(line) = self.line_or_end() {
            assert!(line.starts_with("CHL 0 "), "{line}");
        }
    }

    /// Every line up to the end of the stream.
    pub(crate) fn drain_to_end(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.line_or_end()).collect()
    }

    /// Pings and returns every line before the answer.
    pub(crate) fn drain(&mut self) -> Vec<String> {
        self.send("PNG");
        let mut lines = Vec::new();
        loop {
            let line = self.line();
            if line.starts_with("QNG") {
                return lines;
            }
            if ["MSG ", "NOT ", "IPG "].iter().any(|verb| line.starts_with(verb)) {
                self.payload(line.rsplit(' ').next().unwrap().parse().unwrap());
            }
            lines.push(line);
        }
    }

    /// Whether nothing has come so far; something may be under way.
    pub(crate) fn hears_nothing_yet(&mut self) -> bool {
        let stream = self.stream.get_ref();
        stream.set_nonblocking(true).unwrap();
        let peeked = stream.peek(&mut [0]);
        stream.set_nonblocking(false).unwrap();
        let is_waiting = peeked.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        self.stream.buffer().is_empty() && is_waiting
    }

    /// Expects that nothing but challenges has come.
    #[track_caller]
    pub(crate) fn expect_silence(&mut self) {
        let lines: Vec<_> =
            self.drain().into_iter().filter(|line| !line.starts_with("CHL 0 ")).collect();
        assert_eq!(lines, Vec::<String>::new());
    }
}
