//! An alert is kept until its recipient has said something after it: what a line has taken may
//! reach nobody.

use super::{
    ALICE, address,
    role::{Role, WIDE},
};
use msnd::{
    alert::Recipients,
    model::mail::{Folder, NewMail},
    store::{Store as _, StoreError},
};
use sqlx::{ConnectOptions as _, sqlite::SqliteConnectOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[tokio::test]
async fn what_a_dead_line_has_taken_comes_at_the_next_sign_in() {
    let role = Role::start().await;
    let texts = ["one", "two", "three"];
    let mut alice = role.present_over(WIDE).await;
    for text in texts {
        role.post(text).await;
        // It has arrived; that Alice has read it is what nobody else knows.
        alice.expect_alert(text).await;
    }
    alice.hang_up().await;
    for _ in 0..2 {
        let mut alice = role.present_over(WIDE).await;
        for text in texts {
            alice.expect_alert(text).await;
        }
        alice.hang_up().await;
    }
    assert_eq!(role.kept().await, 3);
}

#[tokio::test]
async fn who_shows_itself_and_is_gone_gets_its_alerts_later() {
    let role = Role::start().await;
    role.post("Dentist").await;
    let mut alice = role.signed_in(WIDE).await;
    alice.line.write_all(b"CHG 4 NLN 0\r\n").await.unwrap();
    alice.line.shutdown().await.unwrap();
    let mut rest = String::new();
    alice.line.read_to_string(&mut rest).await.unwrap();
    assert!(rest.contains("<TEXT>Dentist</TEXT>"), "{rest}");
    let mut again = role.present_over(WIDE).await;
    again.expect_alert("Dentist").await;
    again.hang_up().await;
    assert_eq!(role.kept().await, 1);
}

#[tokio::test]
async fn whatever_a_client_says_after_an_alert_confirms_it() {
    for said in ["PNG", "OUT", "CHG 5 BSY 0", "x"] {
        let role = Role::start().await;
        role.post("once").await;
        let mut alice = role.present_over(WIDE).await;
        alice.expect_alert("once").await;
        alice.line.write_all(format!("{said}\r\n").as_bytes()).await.unwrap();
        alice.line().await;
        drop(alice);
        assert_eq!(role.kept().await, 0, "{said}");
    }
}

#[tokio::test]
async fn what_was_said_together_with_the_first_chg_confirms_nothing() {
    let role = Role::start().await;
    role.post("twice").await;
    for _ in 0..2 {
        let mut alice = role.signed_in(WIDE).await;
        alice.line.write_all(b"CHG 4 NLN 0\r\nPNG\r\n").await.unwrap();
        assert!(alice.line().await.starts_with("CHG 4 "));
        assert!(alice.line().await.starts_with("CHL 0 "));
        alice.expect_alert("twice").await;
        assert!(alice.line().await.starts_with("QNG "));
        alice.hang_up().await;
    }
    assert_eq!(role.kept().await, 1);
}

#[tokio::test]
async fn each_of_several_is_confirmed_for_itself() {
    let role = Role::start().await;
    role.post("one").await;
    let mut alice = role.present_over(WIDE).await;
    alice.expect_alert("one").await;
    alice.ask("PNG", "QNG").await;
    role.post("two").await;
    alice.expect_alert("two").await;
    alice.hang_up().await;
    let mut again = role.present_over(WIDE).await;
    again.expect_alert("two").await;
    again.ask("PNG", "QNG").await;
    again.hang_up().await;
    assert_eq!(role.kept().await, 0);
}

#[tokio::test]
async fn a_burst_reaches_somebody_online_and_more_than_may_wait_is_refused_afterwards() {
    let role = Role::start().await;
    let mut alice = role.present_over(WIDE).await;
    let to = || Recipients::One(address(ALICE));
    let all: Vec<_> = (0..120).map(|n| format!("Number {n}")).collect();
    let send = |text: &String| {
        let (alerts, alert) = (role.alerts.clone(), super::alert(text));
        async move { alerts.send_alert(to(), alert, None).await }
    };
    let sending: tokio::task::JoinSet<_> = all.iter().map(send).collect();
    sending.join_all().await.into_iter().for_each(|sent| assert!(sent.is_ok(), "{sent:?}"));
    for _ in &all {
        let line = alice.line().await;
        alice.payload(&line).await;
    }
    alice.hang_up().await;
    let refused = send(&all[0]).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    let mut alice = role.present_over(WIDE).await;
    for _ in &all {
        let line = alice.line().await;
        assert!(line.starts_with("NOT "), "{line}");
        alice.payload(&line).await;
    }
    alice.ask("PNG", "QNG").await;
    alice.hang_up().await;
    assert_eq!(role.kept().await, 0);
}

#[tokio::test]
async fn only_an_account_with_alerts_costs_a_look_at_them() {
    let role = Role::start().await;
    for (posted, looks) in [(false, 0), (true, 1), (false, 0)] {
        if posted {
            role.post("Dentist").await;
        }
        role.store.forget();
        let mut alice = role.present_over(WIDE).await;
        if posted {
            alice.expect_alert("Dentist").await;
        }
        alice.ask("PNG", "QNG").await;
        alice.ask("CHG 6 BSY 0", "CHG 6 BSY").await;
        let calls = role.store.calls();
        let count = calls.iter().filter(|call| **call == "waiting_alerts").count();
        assert_eq!(count, looks, "{calls:?}");
        role.store.await_call(if posted { "settle_alerts" } else { "sign_in" });
        alice.hang_up().await;
        while role.store.sign_in(role.account).await.unwrap().has_alerts {
            tokio::task::yield_now().await;
        }
    }
}

/// `USR` and `CHG` come in one piece, so the session has no chance to look at its inbox in between.
#[tokio::test]
async fn what_comes_while_an_account_is_read_is_told_once_and_wholly() {
    let role = Role::start().await;
    role.alerts.set_mailbox(&address(ALICE), true).await.unwrap();
    let mut alice = role.greet(WIDE).await;
    let held = role.store.hold_sign_in();
    let both = format!("USR 3 TWN S {}\r\nCHG 4 NLN 0\r\nPNG\r\n", role.ticket());
    alice.line.write_all(both.as_bytes()).await.unwrap();
    held.wait().await;
    for text in ["one", "two", "three"] {
        role.post(text).await;
        let mail = NewMail::new("Bob", address(super::BOB), text, "", Folder::inbox()).unwrap();
        role.alerts.new_mail(&address(ALICE), mail).await.unwrap();
    }
    held.wait().await;
    assert!(alice.line().await.starts_with("USR 3 OK"));
    let profile = alice.line().await;
    alice.payload(&profile).await;
    assert!(alice.line().await.starts_with("CHG 4 NLN"));
    assert!(alice.line().await.starts_with("CHL 0 "));
    let unread = alice.line().await;
    let unread = alice.payload(&unread).await;
    assert!(unread.contains("\r\nInbox-Unread: 3\r\n"), "{unread}");
    for text in ["one", "two", "three"] {
        alice.expect_alert(text).await;
    }
    assert!(alice.line().await.starts_with("QNG "));
    alice.ask("PNG", "QNG").await;
}

#[tokio::test]
async fn a_stored_alert_that_breaks_the_rules_keeps_none_of_the_others() {
    let role = Role::start().await;
    for text in ["one", "two", "three"] {
        role.post(text).await;
    }
    let database = SqliteConnectOptions::new().filename(role.database());
    let mut somebody = database.connect().await.unwrap();
    let spoil = "UPDATE alerts SET action_url = 'javascript:alert(1)' WHERE text = 'two'";
    sqlx::raw_sql(spoil).execute(&mut somebody).await.unwrap();
    let mut alice = role.present_over(WIDE).await;
    alice.expect_alert("one").await;
    alice.expect_alert("three").await;
    alice.ask("PNG", "QNG").await;
    alice.hang_up().await;
    assert_eq!(role.kept().await, 0);
    let count: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM alerts").fetch_one(&mut somebody).await.unwrap();
    assert_eq!(count, 0);
}

#[tokio::test]
async fn signing_in_again_gives_no_further_pages() {
    let role = Role::start().await;
    const PAGE: &str = "PGD 5 nobody@example.test 1 18\r\n<TEXT>Call!</TEXT>";
    let page = async |answer: &str| {
        let mut alice = role.present_over(WIDE).await;
        alice.line.write_all(PAGE.as_bytes()).await.unwrap();
        assert_eq!(alice.line().await, answer);
        alice.hang_up().await;
    };
    page("205 5").await;
    page("800 5").await;
}
