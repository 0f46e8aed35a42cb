//! Sessions over a line that holds no whole alert: it is known exactly what was handed over when
//! the line is cut.

use super::{ALICE, address, role::Role};
use msnd::{
    hub::{Facts, Person, SessionId, SignIn},
    model::{AlertId, Circle, Dialect, Name},
};
use sqlx::{ConnectOptions as _, sqlite::SqliteConnectOptions};

#[tokio::test]
async fn what_was_not_wholly_handed_over_comes_at_the_next_sign_in() {
    let role = Role::start().await;
    for lines_read in 0..3 {
        let mut alice = role.present().await;
        if lines_read == 0 {
            role.post("Are you there?").await;
        }
        for _ in 0..lines_read {
            alice.line().await;
        }
        alice.hang_up().await;
    }
    let mut alice = role.present().await;
    alice.expect_alert("Are you there?").await;
    alice.ask("PNG", "QNG").await;
    alice.hang_up().await;
    let mut again = role.present().await;
    again.ask("PNG", "QNG").await;
    again.hang_up().await;
    assert_eq!(role.kept().await, 0);
}

#[tokio::test]
async fn a_new_session_gets_what_the_one_it_replaces_has_not_taken() {
    let role = Role::start().await;
    let stuck = role.present().await;
    role.post("one").await;
    role.post("two").await;
    let mut alice = role.present().await;
    alice.expect_alert("one").await;
    alice.expect_alert("two").await;
    role.post("three").await;
    alice.expect_alert("three").await;
    alice.ask("PNG", "QNG").await;
    alice.hang_up().await;
    stuck.hang_up().await;
    assert_eq!(role.kept().await, 0);
}

#[tokio::test]
async fn what_is_on_its_way_out_of_the_store_is_not_told_again() {
    let role = Role::start().await;
    role.post("once").await;
    // Nothing can be taken out of the store meanwhile.
    let database = SqliteConnectOptions::new().filename(role.database());
    let mut somebody = database.connect().await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut somebody).await.unwrap();
    let mut alice = role.present().await;
    alice.expect_alert("once").await;
    alice.ask("PNG", "QNG").await;
    alice.hang_up().await;
    let mut again = role.present().await;
    again.ask("PNG", "QNG").await;
    sqlx::raw_sql("ROLLBACK").execute(&mut somebody).await.unwrap();
    again.hang_up().await;
    assert_eq!(role.kept().await, 0);
}

#[tokio::test]
async fn an_alert_that_was_read_and_is_announced_too_is_told_once() {
    let role = Role::start().await;
    role.post("once").await;
    let mut alice = role.present().await;
    alice.expect_alert("once").await;
    role.announce(AlertId(1));
    alice.ask("PNG", "QNG").await;
    role.announce(AlertId(2));
    alice.expect_alert("announced").await;
    alice.ask("PNG", "QNG").await;
}

#[tokio::test]
async fn a_session_that_has_been_replaced_leaves_alerts_to_the_next_one() {
    let role = Role::start().await;
    let mut alice = role.present().await;
    // Nobody waits for anything in between, so Alice's session finds both at once.
    role.announce(AlertId(1));
    let person = Person::new(role.account, address(ALICE), Name::from(&address(ALICE)));
    let newer = SignIn {
        session: SessionId(99),
        person,
        circle: Circle::default(),
        version: 1,
        facts: Facts::unknown(Dialect::Msnp9),
    };
    let _newer = role.context.hub.expect(role.account).sign_in(newer).unwrap();
    assert_eq!(alice.line().await, "OUT OTH");
}
