//! Cookies and calls against a real hub: once, in time, for the right account and session.

use super::*;
use crate::{
    hub::{Event, Facts, Hub, Inbox, Kicked, Member, SignIn},
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
    assert!(hub.redeem_answer(cookie.as_bytes(), Some(&alice.address)).is_err());
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
        assert_eq!(answer.is_ok_and(|answer| answer.room == ROOM), good);
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
    assert!(hub.redeem_answer(ring.cookie.as_bytes(), Some(&alice.address)).is_err());
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
    let (member, _inbox) = sign_in(&hub, 2, &alice);
    let (first, second) = (admitted(&member), admitted(&member));
    assert!(!before.over.is_cancelled(), "who comes back goes on talking");
    let newer = sign_in(&hub, 3, &alice);
    assert!(first.over.is_cancelled() && second.over.is_cancelled());
    assert!(before.over.is_cancelled(), "who signs in elsewhere leaves all conversations behind");
    assert!(!admitted(&newer.0).over.is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn who_is_no_longer_welcome_is_out_of_conversations_with_or_without_a_session() {
    let alice = person(1, "alice");
    type End = fn(&Hub, &Person);
    let ends: [End; 3] = [
        |hub, alice| hub.expel(alice.id),
        |hub, alice| hub.forget(alice.id),
        |hub, alice| assert!(hub.kick(&alice.address).is_some()),
    ];
    for end in ends {
        for is_signed_in in [true, false] {
            let hub = Hub::new(16);
            let (member, inbox) = sign_in(&hub, 1, &alice);
            let cookie = member.open_conversation(None).unwrap();
            let opening = hub.redeem_opening(cookie.as_bytes(), Some(&alice.address)).unwrap();
            let _kept = is_signed_in.then_some((member, inbox));
            assert_eq!(hub.conversing(), [alice.id]);
            end(&hub, &alice);
            assert!(opening.admitted.over.is_cancelled());
            assert_eq!(hub.conversing(), []);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_kick_says_what_it_has_ended() {
    let hub = Hub::new(16);
    let alice = person(1, "alice");
    assert_eq!(hub.kick(&alice.address), None);
    let (member, _inbox) = sign_in(&hub, 1, &alice);
    let cookie = member.open_conversation(None).unwrap();
    let opening = hub.redeem_opening(cookie.as_bytes(), Some(&alice.address)).unwrap();
    drop(member);
    assert_eq!(hub.kick(&alice.address), Some(Kicked::Conversations));
    assert_eq!(hub.kick(&alice.address), None);
    drop(opening);
    let (_member, _inbox) = sign_in(&hub, 2, &alice);
    assert_eq!(hub.kick(&alice.address), Some(Kicked::Session(SessionId(2))));
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
    let answer = hub.redeem_answer(ring.cookie.as_bytes(), Some(&alice.address));
    assert_eq!(answer.err(), Some(Unanswered::NotAllowed));
    let again = hub.redeem_answer(ring.cookie.as_bytes(), Some(&alice.address));
    assert_eq!(again.err(), Some(Unanswered::BadCookie));
    assert_eq!(hub.ring(&alice.address, &bob, ROOM, None), Err(NotRung::Refused));
    let carol = person(3, "carol");
    let change = Change::Privacy(Privacy::BlockOthers);
    let applied = Applied { owner: alice.id, version: 3, change };
    hub.apply(&applied, &alice, SessionId(1));
    assert_eq!(hub.ring(&alice.address, &carol, ROOM, None), Err(NotRung::Refused));
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_calls_pushes_nobody_elses_out() {
    let hub = Hub::new(10_000);
    let alice = person(1, "alice");
    let (member, mut inbox) = sign_in(&hub, 1, &alice);
    show(&member, Status::Online);
    let ring = |caller| hub.ring(&alice.address, &person(caller, "b"), ROOM, None);
    assert_eq!(ring(2), Ok(()));
    let first = rung(&mut inbox);
    let mut rings = Vec::new();
    for caller in 3.. {
        let before = rings.len();
        (0..ANSWER_COOKIES_PER_PAIR_MAX + 1).for_each(|_| {
            if ring(caller) == Ok(()) {
                rings.push(rung(&mut inbox));
            } else {
                assert_eq!(ring(caller), Err(NotRung::TooMany));
            }
        });
        if rings.len() - before < ANSWER_COOKIES_PER_PAIR_MAX {
            break;
        }
    }
    assert_eq!(rings.len() + 1, ANSWER_COOKIES_PER_ACCOUNT_MAX);
    let answer =
        |ring: &Ring| hub.redeem_answer(ring.cookie.as_bytes(), Some(&alice.address)).is_ok();
    assert!(answer(&first) && answer(&rings[0]));
    assert_eq!(ring(3), Ok(()), "an answer makes room for another call");
    assert_eq!(ring(4), Err(NotRung::TooMany));
    tokio::time::advance(ANSWER_COOKIE_TTL + Duration::from_secs(1)).await;
    assert_eq!(ring(4), Ok(()), "so does time");
}

#[tokio::test(start_paused = true)]
async fn a_call_is_pending_as_long_as_its_cookie_is_good() {
    let hub = Hub::new(16);
    let (alice, bob) = (person(1, "alice"), person(2, "bob"));
    let everybody = [alice.address.clone(), bob.address.clone()];
    let pending = || hub.still_rung(ROOM, &everybody);
    let (member, mut inbox) = sign_in(&hub, 1, &alice);
    show(&member, Status::Online);
    let ring = || hub.ring(&alice.address, &bob, ROOM, None).unwrap();
    ring();
    assert_eq!(pending(), everybody[..1]);
    assert!(hub.still_rung(RoomId(7), &everybody).is_empty());
    hub.redeem_answer(rung(&mut inbox).cookie.as_bytes(), Some(&bob.address)).unwrap_err();
    assert!(pending().is_empty(), "it was presented, though in vain");
    ring();
    tokio::time::advance(ANSWER_COOKIE_TTL + Duration::from_secs(1)).await;
    assert!(pending().is_empty());
    ring();
    let (_newer, _inbox) = sign_in(&hub, 2, &alice);
    assert!(pending().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_answer_names_the_switchboard_of_the_call() {
    let hub = Hub::new(16);
    let (alice, bob) = (person(1, "alice"), person(2, "bob"));
    let (member, mut inbox) = sign_in(&hub, 1, &alice);
    show(&member, Status::Online);
    let server: Arc<str> = "192.0.2.1:1865".into();
    hub.ring(&alice.address, &bob, ROOM, Some(server.clone())).unwrap();
    let cookie = &rung(&mut inbox).cookie;
    let answer = hub.redeem_answer(cookie.as_bytes(), Some(&alice.address)).unwrap();
    assert_eq!(answer.server, Some(server));
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
