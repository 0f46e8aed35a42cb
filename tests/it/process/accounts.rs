//! Accounts managed beside the running server.

use super::child::{Home, Server, login};
use std::thread;

const ALICE: &str = "alice@example.test";
const BOB: &str = "bob@example.test";

fn served(home: &Home) -> Server {
    for user in [ALICE, BOB] {
        home.manage(&format!("user add {user}"), "secret\n");
    }
    home.keeping(&[])
}

fn is_refused(server: &Server, password: &str) -> bool {
    let answer = server.http(&login("/login2.srf", ALICE, password));
    answer.starts_with("HTTP/1.1 401 ") && !answer.contains("from-PP")
}

#[track_caller]
fn ticket_fails(server: &Server, ticket: &str) {
    let (mut client, answer) = server.present_ticket(ALICE, ticket);
    assert_eq!(answer, "911 3");
    client.expect_end();
}

/// The database is sound, and Bob is as before.
fn nothing_is_broken(home: &Home, server: &Server) {
    let mut bob = server.sign_in(BOB, "secret");
    bob.ask("XFR 5 SB", "913 5");
    let copy = home.data_dir().join("copy.sqlite");
    home.manage(&format!("db backup {}", copy.display()), "");
    let url = format!("sqlite://{}", copy.display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let checks: Vec<(String,)> = runtime.block_on(async {
        let options = url.parse::<sqlx::sqlite::SqliteConnectOptions>().unwrap();
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        sqlx::query_as("PRAGMA integrity_check").fetch_all(&pool).await.unwrap()
    });
    assert_eq!(checks, [("ok".to_owned(),)]);
    std::fs::remove_file(copy).unwrap();
}

#[test]
fn a_new_password_voids_tickets_and_the_old_password() {
    let home = Home::new();
    let server = served(&home);
    let ticket = server.ticket(ALICE, "secret");
    home.manage(&format!("user passwd {ALICE}"), "another\n");
    ticket_fails(&server, &ticket);
    assert!(is_refused(&server, "secret"));
    let mut alice = server.sign_in(ALICE, "another");
    alice.ask("XFR 5 SB", "913 5");
    nothing_is_broken(&home, &server);
}

#[test]
fn a_disabled_account_cannot_use_its_tickets_until_it_is_enabled() {
    let home = Home::new();
    let server = served(&home);
    let ticket = server.ticket(ALICE, "secret");
    home.manage(&format!("user disable {ALICE}"), "");
    ticket_fails(&server, &ticket);
    assert!(is_refused(&server, "secret"));
    home.manage(&format!("user enable {ALICE}"), "");
    ticket_fails(&server, &ticket);
    server.sign_in(ALICE, "secret");
    nothing_is_broken(&home, &server);
}

#[test]
fn a_removed_account_is_gone_from_everywhere() {
    let home = Home::new();
    let server = served(&home);
    let mut bob = server.sign_in(BOB, "secret");
    bob.ask(&format!("ADD 4 AL {ALICE} Alice"), &format!("ADD 4 AL 2 {ALICE} Alice"));
    let ticket = server.ticket(ALICE, "secret");
    home.manage(&format!("user remove {ALICE} --yes"), "");
    ticket_fails(&server, &ticket);
    assert!(is_refused(&server, "secret"));
    bob.ask(&format!("ADD 5 FL {ALICE} Alice"), "205 5");
    // The same name again is another person: the old ticket does not fit.
    home.manage(&format!("user add {ALICE}"), "secret\n");
    ticket_fails(&server, &ticket);
    server.sign_in(ALICE, "secret");
    nothing_is_broken(&home, &server);
}

#[test]
fn a_session_of_a_removed_account_ends_at_its_next_edit() {
    let home = Home::new();
    let server = served(&home);
    let mut alice = server.sign_in(ALICE, "secret");
    home.manage(&format!("user remove {ALICE} --yes"), "");
    alice.send("REA 5 alice@example.test Ghost");
    alice.expect_end();
    nothing_is_broken(&home, &server);
}

#[test]
fn the_command_line_and_the_server_may_write_at_the_same_time() {
    const EDITS: u32 = 30;
    let home = Home::new();
    let server = served(&home);
    let mut alice = server.sign_in(ALICE, "secret");
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..8 {
                home.manage(&format!("user add user{number}@example.test"), "secret\n");
                home.manage(&format!("user disable user{number}@example.test"), "");
            }
        });
        for edit in 0..EDITS {
            let number = edit % 10;
            // Bob's name as Alice has it; versions tell that each edit was made once.
            let verb = if edit == 0 { "ADD 4 FL" } else { "REA 4" };
            alice.send(&format!("{verb} {BOB} Bob-{number}"));
            let answer = loop {
                let line = alice.line_but_challenge();
                if !line.starts_with("BPR ") {
                    break line;
                }
            };
            assert!(answer.starts_with(&format!("{verb} {} {BOB} Bob-", edit + 2)), "{answer}");
        }
    });
    let accounts = home.manage("user list --json", "");
    let accounts: serde_json::Value = serde_json::from_str(&accounts).unwrap();
    assert_eq!(accounts.as_array().unwrap().len(), 10);
    nothing_is_broken(&home, &server);
}
