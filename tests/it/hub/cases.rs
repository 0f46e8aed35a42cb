//! Single situations of the hub: sign-ins that cross edits, sessions that fall behind, namesakes,
//! and many threads at once.

use super::{
    PEOPLE, line,
    rules::{address, id},
    sign_in,
};
use msnd::{
    hub::{Counts, Event, Hub, Inbox, Member, Person, SessionId, Stale},
    model::{Address, Applied, Change, Circle, Name, Presence, Status},
};
use std::{collections::BTreeMap, sync::Arc};

/// Signs `who` in with `forward` on its list.
fn join(hub: &Hub, who: usize, forward: &[usize]) -> (Member, Inbox, Arc<Person>) {
    let person = Person::new(id(who), address(who), Name::new("x").unwrap());
    let circle =
        Circle { forward: forward.iter().map(|who| id(*who)).collect(), ..Circle::default() };
    let session = SessionId(who as u64);
    let sign_in = sign_in(session, person.clone(), circle, 7);
    let (member, inbox) = hub.expect(id(who)).sign_in(sign_in).unwrap();
    (member, inbox, person)
}

fn online(client_id: u32) -> Presence {
    Presence { status: Status::Online, client_id, object: None }
}

#[test]
fn lists_read_before_a_committed_change_are_refused() {
    for signs_out_meanwhile in [false, true] {
        let hub = Hub::new(10);
        let (member, _inbox, person) = join(&hub, 1, &[2]);
        let session = member.session();
        let arrival = hub.expect(id(1));
        // The new session reads the lists here, at version 8; then the old one edits them.
        let change = Change::Unwatched { contact: id(2), reverse_version: 3 };
        hub.apply(&Applied { owner: id(1), version: 9, change }, &person, session);
        if signs_out_meanwhile {
            drop(member);
        }
        let read_at = |version| sign_in(SessionId(2), person.clone(), Circle::default(), version);
        assert_eq!(arrival.sign_in(read_at(8)).map(drop), Err(Stale));
        assert_eq!(arrival.sign_in(read_at(9)).map(drop), Ok(()));
    }
}

/// What was read of an account's lists holds as long as the hub has heard of no change to them,
/// whoever made it. Once the session listens, it is told of others' changes and must read no more.
#[test]
fn lists_read_at_sign_in_hold_until_somebody_changes_them() {
    let hub = Hub::new(10);
    let (alice, _alice_inbox, alice_person) = join(&hub, 1, &[]);
    let (bob, _bob_inbox, bob_person) = join(&hub, 2, &[]);
    let holds = |version| hub.reconcile(id(1), alice.session(), &[].into(), version);
    let bob_adds_alice = |reverse_version| {
        let change = Change::Watched { contact: id(1), reverse_version, properties: None };
        let applied = Applied { owner: id(2), version: reverse_version, change };
        hub.apply(&applied, &bob_person, bob.session());
    };
    assert_eq!(holds(7), Ok(()));
    bob_adds_alice(8);
    assert_eq!((holds(7), holds(8)), (Err(Stale), Ok(())));
    alice.listen();
    bob_adds_alice(9);
    assert_eq!(holds(8), Ok(()));
    // Her own, which an older session may still have had under way.
    let applied = Applied { owner: id(1), version: 10, change: Change::Private };
    hub.apply(&applied, &alice_person, SessionId(99));
    assert_eq!((holds(9), holds(10)), (Err(Stale), Ok(())));
}

#[test]
fn what_others_change_during_a_sign_in_spoils_the_lists_and_not_the_sign_in() {
    let hub = Hub::new(10);
    let (bob, _bob_inbox, bob_person) = join(&hub, 2, &[]);
    let arrival = hub.expect(id(1));
    let change = Change::Watched { contact: id(1), reverse_version: 8, properties: None };
    hub.apply(&Applied { owner: id(2), version: 8, change }, &bob_person, bob.session());
    let person = Person::new(id(1), address(1), Name::new("x").unwrap());
    let read = sign_in(SessionId(1), person, Circle::default(), 7);
    let (alice, _alice_inbox) = arrival.sign_in(read).unwrap();
    let holds = |version| hub.reconcile(id(1), alice.session(), &[].into(), version);
    assert_eq!((holds(7), holds(8)), (Err(Stale), Ok(())));
}

/// Changes are published after their commit: of some that a sign-in has read the hub hears later.
#[test]
fn lists_that_are_ahead_of_what_the_hub_has_heard_stay_ahead() {
    let hub = Hub::new(10);
    let (bob, _bob_inbox, bob_person) = join(&hub, 2, &[]);
    let _ = bob.set_presence(online(1));
    // Version 8: Bob added her. Version 9: she added Bob. Version 10: she removed him.
    let person = Person::new(id(1), address(1), Name::new("x").unwrap());
    let read = sign_in(SessionId(1), person.clone(), Circle::default(), 10);
    let (alice, _alice_inbox) = hub.expect(id(1)).sign_in(read).unwrap();
    let change = Change::Watched { contact: id(1), reverse_version: 8, properties: None };
    hub.apply(&Applied { owner: id(2), version: 8, change }, &bob_person, bob.session());
    let change = Change::Watched { contact: id(2), reverse_version: 9, properties: None };
    hub.apply(&Applied { owner: id(1), version: 9, change }, &person, SessionId(99));
    assert_eq!(hub.reconcile(id(1), alice.session(), &[].into(), 9), Err(Stale));
    assert!(alice.set_presence(online(1)).visible.unwrap().is_empty());
}

