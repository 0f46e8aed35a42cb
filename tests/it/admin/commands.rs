//! The commands of the binary that ask a running server.

use super::{ALICE, BOB, TOKEN, server, server_over_tcp, token_file};
use crate::{
    cli::Home,
    support::{Client, TestServer},
};
use serde_json::json;

/// The flags that point at the server's socket.
fn to(server: &TestServer) -> String {
    format!("--set admin.socket={}", server.running().admin_socket().unwrap().display())
}

#[test]
fn online_and_sessions_print_tables_and_json() {
    let (server, _) = server(|_| {});
    let (home, to) = (Home::new(), to(&server));
    assert_eq!(home.ok(&format!("online {to}"), ""), "nobody is online\n");
    assert_eq!(home.ok(&format!("sessions {to}"), ""), "nobody is signed in\n");
    assert_eq!(home.json(&format!("online --json {to}")), json!([]));
    let _alice = Client::present(&server, "MSNP9", ALICE, "AWY");
    let _bob = Client::sign_in(&server, "MSNP8", BOB);
    assert_eq!(
        home.ok(&format!("online {to}"), ""),
        "ADDRESS             STATUS  NAME\n\
         alice@example.test  AWY     Alice\n\
         bob@example.test    -       Bob\n"
    );
    let users = home.json(&format!("online --json {to}"));
    assert_eq!(users[0], json!({ "address": ALICE, "name": "Alice", "status": "AWY" }));
    let table = home.ok(&format!("sessions {to}"), "");
    let heading: Vec<_> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(heading, ["SESSION", "USER", "STATUS", "DIALECT", "CLIENT", "FROM", "SINCE"]);
    assert_eq!(table.lines().count(), 3);
    let sessions = home.json(&format!("sessions --json {to}"));
    assert_eq!(sessions[1]["dialect"], "MSNP8");
    // The socket's own address does as well.
    let socket = server.running().admin_socket().unwrap().display();
    assert_eq!(home.json(&format!("online --json --url unix:{socket}")), users);
}

#[test]
fn kick_and_announce_reach_the_client() {
    let (server, _) = server(|_| {});
    let (home, to) = (Home::new(), to(&server));
    let mut alice = Client::present(&server, "MSNP9", ALICE, "NLN");
    assert_eq!(home.ok(&format!("announce --minutes 5 {to}"), ""), "told 1 session\n");
    let (_, message) = alice.message();
    assert!(message.contains("Arg1: 5\r\n"), "{message}");
    let said = home.ok(&format!("kick Alice@example.test {to}"), "");
    assert_eq!(said, "alice@example.test is signed out\n");
    alice.expect("OUT OTH");
    alice.expect_end();
    let ran = home.run(&format!("kick {ALICE} {to}"));
    assert_eq!((ran.code, ran.err.as_str()), (1, "msnd: alice@example.test is not online\n"));
}

#[test]
fn notify_and_mail_say_what_became_of_it() {
    let (server, _) = server(|_| {});
    let (home, to) = (Home::new(), to(&server));
    let failing = |line: &str| {
        let ran = home.run(&format!("{line} {to}"));
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{line}: {ran:?}");
        ran.err
    };
    let mut alice = Client::present(&server, "MSNP9", ALICE, "NLN");
    let whole = "--html <b>x</b> --action-url /a --subscribe-url /s --icon /i.png --expiry 2d \
                 --site-url http://a.example.test --site-id 7 --lang 1031 --priority 2";
    let said = home.ok(&format!("notify {ALICE} --text x {whole} {to}"), "");
    assert_eq!(said, "alert 1 is accepted for 1 account\n");
    assert!(alice.message().1.contains("http://a.example.test"));
    let said = home.ok(&format!("notify --all --text - {to}"), "one\ntwo\n");
    assert_eq!(said, "alert 2 is accepted for 3 accounts\n");
    assert!(alice.message().1.contains("<TEXT>one\ntwo</TEXT>"));
    let nobody = failing("notify nobody@example.test --text x");
    assert_eq!(nobody, "msnd: there is no account nobody@example.test\n");
    assert_eq!(failing("notify --all --text -"), "msnd: text: must not be empty\n");
    assert!(failing("notify --all --text x --icon ftp:x").starts_with("msnd: icon: "));
    assert!(failing("notify --all --text x --expiry 366d").starts_with("msnd: expiry_secs: "));

    assert!(failing(&format!("mail {ALICE} --from {BOB}")).contains("msnd user mailbox alice@"));
    let mailbox = server
        .block_on(server.alerts().set_mailbox(&msnd::model::Address::parse(ALICE).unwrap(), true));
    mailbox.unwrap();
    for (flags, inbox, elsewhere) in [
        (format!("--from Bob --from-address {BOB} --subject Saturday?"), 1, 0),
        (format!("--from {BOB} --folder Work --reference msg=7"), 1, 1),
        ("--moved 1 --folder Work --to ACTIVE".into(), 2, 0),
        ("--read 2".into(), 0, 0),
    ] {
        let said = home.ok(&format!("mail {ALICE} {flags} {to}"), "");
        let unread = format!("{inbox} unread in the inbox, {elsewhere} elsewhere");
        assert_eq!(said, format!("{ALICE}: {unread}\n"), "{flags}");
    }
    assert!(failing(&format!("mail {ALICE} --from Bob")).contains("--from-address"));
    assert!(failing(&format!("mail {ALICE} --read 0")).starts_with("msnd: count: "));
    assert!(failing("mail nobody@example.test --read 1").contains("no account nobody@"));
}

