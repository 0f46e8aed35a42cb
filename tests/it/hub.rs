//! The hub against the rules: random interleavings of many sessions, every line that every
//! session received compared with what a model computes from `presence-rules.md` §2 and §3 alone.

mod rules;

use bytes::Bytes;
use msnd::{
    hub::{
        Card, Counts, Event, Facts, Hub, Inbox, ListEvent, Member, Person, SessionId, SignIn, Stale,
    },
    model::{Address, Applied, Change, Circle, List, Name, Presence, Privacy, Status},
    notification::nln,
    protocol::Dialect,
};
use proptest::prelude::*;
use rules::{Account, Model, Shown, address, id};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

const PEOPLE: usize = 5;

/// What a session can do or suffer.
#[derive(Debug, Clone)]
enum Step {
    SignIn(usize),
    SignOut(usize),
    Show(usize, Status, u32, Option<u8>),
    Watch(usize, usize),
    Unwatch(usize, usize),
    List(usize, List, usize),
    Unlist(usize, List, usize),
    Mode(usize, Privacy),
    Rename(usize, u8),
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..PEOPLE;
    let status = (0..Status::ALL.len()).prop_map(|index| Status::ALL[index].0);
    let list = prop_oneof![Just(List::Allow), Just(List::Block)];
    let mode = prop_oneof![Just(Privacy::AllowOthers), Just(Privacy::BlockOthers)];
    prop_oneof![
        3 => who.clone().prop_map(Step::SignIn),
        1 => who.clone().prop_map(Step::SignOut),
        6 => (who.clone(), status, 0u32..3, proptest::option::of(0u8..2))
            .prop_map(|(who, status, id, object)| Step::Show(who, status, id, object)),
        3 => (who.clone(), who.clone()).prop_map(|(one, other)| Step::Watch(one, other)),
        1 => (who.clone(), who.clone()).prop_map(|(one, other)| Step::Unwatch(one, other)),
        2 => (who.clone(), list.clone(), who.clone())
            .prop_map(|(one, list, other)| Step::List(one, list, other)),
        2 => (who.clone(), list, who.clone())
            .prop_map(|(one, list, other)| Step::Unlist(one, list, other)),
        1 => (who.clone(), mode).prop_map(|(who, mode)| Step::Mode(who, mode)),
        1 => (who, 0u8..3).prop_map(|(who, name)| Step::Rename(who, name)),
    ]
}

impl Step {
    /// Whose session an edit needs.
    const fn owner(&self) -> Option<usize> {
        match self {
            Self::Watch(who, _)
            | Self::Unwatch(who, _)
            | Self::List(who, ..)
            | Self::Unlist(who, ..)
            | Self::Mode(who, _)
            | Self::Rename(who, _) => Some(*who),
            Self::SignIn(_) | Self::SignOut(_) | Self::Show(..) => None,
        }
    }
}

/// What one step must bring besides presence lines.
#[derive(Debug, Default)]
struct Expect {
    /// Who learns of new visible people by `ILN`.
    iln_to: Option<usize>,
    /// The `ILN`s it got.
    ilns: Vec<String>,
    /// A list line for somebody.
    told: Option<(usize, String)>,
    /// Who took whom off the forward list.
    unwatched: Option<(usize, usize)>,
    /// A new session, which must not see a trace of an old one.
    starts_blank: Option<usize>,
}

/// The hub under test with one live session for each signed-in person.
struct Bench {
    hub: Hub,
    model: Model,
    sessions: BTreeMap<usize, (Member, Inbox, Arc<Person>)>,
    next_session: u64,
}

impl Bench {
    fn new() -> Self {
        let account = |who: usize| Account {
            forward: BTreeSet::new(),
            allow: BTreeSet::new(),
            block: BTreeSet::new(),
            mode: Privacy::AllowOthers,
            version: 1,
            name: format!("u{who}"),
            session: None,
        };
        Self {
            hub: Hub::new(1000),
            model: Model((0..PEOPLE).map(account).collect()),
            sessions: BTreeMap::new(),
            next_session: 1,
        }
    }

