//! What an inbox keeps, merges and gives back.

use super::*;
use crate::{
    hub::{Card, Person, event::Memo},
    model::{Address, Name, Presence, Status},
};
use proptest::prelude::*;

fn online(id: u64, client_id: u32) -> Event {
    let address = Address::parse(&format!("user{id}@example.test")).unwrap();
    let name = Name::from(&address);
    let person = Person::new(AccountId(id), address, name);
    let presence = Presence { status: Status::Online, client_id, object: None };
    Event::Online(Arc::new(Card { person, presence, memo: Memo::default() }))
}

fn seen(event: &Event) -> (u64, u32) {
    match event {
        Event::Online(card) => (card.person.id.0, card.presence.client_id),
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_keeps_up_hears_everything_and_who_does_not_the_latest() {
    let (sender, mut inbox) = inbox(2 * MERGE_FROM);
    for client_id in 0..100_000 {
        sender.send(online(1, client_id)).unwrap();
        sender.send(online(2, client_id)).unwrap();
    }
    assert_eq!(inbox.len(), MERGE_FROM + 2);
    let events: Vec<_> = std::iter::from_fn(|| inbox.try_recv()).collect();
    assert_eq!(seen(&events[MERGE_FROM]), (1, 99_999));
    assert_eq!(seen(&events[MERGE_FROM + 1]), (2, 99_999));
    let queue = inbox.0.lock();
    assert_eq!((queue.later.capacity(), queue.latest.capacity()), (0, 0));
}

#[test]
fn an_inbox_that_is_emptied_keeps_no_room() {
    let (sender, mut inbox) = inbox(2 * MERGE_FROM);
    for client_id in 0..2 * MERGE_FROM {
        sender.send(online(1, u32::try_from(client_id).unwrap())).unwrap();
    }
    sender.keep_only(&HashSet::new());
    assert!(inbox.try_recv().is_none());
    let queue = inbox.0.lock();
    assert_eq!((queue.later.capacity(), queue.latest.capacity()), (0, 0));
}

#[test]
fn a_small_inbox_merges_too() {
    let (sender, mut inbox) = inbox(16);
    for client_id in 0..1000 {
        sender.send(online(1, client_id)).unwrap();
    }
    let events: Vec<_> = std::iter::from_fn(|| inbox.try_recv()).collect();
    assert_eq!((events.len(), seen(&events[8])), (9, (1, 999)));
}

#[tokio::test]
async fn a_farewell_needs_no_room_and_no_reader() {
    let (sender, mut inbox) = inbox(1);
    sender.send(Event::ShutdownNotice { minutes: 1 }).unwrap();
    assert!(sender.send(Event::ShutdownNotice { minutes: 2 }).is_err());
    sender.farewell(Event::Replaced);
    assert!(matches!(inbox.recv(false).await, Some(Event::Replaced)));
    assert!(matches!(inbox.recv(true).await, Some(Event::ShutdownNotice { minutes: 1 })));
    assert!(inbox.recv(true).await.is_none());
}

#[tokio::test]
async fn who_waits_is_woken() {
    let (sender, mut inbox) = inbox(1);
    let waiting = async { inbox.recv(true).await };
    let sending = async { sender.send(Event::ShutdownNotice { minutes: 7 }).unwrap() };
    let (event, ()) = tokio::join!(waiting, sending);
    assert!(matches!(event, Some(Event::ShutdownNotice { minutes: 7 })));
    drop(sender);
    assert!(inbox.recv(false).await.is_none());
}

proptest! {
    /// However sending and receiving interleave: of every person the changes come in order,
    /// and the last one comes.
    #[test]
    fn nobodys_changes_are_reordered_or_end_early(
        steps in proptest::collection::vec((1u64..6, 0usize..1500, 0usize..1500), 1..12),
    ) {
        let (sender, mut inbox) = inbox(1 << 20);
        let (mut sent, mut heard) = (HashMap::new(), HashMap::new());
        let mut client_id = 0;
        let mut take = |inbox: &mut Inbox, count: usize| {
            for event in std::iter::from_fn(|| inbox.try_recv()).take(count) {
                let (id, client_id) = seen(&event);
                if let Some(before) = heard.insert(id, client_id) {
                    assert!(before < client_id);
                }
            }
            heard.clone()
        };
        for (people, sends, receives) in steps {
            for n in 0..sends as u64 {
                client_id += 1;
                sent.insert(n % people, client_id);
                sender.send(online(n % people, client_id)).unwrap();
            }
            take(&mut inbox, receives);
        }
        prop_assert_eq!(take(&mut inbox, usize::MAX), sent);
    }
}
