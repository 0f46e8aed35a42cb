//! Rooms against the rules: random interleavings of everything people can do in conversations,
//! every line that everybody hears compared with what a model computes. And people in threads, who
//! come, speak and go at the same time.

mod crowd;
mod rules;
mod soak;

use msnd::{
    hub::{Person, RoomId},
    model::{AccountId, Address, Name},
    protocol::frame::command_bytes,
    switchboard::{
        queue::{Ending, FAIR_SHARE_BYTES, Hold, News, Queue, TAKE_WAIT},
        room::RoomLimits,
        rooms::{Rooms, RoomsLimits, Seat},
    },
};
use proptest::prelude::*;
use rules::Model;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time::{Instant, advance};

const PEOPLE: usize = 6;

/// What waited together, one by one; nothing of it is left over.
fn commands(mut lines: &[u8]) -> Vec<String> {
    let mut commands = Vec::new();
    while !lines.is_empty() {
        let (command, rest) = lines.split_at(command_bytes(lines).unwrap());
        commands.push(String::from_utf8(command.to_vec()).unwrap());
        lines = rest;
    }
    commands
}

/// What can happen. Connections and rooms are chosen among those there are.
#[derive(Debug, Clone)]
enum Step {
    Open(usize),
    /// By whom, whom, and whether that person is really rung.
    Call(usize, usize, bool),
    Answer(usize, usize),
    Say(usize, usize),
    Leave(usize),
    /// In whose conversation, and whose cookie is spent.
    Spend(usize, usize),
    EndStalled(usize),
    Read(usize, usize),
    Wait(u64),
    LookIfIdle(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let (who, any) = (0..PEOPLE, 0usize..100);
    prop_oneof![
        2 => who.clone().prop_map(Step::Open),
        3 => (any.clone(), who.clone(), proptest::bool::ANY)
            .prop_map(|(by, whom, is_rung)| Step::Call(by, whom, is_rung)),
        5 => (who.clone(), any.clone()).prop_map(|(who, room)| Step::Answer(who, room)),
        1 => (any.clone(), who.clone()).prop_map(|(by, whom)| Step::Spend(by, whom)),
        2 => any.clone().prop_map(Step::EndStalled),
        8 => (any.clone(), prop_oneof![Just(0usize), 1usize..400])
            .prop_map(|(who, bytes)| Step::Say(who, bytes)),
        2 => any.clone().prop_map(Step::Leave),
        4 => (any.clone(), 0usize..8).prop_map(|(who, lines)| Step::Read(who, lines)),
        3 => prop_oneof![0u64..8, 0u64..400].prop_map(Step::Wait),
        3 => any.prop_map(Step::LookIfIdle),
    ]
}

pub(crate) fn person(number: usize) -> Arc<Person> {
    let name = Name::new(&format!("U{number}")).unwrap();
    Person::new(AccountId(number as u64), Address::parse(&rules::user(number)).unwrap(), name)
}

/// Rooms with small limits, and a connection for each model ear.
struct Bench {
    rooms: Rooms,
    model: Model,
    connections: BTreeMap<usize, (Seat, Queue)>,
    /// Who waits, and for whom.
    holds: BTreeMap<usize, (Hold, usize)>,
    began_at: Instant,
    /// Numbers of all rooms there ever were.
    known: Vec<RoomId>,
    next: usize,
}

impl Bench {
    fn new() -> Self {
        let room = RoomLimits {
            members_max: rules::MEMBERS_MAX,
            queue_bytes_max: rules::QUEUE_BYTES_MAX,
            idle: Duration::from_secs(rules::IDLE_SECS),
            ring: Duration::from_secs(rules::RING_SECS),
        };
        let (rooms_max, per_user_max) = (rules::ROOMS_MAX, rules::ROOMS_PER_USER_MAX);
        // Close to where numbers begin anew.
        let (queues_bytes_max, fair_share_bytes) =
            (rules::QUEUES_BYTES_MAX, rules::FAIR_SHARE_BYTES);
        let limits =
            RoomsLimits { rooms_max, per_user_max, queues_bytes_max, fair_share_bytes, room };
        let rooms = Rooms::new(limits, 0x7fff_fffd);
        let (connections, holds, known) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        Self {
            rooms,
            model: Model::default(),
            connections,
            holds,
            began_at: Instant::now(),
            known,
            next: 0,
        }
    }