    fn run(&mut self, step: &Step) {
        let before = self.model.clone();
        if let Some(owner) = step.owner()
            && !self.sessions.contains_key(&owner)
        {
            return;
        }
        match *step {
            Step::SignIn(who) => self.sign_in(who, &before),
            Step::SignOut(who) => {
                if self.sessions.remove(&who).is_some() {
                    self.model.0[who].session = None;
                    self.check(&before, &Expect::default());
                }
            }
            Step::Show(who, status, client_id, object) => {
                let Some((member, ..)) = self.sessions.get(&who) else { return };
                let is_first = self.model.0[who].session == Some(None);
                self.model.0[who].session = Some(Some(Shown { status, client_id, object }));
                let object = object.map(|object| Bytes::from(format!("%3Cobj{object}%3E")));
                let entered = member.set_presence(Presence { status, client_id, object });
                let ilns = entered.visible.iter().flatten().map(iln).collect();
                assert_eq!(entered.visible.is_some(), is_first);
                let iln_to = is_first.then_some(who);
                self.check(&before, &Expect { iln_to, ilns, ..Expect::default() });
            }
            Step::Watch(who, whom) => {
                if self.model.0[who].forward.insert(whom) {
                    let reverse_version = self.bump(whom);
                    self.apply(
                        who,
                        Change::Watched { contact: id(whom), reverse_version, properties: None },
                        &before,
                        Some((whom, reverse_version, "ADD 0 RL")),
                    );
                }
            }
            Step::Unwatch(who, whom) => {
                if self.model.0[who].forward.remove(&whom) {
                    let reverse_version = self.bump(whom);
                    self.apply(
                        who,
                        Change::Unwatched { contact: id(whom), reverse_version },
                        &before,
                        Some((whom, reverse_version, "REM 0 RL")),
                    );
                }
            }
            Step::List(who, list, whom) => {
                let account = &mut self.model.0[who];
                let (set, opposite) = match list {
                    List::Allow => (&mut account.allow, &account.block),
                    _ => (&mut account.block, &account.allow),
                };
                if !opposite.contains(&whom) && set.insert(whom) {
                    self.apply(who, Change::Listed { list, contact: id(whom) }, &before, None);
                }
            }
            Step::Unlist(who, list, whom) => {
                let account = &mut self.model.0[who];
                let set = if list == List::Allow { &mut account.allow } else { &mut account.block };
                if set.remove(&whom) {
                    self.apply(who, Change::Unlisted { list, contact: id(whom) }, &before, None);
                }
            }
            Step::Mode(who, mode) => {
                if self.model.0[who].mode != mode {
                    self.model.0[who].mode = mode;
                    self.apply(who, Change::Privacy(mode), &before, None);
                }
            }
            Step::Rename(who, name) => {
                let name = format!("u{who}n{name}");
                if self.model.0[who].name != name {
                    self.model.0[who].name.clone_from(&name);
                    let name = Name::new(&name).unwrap();
                    self.apply(who, Change::Renamed { name }, &before, None);
                }
            }
        }
    }

    /// Signs in, perhaps a second time: then the old session is told and hears nothing more.
    fn sign_in(&mut self, who: usize, before: &Model) {
        let account = &self.model.0[who];
        let ids = |set: &BTreeSet<usize>| set.iter().map(|who| id(*who)).collect();
        let circle = Circle {
            forward: ids(&account.forward),
            allow: ids(&account.allow),
            block: ids(&account.block),
            privacy: account.mode,
        };
        let person = Person::new(id(who), address(who), Name::new(&account.name).unwrap());
        let session = SessionId(self.next_session);
        self.next_session += 1;
        let sign_in = sign_in(session, person.clone(), circle, account.version);
        let (member, inbox) = self.hub.expect(id(who)).sign_in(sign_in).unwrap();
        if let Some((_, mut old, _)) = self.sessions.insert(who, (member, inbox, person)) {
            assert!(matches!(old.try_recv(), Some(Event::Replaced)));
            assert!(old.try_recv().is_none());
        }
        self.model.0[who].session = Some(None);
        self.check(before, &Expect { starts_blank: Some(who), ..Expect::default() });
    }

