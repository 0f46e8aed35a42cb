//! Whom the hub tells of alerts, mail and pages, and that nothing falls between a sign-in's reading
//! and its registering.

use super::{ALICE, BOB, CAROL, address, alert};
use msnd::{
    hub::{
        Event, Facts, Hub, Inbox, MailEvent, MailNews, Memo, Missed, Person, PostedAlert,
        SessionId, SignIn,
    },
    model::{
        AccountId, AlertId, Circle, Dialect, Mailbox, Name, Page, Presence, Status,
        mail::{Folder, MailMoved},
    },
};
use std::sync::Arc;

const ALICE_ID: AccountId = AccountId(1);
const BOB_ID: AccountId = AccountId(2);
const CAROL_ID: AccountId = AccountId(3);

fn sign_in(account: AccountId, user: &str, dialect: Dialect, circle: Circle) -> SignIn {
    let address = address(user);
    let name = Name::from(&address);
    let person = Person::new(account, address, name);
    let facts = Facts::unknown(dialect);
    SignIn { session: SessionId(account.0), person, circle, version: 1, facts }
}

fn enter(hub: &Hub, sign_in: SignIn) -> (msnd::hub::Member, Inbox) {
    hub.expect(sign_in.person.id).sign_in(sign_in).unwrap()
}

fn posted(id: u64) -> Arc<PostedAlert> {
    Arc::new(PostedAlert { id: AlertId(id), alert: alert("x"), memo: Memo::default() })
}

fn news(unread: u32) -> Arc<MailNews> {
    let moved = MailMoved::new(Folder::inbox(), Folder::inbox(), 1).unwrap();
    let mailbox = Mailbox { inbox_unread: unread, folders_unread: 0 };
    Arc::new(MailNews { what: MailEvent::Moved(moved), mailbox })
}

fn show(status: Status) -> Presence {
    Presence { status, client_id: 0, object: None }
}

/// Everything in an inbox, in a word each.
fn told(inbox: &mut Inbox) -> Vec<String> {
    std::iter::from_fn(|| inbox.try_recv())
        .map(|event| match event {
            Event::Alert(posted) => format!("alert {}", posted.id),
            Event::Mail(news) => format!("mail {}", news.mailbox.inbox_unread),
            Event::Page(page) => format!("page {}", page.text()),
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn alerts_reach_recipients_that_understand_them() {
    let hub = Hub::new(64);
    let (_alice, mut to_alice) =
        enter(&hub, sign_in(ALICE_ID, ALICE, Dialect::Msnp9, Circle::default()));
    let (_bob, mut to_bob) = enter(&hub, sign_in(BOB_ID, BOB, Dialect::Msnp8, Circle::default()));
    let (_carol, mut to_carol) =
        enter(&hub, sign_in(CAROL_ID, CAROL, Dialect::Msnp9, Circle::default()));
    assert_eq!(hub.post_alert(&[ALICE_ID, BOB_ID, AccountId(9)], posted(1)), 1);
    hub.tell_mail(BOB_ID, news(4));
    assert_eq!(told(&mut to_alice), ["alert 1"]);
    assert_eq!(told(&mut to_bob), ["mail 4"], "mail is for every dialect");
    assert_eq!(told(&mut to_carol), [""; 0]);
}

#[test]
fn who_signs_in_at_the_same_moment_is_told_too() {
    let hub = Hub::new(64);
    let arrival = hub.expect(ALICE_ID);
    // Here the account is read, and then this happens.
    hub.post_alert(&[ALICE_ID, BOB_ID], posted(1));
    hub.post_alert(&[ALICE_ID], posted(2));
    hub.tell_mail(ALICE_ID, news(1));
    hub.tell_mail(ALICE_ID, news(2));
    let signed_in = arrival.sign_in(sign_in(ALICE_ID, ALICE, Dialect::Msnp9, Circle::default()));
    let (alice, mut inbox) = signed_in.unwrap();
    drop(arrival);
    // That there are alerts, and how much is unread; nothing that a session could tell as news.
    let mailbox = Some(Mailbox { inbox_unread: 2, folders_unread: 0 });
    assert_eq!(alice.missed(), Missed { alert: true, mailbox });
    assert_eq!(told(&mut inbox), [""; 0]);
    let (again, mut inbox) =
        enter(&hub, sign_in(ALICE_ID, ALICE, Dialect::Msnp9, Circle::default()));
    assert_eq!(again.missed(), Missed::default(), "what came before is in what was read");
    assert_eq!(told(&mut inbox), [""; 0]);
}

#[test]
fn who_shows_itself_with_a_client_that_understands_alerts_hears_them() {
    let hub = Hub::new(64);
    assert!(!hub.hears_alerts(ALICE_ID), "offline");
    let (alice, _inbox) = enter(&hub, sign_in(ALICE_ID, ALICE, Dialect::Msnp9, Circle::default()));
    assert!(!hub.hears_alerts(ALICE_ID), "before the first CHG");
    let _ = alice.set_presence(show(Status::Hidden));
    assert!(hub.hears_alerts(ALICE_ID));
    let (bob, _inbox) = enter(&hub, sign_in(BOB_ID, BOB, Dialect::Msnp8, Circle::default()));
    let _ = bob.set_presence(show(Status::Online));
    assert!(!hub.hears_alerts(BOB_ID), "does not understand");
}

#[test]
fn pages_reach_who_can_be_seen_understands_them_and_allows_the_sender() {
    let hub = Hub::new(64);
    let page = || Arc::new(Page::new(address(BOB), "Call!").unwrap());
    assert!(!hub.page(BOB_ID, ALICE_ID, page()), "offline");
    let blocks_carol = Circle { block: vec![CAROL_ID], ..Circle::default() };
    let (alice, mut to_alice) =
        enter(&hub, sign_in(ALICE_ID, ALICE, Dialect::Msnp9, blocks_carol.clone()));
    assert!(!hub.page(BOB_ID, ALICE_ID, page()), "before the first CHG");
    let _ = alice.set_presence(show(Status::Hidden));
    assert!(!hub.page(BOB_ID, ALICE_ID, page()), "hidden");
    let _ = alice.set_presence(show(Status::Busy));
    assert!(!hub.page(CAROL_ID, ALICE_ID, page()), "blocked");
    assert_eq!(told(&mut to_alice), [""; 0]);
    assert!(hub.page(BOB_ID, ALICE_ID, page()));
    assert_eq!(told(&mut to_alice), ["page Call!"]);
    let (old, mut to_old) = enter(&hub, sign_in(BOB_ID, BOB, Dialect::Msnp8, Circle::default()));
    let _ = old.set_presence(show(Status::Online));
    assert!(!hub.page(ALICE_ID, BOB_ID, page()), "does not understand");
    assert_eq!(told(&mut to_old), [""; 0]);
}