    async fn run(&mut self, step: &Step) {
        match *step {
            Step::Open(who) => {
                let expected = self.model.may_open(who);
                let opened = self.rooms.open(&person(who), None);
                assert_eq!(opened.as_ref().map(drop).map_err(|error| *error), expected);
                let Ok((seat, queue)) = opened else { return };
                let id = seat.room();
                assert!((1..=i32::MAX.cast_unsigned()).contains(&id.0));
                self.model.opened(self.next, who, id.0);
                self.known.push(id);
                self.sit(seat, queue);
            }
            Step::Call(by, whom, is_rung) => {
                let Some(by) = self.connection(by) else { return };
                let seat = &self.connections[&by].0;
                let invited = seat.invite(&person(whom).address);
                let expected = self.model.call(by, whom);
                assert_eq!(invited.as_ref().map(drop).map_err(|error| *error), expected);
                let Ok(invitation) = invited else { return };
                if is_rung {
                    invitation.rung();
                    self.model.rung(by, whom);
                } else {
                    drop(invitation);
                    self.model.withdrawn(by, whom);
                }
            }
            Step::Spend(by, whom) => {
                let Some(by) = self.connection(by) else { return };
                if !self.model.is_member(by) {
                    return;
                }
                let (expected, spent) = (self.model.pending(by), &person(whom).address);
                self.connections[&by].0.drop_spent_calls(|callees| {
                    let asked: Vec<_> = callees.iter().map(|callee| callee.as_str()).collect();
                    assert_eq!(asked, expected);
                    callees.iter().filter(|callee| *callee != spent).cloned().collect()
                });
                if expected.iter().any(|callee| callee == spent.as_str()) {
                    self.model.withdrawn(by, whom);
                }
            }
            Step::EndStalled(who) => {
                let Some(who) = self.connection(who) else { return };
                let out = self.connections[&who].0.end_stalled(Instant::now());
                assert_eq!(out, self.model.end_stalled(who));
            }
            Step::Answer(who, room) => {
                if self.known.is_empty() {
                    return;
                }
                let id = self.known[room % self.known.len()];
                let expected = self.model.may_join(who, id.0);
                let joined = self.rooms.join(id, &person(who), None);
                let present = joined.as_ref().map_err(|error| *error).map(|(.., present)| {
                    present.iter().map(|person| person.id.0 as usize).collect::<Vec<_>>()
                });
                assert_eq!(present, expected);
                let Ok((seat, queue, _)) = joined else {
                    self.model.not_joined(id.0);
                    return;
                };
                self.model.joined(self.next, who, id.0);
                self.sit(seat, queue);
            }
            Step::Say(who, bytes) => {
                let Some(who) = self.connection(who) else { return };
                let payload = "x".repeat(bytes);
                let expected = self.model.say(who, &payload);
                let seat = &self.connections[&who].0;
                assert_eq!(seat.say(payload.as_bytes()), expected);
                let hold = seat.hold();
                assert_eq!(hold.is_some(), expected.is_ahead);
                if let Some(hold) = hold {
                    self.holds.insert(who, (hold, self.model.hold(who)));
                }
            }
            Step::Leave(who) => {
                let Some(who) = self.connection(who) else { return };
                self.connections.remove(&who);
                self.model.leave(who);
            }
            Step::Read(who, lines) => {
                if let Some(who) = self.connection(who) {
                    self.read(who, lines);
                }
            }
            Step::Wait(secs) => {
                advance(Duration::from_secs(secs)).await;
                self.model.now += secs;
            }
            Step::LookIfIdle(who) => {
                let Some(who) = self.connection(who) else { return };
                let seat = &mut self.connections.get_mut(&who).unwrap().0;
                seat.end_if_idle(Instant::now());
                self.model.end_if_idle(who);
                assert!(seat.idle_check_at() > Instant::now(), "it would be asked without end");
            }
        }
        let listed = self.rooms.list(RoomId(0), usize::MAX).into_iter().map(|room| {
            (room.id.0, room.members.iter().map(|member| member.as_str().to_owned()).collect())
        });
        assert_eq!(listed.collect::<Vec<_>>(), self.model.rooms());
        assert_eq!(self.rooms.waiting_bytes(), self.model.bytes());
        for (hold, other) in self.holds.values() {
            let since = self.model.ears.get(other).and_then(|ear| ear.held_since);
            let left = since.map(|since| since + TAKE_WAIT.as_secs());
            let stalls_in = hold.stalls_at().map(|at| (at - self.began_at).as_secs());
            assert_eq!(stalls_in, left);
        }
    }

    fn sit(&mut self, seat: Seat, queue: Queue) {
        self.connections.insert(self.next, (seat, queue));
        self.next += 1;
    }

    fn connection(&self, any: usize) -> Option<usize> {
        let count = self.connections.len();
        (count > 0).then(|| *self.connections.keys().nth(any % count).unwrap())
    }

    /// Everything up to so much news is as the rules say.
    fn read(&mut self, who: usize, count: usize) {
        let queue = &mut self.connections.get_mut(&who).unwrap().1;
        let ear = self.model.ears.get_mut(&who).unwrap();
        for _ in 0..count {
            match queue.try_recv() {
                Some(News::Lines(lines)) => {
                    for line in commands(&lines) {
                        assert_eq!(Some(line), ear.take(self.model.now), "user{}", ear.person);
                    }
                }
                other => {
                    assert_eq!(ear.take(self.model.now), None, "user{}", ear.person);
                    assert_eq!(other, ear.ending.map(News::End), "user{}", ear.person);
                }
            }
        }
    }

