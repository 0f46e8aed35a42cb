//! A server in a process of its own, for what only a process has: signals, a log, open files.

use crate::support::{Client, client::PATIENCE};
use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};
use tokio::time::Instant;

/// A running `msnd`; killed if the test forgets it.
pub(super) struct Process {
    child: Child,
    stdout: BufReader<ChildStdout>,
    log: Receiver<String>,
    seen: String,
}

/// Where the roles of a process listen.
pub(super) struct Ready(serde_json::Value);

impl Process {
    /// Starts `msnd` with these arguments; temporary files go below `folder`.
    pub(super) fn start(folder: &Path, line: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_msnd"));
        command.args(line.split_whitespace());
        Self::spawn(folder, command)
    }

    /// Starts it from a shell that does `before` first.
    pub(super) fn start_after(before: &str, folder: &Path, line: &str) -> Self {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{before}; exec {} {line}", env!("CARGO_BIN_EXE_msnd")));
        Self::spawn(folder, command)
    }

    fn spawn(folder: &Path, mut command: Command) -> Self {
        let mut child = command
            .current_dir(folder)
            .env_clear()
            .env("TMPDIR", folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let log = lines(child.stderr.take().unwrap());
        Self { child, stdout, log, seen: String::new() }
    }

    /// Waits until every listener accepts.
    pub(super) fn ready(&mut self) -> Ready {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        Ready(serde_json::from_str(&line).unwrap_or_else(|_| panic!("{}", self.rest_of_log())))
    }

    /// Waits for a line of the log that contains `text`.
    #[track_caller]
    pub(super) fn wait_for(&mut self, text: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(line) = self.log.recv_timeout(left) else {
                panic!("no line with {text:?} in\n{}", self.seen)
            };
            self.seen += &line;
            self.seen.push('\n');
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Sends a signal such as `TERM`.
    pub(super) fn signal(&self, name: &str) {
        let kill = format!("kill -s {name} {}", self.child.id());
        assert!(Command::new("sh").arg("-c").arg(kill).status().unwrap().success());
    }

    /// Waits for the end: how it ended, how long that took, and the whole log.
    pub(super) fn end(mut self) -> (ExitStatus, Duration, String) {
        let begin = Instant::now();
        let status = self.child.wait().unwrap();
        (status, begin.elapsed(), self.rest_of_log())
    }

    fn rest_of_log(&mut self) -> String {
        let rest: Vec<String> = self.log.iter().collect();
        format!("{}{}", self.seen, rest.join("\n"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail if it has ended, as it should have.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ready {
    /// Where `role` listens.
    pub(super) fn address(&self, role: &str) -> SocketAddr {
        let listeners = self.0["listeners"].as_array().unwrap();
        let found = listeners.iter().find(|listener| listener["role"] == role).unwrap();
        found["addr"].as_str().unwrap().parse().unwrap()
    }

    /// A client of the notification role, signed in.
    pub(super) fn sign_in(&self, user: &str) -> Client {
        let mut client = Client::connect(self.address("notification"));
        client.send(&format!("VER 1 MSNP9 CVR0\r\nUSR 2 TWN I {user}"));
        client.line();
        client.line();
        let ticket = crate::support::server::ticket(self.address("passport-http"), user);
        client.send(&format!("USR 3 TWN S {ticket}"));
        assert!(client.line().starts_with("USR 3 OK "));
        client.message();
        client
    }
}

/// Reads lines as they come, so that the process never waits for us.
fn lines(stderr: ChildStderr) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}
