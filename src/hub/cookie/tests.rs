//! Cookies and calls against a real hub: once, in time, for the right account and session.

use super::*;
use crate::{
    hub::{Event, Facts, Hub, Inbox, Member, SignIn},
    model::{Applied, Change, Circle, List, Name, Presence, Privacy, Status},
};

const ROOM: RoomId = RoomId(1_842_001);

fn address(name: &str) -> Address {
    Address::parse(&format!("{name}@example.test")).unwrap()
}

fn person(id: u64, name: &str) -> Arc<Person> {
    Person::new(AccountId(id), address(name), Name::new(name).unwrap())
}

fn sign_in(hub: &Hub, session: u64, person: &Arc<Person>) -> (Member, Inbox) {
    let sign_in = SignIn {
        session: SessionId(session),
        person: person.clone(),
        circle: Circle::default(),
        version: 1,
        facts: Facts::unknown(Dialect::Msnp9),
    };
    hub.expect(person.id).sign_in(sign_in).unwrap()
}

fn show(member: &Member, status: Status) {
    let _ = member.set_presence(Presence { status, client_id: 0, object: None });
}

fn rung(inbox: &mut Inbox) -> Arc<Ring> {
    match inbox.try_recv() {
        Some(Event::Ring(ring)) => ring,
        other => panic!("{other:?}"),
    }
}

fn block(hub: &Hub, owner: &Arc<Person>, session: u64, contact: AccountId) {
    let change = Change::Listed { list: List::Block, contact };
    hub.apply(&Applied { owner: owner.id, version: 2, change }, owner, SessionId(session));
}

#[tokio::test(start_paused = true)]
async fn an_opening_is_good_once_and_only_for_its_account() {
    let hub = Hub::new(16);
    let alice = person(1, "alice");
    let (member, _inbox) = sign_in(&hub, 7, &alice);
    let cookie = member.open_conversation(None).unwrap();
    let opening = hub.redeem_opening(cookie.as_bytes(), Some(&address("alice"))).unwrap();
    assert_eq!((opening.admitted.person.id, opening.admitted.session), (alice.id, SessionId(7)));
    assert!(hub.redeem_opening(cookie.as_bytes(), Some(&address("alice"))).is_none());
    for presenter in [Some(address("bob")), None] {
        let cookie = member.open_conversation(None).unwrap();
        assert!(hub.redeem_opening(cookie.as_bytes(), presenter.as_ref()).is_none());
        assert!(hub.redeem_opening(cookie.as_bytes(), Some(&address("alice"))).is_none());
    }
    assert_eq!(hub.cookies(), 0);
}

#[tokio::test(start_paused = true)]
async fn cookies_of_one_kind_are_worthless_as_the_other() {
    let hub = Hub::new(16);
    let (alice, bob) = (person(1, "alice"), person(2, "bob"));
    let (member, mut inbox) = sign_in(&hub, 1, &alice);
    show(&member, Status::Online);
    hub.ring(&alice.address, &bob, ROOM, None).unwrap();
    let ring = rung(&mut inbox);
    assert!(hub.redeem_opening(ring.cookie.as_bytes(), Some(&alice.address)).is_none());
    let cookie = member.open_conversation(None).unwrap();
    assert!(hub.redeem_answer(cookie.as_bytes(), Some(&alice.address)).is_none());
}

#[tokio::test(start_paused = true)]
async fn cookies_expire() {
    let hub = Hub::new(16);
    let (alice, bob) = (person(1, "alice"), person(2, "bob"));
    let (member, mut inbox) = sign_in(&hub, 1, &alice);
    show(&member, Status::Online);
    for (late_secs, good) in [(0, true), (1, false)] {
        let cookie = member.open_conversation(None).unwrap();
        hub.ring(&alice.address, &bob, ROOM, None).unwrap();
        let ring = rung(&mut inbox);
        tokio::time::advance(ANSWER_COOKIE_TTL + Duration::from_secs(late_secs)).await;
        let answer = hub.redeem_answer(ring.cookie.as_bytes(), Some(&alice.address));
        assert_eq!(answer.is_some_and(|answer| answer.room == ROOM), good);
        tokio::time::advance(START_COOKIE_TTL - ANSWER_COOKIE_TTL).await;
        let opening = hub.redeem_opening(cookie.as_bytes(), Some(&alice.address));
        assert_eq!(opening.is_some(), good);
    }
}

#[tokio::test(start_paused = true)]
async fn cookies_end_with_the_session_they_were_given_to() {
    let hub = Hub::new(16);
    let (alice, bob) = (person(1, "alice"), person(2, "bob"));
    let (member, mut inbox) = sign_in(&hub, 1, &alice);
    show(&member, Status::Online);
    let cookie = member.open_conversation(None).unwrap();
    hub.ring(&alice.address, &bob, ROOM, None).unwrap();
    let ring = rung(&mut inbox);
    let (newer, _inbox) = sign_in(&hub, 2, &alice);
    assert!(member.open_conversation(None).is_none());
    assert!(hub.redeem_opening(cookie.as_bytes(), Some(&alice.address)).is_none());
    assert!(hub.redeem_answer(ring.cookie.as_bytes(), Some(&alice.address)).is_none());
    let cookie = newer.open_conversation(None).unwrap();
    drop(newer);
    assert!(hub.redeem_opening(cookie.as_bytes(), Some(&alice.address)).is_none());
    assert_eq!(hub.cookies(), 0);
}

