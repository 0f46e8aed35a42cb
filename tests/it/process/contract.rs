//! The CI mode, `run --ephemeral --fixture FILE --ready-json`: a public contract.

use super::child::Home;
use crate::support::Client;
use std::{collections::BTreeSet, net::TcpListener, os::unix::net::UnixStream};

const FIXTURE: &str = r#"
[[user]]
email = "alice@example.test"
password = "secret"
name = "Alice"
groups = ["Friends", "Choir"]
forward = [
    { email = "bob@example.test", name = "Bobby", groups = ["Friends", "Choir"] },
    { email = "dave@example.test" },
]
allow = ["bob@example.test"]
block = ["carol@example.test"]
privacy = "BL"
prompt = "N"
properties = { PHM = "46 555", PHH = "46 556" }

[[user]]
email = "bob@example.test"
password = "secret of Bob, with a comma"
forward = [{ email = "alice@example.test" }]
properties = { PHW = "1 2" }

[[user]]
email = "carol@example.test"
password = "secret"
name = "Carol ~ é"
forward = [{ email = "alice@example.test" }]

[[user]]
email = "dave@example.test"
password = "secret"
"#;

#[test]
fn the_ready_line_has_the_documented_shape() {
    let home = Home::new();
    let fixture = home.give("fixture.toml", FIXTURE);
    let mut server = home.spawn(&["--ephemeral", "--fixture", &fixture, "--ready-json"]);
    let ready = server.await_ready();
    let keys: Vec<_> = ready.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys.iter().copied().collect::<BTreeSet<_>>(),
        BTreeSet::from(["ready", "pid", "version", "listeners"])
    );
    assert_eq!(ready["ready"], true);
    assert_eq!(ready["pid"], server.pid());
    assert_eq!(ready["version"], env!("CARGO_PKG_VERSION"));
    let listeners = ready["listeners"].as_array().unwrap();
    let roles: Vec<_> =
        listeners.iter().map(|listener| listener["role"].as_str().unwrap()).collect();
    assert_eq!(
        roles,
        [
            "dispatch",
            "notification",
            "switchboard",
            "passport-http",
            "passport-https",
            "http",
            "admin"
        ]
    );
    let admin = listeners.last().unwrap()["addr"].as_str().unwrap();
    drop(UnixStream::connect(admin.strip_prefix("unix:").unwrap()).unwrap());
    let mut ports = BTreeSet::new();
    for listener in listeners {
        assert_eq!(listener.as_object().unwrap().len(), 2, "{listener}");
        if listener["role"] == "admin" {
            continue;
        }
        let address = server.address(listener["role"].as_str().unwrap());
        assert!(address.ip().is_loopback() && address.port() != 0, "{address}");
        // Accepts already.
        drop(Client::connect(address));
        ports.insert(address.port());
    }
    assert_eq!(ports.len(), 6);
    assert_eq!(home.temporary_files(), 1);
    server.signal("TERM");
    let ended = server.wait();
    assert_eq!((ended.status.code(), ended.out), (Some(0), Vec::new()));
    assert!(!ended.logged.is_empty());
}

#[test]
fn people_of_the_fixture_sign_in_the_whole_way_and_have_their_lists() {
    let home = Home::new();
    let server = home.ephemeral(FIXTURE, &[]);
    let mut alice = server.sign_in_through_dispatch("alice@example.test", "secret");
    alice.send("SYN 7 0");
    let block: Vec<_> = (0..12).map(|_| alice.line()).collect();
    assert_eq!(
        block,
        [
            "SYN 7 1 3 3",
            "GTC N",
            "BLP BL",
            "PRP PHH 46%20556",
            "PRP PHM 46%20555",
            "LSG 0 ~ 0",
            "LSG 1 Friends 0",
            "LSG 2 Choir 0",
            "LST bob@example.test Bobby 11 1,2",
            "BPR PHW 1%202",
            "LST dave@example.test dave@example.test 1 0",
            "LST carol@example.test Carol%20~%20%C3%A9 12",
        ]
    );
    alice.ask("SYN 8 1", "SYN 8 1");
    alice.ask("CHG 9 NLN 0", "CHG 9 NLN 0");

    let password = "secret of Bob, with a comma";
    let mut bob = server.sign_in_through_dispatch("bob@example.test", password);
    bob.ask("CHG 7 BSY 5", "CHG 7 BSY 5");
    assert_eq!(bob.line_but_challenge(), "ILN 7 NLN alice@example.test Alice 0");
    alice.expect("NLN BSY bob@example.test bob@example.test 5");

    // Blocked, and therefore blind.
    let mut carol = server.sign_in_through_dispatch("carol@example.test", "secret");
    carol.ask("CHG 7 NLN", "CHG 7 NLN");
    carol.expect_silence();
}