#[test]
fn over_http_the_token_decides() {
    let (server, _, _folder) = server_over_tcp(|_| {});
    let (home, own) = (Home::new(), tempfile::tempdir().unwrap());
    let address = server.address(msnd::server::Role::Admin);
    let right = token_file(&own, TOKEN);
    let url = format!("--url http://{address}");
    let file = format!("--token-file {}", right.display());
    assert_eq!(home.json(&format!("online --json {url} {file}")), json!([]));
    let by_option = format!("--set admin.token_file={}", right.display());
    assert_eq!(home.json(&format!("online --json {url} {by_option}")), json!([]));
    let ran = home.run(&format!("online {url}"));
    assert!(ran.code == 1 && ran.err.contains("--token-file FILE"), "{ran:?}");
    let other = tempfile::tempdir().unwrap();
    let wrong = "fedcba9876543210fedcba9876543210";
    let wrong_file = token_file(&other, wrong);
    let ran = home.run(&format!("online {url} --token-file {}", wrong_file.display()));
    assert!(ran.code == 1 && ran.err.contains("another token"), "{ran:?}");
    assert!(!ran.err.contains(wrong), "{ran:?}");
    let ran = home.run(&format!("online {url} --token-file {}/none", other.path().display()));
    assert!(ran.code == 78 && ran.err.contains("cannot be read"), "{ran:?}");
}

#[test]
fn who_finds_no_server_is_told_what_to_do() {
    let home = Home::new();
    for command in [
        "online",
        "sessions",
        "rooms",
        "kick alice@example.test",
        "announce --minutes 1",
        "notify --all --text x",
        "mail alice@example.test --from bob@example.test",
    ] {
        let ran = home.run(command);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
        for part in ["msnd-data/admin.socket", "msnd run", "--data-dir"] {
            assert!(ran.err.contains(part), "{ran:?}");
        }
    }
    let ran = home.run("online --set admin.socket=");
    assert!(ran.code == 1 && ran.err.contains("--url"), "{ran:?}");
    for line in [
        "online --url https://x",
        "online --url ftp://x",
        "announce",
        "kick alice",
        "announce --minutes 0",
        "online --token-file x",
        "notify --text x",
        "notify alice@example.test",
        "notify alice@example.test --all --text x",
        "notify --all --text x --expiry 7",
        "notify --all --text x --lang 70000",
        "mail alice@example.test",
        "mail --from bob@example.test",
        "mail alice@example.test --subject x",
        "mail alice@example.test --from bob@example.test --read 1",
        "mail alice@example.test --moved 1",
        "mail alice@example.test --read 1 --to trAsH",
        "mail alice@example.test --from bob@example.test --to trAsH",
        "mail alice@example.test --moved 1 --to trAsH --subject x",
        "mail alice@example.test --read 1 --from-address bob@example.test",
    ] {
        assert_eq!(home.run(line).code, 2, "{line}");
    }
}

#[test]
fn something_else_that_answers_is_not_taken_for_a_server() {
    let home = Home::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let other = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 4096];
        let _ = std::io::Read::read(&mut stream, &mut head).unwrap();
        let page = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>";
        std::io::Write::write_all(&mut stream, page.as_bytes()).unwrap();
    });
    let own = tempfile::tempdir().unwrap();
    let file = token_file(&own, TOKEN);
    let ran = home.run(&format!("online --url http://{address} --token-file {}", file.display()));
    other.join().unwrap();
    assert!(ran.code == 1 && ran.err.contains("none of an msnd admin API"), "{ran:?}");
}
