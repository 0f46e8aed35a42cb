//! What happens at the edges of a run: signals at any time, options that cannot work, files and
//! connections that run out, and what the log says of it.

mod log;
mod process;
mod signals;

use crate::support::{
    Client, TestServer,
    server::{PASSWORD, new_account},
};
use msnd::{
    account::{Accounts, AuthError, Candidate},
    config::{Bind, Config, Synchronous},
    model::{Address, roster::RosterLimits},
    server::Role,
    store::{
        Store as _,
        password::{Cost, PasswordHasher},
        sqlite::{SqliteOptions, SqliteStore},
    },
};
use process::Process;
use std::{net::IpAddr, path::Path, process::Command, sync::Arc};

const FIXTURE: &str =
    "[[user]]\nemail = \"alice@example.test\"\npassword = \"secret\"\nname = \"Alice\"\n";

/// Runs `msnd config check` with these options; exit code and complaint.
fn check(options: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_msnd"));
    command.args(["config", "check"]).env_clear();
    for option in options {
        command.arg("--set").arg(option);
    }
    let output = command.output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

async fn open_store(path: &Path, readers: u32) -> SqliteStore {
    let options = SqliteOptions {
        path: path.into(),
        synchronous: Synchronous::Off,
        readers,
        limits: RosterLimits::default(),
        create: true,
    };
    SqliteStore::open(options).await.unwrap()
}

#[test]
fn options_that_cannot_work_are_refused_before_the_start() {
    for (options, says) in [
        (&["dispatch.bind=0.0.0.0:1864"][..], "set dispatch.bind to `notification`"),
        (&["notification.bind=127.0.0.1:1863"], "set dispatch.bind to `notification`"),
        (&["passport.http_bind=127.0.0.1:443"], "passport.https_bind (0.0.0.0:443)"),
        (
            &["notification.bind=notification"],
            "only dispatch.bind and switchboard.bind can be this",
        ),
        (&["notification.bind=[2001:db8::1]:1864"], "`notification.advertised` is empty"),
        (&["dispatch.bind=[2001:db8::1]:1863"], "`dispatch.advertised` is empty"),
        (&["passport.site_url=http://it's.example.org"], "quotes"),
        (&["passport.login_host=login.example.org/"], "`passport.login_host`"),
        (&["limits.payload_bytes_max=8193"], "choose from 1024 to 8192"),
        (&["passport.failures_per_account_max=0"], "choose from 1 to"),
        (&["passport.failures_per_address_max=0"], "choose from 1 to"),
    ] {
        let (code, complaint) = check(options);
        assert_eq!(code, 78, "{options:?}: {complaint}");
        assert!(complaint.contains(says), "{options:?}: {complaint}");
    }
    for options in [
        &["dispatch.bind=notification"][..],
        &["dispatch.bind=127.0.0.1:1863", "notification.bind=127.0.0.2:1863"],
        &["notification.bind=[2001:db8::1]:1864", "notification.advertised=ns.example.org"],
    ] {
        assert_eq!(check(options), (0, String::new()), "{options:?}");
    }
}

#[test]
fn one_port_chosen_by_the_kernel_serves_without_a_referral() {
    let folder = tempfile::tempdir().unwrap();
    let line = "run --ephemeral --ready-json --set dispatch.bind=notification";
    let mut process = Process::start(folder.path(), line);
    let ready = process.ready();
    assert_eq!(ready.address("dispatch"), ready.address("notification"));
    let mut client = Client::connect(ready.address("dispatch"));
    client.send("VER 1 MSNP9 CVR0\r\nUSR 2 TWN I alice@example.test");
    client.line();
    let answer = client.line();
    assert!(answer.starts_with("USR 2 TWN S "), "{answer}");
    process.signal("TERM");
    assert!(process.end().0.success());
}

#[test]
fn one_port_is_listed_for_both_roles() {
    let server = TestServer::start_with(|config| config.dispatch.bind = Bind::Notification);
    assert_eq!(server.address(Role::Dispatch), server.address(Role::Notification));
}

#[test]
fn what_ships_gives_a_shutdown_the_time_it_takes() {
    let seconds = |text: &str, key: &str| -> u64 {
        let value = text.lines().find_map(|line| line.trim().strip_prefix(key)).unwrap();
        value.trim_end_matches('s').parse().unwrap()
    };
    let takes = Config::default().timers.shutdown_grace_secs;
    for (text, key) in [
        (include_str!("../../config/msnd.service"), "TimeoutStopSec="),
        (include_str!("../../compose.yaml"), "stop_grace_period: "),
    ] {
        assert!(seconds(text, key) > takes, "{key}");
        assert!(text.contains("timers.shutdown_notice_minutes"), "{key}");
    }
}

#[tokio::test]
async fn strangers_do_not_lock_an_owner_out() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open_store(&folder.path().join("db"), 1).await);
    store.create_accounts(vec![new_account("alice@example.test")]).await.unwrap();
    let hasher = Arc::new(PasswordHasher::new(Cost::Cheap, 1, 8));
    let mut limits = Config::default().passport;
    limits.failures_per_account_max = 3;
    let accounts = Accounts::new(store.clone(), hasher, &limits);
    let alice = Address::parse("alice@example.test").unwrap();
    let attempt = async |password: &str, peer: &str| {
        let peer: IpAddr = peer.parse().unwrap();
        let candidates = vec![Candidate::new(password.as_bytes())];
        accounts.authenticate(Some(&alice), candidates, peer).await.map(drop)
    };
    assert_eq!(attempt(PASSWORD, "2001:db8::1").await, Ok(()));
    for stranger in ["198.51.100.1", "198.51.100.2", "198.51.100.3"] {
        assert_eq!(attempt("guess", stranger).await, Err(AuthError::Refused));
    }
    assert_eq!(attempt(PASSWORD, "198.51.100.4").await, Err(AuthError::Throttled));
    assert_eq!(attempt("slip", "2001:db8::2").await, Err(AuthError::Refused));
    assert_eq!(attempt(PASSWORD, "2001:db8::2").await, Ok(()));
    store.close().await;
}

