//! A great many conversations one after the other: nothing of them may be left.

use super::{person, rooms};
use msnd::{
    hub::{Event, Facts, Hub, Inbox, Member, SessionId, SignIn},
    model::{Circle, Presence, Status},
    protocol::Dialect,
};
use std::sync::Arc;

/// Cookies that were presented are gone; what waits for an end of its time is bounded.
const CONVERSATIONS: usize = 1_000_000;
/// Memory that may be taken after the first tenth, when every buffer has found its size.
const GROWTH_BYTES_MAX: usize = 8 << 20;

fn present(hub: &Hub, who: usize) -> (Member, Inbox) {
    let person = person(who);
    let session = SessionId(who as u64);
    let facts = Facts::unknown(Dialect::Msnp9);
    let sign_in =
        SignIn { session, person: person.clone(), circle: Circle::default(), version: 1, facts };
    let (member, inbox) = hub.expect(person.id).sign_in(sign_in).unwrap();
    let _ = member.set_presence(Presence { status: Status::Online, client_id: 0, object: None });
    (member, inbox)
}

/// Resident memory of this process.
fn memory_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
#[ignore = "a million conversations take a minute; run by hand when rooms or cookies change"]
fn a_million_conversations_leave_nothing_behind() {
    let (hub, rooms) = (Hub::new(100), rooms(1 << 20, 600));
    let (alice, _alice_inbox) = present(&hub, 1);
    let (_bob, mut bob_inbox) = present(&hub, 2);
    let (alice_address, bob_address) = (person(1).address.clone(), person(2).address.clone());
    let mut before = 0;
    for number in 0..CONVERSATIONS {
        let cookie = alice.open_conversation(None).unwrap();
        let opening = hub.redeem_opening(cookie.as_bytes(), Some(&alice_address)).unwrap();
        let (host, _host_hears) = rooms.open(&opening.admitted.person, None).unwrap();
        let invitation = host.invite(&bob_address).unwrap();
        hub.ring(&bob_address, host.person(), host.room(), None).unwrap();
        invitation.rung();
        let Some(Event::Ring(ring)) = bob_inbox.try_recv() else { panic!("nobody rang") };
        let answer = hub.redeem_answer(ring.cookie.as_bytes(), Some(&bob_address)).unwrap();
        let person = Arc::clone(&answer.admitted.person);
        let (guest, _guest_hears, _) = rooms.join(answer.room, &person, None).unwrap();
        assert!(guest.say(b"hello").is_delivered && host.say(&[7; 1300]).is_delivered);
        drop((host, guest));
        if number == CONVERSATIONS / 10 {
            before = memory_bytes();
        }
    }
    let after = memory_bytes();
    eprintln!("resident: {before} bytes after a tenth, {after} at the end");
    assert!(rooms.is_empty());
    assert_eq!(hub.cookies(), 0);
    assert!(after < before + GROWTH_BYTES_MAX, "{before} bytes became {after}");
}