#[test]
fn nothing_is_left_behind_by_either_signal() {
    for signal in ["TERM", "INT"] {
        let home = Home::new();
        let server = home.ephemeral(FIXTURE, &[]);
        let mut alice = server.sign_in("alice@example.test", "secret");
        alice.send("REA 4 alice@example.test Alicia");
        alice.line();
        server.signal(signal);
        let ended = server.wait();
        assert_eq!(ended.status.code(), Some(0), "{signal}: {}", ended.log());
        assert_eq!(ended.out, Vec::<String>::new());
        assert_eq!(home.leftovers(), Vec::<std::path::PathBuf>::new(), "{signal}");
    }
}

#[test]
fn a_named_address_is_kept_and_port_0_is_chosen() {
    let home = Home::new();
    let options =
        ["dispatch.bind=127.0.0.9:0", "notification.bind=127.0.0.10:0", "passport.https_bind=off"];
    let server = home.ephemeral(FIXTURE, &options);
    assert_eq!(server.address("dispatch").ip().to_string(), "127.0.0.9");
    assert_eq!(server.address("notification").ip().to_string(), "127.0.0.10");
    assert_ne!(server.address("dispatch").port(), 0);
    server.sign_in_through_dispatch("alice@example.test", "secret");

    let home = Home::new();
    let config = home.give("msnd.toml", "[passport]\nhttp_bind = \"127.0.0.11:0\"\n");
    let mut server = home.spawn(&["--ephemeral", "--ready-json", "--config", &config]);
    server.await_ready();
    assert_eq!(server.address("passport-http").ip().to_string(), "127.0.0.11");
    assert_eq!(server.address("dispatch").ip().to_string(), "127.0.0.1");
}

#[test]
fn a_contradiction_in_the_fixture_is_refused_with_its_line() {
    let home = Home::new();
    for (wrong, line, says) in [
        ("allow = [\"nobody@example.test\"]", 5, "no user of this fixture"),
        ("allow = [\"bob@example.test\"]\nblock = [\"bob@example.test\"]", 6, "both allowed and"),
        ("forward = [{ email = \"bob@example.test\", groups = [\"X\"] }]", 5, "no group \"X\""),
        ("privacy = \"XX\"", 5, "AL or BL"),
        ("nick = \"A\"", 5, "nick"),
        ("[[user]]\nemail = \"BOB@example.test\"\npassword = \"x\"", 6, "twice"),
    ] {
        let users = "[[user]]\nemail = \"bob@example.test\"\npassword = \"hush-hush\"\n\n";
        let text = if wrong.starts_with('[') {
            format!("{users}{wrong}\n")
        } else {
            let alice = "[[user]]\nemail = \"alice@example.test\"\npassword = \"hush-hush\"\n";
            // Alice first, so that the line of the contradiction is hers.
            format!("\n{alice}{wrong}\n\n{users}")
        };
        let fixture = home.give("fixture.toml", &text);
        let output = home.run(&["run", "--ephemeral", "--fixture", &fixture, "--ready-json"], "");
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{wrong}: {err}");
        assert!(err.contains(&format!("{fixture}:{line}")) && err.contains(says), "{wrong}: {err}");
        assert!(!err.contains("hush"), "{err}");
        assert!(output.stdout.is_empty());
        assert_eq!(home.leftovers(), Vec::<std::path::PathBuf>::new());
    }
    let output = home.run(&["run", "--ephemeral", "--fixture", "missing.toml"], "");
    assert_eq!(output.status.code(), Some(78), "{output:?}");
}

#[test]
fn a_taken_address_names_the_listener() {
    let home = Home::new();
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap();
    for (key, role) in [
        ("dispatch.bind", "dispatch"),
        ("notification.bind", "notification"),
        ("switchboard.bind", "switchboard"),
        ("passport.http_bind", "passport-http"),
        ("passport.https_bind", "passport-https"),
        ("web.bind", "http"),
    ] {
        let option = format!("{key}={taken}");
        let output = home.run(&["run", "--ephemeral", "--ready-json", "--set", &option], "");
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(69), "{err}");
        assert!(
            err.contains(&format!("msnd: {role}: ")) && err.contains(&taken.to_string()),
            "{err}"
        );
        assert!(output.stdout.is_empty());
        assert_eq!(home.leftovers(), Vec::<std::path::PathBuf>::new());
    }
}