#[tokio::test(start_paused = true)]
async fn signing_in_elsewhere_ends_conversations_and_signing_out_does_not() {
    let hub = Hub::new(16);
    let alice = person(1, "alice");
    let admitted = |member: &Member| {
        let cookie = member.open_conversation(None).unwrap();
        hub.redeem_opening(cookie.as_bytes(), Some(&alice.address)).unwrap().admitted
    };
    let (member, _inbox) = sign_in(&hub, 1, &alice);
    let before = admitted(&member);
    drop(member);
    assert!(!before.over.is_cancelled());
    let (member, _inbox) = sign_in(&hub, 2, &alice);
    let (first, second) = (admitted(&member), admitted(&member));
    let _newer = sign_in(&hub, 3, &alice);
    assert!(first.over.is_cancelled() && second.over.is_cancelled());
    assert!(!before.over.is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn who_cannot_be_seen_or_wants_no_conversations_is_not_rung() {
    let hub = Hub::new(16);
    let (alice, bob) = (person(1, "alice"), person(2, "bob"));
    let ring = || hub.ring(&alice.address, &bob, ROOM, None);
    assert_eq!(ring(), Err(NotRung::Unreachable));
    let (member, mut inbox) = sign_in(&hub, 1, &alice);
    assert_eq!(ring(), Err(NotRung::Unreachable));
    show(&member, Status::Hidden);
    assert_eq!(ring(), Err(NotRung::Unreachable));
    show(&member, Status::Busy);
    assert_eq!(ring(), Ok(()));
    member.set_takes_calls(false);
    assert_eq!(ring(), Err(NotRung::Unreachable));
    member.set_takes_calls(true);
    assert_eq!(ring(), Ok(()));
    assert!(rung(&mut inbox).cookie != rung(&mut inbox).cookie);
    drop(member);
    assert_eq!(ring(), Err(NotRung::Unreachable));
}

#[tokio::test(start_paused = true)]
async fn the_callees_lists_count_at_the_call_and_at_the_answer() {
    let hub = Hub::new(16);
    let (alice, bob) = (person(1, "alice"), person(2, "bob"));
    let (member, mut inbox) = sign_in(&hub, 1, &alice);
    show(&member, Status::Online);
    hub.ring(&alice.address, &bob, ROOM, None).unwrap();
    let ring = rung(&mut inbox);
    block(&hub, &alice, 1, bob.id);
    assert!(hub.redeem_answer(ring.cookie.as_bytes(), Some(&alice.address)).is_none());
    assert_eq!(hub.ring(&alice.address, &bob, ROOM, None), Err(NotRung::Refused));
    let carol = person(3, "carol");
    let change = Change::Privacy(Privacy::BlockOthers);
    let applied = Applied { owner: alice.id, version: 3, change };
    hub.apply(&applied, &alice, SessionId(1));
    assert_eq!(hub.ring(&alice.address, &carol, ROOM, None), Err(NotRung::Refused));
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_calls_keeps_the_latest() {
    let hub = Hub::new(10_000);
    let (alice, bob) = (person(1, "alice"), person(2, "bob"));
    let (member, mut inbox) = sign_in(&hub, 1, &alice);
    show(&member, Status::Online);
    for _ in 0..=ANSWER_COOKIES_PER_ACCOUNT_MAX {
        hub.ring(&alice.address, &bob, ROOM, None).unwrap();
    }
    assert_eq!(hub.cookies(), ANSWER_COOKIES_PER_ACCOUNT_MAX);
    let rings: Vec<_> = (0..=ANSWER_COOKIES_PER_ACCOUNT_MAX).map(|_| rung(&mut inbox)).collect();
    let answer =
        |ring: &Ring| hub.redeem_answer(ring.cookie.as_bytes(), Some(&alice.address)).is_some();
    assert!(!answer(&rings[0]) && rings[1..].iter().all(|ring| answer(ring)));
}

#[test]
fn a_cookie_looks_like_the_original_ones_and_cannot_be_guessed() {
    let cookies: Vec<_> = (0..100).map(|_| fresh_cookie()).collect();
    for cookie in &cookies {
        let (time, number) = cookie.split_once('.').unwrap();
        assert!(time.bytes().chain(number.bytes()).all(|byte| byte.is_ascii_digit()));
        assert!(time.parse::<u64>().is_ok() && cookie.len() <= COOKIE_BYTES_MAX);
    }
    let bits = |cookie: &str| cookie.split_once('.').unwrap().1.parse::<u128>().unwrap();
    let all = cookies.iter().fold(0, |all, cookie| all | bits(cookie));
    let none = cookies.iter().fold(u128::MAX, |none, cookie| none & bits(cookie));
    assert_eq!((all, none), (u128::MAX, 0), "every bit varies");
}

#[test]
fn debug_shows_no_cookie() {
    let ring = Ring { room: ROOM, server: None, cookie: fresh_cookie(), caller: person(1, "a") };
    assert!(!format!("{ring:?}").contains(ring.cookie.as_str()));
}
