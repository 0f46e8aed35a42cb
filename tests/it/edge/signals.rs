//! Signals before, during and after the start.

use super::{FIXTURE, process::Process};
use sqlx::Connection as _;
use std::{
    fs::{File, read_dir},
    io::Write as _,
    path::Path,
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
fn a_hang_up_is_a_gentle_end() {
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
