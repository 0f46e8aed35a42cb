//! The real binary as a child process: its own folders, its own environment, every line it prints.
//! Dropping it ends it.

use crate::support::{Client, client::PATIENCE};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
};
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_msnd");

/// What the binary finds: an empty working folder, a folder for temporary files, and one for what
/// the test gives it. Nothing of the outside is in its environment.
pub(crate) struct Home {
    working: TempDir,
    temporary: TempDir,
    given: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        let folder = || tempfile::tempdir().unwrap();
        Self { working: folder(), temporary: folder(), given: folder() }
    }

    /// Writes a file outside of the working folder.
    pub(crate) fn give(&self, name: &str, text: &str) -> String {
        let path = self.given.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A folder for data, not made yet.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.given.path().join("data")
    }

    /// Everything in the folders where a server that keeps nothing must leave nothing.
    pub(crate) fn leftovers(&self) -> Vec<PathBuf> {
        let folders = [&self.working, &self.temporary];
        let entries = folders.into_iter().flat_map(|folder| folder.path().read_dir().unwrap());
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// What is in the folder for temporary files.
    pub(crate) fn temporary_files(&self) -> usize {
        self.temporary.path().read_dir().unwrap().count()
    }

    fn prepare(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.working.path()).env_clear().env("TMPDIR", self.temporary.path());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str], stdin: &str) -> Output {
        let mut command = self.prepare(BINARY);
        command.args(arguments).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A command that reads nothing may be gone already.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// Runs a command on the accounts of [`Self::data_dir`], which must succeed.
    pub(crate) fn manage(&self, line: &str, stdin: &str) -> String {
        let data_dir = self.data_dir();
        let mut arguments: Vec<&str> = line.split(' ').collect();
        arguments.extend(["--data-dir", data_dir.to_str().unwrap()]);
        let output = self.run(&arguments, stdin);
        assert!(output.status.success(), "{line}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// `run` with these arguments.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Server {
        let mut command = self.prepare(BINARY);
        command.arg("run").args(arguments);
        Server::spawn(command)
    }

    /// `run` with these arguments and at most so many open files.
    pub(crate) fn spawn_limited(&self, files: u32, arguments: &[&str]) -> Server {
        let mut command = self.prepare("/bin/sh");
        command.args(["-c", &format!("ulimit -n {files}; exec \"$0\" run \"$@\""), BINARY]);
        command.args(arguments);
        Server::spawn(command)
    }

    /// A server that keeps nothing, ready to serve the people of `fixture`.
    pub(crate) fn ephemeral(&self, fixture: &str, options: &[&str]) -> Server {
        let fixture = self.give("fixture.toml", fixture);
        let mut arguments = vec!["--ephemeral", "--fixture", &fixture, "--ready-json"];
        arguments.extend(options.iter().flat_map(|option| ["--set", option]));
        let mut server = self.spawn(&arguments);
        server.await_ready();
        server
    }

    /// A server on [`Self::data_dir`] with every listener on a free port, ready to serve.
    pub(crate) fn keeping(&self, options: &[&str]) -> Server {
        let data_dir = self.data_dir();
        let mut arguments = vec!["--data-dir", data_dir.to_str().unwrap(), "--ready-json"];
        let free = FREE_PORTS.iter().chain(options);
        arguments.extend(free.flat_map(|option| ["--set", option]));
        let mut server = self.spawn(&arguments);
        server.await_ready();
        server
    }
}

/// Options that put all listeners on free ports.
pub(crate) const FREE_PORTS: &[&str] = &[
    "dispatch.bind=127.0.0.1:0",
    "notification.bind=127.0.0.1:0",
    "switchboard.bind=127.0.0.1:0",
    "passport.http_bind=127.0.0.1:0",
    "passport.https_bind=127.0.0.1:0",
    "web.bind=127.0.0.1:0",
];

/// A running `msnd run`.
pub(crate) struct Server {
    child: Child,
    out: Receiver<String>,
    err: Receiver<String>,
    logged: Vec<String>,
    addresses: BTreeMap<String, SocketAddr>,
}

impl Server {
    fn spawn(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let out = lines(child.stdout.take().unwrap());
        let err = lines(child.stderr.take().unwrap());
        Self { child, out, err, logged: Vec::new(), addresses: BTreeMap::new() }
    }

    /// The next line on standard output.
    #[track_caller]
    pub(crate) fn out_line(&mut self) -> String {
        match self.out.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(error) => panic!("no line on standard output: {error}; logged: {:?}", self.log()),
        }
    }

    /// Reads the ready line, from which [`Self::address`] answers.
    pub(crate) fn await_ready(&mut self) -> Value {
        let ready: Value = serde_json::from_str(&self.out_line()).unwrap();
        for listener in ready["listeners"].as_array().unwrap() {
            let (role, address) = (&listener["role"], listener["addr"].as_str().unwrap());
            // The admin socket is a path and no address.
            if !address.starts_with("unix:") {
                let role = role.as_str().unwrap().to_owned();
                self.addresses.insert(role, address.parse().unwrap());
            }
        }
        ready
    }

    /// Where `role` listens.
    pub(crate) fn address(&self, role: &str) -> SocketAddr {
        self.addresses[role]
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Memory in use, KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Waits until a line with `text` is logged, and returns it.
    #[track_caller]
    pub(crate) fn await_log(&mut self, text: &str) -> String {
        loop {
            match self.err.recv_timeout(PATIENCE) {
                Ok(line) => self.logged.push(line),
                Err(error) => panic!("{text:?} was not logged: {error}; but {:?}", self.logged),
            }
            let line = self.logged.last().unwrap();
            if line.contains(text) {
                return line.clone();
            }
        }
    }

    /// Everything logged so far.
    pub(crate) fn log(&mut self) -> &[String] {
        self.logged.extend(self.err.try_iter());
        &self.logged
    }

    /// Sends a signal such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.pid());
        assert!(Command::new("/bin/sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Ends it as a power cut would, as far as a process can tell, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the end: exit status, the rest of standard output, everything logged.
    #[track_caller]
    pub(crate) fn wait(mut self) -> Ended {
        loop {
            // The log ends with the process.
            match self.err.recv_timeout(PATIENCE) {
                Ok(line) => self.logged.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("still running: {:?}", self.logged),
            }
        }
        let status = self.child.wait().unwrap();
        let logged = std::mem::take(&mut self.logged);
        Ended { status, out: self.out.iter().collect(), logged }
    }

    /// A connection to `role`.
    pub(crate) fn connect(&self, role: &str) -> Client {
        Client::connect(self.address(role))
    }

    /// One request to the Passport service without TLS; the whole answer.
    pub(crate) fn http(&self, request: &str) -> String {
        exchange(TcpStream::connect(self.address("passport-http")).unwrap(), request)
    }

    /// The ticket for a right password.
    #[track_caller]
    pub(crate) fn ticket(&self, user: &str, password: &str) -> String {
        ticket_in(&self.http(&login("/login2.srf", user, password)))
    }

    /// The answer to a ticket on a fresh connection: a line, and the connection behind it.
    pub(crate) fn present_ticket(&self, user: &str, ticket: &str) -> (Client, String) {
        let mut client = self.connect("notification");
        client.ask("VER 1 MSNP9 CVR0", "VER 1 MSNP9 CVR0");
        client.send(&format!("USR 2 TWN I {user}"));
        assert!(client.line().starts_with("USR 2 TWN S "));
        client.send(&format!("USR 3 TWN S {ticket}"));
        let answer = client.line();
        (client, answer)
    }

    /// Signs in at the notification role: everything up to the profile.
    #[track_caller]
    pub(crate) fn sign_in(&self, user: &str, password: &str) -> Client {
        let (mut client, answer) = self.present_ticket(user, &self.ticket(user, password));
        assert!(answer.starts_with(&format!("USR 3 OK {user} ")), "{answer}");
        client.message();
        client
    }

    /// Signs in the long way: dispatch, nexus, login, and the notification server referred to.
    pub(crate) fn sign_in_through_dispatch(&self, user: &str, password: &str) -> Client {
        let mut ds = self.connect("dispatch");
        ds.ask("VER 1 MSNP9 MSNP8 CVR0", "VER 1 MSNP9 MSNP8 CVR0");
        ds.send(&format!("CVR 2 0x0409 winnt 5.1 i386 MSNMSGR 6.0.0602 MSMSGS {user}"));
        assert!(ds.line().starts_with("CVR 2 6.0.0602 "));
        ds.send(&format!("USR 3 TWN I {user}"));
        let referral = ds.line();
        let words: Vec<&str> = referral.split(' ').collect();
        assert_eq!(words[..3], ["XFR", "3", "NS"], "{referral}");
        assert_eq!(words[4..], ["0", &self.address("dispatch").to_string()]);
        let mut ns = Client::connect(words[3].parse().unwrap());
        ns.ask("VER 4 MSNP9 MSNP8 CVR0", "VER 4 MSNP9 MSNP8 CVR0");
        ns.send(&format!("USR 5 TWN I {user}"));
        assert!(ns.line().starts_with("USR 5 TWN S lc=1033,id=507,"));
        let nexus = self.http("GET /rdr/pprdr.asp HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        let (_, rest) = nexus.split_once("DALogin=127.0.0.1").unwrap();
        let path = rest.split(',').next().unwrap();
        let ticket = ticket_in(&self.http(&login(path, user, password)));
        ns.send(&format!("USR 6 TWN S {ticket}"));
        assert!(ns.line().starts_with(&format!("USR 6 OK {user} ")));
        ns.message();
        ns
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; nothing is left of it in any case.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process left behind.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// What it printed and nobody had read.
    pub(crate) out: Vec<String>,
    pub(crate) logged: Vec<String>,
}

impl Ended {
    /// Everything logged, for messages and searches.
    pub(crate) fn log(&self) -> String {
        self.logged.join("\n")
    }
}

/// A login request as a client writes it.
pub(crate) fn login(path: &str, user: &str, password: &str) -> String {
    let encode =
        |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02x}")).collect() };
    format!(
        "GET {path} HTTP/1.1\r\nAuthorization: Passport1.4 OrgVerb=GET,\
         OrgURL=http%3A%2F%2Fmessenger%2Emsn%2Ecom,sign-in={},pwd={},lc=1033,id=507,tw=40,fs=1,\
         ct=1,kpp=1,kv=11,ver=2.1.6000.1,tpf=0\r\nHost: login\r\n\r\n",
        encode(user),
        encode(password)
    )
}

/// Sends a request and reads the answer to its end.
pub(crate) fn exchange(mut stream: impl Read + Write, request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// What a client finds between the quotes.
#[track_caller]
pub(crate) fn ticket_in(answer: &str) -> String {
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    answer.split_once("from-PP='").unwrap().1.split_once('\'').unwrap().0.to_owned()
}

fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            // Nobody listens any more when the test is over.
            if line.is_ok_and(|line| sender.send(line).is_err()) {
                return;
            }
        }
    });
    receiver
}
