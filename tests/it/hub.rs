//! The hub against the rules: random interleavings of many sessions, every line that every
//! session received compared with what a model computes from `presence-rules.md` §2 and §3 alone.

mod cases;
mod rules;

use bytes::Bytes;
use msnd::{
    hub::{Card, Counts, Event, Facts, Hub, Inbox, ListEvent, Member, Person, SessionId, SignIn},
    model::{Applied, Change, Circle, List, Name, Presence, Privacy, PropertyKey, Status},
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
    /// A group goes, and with it these people as far as they are on the forward list.
    RemoveGroup(usize, BTreeSet<usize>),
    List(usize, List, usize),
    Unlist(usize, List, usize),
    Mode(usize, Privacy),
    Rename(usize, u8),
    Set(usize, PropertyKey),
    /// Something that only the owner sees.
    Tidy(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..PEOPLE;
    let status = (0..Status::ALL.len()).prop_map(|index| Status::ALL[index].0);
    let list = prop_oneof![Just(List::Allow), Just(List::Block)];
    let key = (0..PropertyKey::ALL.len()).prop_map(|index| PropertyKey::ALL[index].0);
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
        1 => (who.clone(), 0u8..3).prop_map(|(who, name)| Step::Rename(who, name)),
        1 => (who.clone(), proptest::collection::btree_set(who.clone(), 0..PEOPLE))
            .prop_map(|(who, group)| Step::RemoveGroup(who, group)),
        2 => (who.clone(), key).prop_map(|(who, key)| Step::Set(who, key)),
        1 => who.prop_map(Step::Tidy),
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
            | Self::RemoveGroup(who, _)
            | Self::Mode(who, _)
            | Self::Rename(who, _)
            | Self::Set(who, _)
            | Self::Tidy(who) => Some(*who),
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
    /// List lines, and for whom.
    told: Vec<(usize, String)>,
    /// Who took whom off the forward list.
    unwatched: Option<(usize, BTreeSet<usize>)>,
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
        match step.clone() {
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
                        &[(whom, format!("ADD 0 RL {reverse_version}"))],
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
                        &[(whom, format!("REM 0 RL {reverse_version}"))],
                    );
                }
            }
            Step::RemoveGroup(who, group) => {
                let account = &mut self.model.0[who];
                let dropped: Vec<usize> =
                    account.forward.extract_if(.., |whom| group.contains(whom)).collect();
                let dropped: Vec<_> =
                    dropped.into_iter().map(|whom| (whom, self.bump(whom))).collect();
                let told: Vec<_> =
                    dropped.iter().map(|(whom, v)| (*whom, format!("REM 0 RL {v}"))).collect();
                let dropped = dropped.into_iter().map(|(whom, v)| (id(whom), v)).collect();
                self.apply(who, Change::GroupRemoved { dropped }, &before, &told);
            }
            Step::Set(who, key) => {
                let told = if key.is_shared() { self.watchers(who) } else { Vec::new() };
                let told: Vec<_> = told.into_iter().map(|whom| (whom, self.bump(whom))).collect();
                let lines: Vec<_> =
                    told.iter().map(|(whom, v)| (*whom, format!("BPR {key} {v}"))).collect();
                let told = told.into_iter().map(|(whom, v)| (id(whom), v)).collect();
                self.apply(who, Change::Property { key, value: None, told }, &before, &lines);
            }
            Step::Tidy(who) => self.apply(who, Change::Private, &before, &[]),
            Step::List(who, list, whom) => {
                let account = &mut self.model.0[who];
                let (set, opposite) = match list {
                    List::Allow => (&mut account.allow, &account.block),
                    _ => (&mut account.block, &account.allow),
                };
                if !opposite.contains(&whom) && set.insert(whom) {
                    self.apply(who, Change::Listed { list, contact: id(whom) }, &before, &[]);
                }
            }
            Step::Unlist(who, list, whom) => {
                let account = &mut self.model.0[who];
                let set = if list == List::Allow { &mut account.allow } else { &mut account.block };
                if set.remove(&whom) {
                    self.apply(who, Change::Unlisted { list, contact: id(whom) }, &before, &[]);
                }
            }
            Step::Mode(who, mode) => {
                if self.model.0[who].mode != mode {
                    self.model.0[who].mode = mode;
                    self.apply(who, Change::Privacy(mode), &before, &[]);
                }
            }
            Step::Rename(who, name) => {
                let name = format!("u{who}n{name}");
                if self.model.0[who].name != name {
                    self.model.0[who].name.clone_from(&name);
                    let name = Name::new(&name).unwrap();
                    self.apply(who, Change::Renamed { name }, &before, &[]);
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

    /// A committed edit of `who`'s roster, with what it means to the lists of others.
    fn apply(&mut self, who: usize, change: Change, before: &Model, told: &[(usize, String)]) {
        let version = self.bump(who);
        let (member, inbox, person) = &self.sessions[&who];
        let queued = inbox.len();
        let is_removal = matches!(change, Change::Unwatched { .. } | Change::GroupRemoved { .. });
        let iln_to = matches!(change, Change::Watched { .. }).then_some(who);
        let applied = Applied { owner: id(who), version, change };
        let outcome = self.hub.apply(&applied, person, member.session());
        assert_eq!(outcome.queued_before, queued);
        let ilns = outcome.now_visible.iter().map(iln).collect();
        let unwatched = is_removal.then(|| (who, told.iter().map(|(whom, _)| *whom).collect()));
        let told = told.iter().map(|(whom, line)| (*whom, format!("{line} {}", address(who))));
        let told = told.collect();
        self.check(before, &Expect { iln_to, ilns, told, unwatched, starts_blank: None });
    }

    /// Who watches `who` and may see it.
    fn watchers(&self, who: usize) -> Vec<usize> {
        let model = &self.model;
        let is_seer =
            |whom: &usize| model.0[*whom].forward.contains(&who) && model.allowed(*whom, who);
        (0..PEOPLE).filter(is_seer).collect()
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
            if let Some((_, gone)) = expect.unwatched.as_ref().filter(|(by, _)| by == who) {
                // Who removes a contact is told nothing of it.
                let fln = |whom: &usize| format!("FLN {}", address(*whom));
                expected.retain(|line| !gone.iter().any(|whom| *line == fln(whom)));
            }
            if matches!(self.model.0[*who].session, Some(Some(_))) {
                let told = expect.told.iter().filter(|(whom, _)| whom == who);
                expected.extend(told.map(|(_, line)| line.clone()));
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
                format!("BPR {key} {version} {}", by.address)
            }
        },
        Event::Ring(ring) => format!("RNG {} {}", ring.room, ring.caller.address),
        Event::Alert(posted) => format!("NOT {}", posted.id),
        Event::Mail(news) => format!("MSG {}", news.mailbox.inbox_unread),
        Event::Page(page) => format!("IPG {}", page.from()),
        Event::Replaced => "OUT OTH".into(),
        Event::Expelled => "expelled".into(),
        Event::Kicked => "kicked".into(),
        Event::ShutdownNotice { minutes } => format!("MSG {minutes}"),
        Event::Rest(_) => "rest".into(),
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

/// A sign-in with MSNP9.
fn sign_in(session: SessionId, person: Arc<Person>, circle: Circle, version: u32) -> SignIn {
    SignIn { session, person, circle, version, facts: Facts::unknown(Dialect::Msnp9) }
}
