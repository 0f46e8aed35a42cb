//! Start, shutdown, crash, and start again.

#[cfg(target_os = "linux")]
use super::child::Server;
use super::child::{FREE_PORTS, Home};
#[cfg(target_os = "linux")]
use crate::support::Client;
use std::os::unix::process::ExitStatusExt as _;

const ALICE: &str = "alice@example.test";
const BOB: &str = "bob@example.test";
const PEOPLE: &str = "\
[[user]]
email = \"alice@example.test\"
password = \"secret\"
forward = [{ email = \"bob@example.test\" }]
[[user]]
email = \"bob@example.test\"
password = \"secret\"
";

#[test]
fn sigterm_says_goodbye_and_exits_0() {
    let home = Home::new();
    let server = home.ephemeral(PEOPLE, &[]);
    let mut alice = server.sign_in(ALICE, "secret");
    alice.ask("CHG 5 NLN", "CHG 5 NLN");
    assert!(alice.line().starts_with("CHL 0 "));
    let mut quiet = server.sign_in(BOB, "secret");
    let mut unknown = server.connect("notification");
    unknown.ask("VER 1 MSNP9", "VER 1 MSNP9");
    let mut referred = server.connect("dispatch");
    referred.ask("VER 1 MSNP9", "VER 1 MSNP9");
    server.signal("TERM");
    for client in [&mut alice, &mut quiet] {
        let (line, notice) = client.message();
        assert!(line.starts_with("MSG Hotmail Hotmail "));
        assert!(notice.contains("Content-Type: application/x-msmsgssystemmessage"), "{notice}");
        assert!(notice.contains("\r\n\r\nType: 1\r\nArg1: 0\r\n"), "{notice}");
        client.expect("OUT SSD");
        client.expect_end();
    }
    unknown.expect_end();
    referred.expect_end();
    drop((alice, quiet, unknown, referred));
    let ended = server.wait();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log());
    assert!(!ended.log().contains("did not end within"), "{}", ended.log());
}

#[test]
fn a_peer_that_holds_on_does_not_stop_the_end() {
    let home = Home::new();
    let server = home.ephemeral(PEOPLE, &["timers.shutdown_grace_secs=1"]);
    let mut alice = server.sign_in(ALICE, "secret");
    server.signal("TERM");
    alice.message();
    alice.expect("OUT SSD");
    // Alice never closes her end.
    let ended = server.wait();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log());
    assert_eq!(home.leftovers(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn the_announced_minutes_are_waited_for_unless_a_second_signal_comes() {
    for second in ["TERM", "INT"] {
        let home = Home::new();
        let mut server = home.ephemeral(PEOPLE, &["timers.shutdown_notice_minutes=1"]);
        let mut alice = server.sign_in(ALICE, "secret");
        server.signal("TERM");
        let (_, notice) = alice.message();
        assert!(notice.contains("Arg1: 1\r\n"), "{notice}");
        server.await_log("shutting down");
        // Still served meanwhile.
        alice.ask("XFR 5 SB", "913 5");
        server.signal(second);
        // Nothing is said: there is no time for it.
        alice.expect_end();
        let ended = server.wait();
        assert_eq!(ended.status.code(), Some(0), "{}", ended.log());
        assert!(ended.log().contains("at once by a second signal"), "{}", ended.log());
        assert_eq!(home.leftovers(), Vec::<std::path::PathBuf>::new());
    }
}

#[test]
fn a_first_run_needs_nothing_and_says_what_is_next() {
    let home = Home::new();
    let data_dir = home.data_dir();
    let mut arguments = vec!["--data-dir", data_dir.to_str().unwrap()];
    arguments.extend(FREE_PORTS.iter().flat_map(|option| ["--set", option]));
    let mut server = home.spawn(&arguments);
    let mut printed = Vec::new();
    while printed.last().is_none_or(|line: &String| !line.contains("Ctrl-C")) {
        printed.push(server.out_line());
    }
    let roles =
        ["dispatch", "notification", "switchboard", "passport-http", "passport-https", "http"];
    for (line, role) in printed.iter().zip(roles) {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words.len(), 2, "{line}");
        assert_eq!(words[0], role);
        assert!(words[1].starts_with("127.0.0.1:") && !words[1].ends_with(":0"), "{line}");
    }
    let text = printed.join("\n");
    let user_add = format!("msnd user add --data-dir {} ", data_dir.display());
    assert!(text.contains(&user_add) && text.contains("point a client here"), "{text}");
    for file in ["msnd.sqlite", "passport-cert.pem", "passport-key.pem"] {
        assert!(data_dir.join(file).is_file(), "{file}");
    }
    assert_eq!(home.leftovers(), Vec::<std::path::PathBuf>::new());
    // The suggested command works beside the running server.
    home.manage(&format!("user add {ALICE}"), "secret\n");
    server.signal("INT");
    assert_eq!(server.wait().status.code(), Some(0));
}

#[test]
fn what_was_acknowledged_survives_restarts_and_kill_9() {
    let home = Home::new();
    for user in [ALICE, BOB] {
        home.manage(&format!("user add {user}"), "secret\n");
    }
    let certificate = || std::fs::read(home.data_dir().join("passport-cert.pem")).unwrap();
    let server = home.keeping(&[]);
    let first_certificate = certificate();
    let mut alice = server.sign_in(ALICE, "secret");
    alice.ask("REA 4 alice@example.test Al%20Ice", "REA 4 2 alice@example.test Al%20Ice");
    drop(alice);
    server.signal("TERM");
    assert_eq!(server.wait().status.code(), Some(0));

    for round in 0_u32..5 {
        let server = home.keeping(&[]);
        assert_eq!(certificate(), first_certificate);
        let mut alice = server.sign_in(ALICE, "secret");
        let version = 2 + 3 * round;
        alice.send(&format!("SYN 4 {version}"));
        alice.expect(&format!("SYN 4 {version}"));
        let name = format!("Alice-{round}");
        alice.ask(
            &format!("REA 5 {ALICE} {name}"),
            &format!("REA 5 {} {ALICE} {name}", version + 1),
        );
        alice.ask(
            &format!("ADG 6 Group-{round} 0"),
            &format!("ADG 6 {} Group-{round} {} 0", version + 2, round + 1),
        );
        let group = round + 1;
        alice.send(&format!("ADD 7 FL {BOB} Bob {group}"));
        alice.expect(&format!("ADD 7 FL {} {BOB} Bob {group}", version + 3));
        server.signal("KILL");
        assert_eq!(server.wait().status.signal(), Some(9));

        let shown = home.manage(&format!("user show {ALICE} --json"), "");
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(shown["name"], name.as_str());
        assert_eq!(shown["list_version"], version + 3);
        let groups: Vec<u32> = (1..=group).collect();
        assert_eq!(shown["contacts"][0]["groups"], serde_json::json!(groups));
        let reverse = home.manage(&format!("user show {BOB} --json"), "");
        assert!(reverse.contains("\"RL\""), "{reverse}");
    }
}

/// Where there is one processor all connections are served by one thread, the main one.
#[cfg(target_os = "linux")]
#[test]
fn one_processor_is_enough() {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    let allowed = sched_getaffinity(None).unwrap();
    let has_several = std::thread::available_parallelism().unwrap().get() > 1;
    let first = (0..CpuSet::MAX_CPU).find(|processor| allowed.is_set(*processor)).unwrap();
    let mut one = CpuSet::new();
    one.set(first);
    let home = Home::new();
    // A process starts where the thread that starts it may run.
    sched_setaffinity(None, &one).unwrap();
    let server = home.ephemeral(PEOPLE, &[]);
    sched_setaffinity(None, &allowed).unwrap();
    let (mut alice, mut bob) = (server.sign_in(ALICE, "secret"), server.sign_in(BOB, "secret"));
    alice.ask("CHG 5 NLN", "CHG 5 NLN");
    assert!(alice.line().starts_with("CHL 0 "));
    bob.ask("CHG 5 BSY", "CHG 5 BSY");
    assert_eq!(alice.line(), "NLN BSY bob@example.test bob@example.test 0");
    assert!(is_served_by_main(&server, &mut alice), "by other threads on one processor");
    server.signal("TERM");
    drop((alice, bob));
    assert_eq!(server.wait().status.code(), Some(0));

    if has_several {
        let server = home.ephemeral(PEOPLE, &[]);
        let mut alice = server.sign_in(ALICE, "secret");
        assert!(
            !is_served_by_main(&server, &mut alice),
            "by the main thread on several processors"
        );
    }
}

/// Whether it is mostly the main thread that goes to sleep and wakes while pings are answered.
/// Names of threads do not tell: tokio's threads for blocking work are called as its workers are.
#[cfg(target_os = "linux")]
fn is_served_by_main(server: &Server, client: &mut Client) -> bool {
    let tasks = format!("/proc/{}/task", server.pid());
    let main = server.pid().to_string();
    // Of the main thread and of the others.
    let switches = || {
        let mut counts = [0, 0];
        for task in std::fs::read_dir(&tasks).unwrap().map(Result::unwrap) {
            // A thread may have ended meanwhile.
            let status = std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
            let lines = status.lines().filter_map(|line| line.split_once("ctxt_switches:"));
            let sum: u64 = lines.map(|(_, count)| count.trim().parse::<u64>().unwrap()).sum();
            counts[usize::from(task.file_name() != *main)] += sum;
        }
        counts
    };
    let before = switches();
    (0..500).for_each(|_| drop(client.drain()));
    let after = switches();
    let [main, others] = [after[0] - before[0], after[1].saturating_sub(before[1])];
    assert!(main + others > 0, "nobody answered");
    main > others
}
