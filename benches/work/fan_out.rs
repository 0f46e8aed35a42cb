//! From one event to many receivers: a change of status in the hub, a message in a room.

use super::{Case, Round, person};
use msnd::{
    hub::{Event, Facts, Hub, Inbox, Member, Person, SessionId, SignIn},
    model::{AccountId, Circle, Presence, Status},
    notification::nln,
    protocol::Dialect,
    switchboard::{
        queue::{News, Queue},
        room::RoomLimits,
        rooms::{Rooms, RoomsLimits, Seat},
    },
};
use std::{hint::black_box, sync::Arc, time::Duration};

/// The cost of one delivery is to be the same for all, except for what a round costs by itself.
pub(crate) const CASES: &[Case] = &[
    Case { name: "status_to_10", items: 10, set_up: || status(10, 1000, 0) },
    Case { name: "status_to_100", items: 100, set_up: || status(100, 1000, 0) },
    Case { name: "status_to_1000", items: 1000, set_up: || status(1000, 1001, 0) },
    Case { name: "message_to_1", items: 1, set_up: || message(1) },
    Case { name: "message_to_20", items: 20, set_up: || message(20) },
];

/// People online, of whom some watch the first.
pub(crate) struct Crowd {
    pub(crate) hub: Hub,
    /// Account 1.
    pub(crate) watched: Arc<Person>,
    member: Member,
    others: Vec<(Member, Inbox)>,
    _inbox: Inbox,
}

impl Crowd {
    /// `online` people in all; accounts 2 and following, so many as `watchers`, watch account 1,
    /// whose circle is `circle`.
    pub(crate) fn gather(circle: Circle, watchers: u32, online: u32) -> Self {
        let hub = Hub::new(16);
        let (watched, member, inbox) = join(&hub, 1, circle);
        let others = (0..online - 1).map(|n| {
            let whom = if n < watchers { 1 } else { u64::from(n) + 1 };
            let forward = vec![AccountId(whom)];
            let (_, member, inbox) = join(&hub, n + 2, Circle { forward, ..Circle::default() });
            (member, inbox)
        });
        let others = others.collect();
        Self { hub, watched, member, others, _inbox: inbox }
    }

    /// So many, from account 2 on, take out what they are told, as a line.
    pub(crate) fn hear(&mut self, count: u32) {
        for (_, inbox) in self.others.iter_mut().take(count as usize) {
            while let Some(event) = inbox.try_recv() {
                if let Event::Online(card) = event {
                    black_box(nln(&card, Dialect::Msnp9));
                }
            }
        }
    }
}

/// A round is one change of status: hub work, encoding, taking out.
pub(crate) fn status(seers: u32, online: u32, blocked: u32) -> Round {
    let block = (0..blocked).map(|n| AccountId(u64::from(seers + n + 2))).collect();
    let circle = Circle { block, ..Circle::default() };
    let mut crowd = Crowd::gather(circle, seers + blocked, online);
    let mut client_id = 1;
    Box::new(move || {
        client_id += 1;
        black_box(crowd.member.set_presence(presence(client_id)));
        crowd.hear(seers);
    })
}

fn join(hub: &Hub, number: u32, circle: Circle) -> (Arc<Person>, Member, Inbox) {
    let person = person(number);
    let session = SessionId(u64::from(number));
    let facts = Facts::unknown(Dialect::Msnp9);
    let sign_in = SignIn { session, person: person.clone(), circle, version: 1, facts };
    let (member, mut inbox) = hub.expect(person.id).sign_in(sign_in).unwrap();
    let _ = member.set_presence(presence(1));
    while inbox.try_recv().is_some() {}
    (person, member, inbox)
}

fn presence(client_id: u32) -> Presence {
    Presence { status: Status::Online, client_id, object: None }
}

/// A round is one message that all others take out.
fn message(others: u32) -> Round {
    let mib = 1 << 20;
    let (idle, ring) = (Duration::from_secs(3600), Duration::from_secs(60));
    let room = RoomLimits { members_max: 50, queue_bytes_max: mib, idle, ring };
    let limits = RoomsLimits {
        rooms_max: 1,
        per_user_max: 1,
        queues_bytes_max: 64 * mib,
        fair_share_bytes: mib,
        room,
    };
    let rooms = Rooms::new(limits, 1);
    let (seat, own) = rooms.open(&person(1), None).unwrap();
    let mut joined: Vec<(Seat, Queue)> = (0..others)
        .map(|n| {
            let (seat, queue, _) = rooms.join(seat.room(), &person(n + 2), None).unwrap();
            (seat, queue)
        })
        .collect();
    let payload = [b'a'; 200];
    let mut round = move || {
        black_box(seat.say(black_box(&payload)));
        for (_, queue) in &mut joined {
            while let Some(News::Lines(line)) = queue.try_recv() {
                black_box(line);
            }
        }
        // Its owner's queue has what was said at joining, and lives as long as the room.
        black_box(&own);
    };
    // The first one also takes out who has come.
    round();
    Box::new(round)
}