    fn read_all(&mut self) {
        for who in self.connections.keys().copied().collect::<Vec<_>>() {
            let lines = self.model.ears[&who].waiting.len();
            self.read(who, lines + 2);
        }
    }
}

/// Runs on a clock that stands still.
fn at_rest(test: impl Future<Output = ()>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().unwrap().block_on(test);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_line_follows_from_the_rules(steps in proptest::collection::vec(step(), 1..120)) {
        at_rest(async {
            let mut bench = Bench::new();
            for step in &steps {
                bench.run(step).await;
            }
            bench.read_all();
            for who in bench.connections.keys().copied().collect::<Vec<_>>() {
                bench.connections.remove(&who);
                bench.model.leave(who);
                bench.read_all();
            }
            assert!(bench.rooms.is_empty());
            // What people had opened is forgotten too.
            let open = || bench.rooms.open(&person(0), None).unwrap();
            let _all = [open(), open()];
        });
    }
}

fn rooms(queue_bytes_max: usize, idle_secs: u64) -> Rooms {
    let (idle, ring) = (Duration::from_secs(idle_secs), Duration::from_secs(60));
    let room = RoomLimits { members_max: 50, queue_bytes_max, idle, ring };
    let (rooms_max, per_user_max, fair_share_bytes) = (100, 100, FAIR_SHARE_BYTES);
    let queues_bytes_max = usize::MAX / 2;
    let limits = RoomsLimits { rooms_max, per_user_max, queues_bytes_max, fair_share_bytes, room };
    Rooms::new(limits, 1)
}

#[test]
fn who_was_invited_together_meets_after_the_caller_has_gone() {
    let rooms = rooms(1 << 16, 600);
    let server: Arc<str> = "192.0.2.1:1865".into();
    let (alice, _) = rooms.open(&person(1), Some(server.clone())).unwrap();
    let id = alice.room();
    drop(alice);
    assert!(rooms.is_empty());
    let (bob, mut bob_hears, present) = rooms.join(id, &person(2), Some(&server)).unwrap();
    assert_eq!((present.len(), bob.room()), (0, id));
    assert_eq!(bob.server(), Some(server), "calls from there lead to the same switchboard");
    let (_carol, _, present) = rooms.join(id, &person(3), None).unwrap();
    assert_eq!(present[0].id, AccountId(2));
    let joi = "JOI u3@example.test U3\r\n";
    assert_eq!(bob_hears.try_recv(), Some(News::Lines(joi.into())));
    assert!(bob.say(b"hi").is_delivered);
}

#[tokio::test(start_paused = true)]
async fn a_message_keeps_everybody_and_silence_sends_everybody_away() {
    let rooms = rooms(1 << 16, 600);
    let (mut alice, mut alice_hears) = rooms.open(&person(1), None).unwrap();
    let (mut bob, mut bob_hears, _) = rooms.join(alice.room(), &person(2), None).unwrap();
    advance(Duration::from_secs(599)).await;
    alice.end_if_idle(Instant::now());
    assert!(bob.say(b"still there?").is_delivered);
    advance(Duration::from_secs(599)).await;
    bob.end_if_idle(Instant::now());
    assert!(alice.idle_check_at() <= Instant::now() && bob.idle_check_at() > Instant::now());
    advance(Duration::from_secs(1)).await;
    alice.end_if_idle(Instant::now());
    let heard = |queue: &mut Queue| {
        std::iter::from_fn(|| match queue.try_recv() {
            Some(News::Lines(lines)) => Some(commands(&lines)),
            other => {
                assert_eq!(other, Some(News::End(Ending::Idle)));
                None
            }
        })
        .flatten()
        .collect::<Vec<_>>()
    };
    let said = "MSG u2@example.test U2 12\r\nstill there?";
    let joi = "JOI u2@example.test U2\r\n";
    assert_eq!(heard(&mut alice_hears), [joi, said, "BYE u2@example.test 1\r\n"]);
    assert_eq!(heard(&mut bob_hears), ["BYE u1@example.test 1\r\n"]);
    assert!(!alice.say(b"too late").is_delivered);
}

#[test]
fn many_messages_share_their_bytes_with_all_receivers() {
    let rooms = rooms(1 << 20, 600);
    let (alice, _) = rooms.open(&person(0), None).unwrap();
    let mut others: Vec<_> =
        (1..20).map(|who| rooms.join(alice.room(), &person(who), None).unwrap()).collect();
    for (_, queue, _) in &mut others {
        while queue.try_recv().is_some() {}
    }
    assert!(alice.say(&[7; 1300]).is_delivered);
    let copies: Vec<_> = others
        .iter_mut()
        .map(|(_, queue, _)| match queue.try_recv() {
            Some(News::Lines(lines)) => lines,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(copies.iter().all(|copy| copy.as_ptr() == copies[0].as_ptr()));
}
