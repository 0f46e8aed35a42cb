//! Which roles a process runs, and how they refer to each other.

use super::child::{Home, Server};
use crate::support::Client;
use std::collections::{BTreeMap, BTreeSet};

const PEOPLE: &str = "\
[[user]]
email = \"alice@example.test\"
password = \"secret\"
";

/// To which notification server `user` is referred.
fn referred(server: &Server, user: &str) -> String {
    let mut client = server.connect("dispatch");
    client.ask("VER 1 MSNP9", "VER 1 MSNP9");
    client.send(&format!("USR 2 TWN I {user}"));
    let line = client.line();
    let words: Vec<&str> = line.split(' ').collect();
    assert_eq!((words[..3].join(" ").as_str(), words[4], words.len()), ("XFR 2 NS", "0", 6));
    assert_eq!(words[5], server.address("dispatch").to_string());
    words[3].to_owned()
}

#[test]
fn one_port_serves_both_roles_without_a_referral() {
    let home = Home::new();
    let server = home.ephemeral(PEOPLE, &["dispatch.bind=notification"]);
    assert_eq!(server.address("dispatch"), server.address("notification"));
    let mut alice = Client::connect(server.address("dispatch"));
    alice.ask("VER 1 MSNP9 MSNP8 CVR0", "VER 1 MSNP9 MSNP8 CVR0");
    alice.send("USR 2 TWN I alice@example.test");
    assert!(alice.line().starts_with("USR 2 TWN S lc="));
    alice.send(&format!("USR 3 TWN S {}", server.ticket("alice@example.test", "secret")));
    assert!(alice.line().starts_with("USR 3 OK alice@example.test "));
    alice.message();
    alice.ask("CHG 4 NLN", "CHG 4 NLN");
}

#[test]
fn a_dispatch_server_spreads_accounts_and_stays_by_its_choice() {
    let names = ["ns1.example.test:1863", "ns2.example.test:1864", "192.0.2.3:1863"];
    let list = |names: &[&str]| format!("dispatch.notification_servers={}", names.join(","));
    let off = [
        "notification.bind=off",
        "passport.http_bind=off",
        "passport.https_bind=off",
        "admin.socket=",
        "web.bind=off",
    ];
    let start = |home: &Home, names: &[&str]| {
        let mut arguments = vec!["--ephemeral".to_owned(), "--ready-json".to_owned()];
        for option in off.map(String::from).into_iter().chain([list(names)]) {
            arguments.extend(["--set".to_owned(), option]);
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut server = home.spawn(&arguments);
        let ready = server.await_ready();
        assert_eq!(ready["listeners"].as_array().unwrap().len(), 1, "{ready}");
        server
    };
    let users: Vec<String> = (0..60).map(|number| format!("user{number}@example.test")).collect();
    let choices = |server: &Server| -> BTreeMap<String, String> {
        users.iter().map(|user| (user.clone(), referred(server, user))).collect()
    };
    let home = Home::new();
    let server = start(&home, &names);
    let first = choices(&server);
    let used: BTreeSet<&str> = first.values().map(String::as_str).collect();
    assert_eq!(used, BTreeSet::from(names));
    assert_eq!(choices(&server), first);
    assert_eq!(referred(&server, "USER7@Example.Test"), first["user7@example.test"]);

    // Another process, another order: the same choice.
    let other_home = Home::new();
    let other = start(&other_home, &[names[2], names[0], names[1]]);
    assert_eq!(choices(&other), first);

    // One server leaves: only its own people move.
    let smaller_home = Home::new();
    let smaller = choices(&start(&smaller_home, &names[..2]));
    for (user, server) in &first {
        if server != names[2] {
            assert_eq!(&smaller[user], server, "{user}");
        }
    }
}

#[test]
fn advertised_addresses_are_written_into_referrals() {
    let home = Home::new();
    let server = home.ephemeral(PEOPLE, &["notification.advertised=chat.example.test"]);
    let port = server.address("notification").port();
    assert_eq!(referred(&server, "alice@example.test"), format!("chat.example.test:{port}"));
    let home = Home::new();
    let server = home.ephemeral(PEOPLE, &["notification.advertised=192.0.2.7:1999"]);
    assert_eq!(referred(&server, "alice@example.test"), "192.0.2.7:1999");
}

#[test]
fn a_client_is_referred_to_the_address_at_which_it_reached_us() {
    let home = Home::new();
    let options = ["dispatch.bind=0.0.0.0:0", "notification.bind=0.0.0.0:0"];
    let server = home.ephemeral(PEOPLE, &options);
    let (dispatch, notification) =
        (server.address("dispatch").port(), server.address("notification").port());
    for ip in ["127.0.0.1", "127.0.0.21"] {
        let mut client = Client::connect(format!("{ip}:{dispatch}").parse().unwrap());
        client.ask("VER 1 MSNP9", "VER 1 MSNP9");
        client.send("USR 2 TWN I alice@example.test");
        client.expect(&format!("XFR 2 NS {ip}:{notification} 0 {ip}:{dispatch}"));
    }
}
