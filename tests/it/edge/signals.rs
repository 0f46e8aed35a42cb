//! Signals before, during and after the start.

use super::{
    FIXTURE,
    process::{Process, Ready},
};
use msnd::net::tls::{Policy, Source, TlsServer};
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use sqlx::Connection as _;
use std::{
    fs::{File, read_dir},
    io::Write as _,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

/// Far less than the 10 seconds for which a write waits for a locked database.
const AT_ONCE: Duration = Duration::from_secs(4);

fn files(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
    read_dir(folder).unwrap().map(|entry| name(entry).into_string().unwrap()).collect()
}

#[test]
fn a_signal_during_the_start_leaves_nothing_behind() {
    for signal in ["TERM", "INT", "HUP"] {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("fixture");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let process =
            Process::start(folder.path(), "run --ephemeral --fixture fixture --ready-json");
        // Opens once the server reads its fixture, which then never ends.
        let mut fixture = File::options().write(true).open(&pipe).unwrap();
        fixture.write_all(FIXTURE.as_bytes()).unwrap();
        assert_eq!(files(folder.path()).len(), 2, "the folder is there by now");
        process.signal(signal);
        let (status, _, log) = process.end();
        assert!(status.success(), "{signal}: {status} {log}");
        assert!(log.contains(&format!("ended during the start signal=\"SIG{signal}\"")), "{log}");
        assert_eq!(files(folder.path()), ["fixture"], "{signal}");
    }
}

#[test]
fn a_signal_during_the_smoke_test_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let line = "run --smoke --set log.level=msnd=trace";
    let mut process = Process::start(folder.path(), line);
    process.wait_for("cmd=\"VER\"");
    process.signal("TERM");
    // It may have passed before the signal came; killed by it is what it must not be.
    let (status, _, log) = process.end();
    assert!(status.code().is_some(), "{status} {log}");
    assert_eq!(files(folder.path()), Vec::<String>::new());
}

#[test]
fn a_hang_up_ends_a_server_that_keeps_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("fixture"), FIXTURE).unwrap();
    let mut process =
        Process::start(folder.path(), "run --ephemeral --fixture fixture --ready-json");
    let mut alice = process.ready().sign_in("alice@example.test");
    process.signal("HUP");
    alice.message();
    alice.expect("OUT SSD");
    alice.expect_end();
    let (status, _, log) = process.end();
    assert!(status.success(), "{status} {log}");
    assert_eq!(files(folder.path()), ["fixture"]);
}

/// The certificate that the login service presents.
fn presented(ready: &Ready) -> Vec<u8> {
    let tcp = TcpStream::connect(ready.address("passport-https")).unwrap();
    let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
    connector.set_verify(SslVerifyMode::NONE);
    let client = connector.build().configure().unwrap().verify_hostname(false);
    let stream = client.connect("localhost", tcp).unwrap();
    stream.ssl().peer_certificate().unwrap().to_pem().unwrap()
}

#[test]
fn a_hang_up_reads_certificates_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let make = |name: &str| {
        let other = folder.path().join(name);
        std::fs::create_dir(&other).unwrap();
        let source = Source::Folder { folder: other.clone(), names: Vec::new(), legacy: None };
        TlsServer::open(source, Policy::default()).unwrap();
        move |kind: &str| other.join(format!("passport-{kind}.pem"))
    };
    let (first, second) = (make("first"), make("second"));
    let put = |pair: &dyn Fn(&str) -> PathBuf| {
        for kind in ["cert", "key"] {
            std::fs::copy(pair(kind), file(kind)).unwrap();
        }
    };
    put(&first);
    let mut process = Process::start(
        folder.path(),
        "run --ready-json --set passport.https_bind=127.0.0.1:0 --set dispatch.bind=off \
         --set notification.bind=127.0.0.1:0 --set switchboard.bind=off --set web.bind=off \
         --set passport.certificate_file=cert \
         --set passport.key_file=key",
    );
    let ready = process.ready();
    assert_eq!(presented(&ready), std::fs::read(first("cert")).unwrap());
    put(&second);
    process.signal("HUP");
    process.wait_for("SIGHUP: certificates read again");
    assert_eq!(presented(&ready), std::fs::read(second("cert")).unwrap());

    std::fs::copy(first("key"), file("key")).unwrap();
    process.signal("HUP");
    let line = process.wait_for("SIGHUP: the certificates from before stay");
    assert!(line.contains("ERROR") && line.contains("made together"), "{line}");
    assert_eq!(presented(&ready), std::fs::read(second("cert")).unwrap());
    process.signal("TERM");
    let (status, _, log) = process.end();
    assert!(status.success(), "{status} {log}");
    let warnings: Vec<_> = log.lines().filter(|line| line.contains("passport.tls_floor")).collect();
    assert_eq!(warnings.len(), usize::from(cfg!(feature = "legacy-tls")), "{log}");
}