/// How often each of the database's files is open in this process.
fn open_files(path: &Path) -> (usize, usize) {
    let name = path.to_str().unwrap();
    let wal = format!("{name}-wal");
    let open: Vec<_> = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
        .collect();
    let count = |name: &str| open.iter().filter(|open| open.as_os_str() == name).count();
    (count(name), count(&wal))
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn readers_have_all_their_files_from_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let store = Arc::new(open_store(&path, 4).await);
    store.create_accounts(vec![new_account("alice@example.test")]).await.unwrap();
    let at_start = open_files(&path);
    let alice = Address::parse("alice@example.test").unwrap();
    let reads = (0..16).map(|_| store.account(&alice));
    for read in futures_of(reads).await {
        read.unwrap();
    }
    assert_eq!(open_files(&path), at_start);
    store.close().await;
}

/// Polls all of them together.
async fn futures_of<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|cx| {
        for (future, output) in &mut waiting {
            if output.is_none()
                && let std::task::Poll::Ready(ready) = future.as_mut().poll(cx)
            {
                *output = Some(ready);
            }
        }
        match waiting.iter().all(|(_, output)| output.is_some()) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    waiting.into_iter().filter_map(|(_, output)| output).collect()
}

/// Needs `strace`, for nothing but power loss shows whether a folder was synced.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs strace and the right to trace; run by hand when backups change"]
fn a_backup_is_synced_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let msnd = env!("CARGO_BIN_EXE_msnd");
    let run = |command: &mut Command| {
        let output = command.current_dir(folder.path()).env("MSND_DATA_DIR", "data").output();
        assert!(output.as_ref().unwrap().status.success(), "{output:?}");
    };
    run(Command::new(msnd).args(["db", "migrate"]));
    let strace = ["-f", "-y", "-e", "trace=fsync,linkat,renameat2,rename,link", "-o", "calls"];
    run(Command::new("strace").args(strace).args([msnd, "db", "backup", "backups.sqlite"]));
    let calls = std::fs::read_to_string(folder.path().join("calls")).unwrap();
    let named = calls.rfind("backups.sqlite").expect("the backup got its name");
    let at = folder.path().canonicalize().unwrap();
    assert!(calls[named..].contains(&format!("<{}>)", at.display())), "{calls}");
}