#[test]
fn a_removed_account_is_seen_by_nobody_and_signed_out() {
    let hub = Hub::new(10);
    let (alice, mut alice_inbox, _) = join(&hub, 1, &[2]);
    let (bob, mut bob_inbox, _) = join(&hub, 2, &[]);
    let _ = alice.set_presence(online(1));
    let _ = bob.set_presence(online(1));
    hub.forget(id(2));
    let lines: Vec<_> =
        std::iter::from_fn(|| alice_inbox.try_recv()).map(|event| line(&event)).collect();
    assert_eq!(lines[1..], [format!("FLN {}", address(2))]);
    assert!(matches!(bob_inbox.try_recv(), Some(Event::Expelled)));
    assert_eq!(hub.counts(), Counts { sessions: 1, watches: 0 });
}

#[test]
fn a_session_that_falls_behind_is_dropped_alone() {
    let hub = Hub::new(3);
    let (slow, mut slow_inbox, _) = join(&hub, 1, &[]);
    let _ = slow.set_presence(online(0));
    let (watcher, mut watcher_inbox, _) = join(&hub, 2, &[1]);
    let _ = watcher.set_presence(online(0));
    let (busy, _busy_inbox, person) = join(&hub, 3, &[]);
    for version in 8..12 {
        // Status changes would be merged; what happens to lists must all be told.
        let change = Change::Watched { contact: id(1), reverse_version: version, properties: None };
        hub.apply(&Applied { owner: id(3), version, change }, &person, busy.session());
    }
    let heard: Vec<_> =
        std::iter::from_fn(|| watcher_inbox.try_recv()).map(|event| line(&event)).collect();
    assert_eq!(heard, [format!("FLN {}", address(1))]);
    assert_eq!(std::iter::from_fn(|| slow_inbox.try_recv()).count(), 3);
    assert!(slow_inbox.is_closed());
    assert_eq!(hub.counts().sessions, 2);
}

#[test]
fn a_new_account_takes_the_place_of_a_removed_one_of_the_same_name() {
    let hub = Hub::new(10);
    let (alice, mut alice_inbox, _) = join(&hub, 1, &[2, 3]);
    let _ = alice.set_presence(online(1));
    let (old, mut old_inbox, _) = join(&hub, 2, &[]);
    let _ = old.set_presence(online(1));
    let person = Person::new(id(3), address(2), Name::new("x").unwrap());
    let sign_in = sign_in(SessionId(9), person, Circle::default(), 1);
    let (new, _new_inbox) = hub.expect(id(3)).sign_in(sign_in).unwrap();
    let _ = new.set_presence(online(2));
    let heard: Vec<_> =
        std::iter::from_fn(|| alice_inbox.try_recv()).map(|event| line(&event)).collect();
    let nln = |client_id| format!("NLN NLN {} x {client_id}", address(2));
    assert_eq!(heard, [nln(1), format!("FLN {}", address(2)), nln(2)]);
    assert!(matches!(old_inbox.try_recv(), Some(Event::Expelled)));
}

#[test]
fn who_is_not_in_the_list_just_fetched_is_not_seen_any_more() {
    let hub = Hub::new(10);
    let (alice, mut alice_inbox, _) = join(&hub, 1, &[2, 3]);
    let _ = alice.set_presence(online(1));
    let (bob, _bob_inbox, _) = join(&hub, 2, &[]);
    let _ = bob.set_presence(online(1));
    assert_eq!(alice_inbox.len(), 1);
    let left = [id(3)].into();
    assert_eq!(hub.reconcile(id(1), alice.session(), &left, 6), Err(Stale));
    assert_eq!(hub.reconcile(id(1), alice.session(), &left, 8), Ok(()));
    let _ = bob.set_presence(online(2));
    drop(bob);
    assert!(alice_inbox.try_recv().is_none());
}

/// Many threads change everything at once; afterwards everybody's view is the truth, and nobody
/// ever saw one person's changes out of order.
#[test]
fn concurrent_changes_are_seen_in_order_and_completely() {
    const ROUNDS: u32 = 300;
    let hub = Hub::new(1_000_000);
    let everybody: Vec<usize> = (0..PEOPLE).collect();
    let ends: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = everybody
            .iter()
            .map(|who| {
                let (hub, everybody) = (&hub, &everybody);
                scope.spawn(move || {
                    let mut joined = join(hub, *who, everybody);
                    let mut view = BTreeMap::new();
                    for round in 1..=ROUNDS {
                        if round % 50 == 0 {
                            drop(joined);
                            joined = join(hub, *who, everybody);
                            view.clear();
                        }
                        let entered = joined.0.set_presence(online(round));
                        for card in entered.visible.iter().flatten() {
                            see(&mut view, &Event::Online(card.clone()));
                        }
                        while let Some(event) = joined.1.try_recv() {
                            see(&mut view, &event);
                        }
                    }
                    (joined, view)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    // Nobody may leave before everybody has looked.
    let mut ends: Vec<_> = ends;
    for ((_member, inbox, _), view) in &mut ends {
        while let Some(event) = inbox.try_recv() {
            see(view, &event);
        }
        let expected: BTreeMap<_, _> =
            everybody.iter().map(|who| (address(*who), ROUNDS)).collect();
        assert_eq!(*view, expected);
    }
}

/// Takes an event into a view, refusing what must never be seen.
fn see(view: &mut BTreeMap<Address, u32>, event: &Event) {
    match event {
        Event::Online(card) => {
            let old = view.insert(card.person.address.clone(), card.presence.client_id);
            assert!(old.is_none_or(|old| old < card.presence.client_id), "out of order");
        }
        Event::Offline(person) => {
            assert!(view.remove(&person.address).is_some(), "FLN of somebody unseen");
        }
        other => panic!("unexpected {other:?}"),
    }
}