/// Starts a server in a terminal of its own and closes the terminal.
const IN_A_TERMINAL: &str = "
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
said = b''
while b'Ctrl-C ends' not in said:
    said += os.read(terminal, 4096)
os.close(terminal)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
";

#[test]
fn a_server_ends_with_the_terminal_it_was_started_in() {
    let folder = tempfile::tempdir().unwrap();
    let status = Command::new("timeout")
        .args(["60", "python3", "-c", IN_A_TERMINAL, env!("CARGO_BIN_EXE_msnd"), "run"])
        .args(["--set", "passport.https_bind=off", "--set", "dispatch.bind=off"])
        .args(["--set", "notification.bind=127.0.0.1:0", "--set", "switchboard.bind=off"])
        .current_dir(folder.path())
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
}

#[test]
fn a_server_under_nohup_outlives_its_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let line = "run --ephemeral --ready-json";
    let mut process = Process::start_after("trap '' HUP", folder.path(), line);
    process.ready();
    process.signal("HUP");
    process.signal("TERM");
    let (status, _, log) = process.end();
    assert!(status.success() && log.contains("signal=\"SIGTERM\""), "{status} {log}");
    assert!(!log.contains("SIGHUP"), "{log}");
}

#[test]
fn a_second_signal_waits_for_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let msnd = env!("CARGO_BIN_EXE_msnd");
    let mut add = Command::new(msnd)
        .args(["user", "add", "alice@example.test"])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    add.stdin.take().unwrap().write_all(b"secret\n").unwrap();
    assert!(add.wait().unwrap().success());
    let mut process = Process::start(
        folder.path(),
        "run --ready-json --set log.level=msnd=trace --set passport.https_bind=off --set web.bind=off \
         --set dispatch.bind=off --set notification.bind=127.0.0.1:0 \
         --set switchboard.bind=off \
         --set passport.http_bind=127.0.0.1:0 --set timers.shutdown_grace_secs=1",
    );
    let mut alice = process.ready().sign_in("alice@example.test");

    // Another process keeps the database to itself, and an edit waits for it.
    let database = format!("sqlite://{}", folder.path().join("msnd-data/msnd.sqlite").display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut conn = runtime.block_on(sqlx::SqliteConnection::connect(&database)).unwrap();
    runtime.block_on(sqlx::query("BEGIN IMMEDIATE").execute(&mut conn)).unwrap();
    alice.send("BLP 4 BL");
    process.wait_for("cmd=\"BLP\"");
    process.signal("TERM");
    process.wait_for("shutting down; a second signal ends at once");
    process.signal("TERM");
    let (status, took, log) = process.end();
    assert!(status.success() && took < AT_ONCE, "{status} after {took:?}: {log}");
    assert!(log.contains("ended at once by a second signal"), "{log}");
}

#[test]
fn a_second_signal_still_removes_the_temporary_folder() {
    let folder = tempfile::tempdir().unwrap();
    let line = "run --ephemeral --ready-json --set timers.shutdown_notice_minutes=1";
    let mut process = Process::start(folder.path(), line);
    process.ready();
    process.signal("TERM");
    process.wait_for("shutting down; a second signal ends at once");
    process.signal("HUP");
    let (status, took, log) = process.end();
    assert!(status.success() && took < AT_ONCE, "{status} after {took:?}: {log}");
    assert_eq!(files(folder.path()), Vec::<String>::new());
}
