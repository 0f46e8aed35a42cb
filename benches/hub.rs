//! What a status change costs in the hub: in proportion to the people who may see it, whoever else
//! is online. Prints ratios taken in one run: `cargo bench --bench hub`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints and may panic")]

use msnd::{
    hub::{Event, Facts, Hub, Inbox, Member, Person, SessionId, SignIn},
    model::{AccountId, Address, Circle, Name, Presence, Status},
    notification::nln,
    protocol::Dialect,
};
use std::{hint::black_box, time::Duration};
use tokio::time::Instant;

const ROUNDS: u32 = 400;

fn main() {
    println!("seers  online  blocked  µs/change  ns/delivery  ratio to the first line");
    let mut first = None;
    for (seers, online, blocked) in [
        (100, 1_000, 0),
        (100, 20_000, 0),
        (100, 20_000, 1_000),
        (1_000, 20_000, 0),
        (10_000, 20_000, 0),
    ] {
        let per_change = measure(seers, online, blocked);
        let first = *first.get_or_insert(per_change);
        let micros = per_change.as_secs_f64() * 1e6;
        let nanos = micros * 1e3 / f64::from(seers);
        let ratio = per_change.as_secs_f64() / first.as_secs_f64();
        println!("{seers:5}  {online:6}  {blocked:7}  {micros:9.1}  {nanos:11.0}  {ratio:.2}");
    }
}

/// The shortest of several blocks, for one change of account 1: hub work, encoding, taking out.
fn measure(seers: u32, online: u32, blocked: u32) -> Duration {
    let hub = Hub::new(16);
    let watched = AccountId(1);
    let block = (0..blocked).map(|n| AccountId(u64::from(seers + n + 2))).collect();
    let (busy, _inbox) = join(&hub, 1, Circle { block, ..Circle::default() });
    let mut sessions: Vec<(Member, Inbox)> = (0..online - 1)
        .map(|n| {
            let watches = n < seers + blocked;
            let forward = if watches { vec![watched] } else { vec![AccountId(u64::from(n) + 1)] };
            join(&hub, n + 2, Circle { forward, ..Circle::default() })
        })
        .collect();
    let mut best = Duration::MAX;
    for block in 0..8 {
        let start = Instant::now();
        for round in 0..ROUNDS / 8 {
            let _ = busy.set_presence(presence(block * ROUNDS + round));
            for (_, inbox) in sessions.iter_mut().take(seers as usize) {
                while let Some(event) = inbox.try_recv() {
                    if let Event::Online(card) = event {
                        black_box(nln(&card, Dialect::Msnp9));
                    }
                }
            }
        }
        best = best.min(start.elapsed() / (ROUNDS / 8));
    }
    best
}

fn join(hub: &Hub, number: u32, circle: Circle) -> (Member, Inbox) {
    let address = Address::parse(&format!("user{number}@example.test")).unwrap();
    let name = Name::from(&address);
    let person = Person::new(AccountId(u64::from(number)), address, name);
    let session = SessionId(u64::from(number));
    let arrival = hub.expect(AccountId(u64::from(number)));
    let facts = Facts::unknown(Dialect::Msnp9);
    let joined = arrival.sign_in(SignIn { session, person, circle, version: 1, facts }).unwrap();
    let _ = joined.0.set_presence(presence(0));
    joined
}

fn presence(client_id: u32) -> Presence {
    Presence { status: Status::Online, client_id: client_id + 1, object: None }
}