    /// A committed edit of `who`'s roster, with what it means to the other party's reverse list.
    fn apply(
        &mut self,
        who: usize,
        change: Change,
        before: &Model,
        reverse: Option<(usize, u32, &str)>,
    ) {
        let version = self.bump(who);
        let (member, inbox, person) = &self.sessions[&who];
        let queued = inbox.len();
        let removed = matches!(change, Change::Unwatched { .. });
        let iln_to = matches!(change, Change::Watched { .. }).then_some(who);
        let applied = Applied { owner: id(who), version, change };
        let outcome = self.hub.apply(&applied, person, member.session());
        assert_eq!(outcome.queued_before, queued);
        let ilns = outcome.now_visible.iter().map(iln).collect();
        let told = reverse
            .map(|(whom, version, verb)| (whom, format!("{verb} {version} {}", address(who))));
        let unwatched = reverse.filter(|_| removed).map(|(whom, ..)| (who, whom));
        self.check(before, &Expect { iln_to, ilns, told, unwatched, starts_blank: None });
    }

    /// Compares what every session received with the rules, line by line.
    fn check(&mut self, before: &Model, expect: &Expect) {
        for (who, (_, inbox, _)) in &mut self.sessions {
            let mut received: Vec<String> =
                std::iter::from_fn(|| inbox.try_recv()).map(|event| line(&event)).collect();
            let mut expected = Vec::new();
            if expect.starts_blank != Some(*who) {
                expected = before.lines(&self.model, *who, expect.iln_to == Some(*who));
            }
            if let Some((_, whom)) = expect.unwatched.filter(|(remover, _)| remover == who) {
                // Who removes a contact is told nothing of it.
                expected.retain(|line| *line != format!("FLN {}", address(whom)));
            }
            if let Some((_, told)) = expect.told.as_ref().filter(|(whom, _)| whom == who)
                && matches!(self.model.0[*who].session, Some(Some(_)))
            {
                expected.push(told.clone());
            }
            if expect.iln_to == Some(*who) {
                received.extend(expect.ilns.iter().cloned());
            }
            received.sort();
            expected.sort();
            assert_eq!(received, expected, "user{who}");
        }
    }

    fn bump(&mut self, who: usize) -> u32 {
        self.model.0[who].version += 1;
        self.model.0[who].version
    }
}

fn iln(card: &Arc<Card>) -> String {
    line(&Event::Online(card.clone())).replacen("NLN", "ILN", 1)
}

/// The event as the line an MSNP9 client gets, without line end; list lines without names.
fn line(event: &Event) -> String {
    match event {
        Event::Online(card) => {
            String::from_utf8(nln(card, Dialect::Msnp9).to_vec()).unwrap().trim_end().to_owned()
        }
        Event::Offline(person) => format!("FLN {}", person.address),
        Event::List(event) => match &**event {
            ListEvent::ReverseAdded { version, by } => format!("ADD 0 RL {version} {}", by.address),
            ListEvent::ReverseRemoved { version, by } => {
                format!("REM 0 RL {version} {}", by.address)
            }
            ListEvent::Property { version, by, key, .. } => {
                format!("BPR {version} {} {key}", by.address)
            }
        },
        Event::Ring(ring) => format!("RNG {} {}", ring.room, ring.caller.address),
        Event::Replaced => "OUT OTH".into(),
        Event::Expelled => "expelled".into(),
        Event::Kicked => "kicked".into(),
        Event::ShutdownNotice { minutes } => format!("MSG {minutes}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_line_follows_from_the_rules(steps in proptest::collection::vec(step(), 1..80)) {
        let mut bench = Bench::new();
        for step in &steps {
            bench.run(step);
        }
        drop(bench.sessions);
        prop_assert_eq!(bench.hub.counts(), Counts::default());
    }
}

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

/// A sign-in with MSNP9.
fn sign_in(session: SessionId, person: Arc<Person>, circle: Circle, version: u32) -> SignIn {
    SignIn { session, person, circle, version, facts: Facts::unknown(Dialect::Msnp9) }
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
